"""Records mistakes in doord itself: exceptions that should never happen, once for each kind.

One rule: recording a mistake never raises.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from edge.model.event_types import CONTROLLER_FAULT
from edge.model.messages import SYSTEM, Event

if TYPE_CHECKING:
    from edge.model.messages import Subject
    from edge.model.ports import Journal


class Mistakes:
    """The mistakes of this run."""

    def __init__(self, journal: Journal) -> None:
        """None yet."""
        self._journal = journal
        self._known: set[tuple[str, str]] = set()  # bounded: by the doors and the kinds of exceptions

    def record(self, error: Exception, subject: Subject, door: str | None, at_ns: int) -> Event:
        """Note a mistake; the first of its kind at this subject is recorded. Returns the event."""
        event = Event(
            CONTROLLER_FAULT,
            at_ns,
            subject,
            SYSTEM,
            success=False,
            code="internal_error",
            door=door,
            details={"reason": repr(error)[:500]},
        )
        kind = (subject.id, type(error).__name__)
        if kind not in self._known:
            self._known.add(kind)
            with suppress(Exception):
                self._journal.append([event])
        return event
