"""Doorward's daemon `doord` and its tool `doorctl`: door rules, log, sync, command line."""

__version__ = "0.1.0"
