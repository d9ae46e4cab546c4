"""The changes of a directory are recorded in order, slice by slice, each once, wherever a crash falls."""

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
from edge.directory.edits.shape import touched_by
from edge.model.messages import SYSTEM, Event
from tests.support import virtual
from tests.support.directories import BERLIN, SOURCE, edited
from tests.support.people import building

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pytest


def user(number: int) -> list[dict[str, Any]]:
    return [{"put": "user", "entry": {"id": f"p{n}", "name": f"Person {number}"}} for n in (1, 2, 3)]


def made_of(before: Directory, edits: Any) -> Directory:
    return edited(before, edits, SOURCE, BERLIN).directory


OLD, NEW = Directory(), building()
EVENTS = difference(OLD, NEW, SYSTEM, 5)
CHANGE = Change(NEW.version, SYSTEM, 5, {}, NEW)
EDITS = [user(1), user(2), [{"remove": "user", "id": "p1"}, {"remove": "user", "id": "p3"}], user(3)]


def edits_of(now: Directory) -> tuple[list[Change], list[Event]]:
    """EDITS one after the other, and all that is to be recorded of them."""
    changes, told = [], []
    for edits in EDITS:
        before, now = now, made_of(now, edits)
        changes.append(Change(now.version, SYSTEM, 5, {}, now, edits))
        told += difference(before, now, SYSTEM, 5, touched=touched_by(edits))
    return changes, told


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

    async def opened(self) -> None:
        pass

    def modes(self) -> dict[str, str]:
        return {} if self.progress is None else {PROGRESS: self.progress}

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


def recorder(disk: Disk) -> tuple[DirectoryAudit, list[int]]:
    """Beside the versions of which it says that they are recorded."""
    recorded: list[int] = []

    async def made_again(before: Directory, change: Change) -> Directory:
        return made_of(before, change.edits)

    async def done(change: Change) -> None:
        recorded.append(change.version)

    return DirectoryAudit(disk, made_again, done), recorded  # type: ignore[arg-type]


async def run(disk: Disk, *changes: Change) -> list[int]:
    """Until everything is recorded, or the power is cut."""
    recording, recorded = recorder(disk)
    recording.resume(OLD, changes)
    both = [asyncio.create_task(one) for one in (recording.ended(), disk.dead.wait())]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    recording.stop()
    for task in both:
        task.cancel()
    await asyncio.gather(*both, return_exceptions=True)
    return recorded


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 9), max_size=4), size=st.integers(1, 12))
def test_each_change_is_recorded_once_wherever_the_power_is_cut(cuts: list[int], size: int) -> None:
    edits, told = edits_of(NEW)

    async def main() -> Disk:
        disk = Disk(0)
        for cut_after in [*cuts, 10_000]:
            disk.left, disk.dead = cut_after, asyncio.Event()
            disk._listeners.clear()
            await run(disk, CHANGE, *edits)
        return disk

    before, audit.SLICE = audit.SLICE, size  # type: ignore[misc]  # smaller slices, more places to cut
    try:
        disk = asyncio.run(main())
    finally:
        audit.SLICE = before  # type: ignore[misc]  # as above
    assert disk.events == EVENTS + told
    assert disk.largest <= size
    assert json.loads(disk.progress or "") == {"version": NEW.version + len(EDITS), "recorded": ALL}


def test_what_is_added_while_something_is_recorded_comes_after_it_and_keeps_no_directory() -> None:
    disk, (edits, told) = Disk(10_000), edits_of(NEW)

    async def main() -> None:
        recording, recorded = recorder(disk)
        recording.add(OLD, CHANGE)
        before = NEW
        for change in edits:
            assert change.directory is not None
            recording.add(before, change)
            before = change.directory
        assert [one.directory is None for one in recording._queue] == [False, True, True, True, True]
        assert (recording.is_recording, recording.recorded) == (True, 0)
        await recording.ended()
        assert recorded == [1, 2, 3, 4, 5]
        assert (recording.is_recording, recording.recorded) == (False, len(EVENTS) + len(told))
        again = made_of(before, user(4))
        recording.add(before, Change(again.version, SYSTEM, 5, {}, again, user(4)))
        await recording.ended()
        assert recording.recorded == 3

    asyncio.run(main())
    assert disk.events[:-3] == EVENTS + told


def test_only_so_many_edits_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full_after(most_edits: int, most_entries: int) -> int:
        monkeypatch.setattr(audit, "MOST_EDITS", most_edits)
        monkeypatch.setattr(audit, "MOST_ENTRIES", most_entries)
        recording, _ = recorder(Disk(0))
        recording.add(OLD, CHANGE)
        count = 0
        while not recording.is_full:
            count += 1
            recording.add(NEW, Change(1 + count, SYSTEM, 5, {}, NEW, user(count)))
        recording.stop()
        return count

    assert asyncio.run(full_after(5, 1_000)) == 5
    assert asyncio.run(full_after(1_000, 7)) == 3, "of three entries each"


def test_a_version_that_the_log_knows_from_before_is_recorded_when_it_is_made_anew() -> None:
    """The directory was put back from a backup: what is made now is another version of the same number."""
    disk = Disk(10_000)
    disk.progress = json.dumps({"version": NEW.version, "recorded": ALL})

    async def main() -> None:
        recording, _ = recorder(disk)
        recording.add(OLD, CHANGE)
        await recording.ended()

    asyncio.run(main())
    assert disk.events == EVENTS


def test_after_a_failure_it_goes_on_with_the_next_change() -> None:
    disk, (edits, told) = Disk(10_000), edits_of(NEW)

    async def main() -> None:
        recording, recorded = recorder(disk)
        recording._recorded, done = fail, recording._recorded  # type: ignore[method-assign]
        recording.add(OLD, CHANGE)
        assert recording._task is not None
        await asyncio.wait({recording._task})
        assert recording.is_recording
        recording._recorded = done  # type: ignore[method-assign]
        for change in edits:
            recording.add(NEW, change)
        await recording.ended()
        assert recorded == [1, 2, 3, 4, 5]

    async def fail(_change: Change) -> None:
        raise RuntimeError

    asyncio.run(main())
    assert disk.events == EVENTS + told


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
    asyncio.run(run(disk, Change(NEW.version, SYSTEM, 5, {}, OLD)))
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
