"""Reading a log while its writer writes: in one thread of its own.

One rule: a reader never keeps the writer waiting, and gets an OSError when the file cannot be read.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from edge.log.connections import FrozenConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.log.reading.query import LogReader

State: TypeAlias = tuple[str, bool]
"""The epoch of the file, and whether this process writes it. When either changes, a new connection is needed."""
_T = TypeVar("_T")


class LogUnavailableError(OSError):
    """The log cannot be read now, or too much waits for it to take a command; try again later."""


class ReadingThread:
    """One reader of the log at `path`. Belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._reader: tuple[State, LogReader] | None = None

    async def look(self, state: State, ask: Callable[[LogReader], _T]) -> _T:
        """Call `ask` in the reader's thread. Raises LogUnavailableError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._look, state, ask)
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailableError(str(error)) from error

    async def close(self, within_s: float) -> None:
        """Close the file, waiting at most `within_s`: a reader that hangs on the disk must not hold up the writer."""
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        done, _ = await asyncio.wait({closing}, timeout=within_s)  # not `wait_for`, which would cancel it
        for future in done:
            future.result()

    def _look(self, state: State, ask: Callable[[LogReader], _T]) -> _T:
        from edge.log.reading.query import LogReader  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        if self._reader is not None and self._reader[0] != state:
            self._close()
        if self._reader is None:
            self._reader = (state, LogReader(self._path, live=state[1]))
        try:
            answer = ask(self._reader[1])
        except sqlite3.Error:
            self._close()
            raise
        if not state[1] or isinstance(
            self._reader[1].db, FrozenConnection
        ):  # or the writer would find the WAL's index read-only
            self._close()
        return answer

    def _close(self) -> None:
        if self._reader is not None:
            self._reader[1].close()
            self._reader = None
