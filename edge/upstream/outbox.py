"""The records that still have to be acknowledged upstream: a window over the log, in order.

One rule: the cursor moves only over records that were acknowledged without a gap.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.model.messages import Record

MAX_WAITING: Final = 1_000
"""Records read ahead of sending; the others stay in the log until there is room."""
AHEAD: Final = 400
"""Records that may be sent before the application has acknowledged the first of them."""


class Outbox:
    """The window over one stream. Numbers are sequence numbers; 0 is before the first record."""

    def __init__(self, cursor: int, *, by_application: bool) -> None:
        """`by_application`: only `acknowledged_through` moves the cursor, not the broker's acknowledgement."""
        self.cursor = cursor
        self.by_application = by_application
        self.read_through = cursor
        """The last record that was added."""
        self.sent_through = cursor
        self._waiting: deque[Record] = deque()
        self._taken: set[int] = set()
        self._holes: dict[int, int] = {}
        """First -> last number of records that were removed from the log before they were acknowledged."""

    @property
    def room(self) -> int:
        """How many records may be added."""
        return MAX_WAITING - len(self._waiting)

    @property
    def unacknowledged(self) -> int:
        """How many records were sent and are not acknowledged yet."""
        return self.sent_through - self.cursor

    def feed(self, records: Sequence[Record]) -> None:
        """Add records behind those that were read before; without room they stay in the log."""
        for record in records:
            if record.sequence > self.read_through and self.room > 0:
                if record.sequence > self.read_through + 1:
                    self._holes[self.read_through + 1] = record.sequence - 1
                self._waiting.append(record)
                self.read_through = record.sequence

    def follows(self, sequence: int) -> bool:
        """Whether a record is the next one and there is room: then it need not be read from the disk."""
        return sequence == self.read_through + 1 and self.room > 0

    def next(self) -> Record | None:
        """The record to send now, or None when there is none or sending must wait."""
        self._move()
        if not self._waiting or (self.by_application and self.unacknowledged >= AHEAD):
            return None
        record = self._waiting.popleft()
        self.sent_through = record.sequence
        return record

    def taken(self, sequence: int) -> bool:
        """The broker acknowledged a record; True when that moved the cursor."""
        if self.by_application or sequence <= self.cursor:
            return False
        self._taken.add(sequence)
        before = self.cursor
        self._move()
        return self.cursor > before

    def acknowledged_through(self, sequence: int) -> bool:
        """The application has stored everything up to here; True when that moved the cursor."""
        if not self.by_application or sequence <= self.cursor:
            return False
        self.cursor = sequence
        self._move()
        return True

    def rewind(self) -> None:
        """Send everything after the cursor again."""
        self.read_through = self.sent_through = self.cursor
        self._waiting.clear()
        self._taken.clear()
        self._holes.clear()

    def _move(self) -> None:
        """Move the cursor over records that are acknowledged or were removed from the log."""
        while True:
            following = self.cursor + 1
            if following in self._taken:
                self._taken.discard(following)
                self.cursor = following
            elif following in self._holes:
                self.cursor = self._holes.pop(following)
            else:
                break
        self.sent_through = max(self.sent_through, self.cursor)
        self.read_through = max(self.read_through, self.cursor)
        while self._waiting and self._waiting[0].sequence <= self.cursor:
            self._waiting.popleft()
