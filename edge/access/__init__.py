"""From what was shown at a reader to a decision, and unlock schedules kept in time.

In: a card or a PIN comes to `readers`; `credentials` finds whose it is, `decisions` grants or refuses with a code,
and `access_points` says what stands behind the reader: a door or an elevator. `anti_passback`, `keypad`, `guesses`
and `timetable` hold one concern each; `elevators` drives floors by `elevator_rules`. `people` wires all of it to the
doors. `edits` takes changes of the directory. Others may use `people`, `edits` and `elevators`.
"""
