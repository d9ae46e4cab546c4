"""Relay and input boards on an RS-485 line, spoken to in Modbus RTU: docs/modbus.md."""
