"""Keeps the directory in force: loads it at the start, replaces or edits it, stores it, has its changes recorded.

One rule: a new directory is built in the background and stored before it is in force; a refused document changes
nothing. Only at the start is the file in force even when it cannot be stored: people must get in.
"""

from __future__ import annotations

import asyncio
import logging
import operator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from edge.directory.audit import Change, DirectoryAudit
from edge.directory.building import built, made_aside
from edge.directory.directory import Directory
from edge.directory.disk import DirectoryDisk
from edge.directory.document.reading import DirectoryError
from edge.directory.edits.making import editing
from edge.directory.edits.recent import RecentChanges, StaleError, differing_entries
from edge.directory.edits.shape import touched_by
from edge.directory.faults import DirectoryFaults
from edge.directory.replaying import made_again, taken_up
from edge.directory.store import StoredDirectory, digest_of, is_digest_of
from edge.model.messages import Actor
from edge.model.problems import Problem
from edge.system.calendar import iso
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.edits.making import Edited
    from edge.log.log import Log
    from edge.model.messages import Json

LOG: Final = logging.getLogger(__name__)
AUDIT_WITHIN_S: Final = 60.0
"""How long a document waits until all earlier changes are recorded. An edit does not wait for them."""
PUT_RIGHT_S: Final = 30.0
"""How often storing is tried again after the disk failed at the start."""


class LiveDirectory:
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
        self._disk, self._zone = DirectoryDisk(store), zone
        self.file = file  # may be set to another file, which the next `reload` reads
        self._doors, self._log, self._now_ns, self._wall_us = doors, log, now_ns, wall_us
        self._one_at_a_time = asyncio.Lock()
        self._taken_up = asyncio.Event()
        self._recorder = DirectoryAudit(log, self._made_again, self._recorded)
        self._putting_right: asyncio.Task[None] | None = None
        self._about: StoredDirectory | None = None
        """Version, source and actor of the directory in force, without its document."""
        self._kept: Directory | None = None
        """The directory on the disk, with which a new one is compared. None while the disk cannot be read."""
        self._loading = True
        self._faults = DirectoryFaults(log, now_ns)
        self._recent = RecentChanges()

    async def start(self) -> None:
        """Load the stored directory, then the file if it is newer. Never raises."""
        async with self._one_at_a_time:
            await self._take_up()
        self._taken_up.set()
        if self.file is not None:
            await self._read_file(self.file, Actor("system", "file", self.file.name), starting=True)
        if self._kept is not self.in_force:
            self._putting_right = asyncio.create_task(self._put_right(), name="directory store")
            self._putting_right.add_done_callback(say_why)
        self._loading = False

    async def apply(self, document: bytes, source: Path, actor: Actor) -> Directory:
        """Put a document from this actor in force.

        Raises DirectoryError with all problems of the document, OSError when it cannot be stored now.
        After an error nothing has changed.
        """
        await self._taken_up.wait()
        async with self._turn(self._is_all_recorded):
            directory = await self._apply(document, source, actor)
            self._faults.end("file")
            return directory

    async def edit(self, changes: Sequence[object], base: int | None, source: Path, actor: Actor) -> Directory:
        """Put changes from this actor in force. `base` is the version the actor has seen; None: do not check it.

        Raises StaleError when others have changed the same entries since `base`, DirectoryError with all problems
        of the changes, OSError when they cannot be stored now. After an error nothing has changed.
        """
        await self._taken_up.wait()
        async with self._turn(lambda: self._can_append() or self._is_all_recorded()):
            self._recent.judge(base, self.in_force.version, touched_by(changes))
            if self._recorder.is_full:
                raise OSError("too many edits of the directory wait to be recorded in the log; try again later")
            edit = await made_aside(editing(self.in_force, changes, source, self._zone, doors=self._doors()), source)
            version, digest = edit.directory.version, "" if self._about is None else self._about.digest
            about = StoredDirectory(version, b"", digest, source.name, actor, self._wall_us())
            await self._keep(edit.directory, about, edit)
            return edit.directory

    async def adopt(self, directory: Directory, source: Path, actor: Actor) -> Directory:
        """Put a directory in force that this actor made from the one in force, as its next version.

        Raises StaleError when another one is in force by now, OSError when it cannot be stored now.
        """
        await self._taken_up.wait()
        async with self._turn(self._is_all_recorded):
            now, seen = self.in_force.version, directory.version - 1
            if seen != now:
                raise StaleError([f"found version {now} in force, expected {seen}: somebody changed the directory"])
            digest = "" if self._about is None else self._about.digest
            about = StoredDirectory(directory.version, b"", digest, source.name, actor, self._wall_us())
            touched = await made_aside(differing_entries(self.in_force, directory), source)
            await self._keep(directory, about)
            self._recent.note(directory.version, actor, touched)
            return directory

    async def reload(self, actor: Actor) -> list[str]:
        """Read the file again. Returns its problems; an empty list when it is in force."""
        await self._taken_up.wait()
        if self.file is None:  # a file that was configured before may have left a fault
            self._faults.end("file")
            return []
        return await self._read_file(self.file, actor)

    async def refused(self, file: Path) -> list[str]:
        """Why a reload would refuse this file for its version; empty when it would not. Nothing is changed."""
        await self._taken_up.wait()
        try:
            document = await self._disk.read(file)
            digest = "" if self._about is None else self._about.digest
            if await asyncio.to_thread(is_digest_of, digest, document):
                return []
            await built(document, file, self._zone, doors=self._doors(), above=self._above())
        except DirectoryError as error:
            if any(problem.key != "version" for problem in error.problems):
                return []  # whoever asks reads the file too
            if error.version != self.in_force.version:
                return [str(problem) for problem in error.problems]
            return [] if await self._is_in_force(document, file) else [str(self._other_content(file))]
        except OSError:
            return []  # as above
        return []

    def facts(self) -> dict[str, Json]:
        """For `doorctl status`."""
        now, about, recording = self.in_force, self._about, not self._is_all_recorded()
        return {
            "state": "loading" if self._loading else "recording" if recording else "ready",
            "version": now.version,
            "users": len(now.users),
            "members": len(now.members),
            "cards": len(now.cards),
            "groups": len(now.groups),
            "source": None if about is None else about.source,
            "since": None if about is None else iso(about.at_us),
            "stored": self._kept is now or about is None,
            "recorded": self._recorder.recorded if recording else None,
            "error": self._faults.told,
        }

    def stop(self) -> None:
        """Stop. Changes that are not recorded yet are recorded after the next start."""
        self._recorder.stop()
        if self._putting_right is not None:
            self._putting_right.cancel()
        self._disk.stop()

    # --- the disk ----------------------------------------------------------------------------------

    async def _take_up(self) -> None:
        """Put the stored directory in force, unless a newer one from the file is in force already."""
        try:
            stored, moved = await self._disk.load(self._wall_us())
        except OSError as error:
            self._faults.begin("store", f"the stored directory cannot be read: {error}")
            return
        self._faults.end("store")
        if moved is not None:
            self._faults.begin("store", f"the stored directory was damaged; it was moved to {moved}")
        self._kept = self.in_force if self._about is None else Directory()
        if stored is None:
            return
        try:
            directory, about, before, unrecorded = await taken_up(stored, self._disk.path, self._zone)
        except DirectoryError as error:
            self._faults.begin("store", f"the stored directory cannot be used: {error.problems[0]}")
            return
        self._kept = directory
        if self._about is None or directory.version >= self.in_force.version:
            self._put_in_force(directory, about)
            self._recent.begin(stored.version)
            for edit in stored.edits:
                self._recent.note(edit.version, edit.actor, touched_by(edit.changes))
        at_ns, doors = self._now_ns(), self._doors()
        self._recorder.resume(
            before, [Change(one.version, one.actor, at_ns, doors, one.document, one.edits) for one in unrecorded]
        )

    async def _keep(self, directory: Directory, about: StoredDirectory, edit: Edited | None = None) -> None:
        """Store a directory, put it in force, record what changed. Raises OSError; then nothing has changed.

        `edit` is the edit that made it from the directory in force, if there is one.
        """
        if self._kept is None:
            raise OSError("the stored directory cannot be read, so it is not known which one is newer")
        appended = edit if self._can_append() else None
        try:
            if appended is not None:
                await self._disk.append(about, appended)
            else:
                await self._disk.replace(about, directory)
        except OSError as error:
            raise OSError(f"the directory cannot be stored: {error}") from error
        before, self._kept = self._kept, directory
        if self.in_force is not directory:
            self._put_in_force(directory, about)
        if edit is not None:
            self._recent.note(directory.version, about.actor, edit.touched)
        self._faults.end("store")
        changes = None if appended is None else appended.changes
        change = Change(directory.version, about.actor, self._now_ns(), self._doors(), directory, changes)
        self._recorder.add(before, change)

    async def _put_right(self) -> None:
        """Try again until the directory in force is on the disk: the file's, or a newer one."""
        while self._kept is not self.in_force:
            await asyncio.sleep(PUT_RIGHT_S)
            async with self._one_at_a_time:
                if self._kept is None:
                    await self._take_up()
                if self._kept is None or self._about is None or self._can_append() or not self._is_all_recorded():
                    continue
                try:
                    await self._keep(self.in_force, self._about)
                except OSError as error:
                    self._faults.begin("store", str(error))

    # --- a new one -----------------------------------------------------------------------------------

    async def _read_file(self, file: Path, actor: Actor, *, starting: bool = False) -> list[str]:
        try:
            document = await self._disk.read(file)
            digest = "" if self._about is None else self._about.digest
            if not await asyncio.to_thread(is_digest_of, digest, document):
                async with self._turn(lambda: starting or self._is_all_recorded()):
                    await self._apply_file(document, file, actor, starting=starting)
        except DirectoryError as error:
            problems = [str(problem) for problem in error.problems]
        except OSError as error:
            problems = [f"{file}: {error}"]
        else:
            self._faults.end("file")
            return []
        self._faults.begin("file", problems[0])
        for problem in problems[1:]:
            LOG.error("%s", problem)
        return problems

    async def _apply_file(self, document: bytes, file: Path, actor: Actor, *, starting: bool) -> None:
        try:
            await self._apply(document, file, actor, starting=starting)
        except DirectoryError as error:
            if error.version is None or any(problem.key != "version" for problem in error.problems):
                raise
            version = self.in_force.version
            if error.version == version:
                if await self._is_in_force(document, file):
                    return
                raise DirectoryError([self._other_content(file)]) from error
            if not starting:
                raise
            LOG.info("%s is older than the directory in force", file)  # a command has sent a newer one since

    def _other_content(self, file: Path) -> Problem:
        version = self.in_force.version
        message = f"found {version} with other content, expected more than {version}, which is in force"
        return Problem(file, "version", message)

    async def _is_in_force(self, document: bytes, file: Path) -> bool:
        """Whether a file of the version in force says what is in force, written otherwise."""
        found = await built(document, file, self._zone, doors=self._doors())
        return await asyncio.to_thread(operator.eq, found, self.in_force)

    def _above(self) -> int | None:
        return None if self._about is None else self.in_force.version

    async def _apply(self, document: bytes, source: Path, actor: Actor, *, starting: bool = False) -> Directory:
        directory = await built(document, source, self._zone, doors=self._doors(), above=self._above())
        digest = await asyncio.to_thread(digest_of, document)
        about = StoredDirectory(directory.version, b"", digest, source.name, actor, self._wall_us())
        try:
            if self._is_all_recorded():  # at a start, changes of the last run may take long
                touched = await made_aside(differing_entries(self.in_force, directory), source)
                await self._keep(directory, about)
                self._recent.note(directory.version, actor, touched)
                return directory
        except OSError as error:
            if not starting:
                raise
            self._faults.begin("store", f"{error}; {source.name} is in force, but not stored")
        self._put_in_force(directory, about)
        self._recent.begin(directory.version)
        return directory

    # --- one at a time -------------------------------------------------------------------------------

    @asynccontextmanager
    async def _turn(self, may_go: Callable[[], bool]) -> AsyncIterator[None]:
        """Hold the lock when this function returns true; it is asked again whenever all changes are recorded.

        Others may have the lock meanwhile. Raises OSError when that takes too long.
        """
        await self._one_at_a_time.acquire()
        try:
            async with asyncio.timeout(AUDIT_WITHIN_S):
                while not may_go():
                    self._one_at_a_time.release()
                    await self._recorder.ended()
                    await self._one_at_a_time.acquire()
        except TimeoutError:
            raise OSError("earlier changes of the directory are still being recorded; try again later") from None
        try:
            yield
        finally:
            self._one_at_a_time.release()

    def _can_append(self) -> bool:
        """Whether the directory in force is on the disk, so that an edit can be stored after it."""
        return self._about is not None and self._kept is self.in_force

    def _is_all_recorded(self) -> bool:
        return not self._recorder.is_recording

    def _put_in_force(self, directory: Directory, about: StoredDirectory) -> None:
        self.in_force, self._about = directory, about
        LOG.info("directory version %d is in force: %d cards", directory.version, len(directory.cards))
        for listener in self.listeners:
            listener(directory)

    # --- what is recorded ------------------------------------------------------------------------------

    async def _made_again(self, before: Directory, change: Change) -> Directory:
        return await made_again(before, change.version, change.edits or (), self._disk.path, self._zone)

    async def _recorded(self, change: Change) -> None:
        try:
            await self._disk.audited(change.version)
        except OSError as error:  # the log knows, and the next call notes it too
            LOG.warning("version %d of the directory is recorded, but that cannot be stored: %s", change.version, error)
        if self._about is not None and self._can_append() and self.in_force.version == change.version:
            self._disk.fold(self._about, self.in_force)
