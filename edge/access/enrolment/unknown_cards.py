"""Keeps unknown cards over a restart, in memory and in a file.

One rule: no reader waits for the disk. Writes are gathered: twenty at once, then one every ten seconds.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from edge.access.enrolment import store
from edge.access.enrolment.keeping import Keeping
from edge.model.messages import ClockQuality
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.access.enrolment.keeping import KeptCard
    from edge.directory.directory import Directory
    from edge.model.messages import CardRead
    from edge.system.clock import Clock

LOG: Final = logging.getLogger(__name__)
EVERY_S: Final = 10.0
AT_ONCE: Final = 20
AGAIN_S: Final = 60.0
DAY_S: Final = 86_400.0
LETTERS: Final = "bcdfghjkmnpqrstvwxz"
"""Of an id: without vowels and digits, so that a search for a name or a number finds none."""
LENGTH: Final = 14
SLICE: Final = 50
"""Cards that are looked up in the directory in one piece, in less than a millisecond."""


class UnknownCards:
    """The unknown cards of one controller. `start` reads those that were stored."""

    def __init__(self, path: Path, clock: Clock, days: Callable[[], int]) -> None:
        """`path` is the file. `days`: how long a card is kept after it was shown; 0: none is kept."""
        self._path, self._clock, self._days = path, clock, days
        self._kept = Keeping()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="unknown cards")
        self._wake = asyncio.Event()
        self._directory: Directory | None = None
        """One that has come into force since the cards were looked up."""
        self._task: asyncio.Task[None] | None = None
        self._due_s = 0.0

    def start(self) -> None:
        """Begin to read and to write."""
        self._task = asyncio.create_task(self._run(), name="unknown cards")
        self._task.add_done_callback(say_why)

    def stop(self) -> None:
        """Stop, without waiting for the disk."""
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def keep(self, read: CardRead) -> str | None:
        """Keep an unknown card; returns its id for the record, or None when it is not kept."""
        if not self._days():
            return None
        at_us = 0 if self._clock.quality() is ClockQuality.UNSYNCED else self._clock.wall_us()
        own = self._kept.keep(read, at_us, self._clock.now_ns(), _made_id)
        if self._kept.changed:
            self._wake.set()
        return own

    def find(self, own: str) -> KeptCard | None:
        """The card with this id, if it is still kept."""
        return self._kept.cards.get(own)

    def latest(self) -> list[KeptCard]:
        """All that are kept, the one that was shown last at the end."""
        return [*self._kept.cards.values()]

    def forget(self) -> int:
        """Keep none of them any more. Returns how many there were."""
        cards = self.latest()
        for card in cards:
            self._kept.remove(card)
        self._wake.set()
        return len(cards)

    def directory(self, directory: Directory) -> None:
        """Note that this directory is in force: cards that are in it are not unknown any more."""
        self._directory = directory
        self._wake.set()

    async def _run(self) -> None:
        await self._load()
        while True:
            await self._sort_out()
            again_s = await self._write()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), again_s)
            self._wake.clear()

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            stored, moved = await loop.run_in_executor(self._thread, store.load, self._path, self._clock.wall_us())
        except OSError as error:
            LOG.warning("the unknown cards in %s cannot be read: %s", self._path, error)
            return
        if moved is not None:
            LOG.warning("%s was damaged, and is moved to %s", self._path, moved)
        self._kept.load(stored)

    async def _sort_out(self) -> None:
        """Remove cards that somebody has now, and old ones."""
        directory, self._directory = self._directory, None
        if directory is not None:
            for number, card in enumerate(self.latest()):
                if directory.card(card.read) is not None:
                    self._kept.remove(card)
                if number % SLICE == 0:
                    await asyncio.sleep(0)
        if not (days := self._days()) or self._clock.quality() is not ClockQuality.UNSYNCED:
            self._kept.expire(self._clock.wall_us(), days)

    async def _write(self) -> float:
        """Store what has changed. Returns after how many seconds to look again at the latest."""
        kept, loop = self._kept, asyncio.get_running_loop()
        if not kept.changed:
            return DAY_S
        self._due_s = max(self._due_s, loop.time()) + EVERY_S
        await asyncio.sleep(self._due_s - loop.time() - AT_ONCE * EVERY_S)
        changed, kept.changed = {own: kept.cards.get(own) for own in kept.changed}, set()
        try:
            await loop.run_in_executor(self._thread, store.save, self._path, changed)
        except OSError as error:
            LOG.warning("unknown cards cannot be kept in %s now: %s", self._path, error)
            kept.changed |= changed.keys()
            return AGAIN_S
        return DAY_S


def _made_id() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
