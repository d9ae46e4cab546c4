"""The way of alarms upstream: a copy of each, ahead of any backlog, also of those from before.

One rule: an alarm leaves this lane only when the broker has taken its copy; then its own cursor moves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from edge.catalogue import CATALOGUE, Severity
from edge.log import LogUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log import Log
    from edge.messages import Record

SINK: Final = "mqtt-alarms"
ALARM_TYPES: Final = tuple(sorted(row.type for row in CATALOGUE.values() if row.severity is Severity.ALARM))
MAX_WAITING: Final = 1_000
"""Alarms kept ready; more are read from the log again when there is room."""
AGAIN_S: Final = 1.0


class AlarmLane:
    """Alarms that wait for a place, and those under way, for one link."""

    def __init__(self, log: Log, ready: Callable[[], None]) -> None:
        """`ready` is called when alarms from before have been read."""
        self._log, self._ready = log, ready
        self._waiting: deque[Record] = deque()
        self._known: set[int] = set()
        """Those that wait or are under way."""
        self._highest = 0
        self._behind = False
        self._catching_up: asyncio.Task[None] | None = None

    def start(self) -> None:
        """A new link: whatever was not taken is read again."""
        self.stop()
        self._catching_up = asyncio.create_task(self._catch_up(), name="alarms")

    def stop(self) -> None:
        """The link is gone."""
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._waiting.clear()
        self._known.clear()

    def add(self, records: Sequence[Record]) -> None:
        """Take the alarms out of what was committed just now."""
        for record in records:
            if CATALOGUE[record.event.type].severity is Severity.ALARM and record.sequence not in self._known:
                if len(self._waiting) >= MAX_WAITING:
                    self._behind = True
                    return
                self._known.add(record.sequence)
                self._waiting.append(record)

    def next(self) -> Record | None:
        """The alarm to send now."""
        return self._waiting.popleft() if self._waiting else None

    def taken(self, sequence: int) -> None:
        """The broker has it."""
        self._known.discard(sequence)
        self._highest = max(self._highest, sequence)
        if not self._behind and (self._catching_up is None or self._catching_up.done()):
            self._log.advance(SINK, min(self._known, default=self._highest + 1) - 1)
        elif self._behind and not self._waiting:
            self._behind = False
            self.start()

    async def _catch_up(self) -> None:
        """Read the alarms from before, in order, a page at a time."""
        from edge.log_query import Query  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        after = self._log.cursor(SINK)
        while True:
            through = self._log.committed
            try:
                page = await self._log.query(Query(types=ALARM_TYPES, after=after))
            except LogUnavailableError:
                await asyncio.sleep(AGAIN_S)
                continue
            self.add(page.records)
            self._ready()
            if page.next is None:
                break
            after = page.next
            while len(self._waiting) > MAX_WAITING // 2:  # noqa: ASYNC110 -- once a second is often enough
                await asyncio.sleep(AGAIN_S)
        if not self._known and not self._behind:
            self._log.advance(SINK, through)
