"""A real log on a real file system in virtual time: its power can be cut, and images of it taken and put back.

An image is taken between two statements of the writer, also within a transaction: that is what a power cut leaves of a
medium that keeps its word.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from edge.log.log import Log, LogOptions
from edge.model.messages import Event, Record, Subject
from tests.support.clock import FakeClock
from tests.support.journal import OPENED

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.virtual import VirtualLoop

WITHIN_S = 120.0
JUNK = b"junk" * 25_000
PAGE = 1_000
START = "controller.start"


class CardFile:
    """The log of one controller after the other, each in the folder that its power cut has left."""

    def __init__(self, loop: VirtualLoop, folder: Path, chance: random.Random) -> None:
        self.now_ns, self.chance = loop.now_ns, chance
        self.journal: Log = None  # type: ignore[assignment]
        """Of this run."""
        self._folder, self._numbers = folder, count()
        self._card = self._new()
        self._card.mkdir(parents=True)
        self._left = self._card
        self._statement = threading.RLock()
        self._waiting = self._wanted = 0
        """Calls under way, and the latest that writes."""
        loop.waits_for.append(self._busy)

    @property
    def stream(self) -> str:
        return self.journal.stream

    @property
    def committed(self) -> int:
        return self.journal.committed

    def cursor(self, sink: str) -> int:
        return self.journal.cursor(sink)

    def write(self, event_types: Iterable[str], door: str = "front") -> None:
        for event_type in event_types:
            self.journal.append([Event(event_type, self.now_ns(), Subject("lock", door, door.title()), door=door)])
            self._wanted = self.journal._buffer.calls

    def flush(self) -> None:
        """The next record takes the cursors along."""

    async def every(self) -> list[Record]:
        """All records of the log."""
        records: list[Record] = []
        while page := await self.journal.read(records[-1].sequence if records else 0, PAGE):
            records += page
        return records

    # --- its power ---

    def begin(self, number: int) -> None:
        """A new run on what is on the medium."""
        clock = FakeClock(self.now_ns, boot_id=f"{number:08x}-2222-4333-8444-555555555555")
        options = LogOptions(connect=self._connect, retry_first_s=0.001, lazy_s=0.01)
        self.journal = log = Log(self._card / "log.db", "test", clock, options)
        for name in ("durable", "new_epoch"):
            setattr(log, name, self._counted(getattr(log, name)))
        self._waiting = self._wanted = 0
        log.start()
        self.write([START])

    def lose_power(self) -> None:
        """What is on the medium now is what is left, perhaps in the middle of writing."""
        if self.chance.random() < 0.5:
            self.write([OPENED] * self.chance.choice([1, 40]))
        self._left = self._new()
        with self._statement:
            self._copy(self._card, self._left)

    async def power_off(self) -> None:
        """The rest of this run comes to nothing."""
        await self.journal.close(WITHIN_S)
        shutil.rmtree(self._card)
        self._card = self._left

    # --- what happens to it meanwhile ---

    def image(self) -> Path:
        image = self._new()
        self._copy(self._card, image)
        return image

    def put_back(self, image: Path) -> None:
        """The whole card, or the log alone, as from a backup."""
        if self.chance.random() < 0.5:
            shutil.rmtree(self._card)
            self._copy(image, self._card)
            return
        for file in self._card.glob("log.db*"):
            if not file.name.endswith(".mark"):
                file.unlink()
        for name in ("log.db", "log.db-wal"):
            if (image / name).exists():
                shutil.copyfile(image / name, self._card / name)

    def damage(self) -> None:
        """No SQLite reads it any more, or it is gone."""
        (self._card / "log.db-wal").unlink(missing_ok=True)
        if self.chance.random() < 0.5:
            (self._card / "log.db").write_bytes(JUNK)
        else:
            (self._card / "log.db").unlink()

    # --- inside ---

    def _new(self) -> Path:
        return self._folder / str(next(self._numbers))

    @staticmethod
    def _copy(card: Path, to: Path) -> None:
        """Without what another thread may rename meanwhile."""
        shutil.copytree(card, to, ignore=shutil.ignore_patterns("*-shm", "*.lock", "*.new"))

    def _busy(self) -> bool:
        log = self.journal
        if log is None or log._closed:
            return False
        return not log._open.is_set() or log._told < self._wanted or self._waiting > 0

    def _counted(self, wait: Any) -> Any:
        async def waited(*given: Any, **more: Any) -> Any:
            self._waiting += 1
            try:
                return await wait(*given, **more)
            finally:
                self._waiting -= 1

        return waited

    def _connect(self, path: Path) -> sqlite3.Connection:
        statement = self._statement

        class Connection(sqlite3.Connection):
            def execute(self, *given: Any) -> sqlite3.Cursor:
                with statement:
                    return super().execute(*given)

            def executemany(self, *given: Any) -> sqlite3.Cursor:
                with statement:
                    return super().executemany(*given)

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
