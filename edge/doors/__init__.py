"""A door: its rules, its inputs and its wires. The rules get the time as an argument and do no I/O: docs/rules.md.

In: a driver's signal comes to `runner`; `signals` settles it (`inputs`, `debounce`) and says what it means, and
`rules.step` decides: forced, held open, released. Out: `guarded_door` drives the outputs that the rules want, then
`runner` records the events. `state` is a door as a value, `conditions` what is wrong with it, `modes` its transition
table, `progress` how far its schedule is, `memory` what the log keeps of it. `driver_supervisor` keeps a driver open
and reports its loss, `mistakes` records errors in doord itself. Others may use every module but `rules`.
"""
