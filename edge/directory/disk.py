"""The disk of the directory, in a thread of its own: doors never wait for it.

One rule: one thread waits for the disk, one call after the other; what takes long goes in steps, between which
others have their turn.
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
"""Changes that may stand behind the stored document: to take them up again takes some tenths of a second."""
_T = TypeVar("_T")


class DirectoryDisk:
    """The store, and other files. Every call raises OSError when the disk does not take it, and after `stop`."""

    def __init__(self, store: Path) -> None:
        """Nothing is touched yet."""
        self.path = store
        self._store = DirectoryStore(store)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="directory")
        """Not asyncio's own, which a stop would wait for in turn."""
        self._stopped = False
        self._unfolded = 0
        """Changes behind the stored document."""
        self._folding: asyncio.Task[None] | None = None

    async def load(self, wall_us: int) -> tuple[StoredDirectory | None, Path | None]:
        """See `edge.directory.store.DirectoryStore`."""
        stored, moved = await self._call(self._store.load, wall_us)
        self._unfolded = 0 if stored is None else sum(len(edit.changes) for edit in stored.edits)
        return stored, moved

    async def read(self, file: Path) -> bytes:
        """A whole file; one byte more than a directory may have says that it is longer."""
        return await self._call(read_file, file, LARGEST)

    async def replace(self, about: StoredDirectory, directory: Directory) -> None:
        """Store it in the place of what there was."""
        await self._call(self._store.replace, about, written(directory))
        self._unfolded = 0

    async def append(self, about: StoredDirectory, edit: Edited) -> None:
        """Store it behind the one that it is an edit of."""
        stored = StoredEdit(about.version, edit.changes, about.source, about.actor, about.at_us)
        await self._call(self._store.append, stored)
        self._unfolded += len(edit.changes)

    async def audited(self, version: int) -> None:
        """See `edge.directory.store.DirectoryStore`."""
        await self._call(self._store.audited, version)

    def fold(self, about: StoredDirectory, directory: Directory) -> None:
        """Begin to make one document of what is stored, which has been recorded, if much stands behind it."""
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
            LOG.warning("%d changes of the directory cannot be folded now: %s", count, error)
        else:
            self._unfolded = max(0, self._unfolded - count)

    def stop(self) -> None:
        """Stop; a call that is under way is not waited for."""
        self._stopped = True
        if self._folding is not None:
            self._folding.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, call: Callable[..., _T], *values: object) -> _T:
        if self._stopped:
            raise OSError("doord stops")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *values)
