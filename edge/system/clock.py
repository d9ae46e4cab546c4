"""The only reader of the calendar and of the boot clock; it also says how far the calendar can be trusted.

One rule: most Raspberry Pis have no battery clock, so the calendar is trusted only as far as files on the machine
prove. `adjtimex` would tell more, but the unit's `ProtectClock=` forbids it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.model.messages import ClockQuality

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEP_WORTH_TELLING_US: Final = 1_000
"""A smaller change of the offset is measurement noise, not a step."""
LOOK_EVERY_S: Final = 10.0
"""How often the files that show the quality are looked at."""
PLAUSIBLE_FROM_US: Final = 1_735_689_600_000_000
"""2025-01-01: a calendar before this date is wrong, because this software is newer."""
RTC_AGREES_WITHIN_S: Final = 60

_CANCEL_ON_SET: Final = 2
_ABSTIME: Final = 1
_NEVER: Final = 2 ** (8 * ctypes.sizeof(ctypes.c_long) - 1) - 1


@dataclass(frozen=True, slots=True)
class TimeFiles:
    """The files that show how this machine's calendar was set."""

    synchronised: Sequence[Path] = (
        # https://www.freedesktop.org/software/systemd/man/latest/systemd-timesyncd.service.html
        Path("/run/systemd/timesync/synchronized"),
        # For chrony, which has no such file: a unit ordered after time-sync.target touches this one.
        Path("/run/doorward.time-synchronized"),
    )
    drift: Sequence[Path] = (
        # chrony and ntpsec write these only while they follow a source, at most once an hour.
        Path("/var/lib/chrony/chrony.drift"),
        Path("/var/lib/chrony/drift"),
        Path("/var/lib/ntpsec/ntp.drift"),
    )
    rtc: Path = Path("/sys/class/rtc")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Reads the clocks of this machine; tests use `tests.support.clock.FakeClock` instead."""

    def __init__(self, files: TimeFiles | None = None) -> None:
        """Read the boot id; nothing else is touched until asked."""
        self._files = files or TimeFiles()
        self._boot_id = self._files.boot_id.read_text("ascii").strip()
        self._seen_us = self.offset_us()

    @property
    def boot_id(self) -> str:
        """The kernel's id of this boot."""
        return self._boot_id

    def now_ns(self) -> int:
        """Nanoseconds of CLOCK_BOOTTIME (clock_gettime(2)): never set, and includes time in suspend."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def monotonic_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC, the clock of the kernel's GPIO edges and of systemd."""
        return time.monotonic_ns()

    def wall_us(self) -> int:
        """The calendar in microseconds since 1970 UTC, which may be wrong (see `quality`)."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000

    def offset_us(self) -> int:
        """Calendar minus boot clock in microseconds, both read as close together as possible."""
        before = self.now_ns()
        wall = self.wall_us()
        return wall - (before + self.now_ns()) // 2_000

    def mono_to_boot_ns(self, mono_ns: int) -> int:
        """A CLOCK_MONOTONIC time stamp as boot-clock time; wrong by the time in suspend since the stamp."""
        return mono_ns + self.now_ns() - self.monotonic_ns()

    def quality(self) -> ClockQuality:
        """How the calendar was set: by the network, by a battery clock that agrees with it, or in no known way."""
        if self.wall_us() < PLAUSIBLE_FROM_US:
            return ClockQuality.UNSYNCED
        if any(_exists(path) for path in self._files.synchronised) or self._drift_written_this_boot():
            return ClockQuality.SYNCED
        return ClockQuality.RTC if self._rtc_agrees() else ClockQuality.UNSYNCED

    def _drift_written_this_boot(self) -> bool:
        booted_s = self.offset_us() / 1e6
        for path in self._files.drift:
            with suppress(OSError):  # missing or not readable: it proves nothing
                if path.stat().st_mtime > booted_s:
                    return True
        return False

    def _rtc_agrees(self) -> bool:
        """Whether a battery clock shows the calendar's time; one with an empty battery does not."""
        wall_s = self.wall_us() / 1e6
        with suppress(OSError):  # no battery clock, or one that does not answer: it proves nothing
            for device in self._files.rtc.iterdir():
                with suppress(OSError, ValueError):  # try the next device
                    if abs(int((device / "since_epoch").read_text("ascii")) - wall_s) <= RTC_AGREES_WITHIN_S:
                        return True
        return False

    async def watch(
        self,
        on_step: Callable[[int], None],
        on_quality: Callable[[ClockQuality], None] | None = None,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Until cancelled, report each step of the calendar in microseconds, and each change of its quality.

        The kernel reports a step at once (timerfd_settime(2), TFD_TIMER_CANCEL_ON_SET). Where it cannot,
        and for the quality, the machine is looked at every `look_every_s`.
        """
        stepped = asyncio.Event()
        fd = self._alarm(stepped)
        try:
            quality = self.quality()
            while True:
                now_us = self.offset_us()
                step_us = now_us - self._seen_us
                if abs(step_us) >= STEP_WORTH_TELLING_US:
                    self._seen_us = now_us
                    on_step(step_us)
                current = await asyncio.to_thread(self.quality)  # a battery clock sits on a slow bus
                if current is not quality:
                    quality = current
                    if on_quality is not None:
                        on_quality(current)
                with suppress(TimeoutError):  # no step was reported: look anyway
                    await asyncio.wait_for(stepped.wait(), look_every_s)
                stepped.clear()
        finally:
            if fd is not None:
                asyncio.get_running_loop().remove_reader(fd)
                os.close(fd)

    def _alarm(self, stepped: asyncio.Event) -> int | None:
        """A file descriptor that wakes the loop when the calendar is set; None where that is not supported."""
        fd = _step_timer()
        if fd is None:
            return None

        def read() -> None:
            with suppress(OSError):  # ECANCELED means that the calendar was set
                os.read(fd, 8)
            _arm(fd)
            stepped.set()

        try:
            asyncio.get_running_loop().add_reader(fd, read)
        except NotImplementedError:  # a loop without file descriptors (virtual time): only polling is left
            os.close(fd)
            return None
        return fd


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


def _step_timer() -> int | None:
    try:
        fd = int(_libc().timerfd_create(time.CLOCK_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK))
    except AttributeError:  # a C library without timerfd
        return None
    if fd < 0:
        return None
    if not _arm(fd):
        os.close(fd)
        return None
    return fd


def _arm(fd: int) -> bool:
    spec = _Itimerspec(0, 0, _NEVER, 0)
    return int(_libc().timerfd_settime(fd, _ABSTIME | _CANCEL_ON_SET, ctypes.byref(spec), None)) == 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory that we may not enter proves nothing
        return False
