"""Relay and input boards on an RS-485 line, spoken to in Modbus RTU: docs/modbus.md.

`driver` has a `line` with boards; `board` is the conversation with one, `duties` its tasks, `frames` the bytes.
`points` has the settings.
"""
