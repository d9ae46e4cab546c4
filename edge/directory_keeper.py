"""Keeps the directory in force: taken up at the start, replaced as a whole, stored, and its changes recorded.

One rule: it is built aside, in slices, and stored before it is in force; a document that is refused
changes nothing.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any, Final

from edge.directory import Directory
from edge.directory_audit import PROGRESS, Change, DirectoryAudit
from edge.directory_reading import DirectoryError, reading
from edge.directory_store import DirectoryStore, Stored, digest_of
from edge.directory_writing import written
from edge.messages import SYSTEM, Actor, Event, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from datetime import tzinfo
    from pathlib import Path

    from edge.log import Log
    from edge.messages import Json

LOG: Final = logging.getLogger(__name__)
FREEZE_EVERY: Final = 10
"""See `edge.directory_reading.reading`."""
AUDIT_WITHIN_S: Final = 60.0
"""How long a new directory waits for the last one's changes to be recorded."""
SUBJECT: Final = Subject("directory", "directory", "Directory")


class DirectoryKeeper:
    """The directory of one controller. Belongs to one event loop."""

    def __init__(  # noqa: PLR0913 -- what it is made of, by name
        self,
        store: Path,
        file: Path | None,
        zone: tzinfo,
        *,
        doors: Callable[[], Mapping[str, str]],
        log: Log,
        now_ns: Callable[[], int],
        wall_us: Callable[[], int],
    ) -> None:
        """`file` is the `[directory] file`, if there is one; `doors` are the configured ones, id to name."""
        self.in_force = Directory()
        self.listeners: list[Callable[[Directory], None]] = []
        """Called on the loop right after another directory is in force."""
        self._store, self._file, self._zone = DirectoryStore(store), file, zone
        self._doors, self._log, self._now_ns, self._wall_us = doors, log, now_ns, wall_us
        self._one_at_a_time = asyncio.Lock()
        self._recorder = DirectoryAudit(log)
        self._audit: asyncio.Task[None] | None = None
        self._stored: Stored | None = None
        self._loading = True
        self._error: str | None = None
        """Why the last document was refused, for people."""

    async def start(self) -> None:
        """Take up what is stored, then the file where it is newer. Never raises: doors go on whatever happens."""
        async with self._one_at_a_time:
            await self._take_up()
        if self._file is not None:
            for problem in await self._read_file(self._file, Actor("system", "file", self._file.name), starting=True):
                LOG.error("%s", problem)
        self._loading = False

    async def apply(self, document: bytes, source: Path, actor: Actor) -> Directory:
        """Put a document in force that this actor brought.

        Raises DirectoryError with everything that is wrong with it, OSError when it cannot be stored now;
        then nothing has changed.
        """
        async with self._one_at_a_time:
            return await self._apply(document, source, actor)

    async def reload(self, actor: Actor) -> list[str]:
        """Read the file again; what is wrong with it, nothing when it is in force."""
        return [] if self._file is None else await self._read_file(self._file, actor, starting=False)

    def facts(self) -> dict[str, Json]:
        """For `doorctl status`."""
        now, stored = self.in_force, self._stored
        return {
            "state": "loading" if self._loading else "recording" if self._is_recording() else "ready",
            "version": now.version,
            "users": len(now.users),
            "members": len(now.members),
            "cards": len(now.cards),
            "groups": len(now.groups),
            "source": None if stored is None else stored.source,
            "error": self._error,
        }

    def _is_recording(self) -> bool:
        return self._audit is not None and not self._audit.done()

    def stop(self) -> None:
        """What is not recorded yet is recorded after the next start."""
        if self._audit is not None:
            self._audit.cancel()

    # --- taking up ---------------------------------------------------------------------------------

    async def _take_up(self) -> None:
        try:
            stored, aside = await asyncio.to_thread(self._store.load, self._wall_us())
        except OSError as error:
            self._fault(f"the stored directory cannot be read: {error}")
            return
        if aside is not None:
            self._fault(f"the stored directory was damaged; it was moved to {aside}")
        if stored is None:
            return
        try:
            directory = await self._build(stored.document, self._store.path, None, None)
            before = Directory()
            if not stored.audited and stored.previous is not None:
                before = await self._build(stored.previous, self._store.path, None, None)
        except DirectoryError as error:
            self._fault(f"the stored directory cannot be used: {error.problems[0]}")
            return
        self._stored = stored
        self._put_in_force(directory)
        if not stored.audited:
            self._record(before, directory, stored.actor)

    async def _read_file(self, file: Path, actor: Actor, *, starting: bool) -> list[str]:
        try:
            document = await asyncio.to_thread(file.read_bytes)
            async with self._one_at_a_time:
                if not self._is_in_force(document):
                    await self._apply(document, file, actor, may_stay_in_memory=starting)
        except DirectoryError as error:
            problems = [str(problem) for problem in error.problems]
            if starting and all(problem.key == "version" for problem in error.problems):
                LOG.info("%s is not newer than what is in force", file)  # a command has brought a newer one since
                return []
            self._fault(problems[0])
            return problems
        except OSError as error:
            self._fault(f"{file}: {error}")
            return [f"{file}: {error}"]
        self._mended()
        return []

    def _is_in_force(self, document: bytes) -> bool:
        return self._stored is not None and self._stored.digest == digest_of(document)

    # --- a new one -----------------------------------------------------------------------------------

    async def _apply(
        self, document: bytes, source: Path, actor: Actor, *, may_stay_in_memory: bool = False
    ) -> Directory:
        if self._audit is not None and self._is_recording():
            await asyncio.wait({self._audit}, timeout=AUDIT_WITHIN_S)
            if self._is_recording():
                raise OSError(
                    f"the changes of version {self.in_force.version} are still being recorded; try again later"
                )
        above = None if self._stored is None else self.in_force.version
        directory = await self._build(document, source, self._doors(), above)
        new = Stored(directory.version, b"", digest_of(document), source.name, actor, self._wall_us())
        try:
            await asyncio.to_thread(self._store.replace, new, written(directory))
        except OSError as error:
            if not may_stay_in_memory:
                raise OSError(f"the directory cannot be stored: {error}") from error
            LOG.warning("the directory cannot be stored (%s); it is in force until doord stops", error)
            self._put_in_force(directory)
            return directory
        before, self._stored = self.in_force, new
        self._put_in_force(directory)
        self._record(before, directory, actor)
        return directory

    async def _build(
        self, document: bytes, source: Path, doors: Mapping[str, str] | None, above: int | None
    ) -> Directory:
        """In slices, each on another thread: some of them hash a PIN, and none may hold up a door."""
        steps = reading(document, source, self._zone, doors=doors, above=above)
        count = 0
        while (built := await asyncio.to_thread(_next, steps)) is None:
            count += 1
            if count % FREEZE_EVERY == 0:
                gc.freeze()
        return built

    def _put_in_force(self, directory: Directory) -> None:
        self.in_force = directory
        LOG.info("directory version %d is in force: %d cards", directory.version, len(directory.cards))
        for listener in self.listeners:
            listener(directory)

    # --- what is recorded ------------------------------------------------------------------------------

    def _record(self, before: Directory, after: Directory, actor: Actor) -> None:
        recording = self._recorded(Change(before, after, actor, self._now_ns(), self._doors()))
        self._audit = asyncio.create_task(recording, name="directory audit")
        self._audit.add_done_callback(_say_why)

    async def _recorded(self, change: Change) -> None:
        await self._log.opened()
        await self._recorder.record(change, self._log.modes().get(PROGRESS))
        await asyncio.to_thread(self._store.audited, change.new.version)

    def _fault(self, reason: str) -> None:
        LOG.error("%s", reason)
        if self._error is None:
            event = Event("controller.fault", self._now_ns(), SUBJECT, SYSTEM, details={"reason": reason})
            self._log.append([event])
        self._error = reason

    def _mended(self) -> None:
        if self._error is not None:
            self._error = None
            self._log.append([Event("controller.fault_cleared", self._now_ns(), SUBJECT, SYSTEM)])


def _next(steps: Generator[None, None, Directory]) -> Directory | None:
    """One slice; the directory after the last one."""
    try:
        next(steps)
    except StopIteration as done:
        directory: Directory = done.value
        return directory
    return None


def _say_why(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        LOG.error("the directory's changes are not recorded yet", exc_info=task.exception())
