"""Wiegand readers on pairs of GPIO lines of this computer: docs/wiegand.md."""
