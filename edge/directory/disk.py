"""The directory's access to the disk, in a thread of its own: doors never wait for it.

One rule: one thread waits for the disk, one call after the other. Long work is split into steps, so that other calls
can come between.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from edge.directory.document.reading import LARGEST
from edge.directory.document.writing import written
from edge.directory.store import DirectoryStore, Packing, StoredEdit, read_file
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.directory.directory import Directory
    from edge.directory.edits.making import Edited
    from edge.directory.store import StoredDirectory

LOG: Final = logging.getLogger(__name__)
FOLD_AFTER: Final = 2_000
"""Changes that may be stored after the document. To apply so many at a start takes some tenths of a second."""
_T = TypeVar("_T")


class DirectoryDisk:
    """The store, and reading of other files. Every call raises OSError when the disk fails, and after `stop`."""

    def __init__(self, store: Path) -> None:
        """Nothing is touched yet."""
        self.path = store
        self._store = DirectoryStore(store)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="directory")
        """Not asyncio's default threads: a stop would wait for those."""
        self._stopped = False
        self._unfolded = 0
        """Changes that are stored after the document."""
        self._folding: asyncio.Task[None] | None = None

    async def load(self, wall_us: int) -> tuple[StoredDirectory | None, Path | None]:
        """See `edge.directory.store.DirectoryStore`."""
        stored, moved = await self._call(self._store.load, wall_us)
        self._unfolded = 0 if stored is None else sum(len(edit.changes) for edit in stored.edits)
        return stored, moved

    async def read(self, file: Path) -> bytes:
        """Read a whole file; of one that is longer than a directory may be, one byte more than that."""
        return await self._call(read_file, file, LARGEST)

    async def replace(self, about: StoredDirectory, directory: Directory) -> None:
        """Store a directory in place of the one before."""
        await self._call(self._store.replace, about, written(directory))
        self._unfolded = 0

    async def append(self, about: StoredDirectory, edit: Edited) -> None:
        """Store an edit of the stored directory."""
        stored = StoredEdit(about.version, edit.changes, about.source, about.actor, about.at_us)
        await self._call(self._store.append, stored)
        self._unfolded += len(edit.changes)

    async def audited(self, version: int) -> None:
        """See `edge.directory.store.DirectoryStore`."""
        await self._call(self._store.audited, version)

    def fold(self, about: StoredDirectory, directory: Directory) -> None:
        """Begin to make one document of the stored document and its edits, if these are many. All are recorded."""
        if self._unfolded > FOLD_AFTER and (self._folding is None or self._folding.done()):
            self._folding = asyncio.create_task(self._fold(about, directory), name="directory fold")
            self._folding.add_done_callback(say_why)

    async def _fold(self, about: StoredDirectory, directory: Directory) -> None:
        count, packing = self._unfolded, Packing(written(directory))
        try:
            while await self._call(packing.pack):
                pass
            await self._call(self._store.fold, about, packing.packed)
        except OSError as error:
            LOG.warning("%d changes of the directory cannot be merged into its document now: %s", count, error)
        else:
            self._unfolded = max(0, self._unfolded - count)

    def stop(self) -> None:
        """Stop, without waiting for a call that is under way."""
        self._stopped = True
        if self._folding is not None:
            self._folding.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, call: Callable[..., _T], *values: object) -> _T:
        if self._stopped:
            raise OSError("doord stops")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *values)
