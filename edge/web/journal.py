"""Limits the page's journal: each kind of warning is logged once a minute, however often strangers cause it.

One rule: repeated messages are counted, and the next one has the count; nobody can fill the journal from outside.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

EVERY_S: Final = 60.0
MOST_KINDS: Final = 200
"""Kinds of messages that are kept; more than the code has."""


@dataclass(slots=True)
class _Kind:
    said_s: float
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """A filter for a logging handler: a warning or error that was logged within the last minute is only counted."""

    def __init__(self) -> None:
        """Nothing is logged yet."""
        super().__init__()
        self._kinds: dict[object, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log this record."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[0] if record.exc_info else None
        key = (record.name, record.msg if error is None else error, record.lineno)
        kind = self._kinds.get(key)
        if kind is not None and 0 <= record.created - kind.said_s < EVERY_S:
            kind.left_out += 1
            return False
        if kind is not None and kind.left_out:
            record.msg = f"{record.getMessage()} (and {kind.left_out} more like it)"
            record.args = None
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        self._kinds[key] = _Kind(record.created)
        return True
