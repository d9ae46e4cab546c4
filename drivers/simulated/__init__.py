"""Simulated doors, for a demonstration, a lesson or a test: docs/drivers.md."""
