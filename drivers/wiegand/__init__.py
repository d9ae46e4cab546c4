"""Wiegand readers on pairs of GPIO lines of this computer: docs/wiegand.md.

`driver` has the readers; `lines` gives edges, `pulses` makes bursts of them, `frames` cards and keys; `reader` puts
them together and `answer` drives its light and beeper. `points` has the settings.
"""
