"""When records happened: the best offset of their boot, found when they are read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.log.reading.query import Query
from edge.log.reading.times import Offset, Timeline
from edge.model.messages import ClockQuality
from tests.support.clock import START_US, FakeClock
from tests.support.logs import journal, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path

UNSYNCED, RTC, SYNCED = ClockQuality.UNSYNCED, ClockQuality.RTC, ClockQuality.SYNCED
OFFSETS = st.lists(
    st.builds(Offset, st.integers(0, 10**6), st.integers(-(10**3), 10**3), st.sampled_from(ClockQuality)), max_size=8
)


def timeline(*offsets: Offset) -> Timeline:
    found = Timeline()
    for offset in offsets:
        found.add("boot", offset)
    return found


def test_of_the_best_quality_the_latest_before_else_the_earliest_after():
    found = timeline(
        Offset(0, 1, UNSYNCED), Offset(5_000, 10, RTC), Offset(10_000, 100, SYNCED), Offset(20_000, 200, SYNCED)
    )
    assert found.time("boot", 1_000) == (101, SYNCED)
    assert found.time("boot", 19_999) == (119, SYNCED)
    assert found.time("boot", 20_000) == (220, SYNCED)
    assert timeline(Offset(0, 1, UNSYNCED), Offset(5_000, 10, RTC)).time("boot", 1_000) == (11, RTC)


def test_a_boot_that_nobody_dated_starts_in_1970_and_says_so():
    assert timeline().time("boot", 7_000) == (7, UNSYNCED)


@given(offsets=OFFSETS, at_ns=st.integers(0, 10**6), since=st.integers(-2_000, 3_000), length=st.integers(0, 2_000))
def test_ranges_are_the_inverse_of_time(offsets: list[Offset], at_ns: int, since: int, length: int):
    found = timeline(*sorted(offsets))
    time_us, _ = found.time("boot", at_ns)
    for start, end in ((since, since + length), (None, since), (since, None), (None, None)):
        inside = (start is None or time_us >= start) and (end is None or time_us < end)
        assert any(first <= at_ns < last for first, last in found.ranges("boot", start, end)) == inside


def test_a_step_parts_nothing_that_is_wanted_on_both_sides():
    found = timeline(*(Offset(number * 1_000, number % 2, SYNCED) for number in range(2_000)))
    assert found.ranges("boot", None, 10**9) == [(-(2**62), 10**12 - 1_000)]


@pytest.mark.parametrize("step_us", [2_000, 86_400_000_000], ids=["a little", "a day"])
def test_a_clock_that_steps_all_the_time_hides_nothing(tmp_path: Path, step_us: int):
    clock = FakeClock()

    async def run() -> None:
        async with journal(tmp_path / "log.db", clock) as held:
            for number in range(2_400):
                clock.tick(1)
                clock.step(step_us if number % 2 else -step_us, SYNCED)
                held.log.note_clock(clock.now_ns(), clock.wall_us(), clock.quality())
                held.log.append([opened(clock.now_ns(), number)])
            await held.until(lambda: len(numbers(held.records)) == 2_400)
            since, until = START_US, START_US + 2_400_000_000
            known = await held.log.read(0, 10_000)  # as they are dated now, with every step known
            inside = [one.sequence for one in known if since <= one.time_us < until]
            assert len(inside) > 1_100, "more than an expression of SQLite may be deep"
            found = await held.log.query(Query(since_us=since, until_us=until))
            assert [one.sequence for one in found.records] == inside[:500]

    asyncio.run(run())


def test_records_from_before_the_network_told_the_time_get_it_afterwards(tmp_path: Path):
    clock = FakeClock(wall_us=5_000_000, quality=UNSYNCED)
    at_ns = clock.now_ns()

    async def run() -> None:
        async with journal(tmp_path / "log.db", clock) as held:
            await held.write(opened(at_ns))
            assert (held.records[0].time_us, held.records[0].clock) == (5_000_000, UNSYNCED)
            clock.tick(60)
            clock.step(START_US - clock.wall_us(), SYNCED)
            held.log.note_clock(clock.now_ns(), clock.wall_us(), clock.quality())
            await held.write(opened(clock.now_ns()))
            before, after = await held.log.read(0, 10)
            assert (before.time_us, before.clock) == (START_US - 60_000_000, SYNCED)
            assert (after.time_us, after.clock) == (START_US, SYNCED)
            assert before.hash == held.records[0].hash  # dated anew, written once

    asyncio.run(run())


def test_a_step_dates_only_what_comes_after_it(tmp_path: Path):
    clock = FakeClock()

    async def run() -> None:
        async with journal(tmp_path / "log.db", clock) as held:
            await held.write(opened(clock.now_ns()))
            clock.tick(10)
            clock.step(3_600_000_000)
            held.log.note_clock(clock.now_ns(), clock.wall_us(), clock.quality())
            await held.write(opened(clock.now_ns()))
            before, after = await held.log.read(0, 10)
            assert before.time_us == START_US
            assert after.time_us == START_US + 3_610_000_000

    asyncio.run(run())


def test_each_boot_has_its_own_time(tmp_path: Path):
    async def run() -> None:
        for boot, quality in (("boot-a", UNSYNCED), ("boot-b", SYNCED)):
            clock = FakeClock(boot_id=boot, quality=quality, wall_us=START_US if quality is SYNCED else 1_000_000)
            async with journal(tmp_path / "log.db", clock) as held:
                await held.write(opened(clock.now_ns()))
                found = await held.log.read(0, 10)
        assert [(record.boot, record.clock) for record in found] == [("boot-a", UNSYNCED), ("boot-b", SYNCED)]
        assert [record.time_us for record in found] == [1_000_000, START_US]

    asyncio.run(run())


def test_the_same_offset_is_written_once(tmp_path: Path):
    clock = FakeClock()

    async def run() -> int:
        async with journal(tmp_path / "log.db", clock) as held:
            for _ in range(5):
                clock.tick(1)
                held.log.note_clock(clock.now_ns(), clock.wall_us(), clock.quality())
            await held.write(opened())
        async with journal(tmp_path / "log.db", clock) as held:
            await held.write(opened())
            return await held.log.look(lambda reader: reader.db.execute("SELECT count(*) FROM clock").fetchone()[0])

    assert asyncio.run(run()) == 1
