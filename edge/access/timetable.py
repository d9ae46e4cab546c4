"""Applies the doors' unlock schedules, also when the clock is set.

One rule: `edge.doors.progress` says what a schedule wants. This module only says when to ask again: at the next
change, after the first arrival, when the clock is set, with a new directory.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from edge.access.credentials import running_access
from edge.directory.directory import Directory
from edge.doors.memory import memory_of, schedule_memory
from edge.doors.progress import Moment, Progress, arrive, desired, events, remembered, restored, waits
from edge.model.messages import Actor, ClockQuality, ScheduleSays
from edge.model.schedule import EPOCH, next_change

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edge.doors.state import Door
    from edge.model.schedule import Schedule

LONGEST_NAP_S: Final = 3600.0
"""The longest wait in one piece: the clock is adjusted all the time, so a longer one would end at a wrong time."""
SHORTEST_NAP_S: Final = 0.01
"""The shortest wait: a timer may fire a moment before the clock shows its time."""
NO_SCHEDULE: Final = Actor("schedule", "none")


class Doors(Protocol):
    """What schedules need of the runner."""

    @property
    def doors(self) -> Mapping[str, Door]:
        """Every door."""

    def schedule(self, door: str, says: ScheduleSays, memory: str | None) -> None:
        """Apply what a door's schedule wants. `memory`: its state to store for a restart; None: unchanged."""

    def mistake(self, error: Exception) -> None:
        """Record an error in doord itself."""


class LocalClock(Protocol):
    """What schedules need of `edge.system.clock.Clock`."""

    def now_ns(self) -> int:
        """The boot clock, in ns."""

    def wall_us(self) -> int:
        """The calendar time, in µs."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The unlock schedule of a door as it stands now."""

    schedule: Schedule
    running: bool
    """It keeps the door unlocked, unless something above it does not let it."""
    waiting: bool
    """A window has begun, and waits for the first to arrive."""
    next_change: datetime | None
    """When its window begins or ends next; None: never."""


class Timetable:
    """All doors' unlock schedules. Every method is called on the loop and returns at once."""

    def __init__(self, doors: Doors, clock: LocalClock, quality: ClockQuality) -> None:
        """Nothing is scheduled before `restore` and `directory`."""
        self._doors, self._clock = doors, clock
        self._quality = quality
        self._directory: Directory | None = None
        self._progress: dict[str, Progress] = {}
        self._said: set[str] = set()
        """Doors whose schedule was applied once since the start."""
        self._waiting: frozenset[str] = frozenset()
        """Doors whose window has begun, and which wait for the first arrival."""
        self._timer: asyncio.TimerHandle | None = None
        self._changes: dict[str, datetime | None] = {}
        """Schedule of a door -> its next change."""
        self._running_access: frozenset[str] = frozenset()
        self._known_us: int | None = None

    # --- what others ask ----------------------------------------------------------------------

    @property
    def running_access(self) -> frozenset[str]:
        """The access schedules that were active when the clock could last be trusted."""
        return self._running_access

    def moment(self) -> Moment:
        """The time now, and how far it can be trusted."""
        known = None if self._known_us is None else _at(self._known_us)
        return Moment(_at(self._clock.wall_us()), self._quality, known)

    def schedule_of(self, door: str) -> Schedule | None:
        """The unlock schedule of a door, if it has one."""
        directory = self._directory or Directory()
        chosen = directory.access(door).schedule
        return None if chosen is None else directory.schedules.get(chosen)

    def window_of(self, door: str) -> tuple[str, datetime | None] | None:
        """The schedule that keeps a door unlocked now, and until when."""
        running, schedule = self._progress.get(door, Progress()).running, self.schedule_of(door)
        return None if running is None or schedule is None else (schedule.id, running.end)

    def scheduled(self, door: str) -> Scheduled | None:
        """The unlock schedule of a door as it stands now; None: it has none."""
        schedule = self.schedule_of(door)
        if schedule is None:
            return None
        running = self._progress.get(door, Progress()).running is not None
        return Scheduled(schedule, running, door in self._waiting, self._changes.get(schedule.id))

    # --- what happens -------------------------------------------------------------------------

    def restore(self, memories: Mapping[str, str]) -> None:
        """Restore schedules from the log (R14). A schedule that has changed since the start is left alone."""
        for door in self._doors.doors:
            memory = memory_of(memories.get(schedule_memory(door), "{}"))
            if memory and self._progress.get(door, Progress()) == Progress():
                self._progress[door] = restored(memory)
                self._said.discard(door)
        self.look()

    def directory(self, directory: Directory) -> None:
        """Use the schedules of this directory from now on."""
        self._directory = directory
        self.look()

    def witnessed(self, time_us: int) -> None:
        """Note the time of a record: the time now cannot be earlier."""
        self._known_us = max(time_us, self._known_us or 0)

    def clock_changed(self, quality: ClockQuality) -> None:
        """Note that the clock was set, or that its quality changed."""
        if quality is ClockQuality.UNSYNCED and self._quality is not quality:
            self._running_access = running_access(self._directory or Directory(), (), self.moment())
        self._quality = quality
        self.look()

    def arrived(self, door: str, actor: Actor) -> None:
        """Somebody was granted access: the first to arrive may start a schedule."""
        schedule, before = self.schedule_of(door), self._progress.get(door, Progress())
        if schedule is not None and schedule.first_to_arrive and before.running is None:
            moment = self.moment()
            self._look_at(door, before, arrive(before, actor, moment), moment)

    def look(self) -> None:
        """Apply every schedule as it stands now; nothing changes before a directory is loaded."""
        if self._directory is None:
            return
        moment = self.moment()
        for door in self._doors.doors:
            before = self._progress.get(door, Progress())
            try:
                self._look_at(door, before, before, moment)
            except Exception as error:  # noqa: BLE001 -- an error of our own: the other doors keep to their schedules
                self._doors.mistake(error)
        self._arm(moment)

    def stop(self) -> None:
        """Stop: schedules no longer move doors."""
        if self._timer is not None:
            self._timer.cancel()

    # --- in here ------------------------------------------------------------------------------

    def _look_at(self, door: str, before: Progress, so_far: Progress, moment: Moment) -> None:
        schedule = self.schedule_of(door)
        after = desired(so_far, schedule, moment)
        self._progress[door] = after
        waiting = waits(after, schedule, moment)
        if after == before and door in self._said and waiting == (door in self._waiting):
            return
        self._said.add(door)
        self._waiting = self._waiting | {door} if waiting else self._waiting - {door}
        now_ns = self._clock.now_ns()
        steps = tuple(events(before, after, schedule, self._doors.doors[door].subject, now_ns))
        actor = NO_SCHEDULE if schedule is None else Actor("schedule", schedule.id, schedule.name)
        says = ScheduleSays(after.running is not None, steps, actor, now_ns, waiting)
        self._doors.schedule(door, says, None if after == before else json.dumps(remembered(after)))

    def _arm(self, moment: Moment) -> None:
        self.stop()
        kept = (self.schedule_of(door) for door in self._doors.doors)
        schedules = {schedule.id: schedule for schedule in kept if schedule is not None}
        try:
            self._changes = {key: next_change(schedule, moment.at) for key, schedule in schedules.items()}
            changes = [*self._changes.values()]
        except Exception as error:  # noqa: BLE001 -- an error of our own: ask again after the longest wait
            self._doors.mistake(error)
            self._changes = {}
            changes = [moment.at + timedelta(seconds=LONGEST_NAP_S)]
        due = min((at for at in changes if at is not None), default=None)
        if due is not None:
            nap_s = min(max((due - moment.at).total_seconds(), SHORTEST_NAP_S), LONGEST_NAP_S)
            self._timer = asyncio.get_running_loop().call_later(nap_s, self.look)


def _at(wall_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=wall_us)
