"""The directory in force: taken up, replaced as a whole, kept through dead disks, recorded once."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import threading
import zlib
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.directory import audit, disk
from edge.directory import in_force as directory_keeper
from edge.directory.changes import difference
from edge.directory.directory import Directory
from edge.directory.document.reading import DirectoryError
from edge.directory.edits import recent
from edge.directory.edits.recent import StaleError
from edge.directory.edits.shape import KINDS
from edge.directory.store import DirectoryStore, StoredEdit, StoreError
from tests.directory.test_changes import apply, model, tidy
from tests.directory.test_edits import changes_between
from tests.support.directories import documents, large, made
from tests.support.live_directories import CLERK, DOORS, kept, paper
from tests.support.logs import PATIENT, WITHIN_S, Disk, opened
from tests.support.people import document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.live_directories import Kept

ADA_ONLY = {"users": document()["users"][:1], "members": document()["members"][:1]}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried every half a minute is tried at once."""
    monkeypatch.setattr(directory_keeper, "PUT_RIGHT_S", 0.01)
    monkeypatch.setattr(audit, "LOOK_AGAIN_S", 0.01)


def the_disk_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on, until the answer is called."""
    before = DirectoryStore._open

    def fail(_store: DirectoryStore) -> sqlite3.Connection:
        raise StoreError("attempt to write a readonly database")

    monkeypatch.setattr(DirectoryStore, "_open", fail)
    return lambda: monkeypatch.setattr(DirectoryStore, "_open", before)


# --- taking up and replacing ------------------------------------------------------------------------


def test_nobody_may_pass_at_first_and_a_document_changes_that(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            assert (one.keeper.in_force, one.keeper.facts()["source"]) == (Directory(), None)
            applied = await one.apply(paper())
            assert applied is one.keeper.in_force
            assert one.seen == [1]
            facts = one.keeper.facts()
            assert facts | {"since": None} == {
                "state": "ready", "version": 1, "users": 2, "members": 2, "cards": 4, "groups": 2,
                "source": "command 7", "since": None, "stored": True, "recorded": None, "error": None,
            }  # fmt: skip
            assert facts["since"] == "2026-11-22T21:57:03.000000Z"
            made_of = difference(Directory(), applied, CLERK, one.log.clock.now_ns(), names=DOORS)
            assert await one.changes(1) == made_of

    asyncio.run(main())


def test_it_outlives_a_restart_and_is_told_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            before = await one.apply(paper())
        async with kept(tmp_path) as one:
            await one.ready()
            assert (one.keeper.in_force, one.seen) == (before, [1])
            assert one.keeper.facts()["source"] == "command 7"
            await one.apply(paper(2, **ADA_ONLY))
            kinds = [event.type for event in await one.changes(2)]
            assert kinds == ["member.deassign_card", "card.deassign", "member.destroy", "user.destroy"]
            assert len(await one.changes(1)) == len(difference(Directory(), before, CLERK, 0))
        stored, _ = DirectoryStore(tmp_path / "directory.db").load(0)
        assert stored is not None
        assert (stored.version, stored.actor, stored.audited, stored.previous) == (2, CLERK, True, None)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"version": 1}, "version"),
        ({"version": 2, "users": []}, "members[0].user"),
        ({"version": 2, "groups": [{"id": "g", "name": "G", "doors": ["cellar"]}]}, "groups[0].doors"),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path: Path, wrong: dict[str, object], key: str) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            before = await one.apply(paper())
            with pytest.raises(DirectoryError) as refused:
                await one.apply(json.dumps(document() | wrong).encode())
            assert key in [problem.key for problem in refused.value.problems]
            assert (one.keeper.in_force, one.seen, await one.changes(2)) == (before, [1], [])
            assert await one.faults() == []  # whoever sent it was told

        async with kept(tmp_path) as one:
            assert one.keeper.in_force == before

    asyncio.run(main())


def test_one_at_a_time_and_only_upwards(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            answers = await asyncio.gather(
                one.apply(paper(3)), one.apply(paper(2)), one.apply(paper(4)), return_exceptions=True
            )
            assert [type(answer).__name__ for answer in answers] == ["Directory", "DirectoryError", "Directory"]
            assert one.seen == [3, 4]

    asyncio.run(main())


def test_a_document_that_comes_before_the_stored_one_is_taken_up_waits_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(5))
        async with kept(tmp_path, started=False) as one:
            early = asyncio.create_task(one.apply(paper(1)))
            await asyncio.sleep(0)
            await one.keeper.start()
            with pytest.raises(DirectoryError, match="more than 5"):
                await early
            assert (one.seen, await one.changes(1)) == ([5], [])

    asyncio.run(main())


# --- edits ----------------------------------------------------------------------------------------------


def person(name: str) -> list[dict[str, object]]:
    """A user and a member of theirs."""
    return [
        {"put": "user", "entry": {"id": name, "name": name.title()}},
        {"put": "member", "entry": {"id": name, "user": name, "groups": ["always"]}},
    ]


def test_an_edit_is_the_next_version_recorded_and_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            before = await one.apply(paper(5))
            await one.edit(person("grace"), base=5)
            after = await one.edit([{"put": "schedule", "entry": NIGHT}, {"remove": "member", "id": "bob"}])
            assert (one.seen, after.version) == ([5, 6, 7], 7)
            kinds = [event.type for event in await one.changes(6)]
            assert kinds == ["user.create", "member.create"]
            assert [event.actor for event in await one.changes(6)] == [CLERK, CLERK]
            told = [*await one.changes(6), *await one.changes(7)]
            whole = difference(before, after, CLERK, 5, names=DOORS)
            assert sorted(event.type for event in told) == sorted(event.type for event in whole)
        async with kept(tmp_path) as one:
            await one.ready()
            assert (one.keeper.in_force, one.seen) == (after, [7])
            assert one.keeper.in_force.by_key == after.by_key
            assert [*await one.changes(6), *await one.changes(7)] == told, "once"
            await one.apply(paper(8))
        async with kept(tmp_path) as one:
            assert one.keeper.in_force == made(document() | {"version": 8})

    asyncio.run(main())


NIGHT = document()["schedules"][0] | {"name": "Nights"}


def test_a_fresh_controller_can_be_edited_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            ada = [{"put": "user", "entry": {"id": "ada", "name": "Ada"}}]
            assert (await one.edit(ada, base=0)).version == 1
            assert [event.type for event in await one.changes(1)] == ["user.create"]
        async with kept(tmp_path) as one:
            assert one.keeper.in_force.users["ada"].name == "Ada"

    asyncio.run(main())


def test_of_two_editors_one_wins_and_the_other_is_told_who(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(5))
            other = [{"put": "user", "entry": {"id": "ada", "name": "Lady Lovelace"}}]
            both = [one.edit([{"put": "user", "entry": {"id": "ada", "name": "Ada L."}}], base=5), one.edit(other, 5)]
            won, lost = await asyncio.gather(*both, return_exceptions=True)
            assert isinstance(won, Directory)
            assert isinstance(lost, StaleError)
            assert lost.problems == ['users.ada: "Clerk" changed it in version 6, after 5']
            assert one.keeper.in_force.users["ada"].name == "Ada L."
            assert (await one.edit(person("hedy"), base=5)).version == 7, "of somebody else"
            assert (await one.edit(other, base=7)).version == 8
            for base, told in ((3, "in version 8, after 3"), (9, "expected at most 8")):
                with pytest.raises(StaleError, match=told):
                    await one.edit(other, base=base)
        async with kept(tmp_path) as one:
            with pytest.raises(StaleError, match="version 8, after 7"):
                await one.edit(other, base=7)
            with pytest.raises(DirectoryError, match='found "nobody"'):
                await one.edit([{"put": "member", "entry": {"id": "m", "user": "nobody"}}], base=8)
            assert one.seen == [8]

    asyncio.run(main())


def test_a_whole_document_makes_an_edit_stale_only_where_it_changed_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(5))
            bob = [{"put": "user", "entry": {"id": "bob", "name": "Robert"}}]
            await one.apply(json.dumps(document() | ADA_ONLY | {"version": 6}).encode())
            with pytest.raises(StaleError, match=r"users[.]bob: .Clerk. changed it in version 6, after 5"):
                await one.edit(bob, base=5)
            assert (await one.edit(person("grace"), base=5)).version == 7
            assert (await one.edit(bob, base=6)).version == 8

    asyncio.run(main())


def test_of_more_changes_than_can_be_remembered_nobody_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST", 3)

    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(5))
            await one.edit(person("grace"))
            await one.edit(person("hedy"))
            assert (await one.edit(person("joan"), base=7)).version == 8
            with pytest.raises(StaleError, match="before version 7 is not known any more"):
                await one.edit(person("otis"), base=6)

    asyncio.run(main())


def test_an_edit_is_not_in_force_unless_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            before = await one.apply(paper(5))
            mend = the_disk_takes_nothing(monkeypatch)
            with pytest.raises(OSError, match="cannot be stored"):
                await one.edit(person("grace"))
            assert one.keeper.in_force is before
            mend()
            assert (await one.edit(person("grace"), base=5)).version == 6

    asyncio.run(main())


def test_an_edit_that_was_stored_and_not_recorded_is_recorded_after_the_next_start(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(5))
            await one.edit(person("hedy"))
        changes = tuple(person("grace"))
        DirectoryStore(tmp_path / "directory.db").append(StoredEdit(7, changes, "command 9", CLERK, 5))
        for _ in range(2):
            async with kept(tmp_path) as one:
                await one.ready()
                assert [event.type for event in await one.changes(7)] == ["user.create", "member.create"]
                assert one.keeper.facts()["source"] == "command 9"

    asyncio.run(main())


def test_many_edits_become_part_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FOLD_AFTER", 4)

    async def main() -> None:
        store = DirectoryStore(tmp_path / "directory.db")
        async with kept(tmp_path) as one:
            await one.apply(paper(5))
            for number in range(6):
                await one.edit(person(f"p{number}"))
            after = one.keeper.in_force

            def behind() -> int:
                stored, _ = store.load(0)
                assert stored is not None
                return len(stored.edits)

            await one.log.eventually(lambda: behind() <= 4 // 2)
        async with kept(tmp_path) as one:
            assert one.keeper.in_force == after

    asyncio.run(main())


def test_an_edit_waits_for_no_record_and_a_document_that_does_holds_up_nobody(tmp_path: Path) -> None:
    log_disk = Disk()
    log_disk.fail = lambda _number, _sql: True
    options = replace(PATIENT, connect=log_disk.connect)

    async def main() -> None:
        async with kept(tmp_path, None, options, wait=False) as one:
            await one.keeper.apply(paper(5), tmp_path / "c", CLERK)
            waiting = asyncio.create_task(one.keeper.apply(paper(6), tmp_path / "c", CLERK))
            await one.keeper.edit(person("grace"), 5, tmp_path / "c", CLERK)
            after = await one.keeper.edit(person("hedy"), 6, tmp_path / "c", CLERK)
            assert (one.keeper.in_force, one.seen, waiting.done()) == (after, [5, 6, 7], False)
            waiting.cancel()
            await asyncio.wait({waiting})
            facts = one.keeper.facts()
            assert (facts["state"], facts["recorded"], facts["stored"]) == ("recording", 0, True)
        async with kept(tmp_path, None, options, wait=False) as one:
            assert (one.keeper.in_force, one.seen) == (after, [7])
            await one.keeper.edit([{"remove": "member", "id": "grace"}], 7, tmp_path / "c", CLERK)
            log_disk.fail = lambda _number, _sql: False
            await one.ready()
            versions = [[event.type for event in await one.changes(version)] for version in (5, 6, 7, 8)]
            assert len(versions[0]) == len(difference(Directory(), made(document()), CLERK, 0))
            assert versions[1:] == [["user.create", "member.create"]] * 2 + [["member.destroy"]]

    asyncio.run(main())


def test_when_too_much_waits_to_be_recorded_an_edit_is_told_to_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_EDITS", 2)
    log_disk = Disk()
    log_disk.fail = lambda _number, _sql: True
    options = replace(PATIENT, connect=log_disk.connect)

    async def main() -> None:
        async with kept(tmp_path, None, options, wait=False) as one:
            for name in ("ada", "grace", "hedy"):
                await one.keeper.edit([{"put": "user", "entry": {"id": name, "name": name}}], None, tmp_path, CLERK)
            joan = [{"put": "user", "entry": {"id": "joan", "name": "Joan"}}]
            with pytest.raises(OSError, match="too many edits of the directory wait to be recorded in the log"):
                await one.keeper.edit(joan, None, tmp_path, CLERK)
            log_disk.fail = lambda _number, _sql: False
            await one.ready()
            assert (await one.edit(joan)).version == 4

    asyncio.run(main())


def test_only_what_is_recorded_becomes_part_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FOLD_AFTER", 4)
    store, log_disk = DirectoryStore(tmp_path / "directory.db"), Disk()
    options = replace(PATIENT, connect=log_disk.connect)

    def behind() -> list[bool]:
        stored, _ = store.load(0)
        assert stored is not None
        return [edit.audited for edit in stored.edits]

    async def main() -> None:
        log_disk.fail = lambda _number, _sql: True
        async with kept(tmp_path, None, options, wait=False) as one:
            await one.keeper.apply(paper(5), tmp_path, CLERK)
            for number in range(6):
                after = await one.keeper.edit(person(f"p{number}"), None, tmp_path, CLERK)
            assert behind() == [False] * 6
            about = one.keeper._about
            assert about is not None
            store.fold(about, b"")
            store.audited(8)
            store.fold(about, b"")
            assert behind() == [True] * 3 + [False] * 3
            log_disk.fail = lambda _number, _sql: False
            await one.log.eventually(lambda: not behind())
            assert [len(await one.changes(6 + number)) for number in range(6)] == [2] * 6
        async with kept(tmp_path) as one:
            assert one.keeper.in_force == after

    asyncio.run(main())


def test_a_file_that_was_taken_over_is_passed_over_after_an_edit(tmp_path: Path) -> None:
    file = tmp_path / "directory.json"
    file.write_bytes(paper(5))

    async def main() -> None:
        async with kept(tmp_path, file) as one:
            await one.ready()
            await one.edit(person("grace"))
            assert await one.keeper.reload(CLERK) == []
        async with kept(tmp_path, file) as one:
            assert one.keeper.in_force.version == 6
            file.write_bytes(paper(7))
            assert await one.keeper.reload(CLERK) == []
            assert "grace" not in one.keeper.in_force.users

    asyncio.run(main())


# --- the file -----------------------------------------------------------------------------------------


def test_the_file_is_taken_over_when_it_is_newer(tmp_path: Path) -> None:
    file = tmp_path / "directory.json"

    async def main() -> None:
        file.write_bytes(paper(2))
        async with kept(tmp_path, file) as one:
            await one.ready()
            assert (one.seen, one.keeper.facts()["source"]) == ([2], "directory.json")
            assert await one.keeper.reload(CLERK) == []
            file.write_text(json.dumps(json.loads(paper(2)), indent=3))  # the same in other words
            assert await one.keeper.reload(CLERK) == []
            file.write_bytes(paper(2, **ADA_ONLY))
            [problem] = await one.keeper.reload(CLERK)
            assert problem.endswith("version: found 2 with other content, expected more than 2, which is in force")
            file.write_bytes(paper(1))
            [problem] = await one.keeper.reload(CLERK)
            assert problem.endswith("version: found 1, expected more than 2, which is in force")
            assert one.keeper.facts()["error"] == problem
            file.write_bytes(paper(3, **ADA_ONLY))
            assert await one.keeper.reload(CLERK) == []
            await one.ready()
            assert one.keeper.facts()["error"] is None
            assert one.seen == [2, 3]
            assert {event.actor for event in await one.changes(3)} == {CLERK}
            assert await one.faults() == ["controller.fault", "controller.fault_cleared"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (paper(1), None),  # a command has brought a newer one since
        (paper(2), None),
        (paper(2, **ADA_ONLY), "found 2 with other content"),
        (paper(1, cards=7), "cards: found 7"),
        (json.dumps({"users": []}).encode(), "version: missing"),
        (paper(1)[:-9], "expected"),
        (None, "No such file"),
    ],
)
def test_a_file_at_the_start_never_stops_what_was_stored(
    tmp_path: Path, content: bytes | None, error: str | None
) -> None:
    file = tmp_path / "directory.json"

    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(2))
        if content is not None:
            file.write_bytes(content)
        async with kept(tmp_path, file) as one:
            await one.ready()
            assert (one.seen, one.keeper.in_force.version) == ([2], 2)
            found = one.keeper.facts()["error"]
            assert found is None if error is None else error in str(found)
            await one.apply(paper(3))  # a good one, however it comes
            assert one.keeper.facts()["error"] is None
            told = ["controller.fault", "controller.fault_cleared"]
            assert await one.faults() == ([] if error is None else told)

    asyncio.run(main())


@pytest.mark.parametrize("special", ["/dev/zero", "pipe", "folder"])
def test_a_file_that_is_none_is_refused_unread(tmp_path: Path, special: str) -> None:
    file = tmp_path / special
    if special == "pipe":
        os.mkfifo(file)
    elif special == "folder":
        file.mkdir()

    async def main() -> None:
        async with kept(tmp_path, file) as one:
            assert str(file) in str(one.keeper.facts()["error"])
            assert (await one.apply(paper())).version == 1

    asyncio.run(main())


# --- disks that fail ------------------------------------------------------------------------------------


def test_what_cannot_be_stored_is_not_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            before = await one.apply(paper())
            mend = the_disk_takes_nothing(monkeypatch)
            with pytest.raises(OSError, match="cannot be stored"):
                await one.apply(paper(2))
            assert (one.keeper.in_force, one.seen) == (before, [1])
            mend()
            await one.apply(paper(2))
            assert one.seen == [1, 2]

    asyncio.run(main())


def test_a_stored_directory_is_read_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            before = await one.apply(paper())
        the_disk_takes_nothing(monkeypatch)
        async with kept(tmp_path) as one:
            assert (one.keeper.in_force, one.keeper.facts()["error"]) == (before, None)

    asyncio.run(main())


def test_a_file_is_in_force_without_a_disk_and_stored_when_there_is_one(tmp_path: Path) -> None:
    file, folder = tmp_path / "directory.json", tmp_path / "disk"
    file.write_bytes(paper(2))

    async def main() -> None:
        async with kept(tmp_path, file, store=folder / "directory.db") as one:
            assert one.seen == [2]
            assert (one.keeper.facts()["stored"], one.keeper.facts()["state"]) == (False, "ready")
            assert "is in force, but not stored" in str(one.keeper.facts()["error"])
            assert await one.keeper.reload(CLERK) == []
            with pytest.raises(OSError, match="cannot be read"):
                await one.apply(paper(3))
            folder.mkdir()
            await one.log.eventually(lambda: one.keeper.facts()["stored"] is True)
            await one.ready()
            assert (one.seen, one.keeper.facts()["error"]) == ([2], None)
            assert len(await one.changes(2)) == len(difference(Directory(), one.keeper.in_force, CLERK, 0))
            assert await one.faults() == ["controller.fault", "controller.fault_cleared"]
        async with kept(tmp_path, store=folder / "directory.db") as one:
            assert one.seen == [2]

    asyncio.run(main())


@pytest.mark.parametrize(("stored", "in_force"), [(1, [2]), (3, [2, 3])])
def test_a_disk_that_comes_late_has_the_newer_one_or_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: int, in_force: list[int]
) -> None:
    file = tmp_path / "directory.json"
    file.write_bytes(paper(2, **ADA_ONLY))

    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(stored))
        with monkeypatch.context() as away:

            def gone(_store: DirectoryStore, _wall_us: int) -> None:
                raise StoreError("disk I/O error")

            away.setattr(DirectoryStore, "load", gone)
            held = kept(tmp_path, file)
            one = await held.__aenter__()
            assert one.seen == [2]
        await one.log.eventually(lambda: one.keeper.facts()["stored"] is True)
        await one.ready()
        assert one.seen == in_force
        kinds = [event.type for event in await one.changes(2)]
        expected = ["member.deassign_card", "card.deassign", "member.destroy", "user.destroy"]
        assert kinds == (expected if stored == 1 else [])
        await held.__aexit__(None, None, None)

    asyncio.run(main())


def test_a_log_that_is_away_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its changes wait; the next document is told to come later, and a restart loses nothing."""
    monkeypatch.setattr(directory_keeper, "AUDIT_WITHIN_S", 0.05)
    file, disk = tmp_path / "directory.json", Disk()
    disk.fail = lambda _number, _sql: True
    options = replace(PATIENT, connect=disk.connect)

    async def main() -> None:
        async with kept(tmp_path, None, options, wait=False) as one:
            await one.keeper.apply(paper(), tmp_path / "c", CLERK)
            assert one.keeper.facts()["state"] == "recording"
            with pytest.raises(OSError, match="still being recorded; try again later"):
                await one.keeper.apply(paper(2), tmp_path / "c", CLERK)
        file.write_bytes(paper(3, **ADA_ONLY))
        async with kept(tmp_path, file, options, wait=False) as one:  # what the file says counts at once
            assert (one.seen, one.keeper.facts()["stored"]) == ([1, 3], False)
            assert await one.keeper.reload(CLERK) == []
            disk.fail = lambda _number, _sql: False
            await one.log.eventually(lambda: one.keeper.facts()["stored"] is True)
            await one.ready()
            assert len(await one.changes(1)) == len(difference(Directory(), made(document()), CLERK, 0))
            kinds = [event.type for event in await one.changes(3)]
            assert kinds == ["member.deassign_card", "card.deassign", "member.destroy", "user.destroy"]
            assert await one.changes(2) == []

    asyncio.run(main())


def test_a_hung_disk_does_not_hold_up_the_loop_or_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, go, gave_up = threading.Event(), threading.Event(), threading.Event()

    def hang(_store: DirectoryStore, *_values: object) -> None:
        hangs.set()
        if not go.wait(WITHIN_S):
            gave_up.set()

    monkeypatch.setattr(DirectoryStore, "replace", hang)

    async def main() -> None:
        async with kept(tmp_path) as one:
            applying = asyncio.create_task(one.keeper.apply(paper(), tmp_path / "c", CLERK))
            await one.log.eventually(hangs.is_set)
            await one.log.write(opened())  # others go on
            assert not applying.done()
            one.keeper.stop()
            applying.cancel()
            with pytest.raises(OSError, match="doord stops"):
                await one.keeper._disk.audited(1)

    asyncio.run(main())  # which would wait for what hangs in asyncio's own threads
    assert not gave_up.is_set()
    go.set()


# --- files that are damaged -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["garbage", "cut", "row", "blob"])
def test_a_damaged_store_is_set_aside_and_said(tmp_path: Path, how: str) -> None:
    store, file = tmp_path / "directory.db", tmp_path / "directory.json"

    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper())
        if how == "garbage":
            store.write_bytes(b"no database at all" * 500)
        elif how == "cut":
            store.write_bytes(store.read_bytes()[:5000])
        else:
            with closing(sqlite3.connect(store)) as db, db:
                value = "actor = '[]'" if how == "row" else "document = x'789c00'"
                db.execute(f"UPDATE directory SET {value}")
        async with kept(tmp_path) as one:
            assert one.seen == []
            assert "damaged" in str(one.keeper.facts()["error"])
            assert await one.faults() == ["controller.fault"]
        assert list(tmp_path.glob("directory.db.damaged-*"))  # noqa: ASYNC240 -- nobody waits for this loop
        file.write_bytes(paper(9))
        async with kept(tmp_path, file) as one:
            await one.ready()
            assert (one.seen, one.keeper.facts()["error"]) == ([9], None)

    asyncio.run(main())


def test_the_document_before_is_not_needed_to_let_people_in(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper())
        with closing(sqlite3.connect(tmp_path / "directory.db")) as db, db:
            db.execute("UPDATE directory SET audited = 0, previous = ?", [zlib.compress(b'{"version": 0, "x": []}')])
        async with kept(tmp_path) as one:
            await one.ready()
            assert (one.seen, one.keeper.facts()["error"]) == ([1], None)

    asyncio.run(main())


def test_a_stored_document_that_another_version_wrote_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper())
        with closing(sqlite3.connect(tmp_path / "directory.db")) as db, db:
            db.execute("UPDATE directory SET document = ?", [zlib.compress(b'{"version": 1, "robots": []}')])
        async with kept(tmp_path) as one:
            assert "robots" in str(one.keeper.facts()["error"])
            await one.apply(paper())
            assert one.keeper.facts()["error"] is None

    asyncio.run(main())


# --- the power is cut ---------------------------------------------------------------------------------------


def image(source: Path, target: Path) -> None:
    """What a disk holds at this moment, as a kill or a power cut leaves it."""
    target.mkdir()
    for file in source.glob("*.db*"):
        if not file.name.endswith("-shm"):  # memory, made anew
            with suppress(FileNotFoundError):  # the log's mark is renamed between statements, at any time
                shutil.copy(file, target / file.name)


@pytest.fixture(scope="module")
def began(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A controller that has version 1 and has recorded it."""
    folder = tmp_path_factory.mktemp("began") / "house"
    folder.mkdir()

    async def main() -> None:
        async with kept(folder) as one:
            await one.apply(paper(1))

    asyncio.run(main())
    return folder


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut_at=st.integers(0, 120))
def test_each_change_is_recorded_once_wherever_the_power_is_cut(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, began: Path, cut_at: int
) -> None:
    """The image is taken in front of any statement of the log's writer, or after the last one."""
    monkeypatch.setattr(audit, "SLICE", 2)
    folder = tmp_path_factory.mktemp("cut")
    running, left = folder / "running", folder / "left"
    image(began, running)
    disk, store_is_busy = Disk(), threading.Lock()
    renamed = [one | {"name": one["name"] + "!"} for one in document()["users"]]
    document_2 = paper(2, users=renamed, groups=[*document()["groups"], {"id": "new", "name": "New"}])

    def take(number: int, _sql: str) -> bool:
        if number == cut_at:
            with store_is_busy:
                image(running, left)
        return False

    def guarded(call: Callable[..., object]) -> Callable[..., object]:
        def guard(*values: object) -> object:
            with store_is_busy:
                return call(*values)

        return guard

    async def main() -> None:
        with monkeypatch.context() as patch:
            for name in ("load", "replace", "audited"):  # each opens the file and removes its journal in the end
                patch.setattr(DirectoryStore, name, guarded(getattr(DirectoryStore, name)))
            disk.fail = take
            async with kept(running, None, replace(PATIENT, connect=disk.connect)) as one:
                await one.apply(document_2)
                expected = [(e.type, e.object, e.details, e.actor) for e in await one.changes(2)]
                assert len(expected) == 3
        if not left.exists():
            image(running, left)
        async with kept(left) as one:
            await one.ready()
            if one.keeper.in_force.version == 1:  # the cut was before it was stored
                assert await one.changes(2) == []
                await one.apply(document_2)
            await one.log.write(opened())
            assert [(e.type, e.object, e.details, e.actor) for e in await one.changes(2)] == expected
        async with kept(left) as one:
            await one.ready()
            assert len(await one.changes(2)) == len(expected)

    asyncio.run(main())


class Images:
    """The disk is copied in front of some statement of the log's writer, or some call of the store."""

    def __init__(self, running: Path, left: Path, cut_at: int) -> None:
        self.running, self.left, self.cut_at = running, left, cut_at
        self.count = 0
        self.is_away = True
        """The log's disk fails."""
        self._busy = threading.RLock()

    def connect(self, path: Path) -> sqlite3.Connection:
        images = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                return images.through(super().execute, sql, *values)

            def executemany(self, sql: str, *values: object) -> sqlite3.Cursor:
                return images.through(super().executemany, sql, *values)

        if self.is_away:
            raise sqlite3.OperationalError("disk I/O error")
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)

    def through(self, call: Callable[..., Any], *values: object) -> Any:
        with self._busy:
            if self.count == self.cut_at:
                image(self.running, self.left)
            self.count += 1
            return call(*values)

    def store(self, patch: pytest.MonkeyPatch) -> None:
        """From now on the store's calls count."""
        for name in ("load", "replace", "append", "audited", "fold"):
            call = getattr(DirectoryStore, name)
            patch.setattr(DirectoryStore, name, lambda *values, call=call: self.through(call, *values))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut_at=st.integers(0, 220))
def test_edits_that_wait_to_be_recorded_are_recorded_once_and_in_order_wherever_the_power_is_cut(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, began: Path, cut_at: int
) -> None:
    """A document and edits come while the log is away."""
    monkeypatch.setattr(audit, "SLICE", 2)
    monkeypatch.setattr(disk, "FOLD_AFTER", 3)
    folder = tmp_path_factory.mktemp("cut")
    running, left = folder / "running", folder / "left"
    image(began, running)
    images = Images(running, left, cut_at)
    renamed = [one | {"name": one["name"] + "!"} for one in document()["users"]]
    document_2 = paper(2, users=renamed, groups=[*document()["groups"], {"id": "new", "name": "New"}])
    edits = [
        person("grace"),
        [{"put": "schedule", "entry": NIGHT}],
        person("hedy"),
        [{"remove": "user", "id": "grace"}],
    ]
    edits[3] += [{"remove": "member", "id": "grace"}, {"remove": "group", "id": "new"}]

    async def go_on(one: Kept) -> None:
        """From whatever version is in force."""
        if one.keeper.in_force.version == 1:
            await one.keeper.apply(document_2, folder, CLERK)
        for changes in edits[one.keeper.in_force.version - 2 :]:
            await one.keeper.edit(changes, None, folder, CLERK)

    async def told(one: Kept) -> list[tuple[object, ...]]:
        await one.ready()
        await one.log.write(opened())
        records = [record.event for record in await one.log.log.read(0, 100_000)]
        return [
            (event.correlation, event.type, event.object, event.details)
            for event in records
            if event.correlation in {f"directory-{version}" for version in range(2, 7)}
        ]

    async def main() -> None:
        with monkeypatch.context() as patch:
            images.store(patch)
            async with kept(running, None, replace(PATIENT, connect=images.connect), wait=False) as one:
                await go_on(one)
                images.is_away = False
                expected, after = await told(one), one.keeper.in_force
            assert [event[0] for event in expected] == sorted(event[0] for event in expected)
            assert len({event[0] for event in expected}) == 5
        if not left.exists():
            image(running, left)
        async with kept(left) as one:
            await go_on(one)
            assert (await told(one), one.keeper.in_force) == (expected, after)
        async with kept(left) as one:
            assert (await told(one), one.keeper.in_force) == (expected, after)

    asyncio.run(main())


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(goals=st.lists(documents(), min_size=1, max_size=6))
def test_the_records_of_edits_that_waited_make_the_directory_of_an_empty_one(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, goals: list[dict[str, Any]]
) -> None:
    monkeypatch.setitem(DOORS, "garage", "Garage")
    folder, log_disk = tmp_path_factory.mktemp("edits"), Disk()
    log_disk.fail = lambda _number, _sql: True
    nobody: dict[str, Any] = {"version": 0, **{section: [] for section in KINDS.values()}}

    async def main() -> None:
        async with kept(folder, None, replace(PATIENT, connect=log_disk.connect), wait=False) as one:
            last = nobody
            for goal in goals:
                if changes := changes_between(last, goal):
                    await one.keeper.edit(changes, None, folder, CLERK)
                    last = goal
            log_disk.fail = lambda _number, _sql: False
            await one.ready()
            versions = range(1, one.keeper.in_force.version + 1)
            events = [event for version in versions for event in await one.changes(version)]
            assert tidy(apply(model(nobody), events)) == tidy(model(last))

    asyncio.run(main())


# --- secrets, and size -----------------------------------------------------------------------------------------


def test_no_pin_can_be_had_from_the_disk(tmp_path: Path) -> None:
    pin = "90210777"
    members = document()["members"]
    members[0]["pin"] = pin
    del members[0]["pin_hash"]
    document_1 = paper(1, members=members)

    async def main() -> None:
        async with kept(tmp_path) as one:
            await one.apply(document_1)
            assert pin not in repr(one.keeper.facts())
            await one.apply(paper(2))

    async def again() -> None:
        async with kept(tmp_path) as one:
            await one.apply(paper(3, members=members))

    asyncio.run(main())
    asyncio.run(again())
    for path in tmp_path.iterdir():
        assert pin.encode() not in path.read_bytes(), path
    store = tmp_path / "directory.db"
    assert store.stat().st_mode & 0o077 == 0
    stored, _ = DirectoryStore(store).load(0)
    assert stored is not None
    assert pin.encode() not in stored.document
    assert stored.digest.startswith("scrypt$ln=14,r=8,p=1$")  # a fast hash of the rest and each PIN would be an oracle


def test_a_large_directory_fills_neither_the_log_nor_the_memory(tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(tmp_path) as one:
            waiting, append = [0], one.log.log.append

            def counted(*values: object) -> None:
                append(*values)  # type: ignore[arg-type]  # handed on
                waiting.append(one.log.log.health().waiting)

            one.log.log.append = counted  # type: ignore[method-assign, assignment]  # to look at it
            await one.keeper.apply(large(2_000), tmp_path / "c", CLERK)
            assert one.keeper.facts()["state"] == "recording"
            await one.ready()
            assert max(waiting) == audit.SLICE
            assert len(await one.changes(1)) == 5 * 2_000 + 100
            assert one.log.log.health().dropped == 0

    asyncio.run(main())
