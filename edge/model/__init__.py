"""The nouns that all rooms share, and the interfaces between rooms. Values only: no module reads a clock or a file.

Start with `messages` (signals of drivers, commands, events) and `records` (an event with its number and time).
`catalogue` has a row for each event type, `roles` one for each kind of point that a door has, `policy` what an
installer chooses. `ports` is what a driver, a broker link and a log promise. `cloudevents` writes a record as JSON.
`schedule` is here because doors and the directory both have one. Others may use every module.
"""
