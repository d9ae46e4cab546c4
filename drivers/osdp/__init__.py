"""Readers, their relays and inputs on an RS-485 line: this is the control panel's side of OSDP.

One rule: the protocol is pure (`frames`, `messages`, `secure`, `device`, `panel`), and time is handed in. Only `line`
touches a port, and only `driver` knows the points of doors. `points` has the settings. docs/osdp.md tells why.
"""
