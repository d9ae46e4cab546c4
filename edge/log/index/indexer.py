"""Keeps the index of a running daemon's log up to date, in a thread of its own.

One rule: it is idle work. It never holds the interpreter for longer than a slice of records takes and
commits once in 16,384 records. After an error it tries again later; until then searches are only slower.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Final

from edge.log.connections import connect_read_only
from edge.log.index.check import sound
from edge.log.index.making import catch_up

if TYPE_CHECKING:
    from pathlib import Path

LOG: Final = logging.getLogger(__name__)
EVERY_S: Final = 60.0
"""How often it looks whether another segment is full."""
CHECKED: Final = 1_440
"""The whole index is checked at every so many looks: at the start and once a day."""
BREATH_S: Final = 0.004
"""Pause between two slices. A log of a million records is indexed in about a minute."""

STOP_WITHIN_S: Final = 0.5
"""How long a stop waits for the slice under way."""


class Indexer:
    """Makes the index of the log at `path`. Belongs to one event loop."""

    def __init__(self, path: Path, *, every_s: float = EVERY_S, breath_s: float = BREATH_S) -> None:
        """Nothing is touched before `run`."""
        self._path, self._every_s, self._breath_s = path, every_s, breath_s
        self._stop = threading.Event()
        self._looks = 0
        self.error: str | None = None
        """Why the index could not be made the last time; searches then read the log itself."""

    async def run(self) -> None:
        """Run until cancelled. The log must be open (`Log.opened`)."""
        threads = ThreadPoolExecutor(1, thread_name_prefix="log-indexer")
        working: asyncio.Future[None] | None = None
        try:
            while True:
                working = asyncio.get_running_loop().run_in_executor(threads, self._work)
                await asyncio.shield(working)
                await asyncio.sleep(self._every_s)
        finally:
            self._stop.set()
            if working is not None:  # the writer has to be the last to close, or the WAL is not folded into the file
                await asyncio.wait({working}, timeout=STOP_WITHIN_S)  # a disk that hangs must not keep the daemon
            threads.shutdown(wait=False)

    def _work(self) -> None:
        try:
            if self._looks % CHECKED == 0 and not sound(self._path, self._breathe):
                LOG.warning("the index of %s was damaged, and is made anew", self._path)
            self._looks += 1
            with closing(connect_read_only(self._path, live=True)) as log:
                (epoch,) = log.execute("SELECT epoch FROM log").fetchone()
                catch_up(log, self._path, epoch, self._breathe)
        except Exception as error:  # noqa: BLE001 -- such as a full disk; the log's own health reports it too
            self.error = f"{type(error).__name__}: {error}"
        else:
            self.error = None

    def _breathe(self) -> bool:
        return not self._stop.wait(self._breath_s)
