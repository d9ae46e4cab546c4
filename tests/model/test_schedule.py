"""Schedules against a clock that is watched minute by minute for a year, and the cases people ask about."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.model.schedule import DAY_MINUTES, Hours, OneOffOpening, Schedule, active, next_change, overlap, window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
YEAR_START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 366 * DAY_MINUTES
NAIVE = datetime.fromisoformat("2026-01-01T00:00")


def hours(text: str) -> Hours:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return Hours(start, end if end > start else end + DAY_MINUTES)


def weekly(**days: str) -> tuple[tuple[Hours, ...], ...]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return tuple(tuple(hours(one) for one in days.get(name, "").split()) for name in names)


EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def schedule(zone: str = "Europe/Berlin", **parts: object) -> Schedule:
    return Schedule("office", "Office", ZoneInfo(zone), **parts)  # type: ignore[arg-type]  # a test's shorthand


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


# --- the slow model: the wall clock of a whole year, read once a minute ---------------------------


@cache
def walls(zone: str) -> list[int]:
    """For each minute: the latest time the wall clock has shown so far."""
    so_far, latest = [], -DAY_MINUTES
    for minute in range(MINUTES):
        local = (YEAR_START + timedelta(minutes=minute)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        latest = max(latest, (local - NAIVE) // timedelta(minutes=1))
        so_far.append(latest)
    return so_far


def slow(plan: Schedule, zone: str) -> bytearray:
    """Which minutes of the year are active: begun once the wall has shown the start, until it has shown the end."""
    so_far = walls(zone)
    on = bytearray(MINUTES)
    spans: list[tuple[int, int]] = []
    for number in range(-2, 368):
        day = (NAIVE + timedelta(days=number)).date()
        midnight = number * DAY_MINUTES
        parts = plan.exceptions.get(day, plan.weekly[day.weekday()])
        spans += [(midnight + one.start, midnight + one.end) for one in parts]
    minute = timedelta(minutes=1)
    spans += [((one.start - NAIVE) // minute, (one.end - NAIVE) // minute) for one in plan.openings]
    for start, end in spans:
        first, last = bisect_left(so_far, start), bisect_left(so_far, end)
        if first < last:
            on[first:last] = b"\1" * (last - first)
    return on


def compare(plan: Schedule, zone: str) -> None:
    on = slow(plan, zone)
    flips = [minute for minute in range(1, MINUTES) if on[minute] != on[minute - 1]]
    assert active(plan, YEAR_START) == bool(on[0])
    at, found = YEAR_START, []
    while (change := next_change(plan, at)) is not None:
        minute, rest = divmod(change - YEAR_START, timedelta(minutes=1))
        assert not rest
        if minute >= MINUTES - 2 * DAY_MINUTES:
            break
        found.append(minute)
        at = change
    assert found == [minute for minute in flips if minute < MINUTES - 2 * DAY_MINUTES]
    for minute in found:
        for near in (minute - 1, minute):
            assert active(plan, YEAR_START + timedelta(minutes=near)) == bool(on[near])
    for begun, over in pairwise(found[:40]):
        now = window(plan, YEAR_START + timedelta(minutes=(begun + over) // 2))
        assert (now is not None) == bool(on[begun])
        if now is not None:
            assert (now.start, now.end) == tuple(YEAR_START + timedelta(minutes=edge) for edge in (begun, over))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "plan",
    [
        dict.fromkeys(EVERY_DAY[:5], "08:00-12:00 13:00-18:00"),
        dict.fromkeys(EVERY_DAY, "22:00-06:00"),
        dict.fromkeys(EVERY_DAY, "01:45-02:15"),
        dict.fromkeys(EVERY_DAY, "02:00-02:30"),
        dict.fromkeys(EVERY_DAY, "02:10-02:20 02:40-03:00 01:05-01:20"),
        {"sun": "02:15-02:45"},
        dict.fromkeys(EVERY_DAY, "00:00-24:00"),
        {},
    ],
    ids=["office", "night", "half", "round", "many", "sunday", "always", "never"],
)
def test_a_year_of_weeks_is_what_a_clock_on_the_wall_says(zone: str, plan: dict[str, str]) -> None:
    compare(schedule(zone, weekly=weekly(**plan)), zone)


a_part = st.builds(
    lambda start, length: Hours(start, start + length),
    st.integers(0, DAY_MINUTES - 1),
    st.one_of(st.integers(1, 180), st.integers(1, DAY_MINUTES)),
)
near_a_change = st.builds(
    lambda start, length: Hours(start, start + length), st.integers(0, 4 * 60), st.integers(1, 150)
)
parts = st.lists(st.one_of(a_part, near_a_change), max_size=2).map(tuple)
days_2026 = st.one_of(
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.sampled_from([date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5)]),
)
openings = st.builds(
    lambda day, start, length: OneOffOpening(
        datetime.combine(day, time(), None) + timedelta(minutes=start),
        datetime.combine(day, time(), None) + timedelta(minutes=start + length),
    ),
    days_2026,
    st.integers(0, DAY_MINUTES - 1),
    st.integers(1, 4 * DAY_MINUTES),
)


@settings(max_examples=15, deadline=None)
@given(
    zone=st.sampled_from(ZONES[:3]),
    weekly=st.tuples(*[parts] * 7),
    exceptions=st.dictionaries(days_2026, parts, max_size=6),
    openings=st.lists(openings, max_size=3).map(tuple),
)
def test_any_year_is_what_a_clock_on_the_wall_says(zone: str, **plan: object) -> None:
    compare(schedule(zone, **plan), zone)


# --- what was decided -----------------------------------------------------------------------------


def test_a_start_that_does_not_exist_is_the_moment_of_the_jump() -> None:
    plan = schedule(weekly=weekly(sun="02:30-04:00"))
    assert next_change(plan, berlin("2026-03-29T01:00")) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert active(plan, berlin("2026-03-29T03:00"))


def test_a_window_of_times_that_do_not_exist_does_not_happen() -> None:
    plan = schedule(weekly=weekly(sun="02:15-02:45"))
    assert next_change(plan, berlin("2026-03-28T12:00")) == berlin("2026-04-05T02:15")


def test_of_a_time_that_exists_twice_the_first_counts() -> None:
    plan = schedule(weekly=weekly(sun="02:15-02:45"))
    now = window(plan, berlin("2026-10-25T02:20"))
    assert now is not None
    assert (now.start, now.end) == (
        berlin("2026-10-25T02:15").astimezone(UTC),
        berlin("2026-10-25T02:45").astimezone(UTC),
    )
    assert now.id == "office@2026-10-25T00:15Z"
    assert not active(plan, berlin("2026-10-25T02:20", fold=1))


@pytest.mark.parametrize(
    ("zone", "day", "plan", "end"),
    [
        ("Europe/Berlin", "sun", "00:00-02:00", "2026-10-25T00:00"),
        ("America/New_York", "sun", "00:00-01:00", "2026-11-01T05:00"),
        ("America/Havana", "sat", "18:00-24:00", "2026-11-01T04:00"),
    ],
)
def test_a_window_that_ends_where_the_clock_goes_back_to_ends_there(zone: str, day: str, plan: str, end: str) -> None:
    over = datetime.fromisoformat(end).replace(tzinfo=UTC)
    now = window(schedule(zone, weekly=weekly(**{day: plan})), over - timedelta(minutes=1))
    assert now is not None
    assert now.end == over


@pytest.mark.parametrize("days", [1, 24, 25, 26, 60, 400])
def test_a_one_off_opening_is_found_however_far_ahead(days: int) -> None:
    start = berlin("2026-01-15T09:30").replace(tzinfo=None) + timedelta(days=days)
    plan = schedule(openings=(OneOffOpening(start, start + timedelta(minutes=5)),))
    found = next_change(plan, berlin("2026-01-15T09:30"))
    assert found == start.replace(tzinfo=BERLIN)
    assert next_change(plan, found) == found + timedelta(minutes=5)
    assert next_change(plan, found + timedelta(minutes=5)) is None


@pytest.mark.parametrize(
    ("zone", "start", "jump"),
    [
        ("Europe/Berlin", "2026-03-29T02:00:01", "2026-03-29T01:00:00"),
        ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:29:59", "2026-10-03T15:30:00"),
        ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00"),
    ],
)
def test_a_time_that_does_not_exist_is_the_jump_to_the_second(zone: str, start: str, jump: str) -> None:
    begin = datetime.fromisoformat(start)
    plan = schedule(zone, openings=(OneOffOpening(begin, begin + timedelta(days=2)),))
    moment = datetime.fromisoformat(jump).replace(tzinfo=UTC)
    assert not active(plan, moment - timedelta(seconds=1))
    assert active(plan, moment)


def test_an_exception_replaces_what_would_begin_that_day_and_no_more() -> None:
    plan = schedule(
        weekly=weekly(**dict.fromkeys(EVERY_DAY, "22:00-06:00")),
        exceptions={date(2026, 12, 25): (hours("10:00-12:00"),)},
    )
    assert active(plan, berlin("2026-12-25T05:59"))  # began the evening before
    assert active(plan, berlin("2026-12-25T11:00"))
    assert not active(plan, berlin("2026-12-25T23:00"))
    assert not active(plan, berlin("2026-12-26T05:00"))


def test_an_opening_counts_on_a_holiday_too_and_may_be_absolute() -> None:
    absolute = OneOffOpening(datetime(2026, 12, 25, 18, tzinfo=UTC), datetime(2026, 12, 25, 20, tzinfo=UTC))
    local = OneOffOpening(*map(datetime.fromisoformat, ("2026-12-25T09:00", "2026-12-25T10:00")))
    plan = schedule(exceptions={date(2026, 12, 25): ()}, openings=(absolute, local))
    assert active(plan, berlin("2026-12-25T19:00"))
    assert not active(plan, berlin("2026-12-25T21:00"))
    assert next_change(plan, berlin("2026-01-01T00:00")) == berlin("2026-12-25T09:00")


def test_touching_windows_are_one() -> None:
    plan = schedule(weekly=weekly(mon="08:00-12:00 12:00-18:00"))
    now = window(plan, berlin("2026-11-23T10:00"))
    assert now is not None
    assert (now.start, now.end) == (berlin("2026-11-23T08:00"), berlin("2026-11-23T18:00"))
    assert window(plan, berlin("2026-11-23T15:00")) == now


def test_what_never_changes_says_so_and_a_far_exception_is_found() -> None:
    always = weekly(**dict.fromkeys(EVERY_DAY, "00:00-24:00"))
    assert next_change(schedule(), berlin("2026-06-01T00:00")) is None
    assert next_change(schedule(weekly=always), berlin("2026-06-01T00:00")) is None
    closed = schedule(weekly=always, exceptions={date(2042, 5, 1): ()})
    assert next_change(closed, berlin("2026-06-01T00:00")) == berlin("2042-05-01T00:00")
    assert next_change(closed, berlin("2042-05-01T00:00")) == berlin("2042-05-02T00:00")
    assert window(closed, berlin("2042-05-02T00:00")) == window(closed, berlin("2042-05-02T01:00"))


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_a_clock_that_is_far_out_opens_nothing(year: int) -> None:
    always = schedule(weekly=weekly(**dict.fromkeys(EVERY_DAY, "00:00-24:00")))
    for at in (datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, tzinfo=UTC)):
        assert not active(always, at)
        assert window(always, at) is None
        next_change(always, at)


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [
        ({"mon": "08:00-12:00"}, {"mon": "11:00-13:00"}, "2026-11-23T11:00"),
        ({"mon": "08:00-12:00"}, {"mon": "12:00-13:00"}, None),
        ({"mon": "08:00-12:00"}, {"tue": "08:00-12:00"}, None),
        ({"sun": "22:00-06:00"}, {"mon": "05:00-05:30"}, "2026-11-23T05:00"),
        ({}, {"mon": "08:00-12:00"}, None),
        ({}, {}, None),
    ],
)
def test_when_two_schedules_meet(one: dict[str, str], other: dict[str, str], at: str | None) -> None:
    plans = [schedule(weekly=weekly(**days)) for days in (one, other)]
    found = overlap(plans[0], plans[1], berlin("2026-11-22T12:00"), days=14)
    assert found == (None if at is None else berlin(at))
    assert overlap(plans[1], plans[0], berlin("2026-11-22T12:00"), days=14) == found
