"""One running door: its state, the wires it drives and the timer of its next deadline.

One rule: a wire is driven once for each change; after its driver was lost it is driven again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge.doors import rules
from edge.doors.conditions import Condition, conditions
from edge.doors.state import Door, Occupied, occupied, outputs
from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.model.messages import ReaderDisplay
    from edge.model.ports import Wires
    from edge.settings.controller import DoorSettings

FACETS: Final = ("mode", "contact", "lock", "alarm")


@dataclass(slots=True)
class GuardedDoor:
    """One door, and what is known of it besides its state."""

    settings: DoorSettings
    door: Door
    wired: dict[str, bool] = field(default_factory=dict)
    """The level to which each output point was last driven."""
    since_ns: dict[str, int] = field(default_factory=dict)
    """Since when each facet has its value."""
    conditions: tuple[Condition, ...] = ()
    """What is wrong with it, the worst first."""
    shown: ReaderDisplay | None = None
    """What its reader was last told to show."""
    timer: asyncio.TimerHandle | None = None
    due_ns: int | None = None

    @property
    def id(self) -> str:
        """The id of the door."""
        return self.door.id

    @property
    def group(self) -> str | None:
        """The name of its interlock group."""
        return self.settings.policy.interlock

    @property
    def occupied(self) -> Occupied:
        """Whether it keeps the other doors of its interlock group from being released."""
        return occupied(self.door, has_contact=self.settings.policy.has_contact)

    def drive(self, wires: Wires, *, siren: bool) -> bool:
        """Drive the wires. False when the lock could not be driven. `siren`: its buzzer sounds for an alert, too."""
        wanted = outputs(self.door)
        changed: dict[str, dict[str, bool]] = {}
        for role, value in (("lock", wanted.released), ("buzzer", wanted.buzzer or siren)):
            driver = self.settings.points.get(role)
            point = f"{self.id}.{role}"
            if driver is not None and self.wired.get(point) is not value:
                self.wired[point] = value
                changed.setdefault(driver, {})[point] = value
        taken = True
        for driver, values in changed.items():
            if not wires.apply(driver, values) and f"{self.id}.lock" in values:
                taken = False
        return taken

    def returned(self, points: Iterable[str]) -> None:
        """These points are back: their wires are driven again."""
        for point in points:
            self.wired.pop(point, None)
        self.shown = None

    def note(self, old: Door, now_ns: int) -> None:
        """Note since when its facets have their values, and what is wrong with it."""
        for facet in FACETS:
            if facet not in self.since_ns or getattr(self.door, facet) != getattr(old, facet):
                self.since_ns[facet] = now_ns
        self.conditions = conditions(self.door, self.conditions, now_ns)

    def arm(self, now_ns: int, due: Callable[[GuardedDoor], None], at_least_ns: int = 0) -> None:
        """Call `due` at its next deadline, and not before `at_least_ns` from now."""
        due_ns = rules.next_deadline(self.door, self.settings.policy)
        if due_ns is not None:
            due_ns = max(due_ns, now_ns + at_least_ns)
        if due_ns == self.due_ns and self.timer is not None:
            return
        self.disarm()
        self.due_ns = due_ns
        if due_ns is not None:
            self.call_in(max(0, due_ns - now_ns), due)

    def call_in(self, delay_ns: int, due: Callable[[GuardedDoor], None]) -> None:
        """Call `due` after `delay_ns`, whatever its deadlines are."""

        def over() -> None:
            self.timer = self.due_ns = None
            due(self)

        self.timer = asyncio.get_running_loop().call_later(delay_ns / NS_PER_S, over)

    def disarm(self) -> None:
        """Cancel the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
