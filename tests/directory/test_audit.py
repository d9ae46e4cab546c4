"""The changes of a directory are recorded slice by slice, each once, wherever a crash falls."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.directory import audit
from edge.directory.audit import ALL, PROGRESS, Change, DirectoryAudit
from edge.directory.changes import difference, differing
from edge.directory.directory import Directory
from edge.model.messages import SYSTEM, Event
from tests.support import virtual
from tests.support.people import building

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pytest

OLD, NEW = Directory(), building()
EVENTS = difference(OLD, NEW, SYSTEM, 5)
CHANGE = Change(OLD, NEW, SYSTEM, 5, {})


class Disk:
    """Commits what it is handed, events and progress together, until its power is cut."""

    def __init__(self, cut_after: int) -> None:
        self.left = cut_after
        self.events: list[Event] = []
        self.progress: str | None = None
        self.largest = 0
        self.full = 0
        self.waiting = self.committed = 0
        self.dead = asyncio.Event()
        self._listeners: list[Callable[[Any], None]] = []

    def on_commit(self, listener: Callable[[Any], None]) -> None:
        self._listeners.append(listener)

    def health(self) -> Any:
        return SimpleNamespace(waiting=self.waiting)

    async def read(self, after: int, limit: int) -> list[Any]:
        assert (after, limit) == (self.committed, audit.MOST_UNTOLD)
        return []

    def append(self, events: Sequence[Event], modes: Mapping[str, str]) -> None:
        if self.left == 0:
            self.dead.set()
            return
        self.left -= 1
        if self.full > 0:  # what a log does that has no room: the events are lost, the mode is not
            self.full -= 1
            self.progress = modes[PROGRESS]
            return
        self.largest = max(self.largest, len(events))
        self.events += events
        self.progress = modes[PROGRESS]
        records = [type("Record", (), {"event": event}) for event in events]
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, records)


async def run(disk: Disk, change: Change) -> None:
    """Until everything is recorded, or the power is cut."""
    recording = asyncio.create_task(DirectoryAudit(disk).record(change, disk.progress))  # type: ignore[arg-type]
    dead = asyncio.create_task(disk.dead.wait())
    await asyncio.wait({recording, dead}, return_when=asyncio.FIRST_COMPLETED)
    for task in (recording, dead):
        task.cancel()
    await asyncio.gather(recording, dead, return_exceptions=True)


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 6), max_size=4), size=st.integers(1, 12))
def test_each_change_is_recorded_once_wherever_the_power_is_cut(cuts: list[int], size: int) -> None:
    async def main() -> Disk:
        disk = Disk(0)
        for cut_after in [*cuts, 10_000]:
            disk.left, disk.dead = cut_after, asyncio.Event()
            disk._listeners.clear()
            await run(disk, CHANGE)
        return disk

    before, audit.SLICE = audit.SLICE, size  # type: ignore[misc]  # smaller slices, more places to cut
    try:
        disk = asyncio.run(main())
    finally:
        audit.SLICE = before  # type: ignore[misc]  # as above
    assert disk.events == EVENTS
    assert disk.largest <= size
    assert json.loads(disk.progress or "") == {"version": NEW.version, "recorded": ALL}


def test_nonsense_in_the_log_only_means_that_nothing_is_known() -> None:
    for progress in (None, "", "[]", "7", '{"version": 1}', '{"version": 1, "recorded": -3}', '{"version": 0}'):
        disk = Disk(10_000)
        disk.progress = progress

        async def main(disk: Disk = disk) -> None:
            await run(disk, CHANGE)

        disk.dead = asyncio.Event()
        asyncio.run(main())
        assert disk.events == EVENTS, progress


def test_a_directory_that_changes_nothing_is_noted_without_a_word() -> None:
    disk = Disk(10_000)
    asyncio.run(run(disk, Change(NEW, NEW, SYSTEM, 5, {})))
    assert (disk.events, json.loads(disk.progress or "")["recorded"]) == ([], ALL)


def test_what_a_full_log_dropped_is_handed_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SLICE", 4)
    disk = Disk(10_000)
    disk.full = 2
    virtual.run(lambda _loop: run(disk, CHANGE))
    assert disk.events == EVENTS


def test_doors_go_first_while_the_log_is_filling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SLICE", 4)
    disk = Disk(10_000)
    disk.waiting = 5

    async def main(_loop: virtual.VirtualLoop) -> None:
        recording = asyncio.create_task(run(disk, CHANGE))
        await asyncio.sleep(3600)
        assert disk.events == []
        disk.waiting = 4
        await recording

    virtual.run(main)
    assert disk.events == EVENTS


def test_no_more_is_made_than_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def counted(*values: Any, **more: Any) -> Iterator[Event]:
        nonlocal made
        for event in differing(*values, **more):
            made += 1
            yield event

    monkeypatch.setattr(audit, "SLICE", 4)
    monkeypatch.setattr(audit, "differing", counted)
    disk = Disk(2)
    asyncio.run(run(disk, CHANGE))
    assert (len(disk.events), made) == (8, 12)
