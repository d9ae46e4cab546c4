"""Calendar times of boot-clock times of this boot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.model.messages import Json
    from edge.system.clock import Clock


def iso(time_us: int) -> str:
    """A calendar time for people and programs: RFC 3339, UTC, microseconds."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Calendar:
    """Turns boot-clock times into calendar times, with the offset between both clocks at its creation."""

    def __init__(self, clock: Clock) -> None:
        """Read both clocks once."""
        self._clock = clock
        self.now_ns = clock.now_ns()
        self._offset_us = clock.wall_us() - self.now_ns // 1000

    def at(self, at_ns: int) -> str:
        """The calendar time of a moment of this boot."""
        return iso(at_ns // 1000 + self._offset_us)

    def facts(self) -> Json:
        """The `clock` part of the status."""
        return {"quality": self._clock.quality().value, "time": self.at(self.now_ns)}
