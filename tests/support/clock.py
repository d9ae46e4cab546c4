"""A clock that tests set; the boot clock comes from the caller, e.g. a virtual loop's time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.model.messages import ClockQuality
from edge.system.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

START_US = 1_795_384_623_000_000  # 2026-11-22T21:57:03Z


class FakeClock(Clock):
    """Calendar and quality are set by the test; a set calendar keeps running with the boot clock."""

    def __init__(
        self,
        now_ns: Callable[[], int] | None = None,
        *,
        wall_us: int = START_US,
        quality: ClockQuality = ClockQuality.SYNCED,
        boot_id: str = "11111111-2222-4333-8444-555555555555",
    ) -> None:
        self.ns = 1_000_000_000
        self._now = now_ns or (lambda: self.ns)
        self._boot_id = boot_id
        self._offset_us = wall_us - self._now() // 1000
        self._quality = quality
        self._changed: asyncio.Event | None = None

    def now_ns(self) -> int:
        return self._now()

    def wall_us(self) -> int:
        return self.now_ns() // 1000 + self._offset_us

    def offset_us(self) -> int:
        return self._offset_us

    def mono_to_boot_ns(self, mono_ns: int) -> int:
        return mono_ns

    def quality(self) -> ClockQuality:
        return self._quality

    def tick(self, seconds: float) -> None:
        """Let time pass (only without an own `now_ns`)."""
        self.ns += round(seconds * 1e9)

    def step(self, by_us: int, quality: ClockQuality | None = None) -> None:
        """Set the calendar, as somebody with `date -s` or the network would."""
        self._offset_us += by_us
        self._quality = quality or self._quality
        if self._changed is not None:
            self._changed.set()

    def set_quality(self, quality: ClockQuality) -> None:
        self.step(0, quality)

    async def watch(
        self,
        on_step: Callable[[int], None],
        on_quality: Callable[[ClockQuality], None] | None = None,
        *,
        look_every_s: float = 10.0,
    ) -> None:
        """Report steps and changes of quality as soon as the test makes them."""
        _ = look_every_s
        self._changed = asyncio.Event()
        seen, quality = self._offset_us, self._quality
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._offset_us != seen:
                step, seen = self._offset_us - seen, self._offset_us
                on_step(step)
            if self._quality is not quality:
                quality = self._quality
                if on_quality is not None:
                    on_quality(quality)
