"""A door: its rules, its inputs and its wires.

In: a driver's signal comes to `runner`; `signals` settles it with `debounce` and says what it means, and
`rules.step(door, policy, item, now)` decides. Out: `guarded_door` drives the outputs that the rules want, then
`runner` records the events. `state` is a door as a value, `conditions` what is wrong with one, `modes` its
transition table, `progress` how far its unlock schedule is, `memory` what of it outlives the daemon.
`driver_supervisor` keeps one driver open and says when it is lost.
The rules read no clock and do nothing: time is handed in.
"""
