"""Relay and input boards on an RS-485 line, spoken to in Modbus RTU: docs/modbus.md.

`driver` has a `line` with boards; `board` is one conversation, `duties` what is next for it, `frames` the bytes.
`points` has the settings.
"""
