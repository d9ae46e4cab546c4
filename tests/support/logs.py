"""Logs for tests: events to write, a log that runs for a block, a disk that fails or stalls when told."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.log.log import Log, LogOptions
from edge.model.messages import Actor, Event, Record, Subject
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

WITHIN_S = 120.0  # generous: only a hang takes this long
LOOK_AGAIN_S = 0.02
PATIENT = LogOptions(retry_first_s=0.001, lazy_s=0.01)
ANN = Actor("user", "u-1", "Ann", "ann@example.org")


def opened(at_ns: int = 0, number: int = 0, door: str = "front") -> Event:
    return Event(
        "lock.opened",
        at_ns,
        Subject("lock", door, door.title()),
        ANN,
        correlation="c-1",
        door=door,
        details={"number": number},
    )


def forced(at_ns: int = 0, number: int = 0, door: str = "front") -> Event:
    """An alarm."""
    return replace(opened(at_ns, number, door), type="lock.forced_open", actor=None)


def numbers(records: Sequence[Record]) -> list[object]:
    """The `number` of each test event; the log's own records have none."""
    return [record.event.details["number"] for record in records if "number" in record.event.details]


class Journal:
    """A running log and everything it told of."""

    def __init__(self, log: Log, clock: FakeClock) -> None:
        self.log, self.clock = log, clock
        self.records: list[Record] = []
        self._news = asyncio.Event()
        log.on_commit(self._told)

    def _told(self, records: Sequence[Record]) -> None:
        self.records += records
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what a commit makes true, at once or by something that it woke."""

        async def wait() -> None:
            while not condition():
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), LOOK_AGAIN_S)

        await asyncio.wait_for(wait(), WITHIN_S)

    async def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait for something that no commit announces."""

        async def wait() -> None:
            while not condition():  # noqa: ASYNC110 -- a file or a thread changes, and tells nobody
                await asyncio.sleep(0.001)

        await asyncio.wait_for(wait(), WITHIN_S)

    async def write(self, *events: Event) -> list[Record]:
        """Append each by itself and wait for all of them."""
        seen = len(numbers(self.records))
        for event in events:
            self.log.append([event])
        await self.until(lambda: len(numbers(self.records)) >= seen + len(events))
        return self.records


@asynccontextmanager
async def journal(
    path: Path, clock: FakeClock | None = None, options: LogOptions = PATIENT, *, wait: bool = True
) -> AsyncIterator[Journal]:
    """A log that is closed after the block, with nothing left waiting unless the disk is away."""
    clock = clock or FakeClock()
    log = Log(path, "hq", clock, options)
    held = Journal(log, clock)
    log.start()
    if wait:
        await asyncio.wait_for(log.opened(), WITHIN_S)
    try:
        yield held
    finally:
        await log.close(WITHIN_S)


class Disk:
    """Every statement of the writing connection passes here; tests make it fail or wait."""

    def __init__(self) -> None:
        self.statements = 0
        self.fail: Callable[[int, str], bool] = lambda _number, _sql: False
        self.lie: Callable[[int, str], bool] = lambda _number, _sql: False
        """Fail after doing it, as a commit whose last flush fails may."""
        self.error = "disk I/O error"
        self.go = threading.Event()
        self.go.set()
        self.waiting = threading.Event()

    def connect(self, path: Path) -> sqlite3.Connection:
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                return disk.through(sql, lambda: super(Connection, self).execute(sql, *values))

            def executemany(self, sql: str, *values: object) -> sqlite3.Cursor:
                return disk.through(sql, lambda: super(Connection, self).executemany(sql, *values))

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)

    def through(self, sql: str, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        self.statements += 1
        number = self.statements
        if not self.go.is_set() and sql == "COMMIT":
            self.waiting.set()
            assert self.go.wait(WITHIN_S)
            self.waiting.clear()
        if self.fail(number, sql):
            raise sqlite3.OperationalError(self.error)
        cursor = run()
        if self.lie(number, sql):
            raise sqlite3.OperationalError(self.error)
        return cursor
