"""What leaves the log: acknowledged first, plain events next, alarms last; the chain goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge.log import retention
from edge.log.verify import verify
from edge.model.messages import ClockQuality
from tests.support.clock import FakeClock
from tests.support.logs import PATIENT, Journal, forced, journal, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400


async def turn(held: Journal, clock: FakeClock) -> None:
    """Let the log look after itself: a minute passes and something is written."""
    clock.tick(61)
    await held.write(opened(clock.now_ns(), -1))
    await held.eventually(lambda: held.log.health().oldest > 0)


@pytest.mark.parametrize("quality", [ClockQuality.SYNCED, ClockQuality.UNSYNCED])
def test_age_takes_only_what_every_sink_has_acknowledged(tmp_path: Path, quality: ClockQuality):
    path, clock = tmp_path / "log.db", FakeClock()
    options = replace(PATIENT, retention_days=7, sinks=("mqtt", "webhook"))

    async def run() -> None:
        async with journal(path, clock, options) as held:
            await held.write(*(opened(clock.now_ns(), n) for n in range(700)))
            held.log.advance("mqtt", 690)
            held.log.advance("webhook", 640)
            await turn(held, clock)
            assert held.log.health().oldest == 1  # a week has not passed
            clock.tick(8 * DAY_S)
            clock.set_quality(quality)
            await turn(held, clock)
            await turn(held, clock)
            if quality is ClockQuality.UNSYNCED:
                assert held.log.health().oldest == 1  # who does not know the time cannot tell an age
                return
            await held.eventually(lambda: held.log.health().oldest == 641)
            assert numbers(await held.log.read(0, 1)) == [640]
            assert (await held.log.read(0, 1))[0].prev == held.records[639].hash
        result = verify(path)
        assert result.ok, result
        assert (result.first, result.removed) == (641, 640)
        async with journal(path, clock, options) as held:
            assert (await held.write(opened()))[-1].sequence == 704

    asyncio.run(run())


def test_all_may_go_and_numbers_go_on(tmp_path: Path):
    path, clock = tmp_path / "log.db", FakeClock()
    options = replace(PATIENT, retention_days=1)

    async def run() -> None:
        async with journal(path, clock, options) as held:
            await held.write(*(opened(clock.now_ns(), n) for n in range(3)))
            await held.eventually(lambda: held.log.health().oldest == 1)
        clock.tick(2 * DAY_S)
        async with journal(path, clock, options) as held:
            await held.eventually(lambda: held.log.health().oldest == 0)
        async with journal(path, clock, options) as held:
            (record,) = await held.write(opened(clock.now_ns()))
            assert record.sequence == 4
        assert verify(path).ok

    asyncio.run(run())


def test_size_takes_the_acknowledged_then_plain_events_then_alarms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retention, "KEEP_NEWEST", 100)
    monkeypatch.setattr(retention, "SLICE", 50)
    path, clock = tmp_path / "log.db", FakeClock()
    options = replace(PATIENT, max_mib=1, sinks=("mqtt",))
    big = {"text": "x" * 900}

    async def run() -> None:
        async with journal(path, clock, options) as held:

            async def write(count: int, *, alarm_every: int) -> None:
                start = len(numbers(held.records))
                events = [(forced if n % alarm_every == 0 else opened)(n, n) for n in range(start, start + count)]
                await held.write(*(replace(event, details={**event.details, **big}) for event in events))
                await held.eventually(within_bounds)

            def within_bounds() -> bool:
                state = held.log._writer._retention
                looked = held.log.committed - (state._measured_at or 0) < retention.MEASURE_EVERY
                return looked and state.used <= 2**20

            def kinds() -> set[str]:
                return {record.event.type for record in held.records}

            await write(400, alarm_every=10)
            held.log.advance("mqtt", 300)
            await write(300, alarm_every=10)
            assert held.log.health().oldest > 1
            assert "controller.gap" not in kinds()  # what was acknowledged made room
            await write(1_500, alarm_every=10)
            assert "controller.gap" in kinds()
            stored = await held.log.read(0, 10_000)
            gaps = [record.event for record in held.records if record.event.type == "controller.gap"]
            assert sum(int(gap.details["alarms"]) for gap in gaps) == 0
            alarms = [number for number in numbers(stored) if int(number) % 10 == 0]
            assert alarms == list(range(alarms[0], 2_200, 10))  # every alarm since the acknowledged ones is there
            assert all(gap.details["first_sequence"] > 300 for gap in gaps)
            assert verify(path).ok
            await write(1_500, alarm_every=1)
            gaps = [record.event for record in held.records if record.event.type == "controller.gap"]
            assert sum(int(gap.details["alarms"]) for gap in gaps) > 0
            stored = await held.log.read(0, 10_000)
            counted = sum(int(gap.details["events"]) for gap in gaps)
            assert stored[-1].sequence == len(stored) + 300 + counted
        result = verify(path)
        assert result.ok, result
        assert result.checked + result.removed == result.last

    asyncio.run(run())


def test_space_is_given_back_to_the_disk(tmp_path: Path):
    path, clock = tmp_path / "log.db", FakeClock()
    options = replace(PATIENT, retention_days=1)

    async def run() -> None:
        async with journal(path, clock, options) as held:
            for number in range(20_000):
                held.log.append([opened(clock.now_ns(), number)])
            await held.until(lambda: held.log.committed == 20_000)
            await turn(held, clock)
            before = held.log.health().bytes
            clock.tick(3 * DAY_S)
            for _ in range(60):
                await turn(held, clock)
            await held.eventually(lambda: held.log.health().bytes < before)
            assert held.log.health().oldest > 20_000

    asyncio.run(run())
