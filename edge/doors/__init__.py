"""A door: its rules, its inputs and its wires.

In: a driver's signal comes to `runner`, `debounce` settles it, and `rules.step(door, policy, item, now)`
decides. Out: the events and the wanted outputs that it returns. `state` is a door as a value, `modes` its
transition table, `progress` how far its unlock schedule is. `driver_supervisor` keeps one driver open and says
when it is lost. The rules read no clock and do nothing: time is handed in.
"""
