"""Relays, contacts and buttons on the GPIO lines of this computer: docs/drivers.md.

`driver` keeps the promise, `wire` is one line, `factory` lets gpiozero work over the kernel's character device.
`points` has the settings.
"""
