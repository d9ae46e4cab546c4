"""The clients of the live stream (`watch`): each gets the status after a change and every committed record.

One rule: a watcher that does not keep up loses its oldest records and is told how many.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from edge.model.messages import Json

MAX_RECORDS: Final = 1_000
STATUS_EVERY_S: Final = 0.25
"""Shortest interval between two statuses, after changes."""
STATUS_IDLE_S: Final = 5.0
"""Longest interval between two statuses, without any change."""


class _Watcher:
    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.records: deque[Json] = deque(maxlen=MAX_RECORDS)
        self.lost = 0
        self.changed = False


class Watchers:
    """All watchers at the moment."""

    def __init__(self, status: Callable[[], Json]) -> None:
        """`status` returns the present status; it is called only when one is sent."""
        self._status = status
        self._all: set[_Watcher] = set()

    def __bool__(self) -> bool:
        """Whether anybody watches; without watchers no record needs to be turned into JSON."""
        return bool(self._all)

    def changed(self) -> None:
        """Something in the status changed."""
        for watcher in self._all:
            watcher.changed = True
            watcher.wake.set()

    def records(self, records: Sequence[Json]) -> None:
        """These records were committed."""
        for watcher in self._all:
            watcher.lost += max(0, len(watcher.records) + len(records) - MAX_RECORDS)
            watcher.records.extend(records)
            watcher.wake.set()

    async def watch(self) -> AsyncGenerator[Json, None]:
        """Items of one stream, until closed."""
        loop = asyncio.get_running_loop()
        watcher = _Watcher()
        self._all.add(watcher)
        try:
            yield {"status": self._status()}
            sent_s = loop.time()
            while True:
                pause_s = STATUS_EVERY_S if watcher.changed else STATUS_IDLE_S
                try:
                    async with asyncio.timeout_at(sent_s + pause_s):
                        await watcher.wake.wait()
                except TimeoutError:
                    watcher.changed = False
                    yield {"status": self._status()}
                    sent_s = loop.time()
                watcher.wake.clear()
                if watcher.lost:
                    yield {"lost": watcher.lost}
                    watcher.lost = 0
                while watcher.records:
                    yield {"record": watcher.records.popleft()}
        finally:
            self._all.discard(watcher)
