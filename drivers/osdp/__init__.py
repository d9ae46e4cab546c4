"""Readers, their relays and inputs on an RS-485 line, spoken to in OSDP by a control panel of our own.

One rule: from bytes to trust everything is pure (`frames`, `messages`, `secure`, `device`, `panel`), time handed in;
only `line` touches a port and only `driver` knows doors' points. `points` has the settings. docs/osdp.md tells why.
"""
