"""Alarms on their way upstream: a copy of each is published on `alarms`, ahead of any backlog on `events`.

One rule: an alarm leaves this lane when the broker has delivered its copy, or when its record was delivered on
`events` and nobody subscribes to `alarms`. Then the cursor of this lane moves.
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
"""Alarms kept in memory; further ones are read from the log when all of these have left."""
AGAIN_S: Final = 1.0
MISTAKE_S: Final = 60.0


class AlarmLane:
    """Alarms that wait to be sent, are under way, or came back, over one link."""

    def __init__(self, log: Log, ready: Callable[[], None], retry_s: float) -> None:
        """`ready` is called when there may be something to send; alarms that came back wait for `retry_s`."""
        self._log, self._ready, self._retry_s = log, ready, retry_s
        self._known: dict[int, Record] = {}
        """All alarms in this lane, by sequence number."""
        self._waiting: list[int] = []
        """A heap of sequence numbers: the oldest alarm goes first."""
        self._back: dict[int, bool] = {}
        """Alarms that came back: refused by the broker (True), or without a subscriber (False)."""
        self._again: asyncio.TimerHandle | None = None
        self._highest = 0
        self._behind = False
        self._catching_up: asyncio.Task[None] | None = None

    def start(self) -> None:
        """A new link: every alarm after the cursor is read again."""
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
        """Add the alarms among records that were just committed."""
        for record in records:
            if kind_of(record.event.type).severity is Severity.ALARM and record.sequence not in self._known:
                if len(self._known) >= MAX_KNOWN:
                    self._behind = True
                    return
                self._known[record.sequence] = record
                heapq.heappush(self._waiting, record.sequence)

    def next(self) -> Record | None:
        """Take the alarm to send now; None when none waits."""
        return self._known[heapq.heappop(self._waiting)] if self._waiting else None

    def taken(self, sequence: int) -> None:
        """The broker delivers this alarm to a subscriber: those that came back are sent again at once."""
        self._forget(sequence)
        self._retry()
        if self._behind and not self._known:
            self.start()

    def came_back(self, sequence: int, had: int, *, refused: bool) -> None:
        """The broker refused an alarm, or nobody subscribes: it is sent again later, newer ones are sent at once.

        Up to record `had` everything was delivered on `events`.
        """
        if not refused and sequence <= had:
            self._forget(sequence)
        elif sequence in self._known:
            self._back[sequence] = refused
            if self._again is None:
                self._again = asyncio.get_running_loop().call_later(self._retry_s, self._retry)

    def not_wanted(self, had: int) -> None:
        """Drop alarms without a subscriber up to record `had`: their records were delivered on `events`."""
        if self._back:
            for sequence in [back for back, refused in self._back.items() if back <= had and not refused]:
                del self._back[sequence]
                self._forget(sequence)

    def somebody_came(self) -> None:
        """Events have a subscriber again, so alarms may have one too: send again those that came back."""
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
        """Read the alarms after the cursor, in order, a page at a time."""
        from edge.log.reading.query import Query  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        after = self._log.cursor(SINK)
        while True:
            through = self._log.committed
            try:
                page = await self._log.query(Query(types=ALARM_TYPES, after=after))
            except LogUnavailableError:
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception:  # our own mistake: ending here would look as if all had been read
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
