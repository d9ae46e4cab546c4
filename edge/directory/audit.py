"""Records the difference of two directories in the log: slice by slice, and each event once.

One rule: the progress is kept in the log itself and committed together with each slice. A difference always
comes in the same order, so after a crash the recording goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from edge.directory.changes import differing
from edge.log.log import LogUnavailableError
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from edge.directory.directory import Directory
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


@dataclass(frozen=True, slots=True)
class Change:
    """A new directory, the one before it, and who made the change when."""

    old: Directory
    new: Directory
    actor: Actor
    at_ns: int
    names: Mapping[str, str]
    """Names of the doors, by id."""
    touched: Sequence[tuple[str, str]] | None = None
    """The only entries that differ, where that is known (`edge.directory.changes.differing`)."""


class DirectoryAudit:
    """Records one difference at a time."""

    def __init__(self, log: Log) -> None:
        """Listens for commits from now on."""
        self.recorded = 0
        """Events of the latest difference that are on the disk."""
        self._log = log
        self._waits_for: tuple[str, int] | None = None
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        log.on_commit(self._listen)

    @property
    def is_recording(self) -> bool:
        """Whether part of a difference is not on the disk yet."""
        return self._task is not None and not self._task.done()

    def begin(self, change: Change, recorded: Callable[[Change], Awaitable[None]]) -> None:
        """Record this difference once the log is open, then call `recorded`. The difference before must have ended."""
        self._task = asyncio.create_task(self._all(change, recorded), name="directory audit")
        self._task.add_done_callback(say_why)

    async def has_ended(self, within_s: float) -> bool:
        """Wait for the recording to end. Returns whether it ended within this time."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)
        return not self.is_recording

    def stop(self) -> None:
        """Stop. What is not recorded yet is recorded after the next start."""
        if self._task is not None:
            self._task.cancel()

    async def _all(self, change: Change, recorded: Callable[[Change], Awaitable[None]]) -> None:
        await self._log.opened()
        await self.record(change, self._log.modes().get(PROGRESS))
        await recorded(change)

    async def record(self, change: Change, progress: str | None) -> None:
        """Record all events but those that `progress` counts as recorded. Returns when all are on the disk."""
        done, new = _done(progress, change.new.version), change.new
        if done is None:
            return
        events = differing(change.old, new, change.actor, change.at_ns, names=change.names, touched=change.touched)
        await asyncio.to_thread(_skip, events, done)
        self.recorded = done
        while True:
            part = await asyncio.to_thread(list, islice(events, SLICE))
            so_far = self.recorded + len(part) if len(part) == SLICE else ALL
            await self._hand_over(part, json.dumps({"version": new.version, "recorded": so_far}))
            self.recorded += len(part)
            if so_far == ALL:
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


def _done(progress: str | None, version: int) -> int | None:
    """How many events of this version are recorded; None: all."""
    try:
        found = json.loads(progress or "{}")
        if found.get("version") != version:
            return 0
        recorded = found.get("recorded")
    except (ValueError, AttributeError, RecursionError):
        return 0
    if recorded == ALL:
        return None
    return recorded if isinstance(recorded, int) and recorded >= 0 else 0
