"""Keeps the directory in force: taken up at the start, replaced as a whole, stored, and its changes recorded.

One rule: it is built aside, in slices, and stored before it is in force; a document that is refused
changes nothing. Only the file at the start does not wait for the disk: people must get in.
"""

from __future__ import annotations

import asyncio
import logging
import operator
from typing import TYPE_CHECKING, Final

from edge.directory.audit import Change, DirectoryAudit
from edge.directory.building import built, made_aside
from edge.directory.directory import Directory
from edge.directory.disk import DirectoryDisk
from edge.directory.document.reading import DirectoryError
from edge.directory.edits.making import editing
from edge.directory.edits.recent import RecentChanges, differing_entries
from edge.directory.edits.shape import touched_by
from edge.directory.faults import DirectoryFaults
from edge.directory.replaying import taken_up
from edge.directory.store import StoredDirectory, digest_of, is_digest_of
from edge.model.messages import Actor
from edge.model.problems import Problem
from edge.system.calendar import iso
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.edits.making import Edited
    from edge.directory.edits.shape import Touched
    from edge.log.log import Log
    from edge.model.messages import Json

LOG: Final = logging.getLogger(__name__)
AUDIT_WITHIN_S: Final = 60.0
"""How long a new directory waits for the last one's changes to be recorded."""
PUT_RIGHT_S: Final = 30.0
"""How often a disk that failed at the start is tried again."""


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
        self.file = file  # another one counts from the next `reload` on
        self._doors, self._log, self._now_ns, self._wall_us = doors, log, now_ns, wall_us
        self._one_at_a_time = asyncio.Lock()
        self._taken_up = asyncio.Event()
        self._recorder = DirectoryAudit(log)
        self._putting_right: asyncio.Task[None] | None = None
        self._about: StoredDirectory | None = None
        """About the directory in force, without its document."""
        self._kept: Directory | None = None
        """The directory on the disk, from which changes are counted. None while nobody can tell."""
        self._loading = True
        self._faults = DirectoryFaults(log, now_ns)
        self._recent = RecentChanges()

    async def start(self) -> None:
        """Take up what is stored, then the file where it is newer. Never raises."""
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
        """Put a document in force that this actor brought.

        Raises DirectoryError with everything that is wrong with it, OSError when it cannot be stored now;
        then nothing has changed.
        """
        await self._taken_up.wait()
        async with self._one_at_a_time:
            directory = await self._apply(document, source, actor)
            self._faults.end("file")
            return directory

    async def edit(self, changes: Sequence[object], base: int | None, source: Path, actor: Actor) -> Directory:
        """Put these changes of this actor in force, who has seen version `base`; None: whatever is in force.

        Raises StaleError when others changed the same since, DirectoryError with everything that is wrong,
        OSError when it cannot be stored now; then nothing has changed.
        """
        await self._taken_up.wait()
        async with self._one_at_a_time:
            self._recent.judge(base, self.in_force.version, touched_by(changes))
            await self._audited()
            edit = await made_aside(editing(self.in_force, changes, source, self._zone, doors=self._doors()), source)
            version, digest = edit.directory.version, "" if self._about is None else self._about.digest
            about = StoredDirectory(version, b"", digest, source.name, actor, self._wall_us())
            await self._keep(edit.directory, about, edit)
            return edit.directory

    async def reload(self, actor: Actor) -> list[str]:
        """Read the file again; what is wrong with it, nothing when it is in force."""
        await self._taken_up.wait()
        if self.file is None:  # there was one before: what was wrong with it is of no interest any more
            self._faults.end("file")
            return []
        return await self._read_file(self.file, actor)

    def facts(self) -> dict[str, Json]:
        """For `doorctl status`."""
        now, about, recording = self.in_force, self._about, self._recorder.is_recording
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
        """What is not recorded yet is recorded after the next start."""
        self._recorder.stop()
        if self._putting_right is not None:
            self._putting_right.cancel()
        self._disk.stop()

    # --- the disk ----------------------------------------------------------------------------------

    async def _take_up(self) -> None:
        """Put in force what is stored, unless the file has brought something newer meanwhile."""
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
            directory, about, unrecorded = await taken_up(stored, self._disk.path, self._zone)
        except DirectoryError as error:
            self._faults.begin("store", f"the stored directory cannot be used: {error.problems[0]}")
            return
        self._kept = directory
        if self._about is None or directory.version >= self.in_force.version:
            self._put_in_force(directory, about)
            self._recent.begin(stored.version)
            for edit in stored.edits:
                self._recent.note(edit.version, edit.actor, touched_by(edit.changes))
        if unrecorded is not None:
            self._record(unrecorded.before, directory, unrecorded.actor, unrecorded.touched)

    async def _keep(self, directory: Directory, about: StoredDirectory, edit: Edited | None = None) -> None:
        """Store it, then put it in force, then record what changed. Raises OSError, and nothing has changed.

        `edit` is what makes it of the directory in force.
        """
        if self._kept is None:
            raise OSError("the stored directory cannot be read, so nobody can tell which one is newer")
        behind = edit is not None and self._about is not None and self._kept is self.in_force
        try:
            if edit is not None and behind:
                await self._disk.append(about, edit)
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
        self._record(before, directory, about.actor, edit.touched if edit is not None and behind else None)

    async def _put_right(self) -> None:
        """Go on until what the file brought at the start is on the disk, or something else that is newer."""
        while self._kept is not self.in_force:
            await asyncio.sleep(PUT_RIGHT_S)
            async with self._one_at_a_time:
                if self._kept is None:
                    await self._take_up()
                if (
                    self._kept is None
                    or self._kept is self.in_force
                    or self._about is None
                    or self._recorder.is_recording
                ):
                    continue
                try:
                    await self._keep(self.in_force, self._about)
                except OSError as error:
                    self._faults.begin("store", str(error))

    # --- a new one -----------------------------------------------------------------------------------

    async def _read_file(self, file: Path, actor: Actor, *, starting: bool = False) -> list[str]:
        try:
            document = await self._disk.read(file)
            async with self._one_at_a_time:
                digest = "" if self._about is None else self._about.digest
                if not await asyncio.to_thread(is_digest_of, digest, document):
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
                found = await built(document, file, self._zone, doors=self._doors())
                if await asyncio.to_thread(operator.eq, found, self.in_force):  # in other words, or by a command
                    return
                message = f"found {version} with other content, expected more than {version}, which is in force"
                raise DirectoryError([Problem(file, "version", message)]) from error
            if not starting:
                raise
            LOG.info("%s is older than what is in force", file)  # a command has brought a newer one since

    async def _apply(self, document: bytes, source: Path, actor: Actor, *, starting: bool = False) -> Directory:
        if not starting:
            await self._audited()
        above = None if self._about is None else self.in_force.version
        directory = await built(document, source, self._zone, doors=self._doors(), above=above)
        digest = await asyncio.to_thread(digest_of, document)
        about = StoredDirectory(directory.version, b"", digest, source.name, actor, self._wall_us())
        try:
            if not (starting and self._recorder.is_recording):  # from before this start, which may take its time
                touched = await made_aside(differing_entries(self.in_force, directory), source)
                await self._keep(directory, about)
                self._recent.note(directory.version, actor, touched)
                return directory
        except OSError as error:
            if not starting:
                raise
            self._faults.begin("store", f"{error}; {source.name} is in force from memory")
        self._put_in_force(directory, about)
        self._recent.begin(directory.version)
        return directory

    async def _audited(self) -> None:
        """Wait for the last one's changes to be recorded. OSError when that takes too long."""
        if not await self._recorder.has_ended(AUDIT_WITHIN_S):
            raise OSError(f"the changes of version {self.in_force.version} are still being recorded; try again later")

    def _put_in_force(self, directory: Directory, about: StoredDirectory) -> None:
        self.in_force, self._about = directory, about
        LOG.info("directory version %d is in force: %d cards", directory.version, len(directory.cards))
        for listener in self.listeners:
            listener(directory)

    # --- what is recorded ------------------------------------------------------------------------------

    def _record(
        self, before: Directory, after: Directory, actor: Actor, touched: Sequence[Touched] | None = None
    ) -> None:
        change = Change(before, after, actor, self._now_ns(), self._doors(), touched)
        self._recorder.begin(change, self._recorded)

    async def _recorded(self, change: Change) -> None:
        await self._disk.audited(change.new.version)
        if self._about is not None and self._kept is self.in_force is change.new:
            self._disk.fold(self._about, change.new)
