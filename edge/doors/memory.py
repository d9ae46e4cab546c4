"""What the log keeps of a door over a restart of the daemon.

One rule: the end of a hold is kept as calendar time, which still counts after a reboot. Doors use the boot clock only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.doors.state import remembered
from edge.model.policy import HOLD_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.doors.state import Door
    from edge.model.messages import Json


@dataclass(frozen=True, slots=True)
class _Hold:
    """A hold with an end, from an earlier run of the daemon. Times are microseconds since 1970 UTC."""

    until_us: int
    said_us: int

    @classmethod
    def of(cls, memory: Mapping[str, Json]) -> _Hold | None:
        until_us, said_us = memory.get("until_us"), memory.get("said_us")
        if not isinstance(until_us, int) or not isinstance(said_us, int):
            return None
        return cls(min(until_us, said_us + round(HOLD_S[1] * 1e6)), said_us)

    @classmethod
    def begun(cls, until_ns: int, now_ns: int, wall_us: int) -> _Hold:
        return cls(wall_us + (until_ns - now_ns) // 1000, wall_us)

    def until_ns(self, now_ns: int, wall_us: int) -> int:
        """When it ends by the boot clock. If the calendar is behind: not later than if it had just begun."""
        return now_ns + min(self.until_us - wall_us, self.until_us - self.said_us) * 1000


class Memories:
    """What the log remembers of each door, converted to the boot clock and back."""

    def __init__(self, now_ns: Callable[[], int], wall_us: Callable[[], int]) -> None:
        """`now_ns` is the boot clock, `wall_us` the calendar in microseconds since 1970 UTC."""
        self._now_ns, self._wall_us = now_ns, wall_us
        self._holds: dict[str, _Hold] = {}
        """Holds with an end, by door."""

    def recall(self, door: str, kept: str) -> dict[str, Json]:
        """What the log kept of this door, as `edge.model.messages.Restore` takes it; empty when it is not valid."""
        memory = memory_of(kept)
        hold = _Hold.of(memory)
        if hold is None:
            return memory
        self._holds[door] = hold
        return {**memory, "hold_until_ns": hold.until_ns(self._now_ns(), self._wall_us())}

    def keep(self, door: Door) -> str:
        """What the log is to keep of this door."""
        memory = remembered(door)
        until_ns = door.hold_until_ns
        if until_ns is None or memory.pop("hold_until_ns", None) is None:
            self._holds.pop(door.id, None)
        else:
            hold = self._holds.get(door.id) or _Hold.begun(until_ns, self._now_ns(), self._wall_us())
            memory |= {"until_us": hold.until_us, "said_us": hold.said_us}
        return json.dumps(memory)

    def forget_hold(self, door: str) -> None:
        """Forget the recalled end of a hold: a newer command counts."""
        self._holds.pop(door, None)

    def holds(self) -> dict[str, int]:
        """By door: when the recalled holds end by the boot clock, computed with the calendar as it is now."""
        return {door: hold.until_ns(self._now_ns(), self._wall_us()) for door, hold in self._holds.items()}


def schedule_memory(door: str) -> str:
    """The name under which the log keeps how far a door's schedule is: no id of a door contains a dot."""
    return f"{door}.schedule"


def memory_of(text: str) -> dict[str, Json]:
    """What the log remembers; empty when it is not valid, because somebody has changed it."""
    try:
        memory = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return memory if isinstance(memory, dict) else {}
