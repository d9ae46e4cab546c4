"""The nouns everybody shares, and the promises between rooms. Values only: nothing here reads a clock or a file.

Start with `messages` (what a driver saw, what somebody asked for, what happened) and `records` (an event with its
number and time). `catalogue` has a row for each event type, `roles` one for each kind of point that a door has,
`policy` what an installer chooses. `ports` is what a driver, a broker link and a log promise. `cloudevents` writes a
record for the outside. `schedule` is here because doors and the directory both have one. Others may use every module.
"""
