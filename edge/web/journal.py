"""The journal of the page: what strangers can make happen is said once a minute, however often they do it.

One rule: of what comes again, the count is said with the next one; nobody fills the journal from outside.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

EVERY_S: Final = 60.0
MOST_KINDS: Final = 200
"""What is remembered; there are fewer places in the code that say something."""


@dataclass(slots=True)
class _Kind:
    said_s: float
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """For a handler: warnings and mistakes that were said within the last minute are counted only."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        super().__init__()
        self._kinds: dict[object, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is to be said."""
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
