"""The clocks of this machine, and a quality that claims no more than the machine shows."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from typing import TYPE_CHECKING

import pytest

from edge.model.messages import ClockQuality
from edge.system import clock as clock_module
from edge.system.clock import Clock, TimeFiles
from tests.support.clock import START_US, FakeClock

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = START_US


class Fixed(Clock):
    """The machine's files, a calendar of the test's."""

    wall = NOW_US

    def wall_us(self) -> int:
        return self.wall

    def offset_us(self) -> int:
        return self.wall - 3_600_000_000  # booted an hour ago


@pytest.fixture
def clock(tmp_path: Path) -> Fixed:
    (tmp_path / "boot_id").write_text("1-2-3\n")
    (tmp_path / "rtc" / "rtc0").mkdir(parents=True)
    return Fixed(TimeFiles((tmp_path / "synchronized",), (tmp_path / "drift",), tmp_path / "rtc", tmp_path / "boot_id"))


def test_the_real_clocks_run_and_agree():
    clock = Clock()
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before <= clock.now_ns()
    assert clock.boot_id.count("-") == 4
    assert abs(clock.offset_us() + clock.now_ns() // 1_000 - clock.wall_us()) < 10_000_000
    mono = time.monotonic_ns()
    assert abs(clock.mono_to_boot_ns(mono) - clock.now_ns()) < 10_000_000_000
    assert clock.quality() in ClockQuality


def test_a_machine_that_shows_nothing_is_unsynced(clock: Fixed):
    assert clock.boot_id == "1-2-3"
    assert clock.quality() is ClockQuality.UNSYNCED


def test_the_mark_of_timesyncd_is_synced_but_not_with_a_calendar_of_1970(clock: Fixed, tmp_path: Path):
    (tmp_path / "synchronized").touch()
    assert clock.quality() is ClockQuality.SYNCED
    clock.wall = 5_000_000
    assert clock.quality() is ClockQuality.UNSYNCED


@pytest.mark.parametrize(("age_s", "quality"), [(60, ClockQuality.SYNCED), (7_200, ClockQuality.UNSYNCED)])
def test_a_drift_file_counts_when_written_in_this_boot(clock: Fixed, tmp_path: Path, age_s: int, quality: ClockQuality):
    (tmp_path / "drift").touch()
    os.utime(tmp_path / "drift", (NOW_US / 1e6 - age_s,) * 2)
    assert clock.quality() is quality


@pytest.mark.parametrize(
    ("shows", "quality"),
    [
        (str(NOW_US // 1_000_000 - 1), ClockQuality.RTC),
        ("86400", ClockQuality.UNSYNCED),  # its battery is flat
        ("garbage", ClockQuality.UNSYNCED),
    ],
)
def test_a_battery_clock_counts_while_it_agrees(clock: Fixed, tmp_path: Path, shows: str, quality: ClockQuality):
    (tmp_path / "rtc" / "rtc0" / "since_epoch").write_text(shows)
    assert clock.quality() is quality


def test_a_step_is_told_at_once_and_only_once(clock: Fixed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The kernel's news is a readable timer; here a pipe stands for it, as tests may not set the calendar."""
    there, here = os.pipe()
    monkeypatch.setattr(clock_module, "_step_timer", lambda: there)
    monkeypatch.setattr(clock_module, "_arm", lambda _fd: True)
    steps: list[int] = []
    qualities: list[ClockQuality] = []

    async def run() -> None:
        told = asyncio.Event()

        def step(by_us: int) -> None:
            steps.append(by_us)
            told.set()

        watching = asyncio.create_task(clock.watch(step, qualities.append, look_every_s=3_600))
        await asyncio.sleep(0)
        os.write(here, b"12345678")  # set to the very time it showed: no step
        clock.wall += 7_000_000
        (tmp_path / "synchronized").touch()
        os.write(here, b"12345678")
        await asyncio.wait_for(told.wait(), 60)
        clock.wall -= 2_000_000
        told.clear()
        os.write(here, b"12345678")
        await asyncio.wait_for(told.wait(), 60)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching

    asyncio.run(run())
    os.close(here)
    assert steps == [7_000_000, -2_000_000]
    assert qualities == [ClockQuality.SYNCED]
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(there)


def test_without_the_kernels_news_looking_has_to_do(clock: Fixed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clock_module, "_step_timer", lambda: None)
    steps: list[int] = []

    async def run() -> None:
        watching = asyncio.create_task(clock.watch(steps.append, look_every_s=0.001))
        await asyncio.sleep(0)
        clock.wall += 3_000_000
        while not steps:  # noqa: ASYNC110 -- the callback is plain, as the daemon's is
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(run())
    assert steps == [3_000_000]


def test_the_kernel_gives_such_a_timer():
    fd = clock_module._step_timer()
    if fd is None:
        pytest.skip("this kernel has no timerfd")
    with pytest.raises(BlockingIOError):  # armed, and no news
        os.read(fd, 8)
    os.close(fd)


def test_the_fake_clock_keeps_the_same_promises():
    clock, steps = FakeClock(), []

    async def run() -> None:
        qualities: list[ClockQuality] = []
        watching = asyncio.create_task(clock.watch(steps.append, qualities.append))
        await asyncio.sleep(0)
        before = clock.wall_us()
        clock.tick(2)
        assert clock.wall_us() == before + 2_000_000
        clock.step(-5_000_000, ClockQuality.RTC)
        while not qualities:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(run())
    assert steps == [-5_000_000]
