"""The way of alarms upstream: a copy of each, ahead of any backlog, also of those from before.

One rule: an alarm leaves this lane when the broker has taken its copy, or when somebody has its record on `events` and
nobody wants the copy; then its own cursor moves.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from typing import TYPE_CHECKING, Final

from edge.log.log import LogUnavailableError
from edge.model.catalogue import CATALOGUE, Severity, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Record

LOG: Final = logging.getLogger(__name__)
SINK: Final = "mqtt-alarms"
ALARM_TYPES: Final = tuple(sorted(row.type for row in CATALOGUE.values() if row.severity is Severity.ALARM))
MAX_KNOWN: Final = 1_000
"""Alarms kept here; more are read from the log again when all of these have left."""
AGAIN_S: Final = 1.0
MISTAKE_S: Final = 60.0


class AlarmLane:
    """Alarms that wait for a place, are under way, or came back, for one link."""

    def __init__(self, log: Log, ready: Callable[[], None], retry_s: float) -> None:
        """`ready` is called when there may be something to send; what came back is sent again after `retry_s`."""
        self._log, self._ready, self._retry_s = log, ready, retry_s
        self._known: dict[int, Record] = {}
        """All in this lane, by sequence."""
        self._waiting: list[int] = []
        """A heap of sequences: the oldest goes first."""
        self._back: dict[int, bool] = {}
        """Sent, and refused (True) or heard by nobody."""
        self._again: asyncio.TimerHandle | None = None
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
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._waiting.clear()
        self._known.clear()
        self._back.clear()
        self._behind, self._highest = False, 0

    def add(self, records: Sequence[Record]) -> None:
        """Take the alarms out of what was committed just now."""
        for record in records:
            if kind_of(record.event.type).severity is Severity.ALARM and record.sequence not in self._known:
                if len(self._known) >= MAX_KNOWN:
                    self._behind = True
                    return
                self._known[record.sequence] = record
                heapq.heappush(self._waiting, record.sequence)

    def next(self) -> Record | None:
        """The alarm to send now."""
        return self._known[heapq.heappop(self._waiting)] if self._waiting else None

    def taken(self, sequence: int) -> None:
        """The broker has it, and gives it to somebody: then it will give those that came back, too."""
        self._forget(sequence)
        self._retry()
        if self._behind and not self._known:
            self.start()

    def came_back(self, sequence: int, had: int, *, refused: bool) -> None:
        """The broker refused it, or nobody heard it: it is sent again later, newer ones at once.

        `had` is the record up to which somebody has all on `events`.
        """
        if not refused and sequence <= had:
            self._forget(sequence)
        elif sequence in self._known:
            self._back[sequence] = refused
            if self._again is None:
                self._again = asyncio.get_running_loop().call_later(self._retry_s, self._retry)

    def not_wanted(self, had: int) -> None:
        """Somebody hears events, and nobody heard these alarms: they do not subscribe to copies of what they have."""
        if self._back:
            for sequence in [one for one, refused in self._back.items() if one <= had and not refused]:
                del self._back[sequence]
                self._forget(sequence)

    def somebody_came(self) -> None:
        """Nobody heard events for a while, and somebody does now: perhaps alarms, too."""
        self._retry()

    def _forget(self, sequence: int) -> None:
        self._known.pop(sequence, None)
        self._highest = max(self._highest, sequence)
        if not self._behind and (self._catching_up is None or self._catching_up.done()):
            self._log.advance(SINK, min(self._known, default=self._highest + 1) - 1)

    def _retry(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._back:
            for sequence in self._back:
                heapq.heappush(self._waiting, sequence)
            self._back.clear()
            self._ready()

    async def _catch_up(self) -> None:
        """Read the alarms from before, in order, a page at a time."""
        from edge.log.reading.query import Query  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        after = self._log.cursor(SINK)
        while True:
            through = self._log.committed
            try:
                page = await self._log.query(Query(types=ALARM_TYPES, after=after))
            except LogUnavailableError:
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception:  # a mistake of ours: ending here would look as if all had been read
                LOG.exception("the alarms from before cannot be read")
                await asyncio.sleep(MISTAKE_S)
                continue
            self.add(page.records)
            self._ready()
            if page.next is None:
                break
            after = page.next
            while len(self._known) > MAX_KNOWN // 2:  # noqa: ASYNC110 -- once a second is often enough
                await asyncio.sleep(AGAIN_S)
        if not self._known and not self._behind:
            self._log.advance(SINK, through)
