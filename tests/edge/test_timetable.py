"""A door keeps to its schedule: at the next change, after an arrival, a step of the clock, a restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from edge.directory import Directory, DoorAccess
from edge.door import step
from edge.door_state import Door
from edge.door_table import Mode
from edge.messages import Actor, ClockQuality, Command, CommandName, Event, ScheduleSays
from edge.policy import DoorPolicy
from edge.runner import schedule_memory
from edge.schedule import EPOCH, Hours, Schedule
from edge.timetable import Timetable
from tests.support import virtual
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ADA = Actor("user", "ada", "Ada Lovelace", "ada@example.org")
OTTO = Actor("operator", "otto")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
OFFICE = Schedule("office", "Office hours", UTC, weekly=((Hours(8 * 60, 18 * 60),),) * 5 + ((), ()))
RECEPTION = Schedule(
    "office", "Reception", UTC, weekly=((Hours(8 * 60, 18 * 60),),) * 7, first_to_arrive=True, early_s=1800.0
)
STARTED, ENDED = "lock.scheduled_unlock_started", "lock.scheduled_unlock_ended"


class Building:
    """One door with its rules, and a calendar."""

    def __init__(self, loop: virtual.VirtualLoop, at: datetime, quality: ClockQuality) -> None:
        self.clock = FakeClock(loop.now_ns, wall_us=(at - EPOCH) // timedelta(microseconds=1), quality=quality)
        self.doors = {"front": Door("front", "Front door", "run")}
        self.events: list[Event] = []
        self.memory: dict[str, str] = {}
        self.timetable = Timetable(self, self.clock, quality)

    def schedule(self, door: str, says: ScheduleSays, memory: str) -> None:
        self.memory[schedule_memory(door)] = memory
        self.give(door, says)

    def give(self, door: str, item: Any) -> None:
        self.doors[door], events = step(self.doors[door], DoorPolicy(), item, self.clock.now_ns())
        self.events += events

    def ask(self, name: CommandName) -> None:
        self.give("front", Command("c", name, OTTO, self.clock.now_ns()))

    def use(self, *schedules: Schedule) -> None:
        doors = {"front": DoorAccess("front", schedule=schedules[0].id if schedules else None)}
        self.timetable.directory(Directory(1, schedules={one.id: one for one in schedules}, doors=doors))

    def hour(self) -> str:
        return f"{self.timetable.moment().at:%H:%M}"

    def mode(self) -> Mode:
        return self.doors["front"].mode

    def told(self) -> list[str]:
        return [event.type for event in self.events]


def at(
    hour: int,
    script: Callable[[Building], Coroutine[Any, Any, None]],
    *,
    minute: int = 0,
    quality: ClockQuality = ClockQuality.SYNCED,
    memory: dict[str, str] | None = None,
) -> Building:
    async def main(loop: virtual.VirtualLoop) -> Building:
        building = Building(loop, datetime.combine(MONDAY, time(hour, minute), UTC), quality)
        building.timetable.restore(memory or {})
        await script(building)
        building.timetable.stop()
        return building

    return virtual.run(main)


def test_a_door_stands_unlocked_from_start_to_end_and_a_weekend_is_quiet() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(3600 + 1)
        assert (house.mode(), house.hour()) == (Mode.UNLOCKED, "08:00")
        await asyncio.sleep(10 * 3600)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(6 * 24 * 3600)

    house = at(7, script)
    assert house.told() == [STARTED, ENDED, "lock.locked"] * 5
    assert house.events[0].actor == Actor("schedule", "office", "Office hours")
    assert house.events[2].cause == "schedule"
    assert house.events[0].correlation
    assert house.events[1].correlation == house.events[2].correlation


def test_the_first_to_arrive_starts_it_and_one_who_came_early_counts_at_its_start() -> None:
    async def script(house: Building) -> None:
        house.use(RECEPTION)
        house.timetable.arrived("front", OTTO)  # 07:00 is too early to count
        await asyncio.sleep(2 * 3600)
        assert house.mode() is Mode.LOCKED
        house.timetable.arrived("front", ADA)
        assert house.mode() is Mode.UNLOCKED
        await asyncio.sleep(22 * 3600 + 45 * 60)  # tomorrow, 07:45
        house.timetable.arrived("front", OTTO)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(16 * 60)
        assert house.mode() is Mode.UNLOCKED

    house = at(7, script)
    first, ended, second = ["lock.first_to_arrive", STARTED], [ENDED, "lock.locked"], ["lock.first_to_arrive", STARTED]
    assert house.told() == [*first, *ended, *second]
    assert [event.actor for event in house.events if event.type == "lock.first_to_arrive"] == [ADA, OTTO]


def test_a_lock_holds_a_schedule_off_until_its_window_is_over() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        await asyncio.sleep(1)
        house.ask(CommandName.LOCK)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(11 * 3600)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(14 * 3600)  # tomorrow
        assert house.mode() is Mode.UNLOCKED

    house = at(8, script)
    assert house.told() == [STARTED, "lock.locked", ENDED, STARTED]


def test_a_lockdown_overrides_it_and_its_cancel_brings_what_the_schedule_says_now() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        house.ask(CommandName.LOCK_DOWN)
        await asyncio.sleep(2 * 3600)
        assert house.mode() is Mode.LOCKED_DOWN
        house.ask(CommandName.CANCEL_LOCKDOWN)
        assert house.mode() is Mode.UNLOCKED

    assert at(7, script).told() == ["lock.lock_down", STARTED, "lock.cancel_lockdown"]


def test_an_untrusted_clock_starts_nothing_and_ends_nothing() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        await asyncio.sleep(2 * 3600)
        assert house.mode() is Mode.LOCKED
        house.clock.set_quality(ClockQuality.SYNCED)
        house.timetable.clock_changed(ClockQuality.SYNCED)
        assert house.mode() is Mode.UNLOCKED
        house.timetable.clock_changed(ClockQuality.UNSYNCED)
        await asyncio.sleep(24 * 3600)
        assert house.mode() is Mode.UNLOCKED

    assert at(8, script, quality=ClockQuality.UNSYNCED).told() == [STARTED]


def test_a_step_of_the_calendar_is_followed_at_once() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        house.clock.step(3 * 3_600_000_000)
        house.timetable.clock_changed(ClockQuality.SYNCED)
        assert house.mode() is Mode.UNLOCKED
        house.clock.step(-3 * 3_600_000_000)
        house.timetable.clock_changed(ClockQuality.SYNCED)
        assert house.mode() is Mode.LOCKED

    assert at(7, script).told() == [STARTED, ENDED, "lock.locked"]


def test_a_restart_goes_on_without_a_word_and_ends_what_ended_meanwhile() -> None:
    async def morning(house: Building) -> None:
        house.use(RECEPTION)
        house.timetable.arrived("front", ADA)
        assert house.mode() is Mode.UNLOCKED

    async def goes_on(house: Building) -> None:
        assert house.mode() is Mode.LOCKED
        house.use(RECEPTION)
        assert house.mode() is Mode.UNLOCKED

    async def over(house: Building) -> None:
        house.use(RECEPTION)
        assert house.mode() is Mode.LOCKED

    kept = at(9, morning).memory
    assert at(10, goes_on, memory=kept).told() == []
    assert at(10, goes_on, memory=kept, quality=ClockQuality.UNSYNCED).told() == []
    assert at(20, over, memory=kept).told() == [ENDED]


def test_a_memory_that_comes_late_is_taken_up() -> None:
    async def morning(house: Building) -> None:
        house.use(RECEPTION)
        house.timetable.arrived("front", ADA)

    kept = at(9, morning).memory

    async def late(house: Building) -> None:
        house.use(RECEPTION)
        assert house.mode() is Mode.LOCKED
        house.timetable.restore(kept)
        assert house.mode() is Mode.UNLOCKED

    assert at(10, late).told() == []


def test_a_directory_without_the_schedule_ends_it() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        house.use()
        assert house.mode() is Mode.LOCKED

    house = at(9, script)
    assert house.told() == [STARTED, ENDED, "lock.locked"]


def test_access_schedules_that_ran_when_the_clock_was_lost_still_count() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        assert house.timetable.running_access == frozenset()
        house.timetable.clock_changed(ClockQuality.UNSYNCED)
        assert house.timetable.running_access == {"office"}

    at(9, script)
