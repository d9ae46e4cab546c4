"""Faults of the directory's file and of its store: one fault in the log while there is any.

One rule: it is recorded once when it begins, and once when both are well again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_FAULT_CLEARED
from edge.model.messages import SYSTEM, Event, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.log.log import Log

LOG: Final = logging.getLogger(__name__)
SUBJECT: Final = Subject("directory", "directory", "Directory")


class DirectoryFaults:
    """What is wrong with the last `file`, and with the `store`."""

    def __init__(self, log: Log, now_ns: Callable[[], int]) -> None:
        """Nothing is wrong."""
        self._log, self._now_ns = log, now_ns
        self._reasons: dict[str, str] = {}

    @property
    def told(self) -> str | None:
        """All that is wrong, for people; None when nothing is."""
        return "; ".join(self._reasons.values()) or None

    def begin(self, about: str, reason: str) -> None:
        """Note that something is wrong."""
        if self._reasons.get(about) != reason:
            LOG.error("%s", reason)
        if not self._reasons:
            self._log.append([Event(CONTROLLER_FAULT, self._now_ns(), SUBJECT, SYSTEM, details={"reason": reason})])
        self._reasons[about] = reason

    def end(self, about: str) -> None:
        """Note that the file or the store is well again."""
        if self._reasons.pop(about, None) is not None and not self._reasons:
            self._log.append([Event(CONTROLLER_FAULT_CLEARED, self._now_ns(), SUBJECT, SYSTEM)])
