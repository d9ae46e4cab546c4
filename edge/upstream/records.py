"""The records of a conversation, in order: which goes next, which are read ahead, which are sent again.

One rule: the log is the only queue. Each link begins at the cursor, and records that came back are read again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from edge.log.log import LogUnavailableError
from edge.upstream.messages import SINK
from edge.upstream.outbox import Outbox
from edge.upstream.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Record

NOBODY_S: Final = 30.0
"""How long to wait when nobody subscribes, or when the broker refuses a message."""
STALL_S: Final = 20.0
"""When the application acknowledges nothing for this long, its records are sent again. When the broker
acknowledges nothing for this long, the link is given up."""
LONGEST_STALL_S: Final = 320.0
"""While the application stays silent, the time until its records are sent again doubles up to this."""
CHUNK: Final = 100
"""Records read at once. Larger chunks block the loop, and so an alarm, for longer, and send no faster."""
GIVE_WAY_S: Final = 0.02
"""Sending of a backlog pauses this long for events on their way to the disk: all threads share one interpreter,
and a commit takes three times as long while a backlog is sent."""
IN_VAIN_S: Final = 0.2
"""After a pause in which the disk did not finish, sending does not pause again for this long."""
MAX_REPLAYS: Final = 100
"""Ranges to send again that are kept apart."""


class Records:
    """The records of one stream that are still to be sent, over one link after another. Times are the loop's."""

    def __init__(self, log: Log, ready: Callable[[], None], *, by_application: bool) -> None:
        """`ready` is called when there may be something to send; see `Outbox` for `by_application`."""
        self._log, self._ready, self._by_application = log, ready, by_application
        self.stream = ""
        """The stream that all numbers here belong to. It differs from the log's after a damaged log was set aside."""
        self._outbox = Outbox(0, by_application=by_application)
        self._reached = 0
        """The highest record of this stream that may ever have been sent, also by an earlier run of doord."""
        self._delivered = 0
        """The highest record that was sent in order: a replay never overtakes a first delivery."""
        self.begins: dict[str, int] = {}
        """Stream -> the number of its first record, in order; empty when the log has one stream only."""
        self._under_way = 0
        self._trying = False
        """The last record was not delivered: send one at a time until one is, so that they stay in order."""
        self._replays = Ranges(MAX_REPLAYS)
        self._again: deque[Record] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._quiet_until_s = self._stored_s = self._hurry_until_s = 0.0
        self._patience_s = STALL_S
        self._giving_way: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A new link: every record after the cursor is sent."""
        if self.stream != self._log.stream:
            self._reached = 0 if self.stream else self._log.committed
            self._delivered = self._log.cursor(SINK)
            self.stream = self._log.stream
            self._replays.clear()
        self._outbox = Outbox(self._log.cursor(SINK), by_application=self._by_application)
        self._under_way = 0
        self._quiet_until_s, self._patience_s = 0.0, STALL_S
        self._stored_s = asyncio.get_running_loop().time()

    def end(self, again: Iterable[int]) -> None:
        """The link is lost: the rest of a replay is kept, with its records that were under way (`again`)."""
        self._go_on()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._put_back()
        for sequence in again:
            self._replays.add(sequence, sequence)

    def _put_back(self) -> None:
        """Put records that were read for a replay back into its ranges."""
        for record in self._again:
            self._replays.add(record.sequence, record.sequence)
        self._again.clear()

    def committed(self, records: Sequence[Record]) -> None:
        """Add new records that follow directly: they need not be read from the disk."""
        for record in records:
            if self._outbox.follows(record.sequence):  # else it is read from the log when its turn comes
                self._outbox.feed([record])

    def replay(self, first: int, last: int) -> bool:
        """Send these records again when no new one waits; False when there are none."""
        last = min(last, self._log.committed)
        if first <= last:
            self._put_back()
            self._replays.add(first, last)
        return first <= last

    def next(self, now_s: float) -> tuple[Record, bool] | None:
        """The record to send now, and whether it is part of a replay; None when there is none or sending must wait."""
        if now_s < self._quiet_until_s or self._gives_way(now_s) or (self._trying and self._under_way):
            return None
        if (record := self._outbox.next()) is not None:
            self._delivered = max(self._delivered, record.sequence)
            self.was_told(record.sequence)
        elif not self._again or self._again[0].sequence > self._delivered:
            return None
        self._under_way += 1
        return (self._again.popleft(), True) if record is None else (record, False)

    def _gives_way(self, now_s: float) -> bool:
        """Whether a backlog pauses for events on their way to the disk: an alarm may be among them."""
        behind = self._outbox.read_through < self._log.committed or self._again
        if not self._log.waiting or not behind or now_s < self._hurry_until_s:
            self._go_on()
        elif self._giving_way is None:
            self._giving_way = asyncio.get_running_loop().call_later(GIVE_WAY_S, self._hurry)
        return self._giving_way is not None

    def _go_on(self) -> None:
        if self._giving_way is not None:
            self._giving_way.cancel()
            self._giving_way = None

    def _hurry(self) -> None:
        self._giving_way = None
        self._hurry_until_s = asyncio.get_running_loop().time() + IN_VAIN_S
        self._ready()

    # --- acknowledgements ------------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The number up to which everything is acknowledged."""
        return self._outbox.cursor

    @property
    def tries(self) -> bool:
        """The last record was not delivered; one at a time is tried."""
        return self._trying

    def taken(self, sequence: int, *, again: bool) -> bool:
        """A record was delivered; True when that moved the cursor."""
        self._under_way -= 1
        if not self._under_way:
            self._trying = False
        return not again and self._outbox.taken(sequence)

    def came_back(self, sequence: int, *, again: bool) -> None:
        """The broker refused a record, or nobody subscribes: wait `NOBODY_S`, then send again from the cursor."""
        self._under_way -= 1
        self._trying = True
        if again:
            self._put_back()
            self._replays.add(sequence, sequence)
        self._outbox.rewind()
        loop = asyncio.get_running_loop()
        if self._quiet_until_s <= loop.time():
            self._quiet_until_s = loop.time() + NOBODY_S
            loop.call_at(self._quiet_until_s, self._ready)

    def somebody_listens(self) -> None:
        """A subscriber arrived: end the wait."""
        self._quiet_until_s = 0.0

    def was_told(self, sequence: int) -> None:
        """A record was sent on some topic: the application may have it."""
        self._reached = max(self._reached, sequence)

    def stored(self, stream: str, sequence: int) -> int | None:
        """The number up to which an application's acknowledgement of a stream counts; None when it cannot be true.

        It cannot have what was never sent. A later stream counts only when the earlier one is acknowledged to its end.
        """
        begins = self.begins or {self.stream: 1}
        names = list(begins)
        if stream not in begins or self._outbox.cursor < begins[stream] - 1:
            return None
        if stream == names[-1]:
            return sequence if sequence <= self._reached else None
        return min(sequence, begins[names[names.index(stream) + 1]] - 1)

    def stored_through(self, sequence: int) -> bool:
        """The application has stored everything up to here; True when that moved the cursor."""
        moved = self._outbox.acknowledged_through(sequence)
        if moved:
            self._stored_s, self._patience_s = asyncio.get_running_loop().time(), STALL_S
        return moved

    def press(self, now_s: float) -> float | None:
        """Send again what the application should have acknowledged by now, at growing intervals.

        Returns for how many seconds it acknowledged nothing; None when that is not too long.
        """
        if not self._outbox.unacknowledged:
            self._stored_s = now_s
        elif now_s - self._stored_s > self._patience_s:
            waited_s = self._patience_s
            self._stored_s, self._patience_s = now_s, min(2 * waited_s, LONGEST_STALL_S)
            self._outbox.rewind()
            return waited_s
        return None

    def advance(self) -> None:
        """Store the cursor in the log."""
        self._log.advance(SINK, self._outbox.cursor)

    # --- reading ahead ---------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Read the next records from the log, in its reader's thread, if there is room."""
        free = self._reading is None and self._giving_way is None
        if free and (self._is_behind() or self._may_replay()):
            self._reading = asyncio.create_task(self._read())

    def _may_replay(self) -> bool:
        return bool(self._replays) and not self._again and self._replays.first <= self._delivered

    def _is_behind(self) -> bool:
        return self._outbox.read_through < self._log.committed and self._outbox.room >= CHUNK

    async def _read(self) -> None:
        records: list[Record] = []
        try:
            if self._is_behind():
                after, outbox = self._outbox.read_through, self._outbox
                records = await self._log.read(after, CHUNK)
                if outbox is self._outbox and outbox.read_through >= after:
                    outbox.feed(records)
            elif self._may_replay():
                records = await self._read_again(*self._replays.take())
        except LogUnavailableError:
            records = []
        finally:
            if self._reading is asyncio.current_task():
                self._reading = None
        if records:  # else the next tick tries again
            self._ready()

    async def _read_again(self, first: int, last: int) -> list[Record]:
        """Read the first records of a range; the rest of the range is kept, all of it when reading fails."""
        stream, left, through = self.stream, first, min(last, self._delivered)
        try:
            records = [r for r in await self._log.read(first - 1, CHUNK) if r.sequence <= through]
            if (
                not self._replays or self._replays.first > first
            ):  # else a lower range came back meanwhile and goes first
                left = (records[-1].sequence if len(records) == CHUNK else through) + 1
                self._again.extend(records)
        finally:
            if left <= last and stream == self._log.stream:
                self._replays.add(left, last)
        return records
