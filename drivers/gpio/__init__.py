"""Relays, contacts and buttons on the GPIO lines of this computer: docs/drivers.md."""
