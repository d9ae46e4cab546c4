"""Doorward's daemon `doord` and its tool `doorctl`: door rules, log, sync, command line."""

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for some among all that is installed

__version__ = "0.1.0"
