"""A door: its rules, its inputs and its wires. Time is handed in to the rules, and they do nothing: docs/rules.md.

In: a driver's signal comes to `runner`; `signals` settles it (`inputs`, `debounce`) and says what it means, and
`rules.step` decides: forced, held open, released. Out: `guarded_door` drives the outputs that the rules want, then
`runner` records the events. `state` is a door as a value, `conditions` what is wrong with one, `modes` its transition
table, `progress` how far its schedule is, `memory` what outlives the daemon. `driver_supervisor` keeps one driver open
and says when it is lost, `mistakes` records our own. Others may use every module but `rules`.
"""
