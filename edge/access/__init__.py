"""Decides about cards and PINs at readers, and runs the doors' unlock schedules.

A card or a PIN comes to `readers`; `credentials` finds the cardholder, `decisions` grants or refuses with a code,
and `access_points` unlocks a door or an elevator. `anti_passback`, `keypad`, `guesses` and `timetable` (unlock
schedules) are what they say; `elevators` drives floors by `elevator_rules`. `enrolment` waits for the next card that
nobody has. `people` wires all of it to the doors. `edits` takes changes of the directory, `lookups` says whose a card
is. Others may use every module but `readers`, `reader_state`, `access_points`, `keypad`, `guesses` and `timetable`.
"""
