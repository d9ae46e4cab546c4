"""Records the difference of two directories in the log: slice by slice, and each event once.

One rule: how far it is stands in the log itself, committed together with each slice; a difference is
always made in the same order, so after a crash it goes on where it was.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.directory_changes import difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.directory import Directory
    from edge.log import Log
    from edge.messages import Actor, Event, Record

PROGRESS: Final = "controller.directory"
"""Where the log keeps how far it is; no door has a dot in its id."""
SLICE: Final = 500
"""Events handed over at once; the next ones wait until these are on the disk, so that doors' events find room."""
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Change:
    """A new directory, and who brought it when."""

    old: Directory
    new: Directory
    actor: Actor
    at_ns: int
    names: Mapping[str, str]
    """Of the doors, by id."""


class DirectoryAudit:
    """One difference at a time."""

    def __init__(self, log: Log) -> None:
        """Listens for commits from now on."""
        self._log = log
        self._waits_for: tuple[str, int] | None = None
        self._committed = asyncio.Event()
        log.on_commit(self._listen)

    async def record(self, change: Change, progress: str | None) -> None:
        """Record what is not recorded yet, which `progress` tells; returns when all is on the disk."""
        done, new = _done(progress, change.new.version), change.new
        if done is None:
            return
        events = await asyncio.to_thread(difference, change.old, new, change.actor, change.at_ns, change.names)
        while True:
            part = events[done : done + SLICE]
            done += len(part)
            so_far = ALL if done >= len(events) else done
            await self._hand_over(part, json.dumps({"version": new.version, "recorded": so_far}))
            if so_far == ALL:
                return

    async def _hand_over(self, part: Sequence[Event], progress: str) -> None:
        self._committed.clear()
        if part:
            self._waits_for = (part[-1].correlation, len(part))
        self._log.append(part, {PROGRESS: progress})
        if part:
            await self._committed.wait()

    def _listen(self, records: Sequence[Record]) -> None:
        if self._waits_for is not None:
            correlation, left = self._waits_for
            left -= sum(record.event.correlation == correlation for record in records)
            self._waits_for = (correlation, left) if left > 0 else None
            if left <= 0:
                self._committed.set()


def _done(progress: str | None, version: int) -> int | None:
    """How many events of this version are recorded; None: all."""
    try:
        found = json.loads(progress or "{}")
        if found.get("version") != version:
            return 0
        recorded = found.get("recorded")
    except (ValueError, AttributeError):
        return 0
    if recorded == ALL:
        return None
    return recorded if isinstance(recorded, int) and recorded >= 0 else 0
