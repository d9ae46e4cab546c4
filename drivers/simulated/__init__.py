"""Simulated doors, for a demonstration, a lesson or a test: docs/drivers.md.

`driver` is the whole building, `points` has the settings.
"""
