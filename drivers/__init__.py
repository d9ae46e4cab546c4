"""One package for each kind of hardware. The folder's name is the `kind` of `[driver.NAME]`; nothing else registers it.

In each, `points` has the settings and the wiring of points, `driver` keeps the promise of `edge.model.ports.Driver`.
`hand_on`, `claims`, `serial_port` and `gpio_chip` are what several kinds share. How to write one: docs/drivers.md.
Nobody imports a kind: it is loaded by its name, when a configuration has it.
"""
