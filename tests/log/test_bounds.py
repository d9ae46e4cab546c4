"""What takes room in a log has bounds of its own, and what had to go is told: with cause, success and a count."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge.log import commands, retention, writer
from edge.log.verify import verify
from tests.support.clock import FakeClock
from tests.support.logs import PATIENT, Disk, forced, journal, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path


def _row(path: Path, query: str) -> Any:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchone()[0]


def test_no_record_goes_for_what_commands_have_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path, options=replace(PATIENT, max_mib=1, sinks=("mqtt",))) as held:
            for number in range(250):
                await held.log.admit(f"diagnose-{number}")
                held.log.settle(f"diagnose-{number}", b"s" * 5_000)
            events = [(forced if n % 5 == 0 else opened)(n, n) for n in range(1_000)]
            for at in range(0, 1_000, 50):
                held.log.append(events[at : at + 50])
            await held.until(lambda: len(numbers(held.records)) == 1_000)
            await held.log.durable()
        assert _row(path, "SELECT count(*) FROM record") == 1_000
        assert _row(path, "SELECT count(*) FROM record WHERE type = 'controller.gap'") == 0

    asyncio.run(run())


def test_the_newest_answers_are_kept_and_every_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_ANSWERS", 10)
    monkeypatch.setattr(commands, "MOST_ANSWER_BYTES", 8_000)
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            for number in range(30):
                await held.log.admit(f"id-{number}")
                held.log.settle(f"id-{number}", b"x" * (100 if number < 20 else 1_000))
            held.log.settle("id-29", b"y" * 2_001)  # beyond what one may have
            await held.log.durable()
        async with journal(path) as held:  # counted anew from the file
            await held.log.admit("one more")
            held.log.settle("one more", b"z" * 1_000)
            admissions = [await held.log.admit(f"id-{number}") for number in range(30)]
            assert not any(one.first for one in admissions)
            assert [number for number, one in enumerate(admissions) if one.reply] == list(range(23, 30))

    asyncio.run(run())


def test_of_too_many_ids_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_IDS", 20)
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            for number in range(50):
                assert (await held.log.admit(f"id-{number}")).first
            assert not (await held.log.admit("id-30")).first
            assert (await held.log.admit("id-29")).first
        for table in ("command", "came"):
            assert _row(path, f"SELECT count(*) FROM {table}") == 20

    asyncio.run(run())


def test_what_a_release_before_kept_for_ever_goes_little_by_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SLICE", 50)
    path = tmp_path / "log.db"

    async def make() -> None:
        async with journal(path) as held:
            await held.write(opened())

    async def run() -> None:
        async with journal(path, options=replace(PATIENT, max_mib=1)) as held:
            await held.eventually(lambda: not held.log._writer._store.commands.has_too_much)

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as db, db:
        rows = [(f"id-{number}", b"t" * 8, None, b"s" * 5_000) for number in range(1_200)]
        db.executemany("INSERT INTO command VALUES (?, ?, ?, ?)", rows)
    asyncio.run(run())
    assert _row(path, "SELECT count(*) FROM command") == 1_200
    assert _row(path, "SELECT sum(length(reply)) FROM command") <= commands.MOST_ANSWER_BYTES
    assert _row(path, "SELECT count(*) FROM record WHERE type = 'controller.gap'") == 0


@pytest.mark.parametrize("sinks", [(), ("mqtt",)])
def test_what_nobody_else_has_goes_plain_before_alarms_and_leaves_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sinks: tuple[str, ...]
) -> None:
    """Also where there is nobody to acknowledge anything: the log is then the only copy."""
    monkeypatch.setattr(retention, "KEEP_NEWEST", 100)
    monkeypatch.setattr(retention, "SLICE", 100)
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path, options=replace(PATIENT, max_mib=1, sinks=sinks)) as held:
            await held.write(forced(0, 0))
            for start in range(1, 4_001, 200):
                held.log.append([replace(opened(n, n), code="z" * 900) for n in range(start, start + 200)])
                await held.until(lambda start=start: len(numbers(held.records)) >= start + 199)  # type: ignore[misc]
            state = held.log._writer._retention
            await held.eventually(lambda: state._measured_at is not None and state.used <= 2**20)
        async with journal(path) as held:  # nothing moves any more
            kept = await held.log.read(0, 10_000)
            gaps = [record.event for record in kept if record.event.type == "controller.gap"]
            assert kept[0].event.type == "lock.forced_open"
            assert {(gap.cause, gap.success, gap.code) for gap in gaps} == {("size", False, "dropped")}
            assert all(gap.details["alarms"] == 0 for gap in gaps)
            told = sum(int(str(gap.details["events"])) for gap in gaps)
            assert told <= held.log.committed - len(kept) <= told + len(gaps) + retention.SLICE
            assert len(gaps) <= 4_000 / retention.WORTH_A_GAP
        assert verify(path).ok

    asyncio.run(run())


def test_a_log_that_cannot_become_small_enough_does_not_fill_itself_with_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEEP_NEWEST", 500)

    async def run() -> None:
        async with journal(tmp_path / "log.db", options=replace(PATIENT, max_mib=1, sinks=("mqtt",))) as held:
            for start in range(0, 560, 20):
                held.log.append([replace(opened(n, n), code="z" * 4_000) for n in range(start, start + 20)])
            await held.until(lambda: len(numbers(held.records)) == 560)
            await held.log.durable()
            await held.write(opened(1_000, 1_000))
            gaps = sum(record.event.type == "controller.gap" for record in held.records)
            assert gaps <= 1
            assert held.log._writer._retention.used > 2**20, "the newest stay, whatever they take"

    asyncio.run(run())


def test_a_disk_that_stays_away_is_asked_less_and_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    disk = Disk()

    async def run() -> None:
        async with journal(tmp_path / "log.db", options=replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            closing = held.log._writer._closing
            real = closing.wait
            monkeypatch.setattr(closing, "wait", lambda s: waited.append(s) or real(0.0))
            disk.fail = lambda _number, sql: sql == "COMMIT"
            held.log.append([opened(1, 1)])
            await held.eventually(lambda: len(waited) > 20)
            disk.fail = lambda _number, _sql: False
            await held.until(lambda: len(numbers(held.records)) == 2)
            await held.until(lambda: held.records[-1].event.code == "write_failed")
            count = len(waited)
            disk.fail = lambda _number, sql: sql == "COMMIT"
            held.log.append([opened(2, 2)])
            await held.eventually(lambda: len(waited) > count)
            disk.fail = lambda _number, _sql: False
            assert waited[count] == PATIENT.retry_first_s, "after it was well it begins anew"

    asyncio.run(run())
    assert waited[:4] == [0.001, 0.002, 0.004, 0.008]
    assert max(waited) == writer.RETRY_MOST_S


def test_a_slow_commit_that_ends_a_failure_is_told_as_one_accident(tmp_path: Path) -> None:
    disk, clock, commits = Disk(), FakeClock(), list[str]()
    writes = False

    def fails_and_is_late(_number: int, sql: str) -> bool:
        nonlocal writes
        writes |= sql.startswith("INSERT INTO record")
        if sql != "COMMIT" or not writes:
            return False
        writes = False
        commits.append("failed" if not commits else "done")
        if commits == ["failed", "done"]:
            clock.tick(6)
        return commits == ["failed"]

    async def run() -> None:
        async with journal(tmp_path / "log.db", clock, replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            disk.fail = fails_and_is_late
            await held.write(opened(1, 1))
            await held.eventually(lambda: held.records[-1].event.type == "controller.storage")
            await held.write(opened(2, 2))
            codes = [one.event.code for one in held.records if one.event.type == "controller.storage"]
            assert codes == ["write_failed"]

    asyncio.run(run())


@pytest.mark.parametrize(("seconds", "told"), [(5.0, False), (5.001, True)])
def test_what_counts_as_slow(tmp_path: Path, seconds: float, told: bool) -> None:
    disk, clock = Disk(), FakeClock()

    def late(_number: int, sql: str) -> bool:
        if sql == "COMMIT" and disk.statements > 0 and not ticked:
            ticked.append(True)
            clock.tick(seconds)
        return False

    ticked: list[bool] = []

    async def run() -> None:
        async with journal(tmp_path / "log.db", clock, replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            disk.fail = late
            await held.write(opened(1, 1), opened(2, 2))
            await held.log.durable()
            await held.write(opened(3, 3))
            storage = [record.event for record in held.records if record.event.type == "controller.storage"]
            assert [(one.code, one.success) for one in storage] == ([("slow", False)] if told else [])
            if told:
                assert storage[0].details["lasted_s"] == seconds

    asyncio.run(run())


def test_what_happens_to_a_disk_is_said_once_in_the_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()

    async def run() -> None:
        async with journal(tmp_path / "log.db", options=replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            disk.fail = lambda _number, sql: sql == "COMMIT"
            before = disk.statements
            held.log.append([opened(1, 1)])
            await held.eventually(lambda: disk.statements > before + 100)
            disk.fail = lambda _number, _sql: False
            await held.until(lambda: held.records[-1].event.code == "write_failed")
            assert held.records[-1].event.success is False

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records if record.name == "edge.log.writer"]
    assert len(said) == 2
    assert "cannot be written" in said[0]
    assert "written again" in said[1]


@pytest.mark.parametrize(
    ("last", "other_boot", "ended"),
    [("controller.stop", False, "stop"), ("lock.opened", False, "killed"), ("lock.opened", True, "power")],
)
def test_a_start_tells_how_the_run_before_it_ended(tmp_path: Path, last: str, other_boot: bool, ended: str) -> None:
    path = tmp_path / "log.db"

    async def life(clock: FakeClock, *types: str) -> dict[str, Any]:
        async with journal(path, clock) as held:
            for kind in types:
                held.log.append([replace(opened(0, 0), type=kind)])
            await held.log.durable()
            return dict(held.records[0].event.details)

    assert "ended" not in asyncio.run(life(FakeClock(), "controller.start", "lock.opened", last))
    clock = FakeClock(boot_id="99999999-2222-4333-8444-555555555555") if other_boot else FakeClock()
    assert asyncio.run(life(clock, "controller.start"))["ended"] == ended


def test_details_that_are_too_large_are_cut_to_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            for size in (16_000, 16_400, 1_000_000):
                held.log.append([replace(opened(), details={"text": "x" * size})])
            await held.log.durable()
            kept = await held.log.read(0, 10)
            assert [record.event for record in kept] == [record.event for record in held.records]
            assert [len(str(record.event.details)) < 17_000 for record in kept] == [True] * 3
            assert [record.event.details.get("truncated") for record in kept] == [None, 16_411, 1_000_011]
        assert verify(path).ok

    asyncio.run(run())
