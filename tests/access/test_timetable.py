"""A door keeps to its schedule: at the next change, after an arrival, a step of the clock, a restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from edge.access import timetable
from edge.access.timetable import Timetable
from edge.directory.directory import Directory, DoorAccess
from edge.doors.memory import schedule_memory
from edge.doors.modes import Mode
from edge.doors.rules import step
from edge.doors.state import Door
from edge.model.messages import Actor, ClockQuality, Command, CommandName, Event, Restore, ScheduleSays
from edge.model.policy import DoorPolicy
from edge.model.schedule import EPOCH, Hours, Schedule
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
        self.doors = {"front": Door("front", "Front door", "run", windowed=True)}
        self.events: list[Event] = []
        self.mistakes: list[Exception] = []
        self.memory: dict[str, str] = {}
        self.timetable = Timetable(self, self.clock, quality)

    def schedule(self, door: str, says: ScheduleSays, memory: str | None) -> None:
        if memory is not None:
            self.memory[schedule_memory(door)] = memory
        self.give(door, says)

    def mistake(self, error: Exception) -> None:
        self.mistakes.append(error)

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
        building = Building(loop, MONDAY + timedelta(hours=hour, minutes=minute), quality)
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


def test_it_says_of_a_door_how_far_its_schedule_is_and_what_comes_next() -> None:
    said: list[tuple[bool, bool, str] | None] = []

    def note(house: Building) -> None:
        found = house.timetable.scheduled("front")
        change = found and found.next_change
        said.append(found and (found.running, found.waiting, f"{change:%d %H:%M}" if change else ""))

    async def script(house: Building) -> None:
        note(house)
        house.use(RECEPTION)
        note(house)
        await asyncio.sleep(2 * 3600)
        note(house)
        house.timetable.arrived("front", ADA)
        note(house)
        await asyncio.sleep(10 * 3600)
        note(house)
        house.use()
        note(house)

    at(7, script)
    off, waiting, on, over = (
        (False, False, "23 08:00"),
        (False, True, "23 18:00"),
        (True, False, "23 18:00"),
        "24 08:00",
    )
    assert said == [None, off, waiting, on, (False, False, over), None]


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


@pytest.mark.parametrize("minute", [1, 17, 59])
def test_a_change_within_the_hour_comes_at_its_minute(minute: int) -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        await asyncio.sleep((60 - minute) * 60 - 1)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(1.1)
        assert house.mode() is Mode.UNLOCKED
        assert house.timetable.window_of("front") == ("office", MONDAY + timedelta(hours=18))
        await asyncio.sleep(10 * 3600 - 2)
        assert house.mode() is Mode.UNLOCKED
        await asyncio.sleep(2)
        assert house.mode() is Mode.LOCKED
        assert house.timetable.window_of("front") is None

    at(7, script, minute=minute)


def test_a_lock_before_the_schedule_has_spoken_holds_its_window_off() -> None:
    async def script(house: Building) -> None:
        house.ask(CommandName.LOCK)
        house.use(OFFICE)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(24 * 3600)
        assert house.mode() is Mode.UNLOCKED

    at(9, script)


def test_a_lock_outside_a_window_holds_none_off() -> None:
    async def script(house: Building) -> None:
        house.ask(CommandName.LOCK)
        house.use(OFFICE)
        await asyncio.sleep(60)
        house.ask(CommandName.LOCK)
        await asyncio.sleep(3600)
        assert house.mode() is Mode.UNLOCKED

    at(7, script)


def test_a_lock_holds_off_a_window_that_waits_for_the_first_to_arrive() -> None:
    async def script(house: Building) -> None:
        house.use(RECEPTION)
        await asyncio.sleep(60)
        house.ask(CommandName.LOCK)
        house.timetable.arrived("front", ADA)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(24 * 3600)
        house.timetable.arrived("front", ADA)
        assert house.mode() is Mode.UNLOCKED

    at(8, script)


def test_a_lock_in_a_window_in_which_nobody_came_is_over_with_it() -> None:
    async def script(house: Building) -> None:
        house.use(RECEPTION)
        house.ask(CommandName.LOCK)
        await asyncio.sleep(24 * 3600)
        assert house.mode() is Mode.LOCKED
        house.timetable.arrived("front", ADA)
        assert house.mode() is Mode.UNLOCKED

    at(9, script)


@pytest.mark.parametrize(("restart", "held_off"), [(MONDAY.replace(hour=10), True), (MONDAY.replace(day=24), False)])
def test_a_remembered_lock_holds_off_the_window_in_which_it_was_said_and_no_other(
    restart: datetime, held_off: bool
) -> None:
    async def morning(house: Building) -> None:
        house.use(OFFICE)
        house.ask(CommandName.LOCK)

    kept = at(9, morning).memory

    async def main(loop: virtual.VirtualLoop) -> None:
        house = Building(loop, restart + timedelta(hours=9 if not held_off else 0), ClockQuality.SYNCED)
        house.give("front", Restore({"operator": "locked"}, house.clock.now_ns()))
        house.timetable.restore(kept)
        house.use(OFFICE)
        assert (house.mode() is Mode.LOCKED) is held_off
        house.timetable.stop()

    virtual.run(main)


def test_the_end_of_a_schedule_lifts_no_block_and_no_hold() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        house.ask(CommandName.BLOCK)
        await asyncio.sleep(10 * 3600)
        assert house.mode() is Mode.BLOCKED
        house.ask(CommandName.UNBLOCK)
        await asyncio.sleep(14 * 3600)
        assert house.mode() is Mode.UNLOCKED
        house.ask(CommandName.HOLD_UNLOCKED)
        await asyncio.sleep(12 * 3600)
        assert house.mode() is Mode.UNLOCKED

    house = at(9, script)
    assert [event.cause for event in house.events if event.type == "lock.unlock"] == ["operator"]


def test_who_arrives_second_changes_nothing() -> None:
    async def script(house: Building) -> None:
        house.use(RECEPTION)
        house.timetable.arrived("front", ADA)
        told, memory = house.told(), dict(house.memory)
        house.timetable.arrived("front", OTTO)
        assert (house.told(), house.memory) == (told, memory)

    house = at(9, script)
    assert house.events[0].actor == ADA


def test_a_calendar_that_is_set_little_by_little_is_followed() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        await asyncio.sleep(3600)
        house.clock.step(60 * 10**6)  # slewed: nobody tells of it
        await asyncio.sleep(11 * 3600 - 61)
        assert house.mode() is Mode.LOCKED
        await asyncio.sleep(2)
        assert house.mode() is Mode.UNLOCKED

    at(20, script)


@pytest.mark.parametrize("hour", [9, 9 - 24], ids=["of today", "of yesterday"])
def test_a_late_memory_is_too_late_for_a_door_that_has_moved_on(hour: int) -> None:
    async def morning(house: Building) -> None:
        house.use(RECEPTION)
        house.timetable.arrived("front", ADA)

    kept = at(hour, morning).memory

    async def later(house: Building) -> None:
        house.use(RECEPTION)
        house.timetable.arrived("front", OTTO)
        told = house.told()
        house.timetable.restore(kept)
        assert house.told() == told
        assert house.mode() is Mode.UNLOCKED

    assert at(10, later).events[0].actor == OTTO


def test_what_a_record_witnesses_is_never_taken_back() -> None:
    async def script(house: Building) -> None:
        assert house.timetable.moment().known is None
        for second, known in ((20, 20), (10, 20), (30, 30)):
            house.timetable.witnessed(second * 1_000_000)
            assert house.timetable.moment().known == EPOCH + timedelta(seconds=known)

    at(9, script)


def test_a_door_is_told_once_and_only_what_is_new_is_remembered() -> None:
    async def script(house: Building) -> None:
        house.use(OFFICE)
        assert house.memory == {}
        assert not house.doors["front"].windowed
        house.use(OFFICE)
        await asyncio.sleep(3601)
        assert house.memory

    at(7, script)


@pytest.mark.parametrize("where", ["desired", "next_change"])
def test_a_mistake_of_our_own_stops_no_schedule(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    real, fails = getattr(timetable, where), [True]

    def mistaken(*given: Any) -> Any:
        if fails:
            fails.pop()
            raise KeyError("none such")
        return real(*given)

    async def script(house: Building) -> None:
        monkeypatch.setattr(timetable, where, mistaken)
        house.use(OFFICE)
        assert len(house.mistakes) == 1
        await asyncio.sleep(2 * 3600)
        assert house.mode() is Mode.UNLOCKED

    at(7, script)
