"""Records in the log what each version of the directory changed: in order, slice by slice, each event once.

One rule: the progress is kept in the log itself and committed together with each slice. It names one version: those
before are recorded, those after it are not. A difference always comes in the same order, so after a crash the
recording goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from edge.directory.changes import differing
from edge.directory.directory import Directory
from edge.directory.edits.shape import touched_by
from edge.log.log import LogUnavailableError
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from typing import Any

    from edge.log.log import Log
    from edge.model.messages import Actor, Event, Record

PROGRESS: Final = "controller.directory"
"""Under this name the log keeps the progress, beside the modes of doors: no id of a door contains a dot."""
SLICE: Final = 500
"""Events handed over at once. The next ones wait until these are on the disk, to leave room for events of doors."""
ALL: Final = "all"
MOST_UNTOLD: Final = 10_000
"""How many records on the disk may not be announced yet. With more, it cannot be told whether a slice is missing."""
LOOK_AGAIN_S: Final = 5.0
"""How often it is checked whether the log has room, and whether a slice still waits in it."""


MOST_EDITS: Final = 1_000
"""How many edits may wait to be recorded: with so many, no more are taken."""
MOST_ENTRIES: Final = 10_000
"""How many entries these edits may change, about a kilobyte each: with so many, no more edits are taken."""


@dataclass(frozen=True, slots=True)
class Change:
    """A new version of the directory, and who made it when."""

    version: int
    actor: Actor
    at_ns: int
    names: Mapping[str, str]
    """Names of the doors, by id."""
    directory: Directory | None
    """The new version. None: it is made from the version before when its turn comes."""
    edits: Sequence[Mapping[str, Any]] | None = None
    """The changes of an edit (`edge.directory.edits.making.Edited`). None: it was a whole document."""


class DirectoryAudit:
    """Records changes in the order of their versions."""

    def __init__(
        self,
        log: Log,
        made_again: Callable[[Directory, Change], Awaitable[Directory]],
        recorded: Callable[[Change], Awaitable[None]],
    ) -> None:
        """Listens for commits from now on.

        `made_again` applies an edit to the version before. `recorded` is called when all events of a change are on the
        disk.
        """
        self.recorded = 0
        """Events on the disk, of all changes since the queue was empty."""
        self._log, self._made_again, self._recorded = log, made_again, recorded
        self._queue: deque[Change] = deque()
        """The first change is being recorded, the others wait."""
        self._before = Directory()
        """The version before the first change."""
        self._done: dict[int, int | None] = {}
        """For each version, how many of its events are on the disk. None: all; no entry: none."""
        self._resumed: list[int] = []
        """Versions whose progress is not read from the log yet."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._waits_for: tuple[str, int] | None = None
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        log.on_commit(self._listen)

    @property
    def is_recording(self) -> bool:
        """Whether events of some change are not on the disk yet."""
        return bool(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no more edits are taken."""
        entries = sum(len(change.edits or ()) for change in self._queue)
        return len(self._queue) > MOST_EDITS or entries >= MOST_ENTRIES

    def add(self, before: Directory, change: Change) -> None:
        """Record this change of `before` once the log is open and everything added earlier is recorded."""
        if not self._queue:
            self._before, self.recorded = before, 0
        elif change.edits is not None:  # a thousand directories need too much memory
            change = replace(change, directory=None)
        self._queue.append(change)
        self._idle.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._all(), name="directory audit")
            self._task.add_done_callback(say_why)

    def resume(self, before: Directory, changes: Sequence[Change]) -> None:
        """Record the changes that were not, or only partly, recorded before the start. Call it before `add`."""
        self._resumed = [change.version for change in changes]
        for change in changes:
            self.add(before, change)

    async def ended(self) -> None:
        """Wait until everything is recorded."""
        await self._idle.wait()

    def stop(self) -> None:
        """Stop. What is not recorded yet is recorded after the next start."""
        if self._task is not None:
            self._task.cancel()

    async def _all(self) -> None:
        await self._log.opened()
        self._done |= _done(self._log.modes().get(PROGRESS), self._resumed)
        self._resumed = []
        while self._queue:
            change = self._queue[0]
            after = change.directory
            if after is None:
                after = await self._made_again(self._before, change)
            await self._record(self._before, after, change)
            await self._recorded(change)
            self._before = after
            self._done.pop(self._queue.popleft().version, None)
        self._before = Directory()
        self._idle.set()

    async def _record(self, before: Directory, after: Directory, change: Change) -> None:
        """Record all events that are not recorded yet. Returns when all are on the disk."""
        done = self._done.get(change.version, 0)
        if done is None:
            return
        touched = None if change.edits is None else touched_by(change.edits)
        events = differing(before, after, change.actor, change.at_ns, names=change.names, touched=touched)
        await asyncio.to_thread(_skip, events, done)
        self.recorded += done
        while True:
            part = await asyncio.to_thread(list, islice(events, SLICE))
            so_far = done + len(part)
            is_all = len(part) < SLICE
            await self._hand_over(part, json.dumps({"version": change.version, "recorded": ALL if is_all else so_far}))
            done = so_far
            self.recorded += len(part)
            self._done[change.version] = None if is_all else done
            if is_all:
                return

    async def _hand_over(self, part: Sequence[Event], progress: str) -> None:
        if not part:
            self._log.append((), {PROGRESS: progress})
            return
        is_committed = False
        while not is_committed:
            while self._log.health().waiting > SLICE:  # noqa: ASYNC110 -- the log does not announce free room
                await asyncio.sleep(LOOK_AGAIN_S)
            self._committed.clear()
            self._waits_for = (part[-1].correlation, len(part))
            self._log.append(part, {PROGRESS: progress})
            is_committed = await self._comes(part[-1].correlation)

    async def _comes(self, correlation: str) -> bool:
        """Wait until the slice is committed. False when the log was full and has dropped it."""
        while True:
            with suppress(TimeoutError):
                return await asyncio.wait_for(self._committed.wait(), LOOK_AGAIN_S)
            if self._log.health().waiting:
                continue
            with suppress(LogUnavailableError):  # not known while the log is away
                new = await self._log.read(self._log.committed, MOST_UNTOLD)
                if len(new) < MOST_UNTOLD and all(record.event.correlation != correlation for record in new):
                    return self._committed.is_set()

    def _listen(self, records: Sequence[Record]) -> None:
        if self._waits_for is not None:
            correlation, left = self._waits_for
            left -= sum(record.event.correlation == correlation for record in records)
            self._waits_for = (correlation, left) if left > 0 else None
            if left <= 0:
                self._committed.set()


def _skip(events: Iterator[Event], count: int) -> None:
    deque(islice(events, count), maxlen=0)


def _done(progress: str | None, versions: Sequence[int]) -> dict[int, int | None]:
    """How many events of these versions are recorded, where some are; None: all."""
    try:
        found = json.loads(progress or "{}")
        version, recorded = found.get("version"), found.get("recorded")
    except (ValueError, AttributeError, RecursionError):
        return {}
    if version not in versions:
        return {}
    done: dict[int, int | None] = {one: None for one in versions if one < version}
    if recorded == ALL:
        done[version] = None
    elif isinstance(recorded, int) and recorded >= 0:
        done[version] = recorded
    return done
