"""Scheduled reports of a running log: written in time, recorded, kept to their number, and given up in good order."""

from __future__ import annotations

import asyncio
import csv
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.model.cloudevents import Identity, cloudevent
from edge.model.messages import SYSTEM, ClockQuality, Event
from edge.reports import runner as report_runner
from edge.reports.runner import ReportRunner
from edge.settings.reports import ReportTable
from tests.reports.test_searches import DIRECTORY
from tests.support.clock import FakeClock
from tests.support.logs import Journal, journal, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


HOUR = 3_600 * 1_000_000


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_runner, "LOOK_S", 0.001)


@asynccontextmanager
async def running(
    held: Journal, folder: Path, breath_s: float = 0.0, **words: Any
) -> AsyncIterator[asyncio.Task[None]]:
    words = {"every": "day", "folder": str(folder), **words}
    report = ReportTable.model_validate(words, context={"folder": folder})
    runner = ReportRunner(
        {"doors": report},
        ZoneInfo("Europe/Berlin"),
        log=held.log,
        clock=held.clock,
        directory=lambda: DIRECTORY,
        cloudevent=lambda record: cloudevent(record, Identity("hq", "lobby", "0123456789"), replayed=False),
        breath_s=breath_s,
    )
    task = asyncio.create_task(runner.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def with_log(tmp_path: Path, use: Callable[[Journal, Path], Awaitable[None]], **clock: Any) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db", FakeClock(**clock)) as held:
            await use(held, tmp_path / "reports")

    asyncio.run(run())


def exports(held: Journal) -> list[Event]:
    return [one.event for one in held.records if one.event.object.type == "event_export"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def later(held: Journal, hours: float) -> None:
    held.clock.step(round(hours * HOUR))
    held.log.note_clock(held.clock.now_ns(), held.clock.wall_us(), held.clock.quality())


def test_a_report_for_a_spreadsheet_has_the_time_of_the_site(tmp_path: Path) -> None:
    async def use(held: Journal, folder: Path) -> None:
        await held.write(opened(held.clock.now_ns()))
        async with running(held, folder, format="spreadsheet"):
            await held.until(lambda: len(exports(held)) == 2)
            held.clock.tick(1)
            await later(held, 8.0)
            await held.until(lambda: len(exports(held)) == 4)
        text = (folder / "doors-2026-11-22.csv").read_text(encoding="utf-8")
        assert text.startswith("\ufefflocal_time,time,")
        row = next(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
        assert (row["local_time"][:13], row["time"][:13]) == ("2026-11-22 22", "2026-11-22T21")

    with_log(tmp_path, use)


def test_a_day_is_written_in_the_morning_after_it_and_recorded(tmp_path: Path) -> None:
    async def use(held: Journal, folder: Path) -> None:
        await held.write(*(opened(held.clock.now_ns(), n, ("front", "back")[n % 2]) for n in range(250)))
        async with running(held, folder, door=["front"]):
            await held.until(lambda: len(exports(held)) == 2)
            assert names(folder) == ["doors-2026-11-21.csv"], "it is late on the 22nd"
            held.clock.tick(1)
            await later(held, 7.0)  # shortly before six
            await held.write(opened(held.clock.now_ns(), 250))
            assert len(exports(held)) == 2
            held.clock.tick(1)
            await later(held, 0.2)
            await held.until(lambda: len(exports(held)) == 4)
        with (folder / "doors-2026-11-22.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 125
        assert {row["subject"] for row in rows} == {"doors/front"}
        create, finished = exports(held)[2:]
        assert (create.type, finished.type) == ("event_export.create", "event_export.finished")
        assert create.actor == finished.actor == SYSTEM
        assert (finished.success, finished.details["rows"]) == (True, 125)
        assert finished.details["file"] == str(folder / "doors-2026-11-22.csv")
        span: Any = create.details["filters"]
        assert (span["until_us"] - span["since_us"], span["door"]) == (24 * HOUR, ["front"])

    with_log(tmp_path, use)


def test_nothing_is_due_while_nobody_vouches_for_the_calendar(tmp_path: Path) -> None:
    async def use(held: Journal, folder: Path) -> None:
        async with running(held, folder, every="week", format="jsonl"):
            await held.write(opened())
            await asyncio.sleep(0.05)
            assert names(folder) == []
            held.clock.set_quality(ClockQuality.SYNCED)
            await held.until(lambda: len(exports(held)) == 2)
            assert names(folder) == ["doors-2026-W46.jsonl"]

    with_log(tmp_path, use, quality=ClockQuality.UNSYNCED)


async def a_passage_a_day(held: Journal, *days: int) -> None:
    """On these days of November; it is the 22nd."""
    for day in days:
        ago_ns = (22 - day) * 24 * HOUR * 1_000
        await held.write(opened(held.clock.now_ns() - ago_ns, day))


def test_missed_days_are_made_up_for_and_old_ones_go(tmp_path: Path) -> None:
    ours = tmp_path / "reports" / "doors-2026-11-17.csv"
    ours.parent.mkdir()
    ours.write_text("of an earlier run")
    ours.with_name("others-2020-01-01.csv").write_text("not ours")

    async def use(held: Journal, folder: Path) -> None:
        await a_passage_a_day(held, 19, 20, 21)
        async with running(held, folder, keep=3):
            await held.until(lambda: len(exports(held)) == 6)
            ours = [f"doors-2026-11-{day}.csv" for day in (19, 20, 21)]
            await held.eventually(lambda: names(folder) == [*ours, "others-2020-01-01.csv"])
            await later(held, 24)
            await held.until(lambda: len(exports(held)) == 8)
            assert names(folder) == [*ours[1:], "doors-2026-11-22.csv", "others-2020-01-01.csv"]

    with_log(tmp_path, use)


def test_a_calendar_that_was_ahead_costs_no_report_and_stops_none(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "doors-2026-11-16.csv").write_text("of an earlier run")

    async def use(held: Journal, folder: Path) -> None:
        await a_passage_a_day(held, 17, 18, 19, 20, 21)
        async with running(held, folder, keep=5):
            await held.until(lambda: len(exports(held)) == 10)
            kept = [f"doors-2026-11-{day}.csv" for day in range(17, 22)]
            await held.eventually(lambda: names(folder) == kept)
            await later(held, 24 * 30)
            await held.until(lambda: len(exports(held)) == 12)
            assert names(folder) == [*kept[1:], "doors-2026-12-21.csv"], "of that day only: the others would be empty"
            await later(held, -24 * 30)
            await held.eventually(lambda: names(folder) == kept[1:])
            await later(held, 24)
            await held.until(lambda: len(exports(held)) == 14)
            assert names(folder) == [*kept[1:], "doors-2026-11-22.csv"]

    with_log(tmp_path, use)


def test_what_a_wrong_calendar_left_is_in_nobodys_place(tmp_path: Path) -> None:
    left = [f"doors-2027-01-0{day}.csv" for day in (1, 2, 3)]
    (tmp_path / "reports").mkdir()
    for name in ("doors-2026-11-19.csv", *left):
        (tmp_path / "reports" / name).write_text("of an earlier run")

    async def use(held: Journal, folder: Path) -> None:
        await a_passage_a_day(held, 20, 21)
        async with running(held, folder, keep=2):
            await held.until(lambda: len(exports(held)) == 4)
            await later(held, 24)
            await held.until(lambda: len(exports(held)) == 6)
            assert names(folder) == ["doors-2026-11-21.csv", "doors-2026-11-22.csv", *left]

    with_log(tmp_path, use)


def test_what_cannot_be_written_is_recorded_and_tried_an_hour_later(tmp_path: Path) -> None:
    wrong = tmp_path / "reports"
    wrong.write_text("a file where the folder should be")

    async def use(held: Journal, folder: Path) -> None:
        async with running(held, folder):
            await held.until(lambda: len(exports(held)) == 2)
            failed = exports(held)[1]
            assert (failed.success, failed.code) == (False, "failed")
            assert "reports" in str(failed.details["error"])
            wrong.unlink()
            await held.write(opened())
            await later(held, 0.9)
            await asyncio.sleep(0.05)
            assert len(exports(held)) == 2
            await later(held, 0.2)
            await held.until(lambda: len(exports(held)) == 4)
            assert exports(held)[3].success
            assert names(folder) == ["doors-2026-11-21.csv"]

    with_log(tmp_path, use)


def test_a_group_that_is_gone_is_a_report_that_failed(tmp_path: Path) -> None:
    async def use(held: Journal, folder: Path) -> None:
        async with running(held, folder, group=["stuff"]):
            await held.until(lambda: len(exports(held)) == 2)
            assert exports(held)[1].code == "failed"
            assert "no group 'stuff'" in str(exports(held)[1].details["error"])
            assert names(folder) == []

    with_log(tmp_path, use)


def test_a_stop_gives_up_the_file_under_way_and_leaves_nothing_half(tmp_path: Path) -> None:
    async def use(held: Journal, folder: Path) -> None:
        await held.write(*(opened(held.clock.now_ns(), n) for n in range(250)))
        held.clock.tick(1)
        await later(held, 8)
        async with running(held, folder, breath_s=600.0):
            await held.eventually(lambda: any(name.endswith(".part") for name in names(folder)))
        await held.until(lambda: len(exports(held)) == 2)
        assert (exports(held)[1].success, exports(held)[1].code) == (False, "given_up")
        await held.eventually(lambda: names(folder) == [])

    with_log(tmp_path, use)
