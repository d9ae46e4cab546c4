"""What becomes of a door's unlock schedule: ordinary days, first to arrive, a clock nobody can trust."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.doors.progress import Moment, Progress, arrive, desired, events, remembered, restored
from edge.model.messages import Actor, ClockQuality, Subject
from edge.model.schedule import Hours, Schedule

ADA = Actor("user", "u1", "Ada", "ada@example.org")
BOB = Actor("user", "u2", "Bob")
DAY = (Hours(8 * 60, 18 * 60),)
PLAIN = Schedule("s", "S", ZoneInfo("UTC"), weekly=(DAY,) * 7)
FIRST = Schedule("s", "S", ZoneInfo("UTC"), weekly=(DAY,) * 7, first_to_arrive=True, early_s=1800)


def at(hour: int, minute: int = 0, day: int = 23, quality: ClockQuality = ClockQuality.SYNCED) -> Moment:
    return Moment(datetime(2026, 11, day, hour, minute, tzinfo=UTC), quality)


def runs(progress: Progress) -> bool:
    return progress.running is not None


def test_a_schedule_runs_inside_its_window() -> None:
    progress = desired(Progress(), PLAIN, at(7, 59))
    assert not runs(progress)
    progress = desired(progress, PLAIN, at(8))
    assert progress.running is not None
    assert progress.running.id == "s@2026-11-23T08:00Z"
    assert runs(desired(progress, PLAIN, at(17, 59)))
    assert not runs(desired(progress, PLAIN, at(18)))


def test_unsynced_nothing_starts_and_what_runs_goes_on() -> None:
    lost = ClockQuality.UNSYNCED
    assert not runs(desired(Progress(), PLAIN, at(9, quality=lost)))
    progress = desired(Progress(), PLAIN, at(9))
    assert runs(desired(progress, PLAIN, at(23, quality=lost)))
    assert not runs(desired(progress, PLAIN, at(23, quality=ClockQuality.RTC)))
    assert not runs(desired(progress, None, at(9, quality=lost))), "a schedule that was taken away is no matter of time"


def test_the_first_to_arrive_starts_it_and_is_named() -> None:
    progress = desired(Progress(), FIRST, at(9))
    assert not runs(progress)
    progress = desired(arrive(progress, ADA, at(9, 10)), FIRST, at(9, 10))
    assert runs(progress)
    assert progress.first == ADA
    progress = desired(arrive(progress, BOB, at(10)), FIRST, at(10))
    assert progress.first == ADA


@pytest.mark.parametrize(("minute", "counts"), [(29, False), (30, True), (59, True)])
def test_who_comes_early_enough_is_the_first_at_its_start(minute: int, counts: bool) -> None:
    progress = arrive(Progress(), ADA, at(7, minute))
    assert not runs(desired(progress, FIRST, at(7, 59)))
    started = desired(progress, FIRST, at(8))
    assert runs(started) == counts
    assert started.first == (ADA if counts else None)


def test_the_next_day_waits_again_even_if_nobody_looked_at_the_end() -> None:
    progress = desired(arrive(Progress(), ADA, at(9)), FIRST, at(9))
    assert not runs(desired(progress, FIRST, at(9, day=24)))


def test_an_arrival_at_an_unknown_time_is_nobodys_first() -> None:
    progress = arrive(Progress(), ADA, at(9, quality=ClockQuality.UNSYNCED))
    assert progress == Progress()


def test_an_arrival_in_the_future_of_a_clock_set_back_does_not_count() -> None:
    assert not runs(desired(arrive(Progress(), ADA, at(12)), FIRST, at(9)))


def test_a_changed_schedule_goes_on_where_it_overlaps() -> None:
    progress = desired(arrive(Progress(), ADA, at(9)), FIRST, at(9))
    longer = Schedule("s", "S", ZoneInfo("UTC"), weekly=((Hours(7 * 60, 20 * 60),),) * 7, first_to_arrive=True)
    progress = desired(progress, longer, at(10))
    assert progress.running is not None
    assert progress.running.end == at(20).at
    assert progress.first == ADA


def test_what_a_schedule_does_is_told_once_and_by_name() -> None:
    door = Subject("lock", "front", "Front door")

    def told(before: Progress, after: Progress) -> list[str]:
        happened = events(before, after, FIRST, door, 5)
        assert all(event.door == "front" and event.object == door for event in happened)
        return [f"{event.type} {event.actor and event.actor.id}" for event in happened]

    waiting = desired(Progress(), FIRST, at(8))
    started = desired(arrive(waiting, ADA, at(9)), FIRST, at(9))
    assert told(waiting, waiting) == []
    assert told(waiting, started) == ["lock.first_to_arrive u1", "lock.scheduled_unlock_started s"]
    assert told(started, desired(started, FIRST, at(10))) == []
    assert told(started, desired(started, FIRST, at(18))) == ["lock.scheduled_unlock_ended s"]
    slept = desired(desired(Progress(), PLAIN, at(9)), PLAIN, at(9, day=24))
    overnight = events(desired(Progress(), PLAIN, at(9)), slept, PLAIN, door, 5)
    assert [event.type for event in overnight] == ["lock.scheduled_unlock_ended", "lock.scheduled_unlock_started"]


moments = st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(moments, moments)
def test_what_is_remembered_comes_back(now: datetime, seen: datetime) -> None:
    progress = arrive(desired(Progress(), PLAIN, Moment(now)), ADA, Moment(seen))
    assert restored(remembered(progress)) == progress


json = st.recursive(
    st.sampled_from([None, True, 3, "", "x", "2026-11-23", "2026-11-23T08:00Z", "9999-12-31T23:59:59-12:00"]),
    lambda inner: st.lists(inner, min_size=3, max_size=4),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("window", "first", "arrived", "arrived_by"), json)))
def test_a_memory_of_nonsense_is_no_memory_and_no_error(memory: dict[str, object]) -> None:
    desired(restored(memory), PLAIN, at(9))


def test_moments_are_asked_in_any_zone() -> None:
    there = Moment(datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Asia/Tokyo")))
    assert not runs(desired(Progress(), PLAIN, there))
    assert runs(desired(Progress(), PLAIN, Moment(there.at + timedelta(hours=10))))
