"""The records of a conversation, in order: what comes next, what is read ahead, what is sent again.

One rule: the log is the only queue. Each link begins at the cursor, and what came back is read again.
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
"""An application that acknowledges nothing for this long is sent to again; a link is given up."""
LONGEST_STALL_S: Final = 320.0
"""An application that stays silent is sent to again after twice the time, each time, up to this."""
CHUNK: Final = 100
"""Records read at once: larger ones keep the loop, and so an alarm, waiting longer, and drain no faster."""
GIVE_WAY_S: Final = 0.02
"""A backlog stands still that long for events on their way to the disk: all threads share one interpreter, and a
commit among a drain takes three times as long."""
IN_VAIN_S: Final = 0.2
"""So long it stands still no more when that was not enough, for a slow disk or for events that never end."""
MAX_REPLAYS: Final = 100
"""Ranges to send again that are kept apart."""


class Records:
    """What of one stream is still to be sent, over one link after another. Times are the loop's."""

    def __init__(self, log: Log, ready: Callable[[], None], *, by_application: bool) -> None:
        """`ready` is called when there may be something to send; see `Outbox` for `by_application`."""
        self._log, self._ready, self._by_application = log, ready, by_application
        self.stream = ""
        """Whose numbers these are; the log has another stream when a damaged one was set aside."""
        self._outbox = Outbox(0, by_application=by_application)
        self._reached = 0
        """The highest record of this stream that may ever have been sent, by an earlier run of ours, too."""
        self._delivered = 0
        """The highest that was sent in its turn: a replay never overtakes a first delivery."""
        self.begins: dict[str, int] = {}
        """The number with which each stream of the log begins, in order; nothing where there is but one."""
        self._under_way = 0
        self._trying = False
        """The last word was that nobody has it: one at a time until somebody has, so that they stay in order."""
        self._replays = Ranges(MAX_REPLAYS)
        self._again: deque[Record] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._quiet_until_s = self._stored_s = self._hurry_until_s = 0.0
        self._patience_s = STALL_S
        self._giving_way: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A fresh link: everything after the cursor is sent again."""
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
        """No link: what is left of a replay is kept for the next one, with what of it was under way (`again`)."""
        self._go_on()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._put_back()
        for sequence in again:
            self._replays.add(sequence, sequence)

    def _put_back(self) -> None:
        """What was read to be sent again is read again."""
        for record in self._again:
            self._replays.add(record.sequence, record.sequence)
        self._again.clear()

    def committed(self, records: Sequence[Record]) -> None:
        """New ones need not be read from the disk when they follow what is here."""
        for record in records:
            if self._outbox.follows(record.sequence):  # else it is read from the log when its turn comes
                self._outbox.feed([record])

    def replay(self, first: int, last: int) -> bool:
        """Send these again when nothing new waits; False when there are none."""
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
        """What is on its way to the disk may be an alarm; what is there is late already."""
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

    # --- what became of them ---------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """Everything up to here is acknowledged."""
        return self._outbox.cursor

    @property
    def tries(self) -> bool:
        """Nobody had the last one; what is under way is an attempt."""
        return self._trying

    def taken(self, sequence: int, *, again: bool) -> bool:
        """The broker has it; True when that moved the cursor."""
        self._under_way -= 1
        if not self._under_way:
            self._trying = False
        return not again and self._outbox.taken(sequence)

    def came_back(self, sequence: int, *, again: bool) -> None:
        """The broker refused it, or nobody heard it: no more for a while; then again from the cursor."""
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
        """It is worth while to send at once."""
        self._quiet_until_s = 0.0

    def was_told(self, sequence: int) -> None:
        """It left on one topic or another: an application may have it."""
        self._reached = max(self._reached, sequence)

    def stored(self, stream: str, sequence: int) -> int | None:
        """Up to where an application has everything that says so of a stream; None for what cannot be.

        Nobody can have stored what never left. A stream that follows another one counts when that one is stored.
        """
        begins = self.begins or {self.stream: 1}
        names = list(begins)
        if stream not in begins or self._outbox.cursor < begins[stream] - 1:
            return None
        if stream == names[-1]:
            return sequence if sequence <= self._reached else None
        return min(sequence, begins[names[names.index(stream) + 1]] - 1)

    def stored_through(self, sequence: int) -> bool:
        """The application has everything up to here; True when that moved the cursor."""
        moved = self._outbox.acknowledged_through(sequence)
        if moved:
            self._stored_s, self._patience_s = asyncio.get_running_loop().time(), STALL_S
        return moved

    def press(self, now_s: float) -> float | None:
        """Send again what the application should have acknowledged by now, more and more patiently.

        Returns for how many seconds it acknowledged nothing, when that was too long.
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
        """Let the log know how far we are."""
        self._log.advance(SINK, self._outbox.cursor)

    # --- reading ahead ---------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Read ahead what comes next, in another thread, where there is room."""
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
        """The first records of a range; the rest of it is kept, all of it when it could not be read."""
        stream, left, through = self.stream, first, min(last, self._delivered)
        try:
            records = [r for r in await self._log.read(first - 1, CHUNK) if r.sequence <= through]
            if not self._replays or self._replays.first > first:  # else what came back meanwhile goes before it
                left = (records[-1].sequence if len(records) == CHUNK else through) + 1
                self._again.extend(records)
        finally:
            if left <= last and stream == self._log.stream:
                self._replays.add(left, last)
        return records
