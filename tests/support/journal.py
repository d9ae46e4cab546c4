"""A log in memory: what is appended is committed at once, or when the test says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.log.log import LogUnavailableError
from edge.log.reading.query import MAX_PAGE, QueryPage
from edge.model.catalogue import CATALOGUE
from edge.model.messages import ClockQuality, Event, Record, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge.log.reading.query import Query

BOOT = "b0075001"
OPENED, FORCED = "lock.opened", "lock.forced_open"


class FakeJournal:
    """As much of `edge.log.log.Log` as the upstream uses."""

    def __init__(self, now_ns: Callable[[], int] = lambda: 0, controller: str = "test") -> None:
        self.now_ns, self.controller = now_ns, controller
        self.stream = f"{controller}/epoch-1"
        self.records: dict[int, Record] = {}
        self.committed = self.waiting = 0
        self.cursors: dict[str, int] = {}
        self.renewed = 0
        self.life = ""
        """Stands in every hash: what is recorded after an image was put back is something else."""
        self.kept: dict[str, str] = {}
        """Modes."""
        self.reads = 0
        self.readable = self.writable = True
        self._listeners: list[Callable[[Sequence[Record]], None]] = []

    def record(self, event_type: str = OPENED, door: str = "front") -> Record:
        """Commit one record."""
        (one,) = self.write([event_type], door)
        return one

    def write(self, event_types: Iterable[str], door: str = "front", *, tell: bool = True) -> list[Record]:
        """Commit records together."""
        made = []
        for event_type in event_types:
            assert event_type in CATALOGUE
            self.committed += 1
            event = Event(event_type, self.now_ns(), Subject("lock", door, door.title()), door=door)
            n = self.committed
            made.append(
                Record(
                    n, event, BOOT, n, str(n - 1), f"{self.life}{n}", n * 1_000_000, n * 1_000_000, ClockQuality.SYNCED
                )
            )
        self.records |= {one.sequence: one for one in made}
        if tell and made:
            for listener in self._listeners:
                listener(made)
        return made

    async def new_epoch(self, _reason: str, after: int | None = None) -> None:
        """The log went back in time: what lies behind `after` belongs to another stream."""
        before, self.renewed = self.stream.rpartition("/")[2], self.renewed + 1
        after = self.committed if after is None else after
        self.stream = f"{self.controller}/anew-{self.renewed}"
        self.records = {
            n: replace(one, epoch=(one.epoch or before) if n <= after else f"anew-{self.renewed}")
            for n, one in self.records.items()
        }

    def remove(self, sequences: Iterable[int]) -> None:
        """What retention does."""
        for sequence in sequences:
            del self.records[sequence]

    def set_aside(self) -> None:
        """The file was damaged; a new one begins."""
        self.stream = f"{self.controller}/epoch-2"
        self.records, self.cursors, self.committed = {}, {}, 0

    def append(self, _events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None:
        """Only modes are kept here; events are recorded by `record`."""
        self.kept |= modes or {}

    def modes(self) -> Mapping[str, str]:
        return self.kept

    async def opened(self) -> None:
        """Always open."""

    async def settled(self) -> None:
        """As above."""

    def on_commit(self, listener: Callable[[Sequence[Record]], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def durable(self) -> None:
        """Whatever is recorded here is on the disk, unless a test says otherwise."""
        while not self.writable:  # noqa: ASYNC110 -- virtual time
            await asyncio.sleep(0.01)

    async def read(self, after: int, limit: int) -> list[Record]:
        self.reads += 1
        if not self.readable:
            raise LogUnavailableError("disk I/O error")
        return [self.records[n] for n in range(after + 1, self.committed + 1) if n in self.records][:limit]

    async def query(self, query: Query) -> QueryPage:
        if not self.readable:
            raise LogUnavailableError("disk I/O error")
        found = [r for n, r in self.records.items() if n > query.after and r.event.type in query.types]
        if query.newest:
            return QueryPage(found[::-1][: query.limit], None)
        page = found[:MAX_PAGE]
        return QueryPage(page, page[-1].sequence if len(found) > len(page) else None)

    def cursor(self, sink: str) -> int:
        return self.cursors.get(sink, 0)

    def advance(self, sink: str, sequence: int) -> None:
        if self.cursor(sink) < sequence <= self.committed:
            self.cursors[sink] = sequence
