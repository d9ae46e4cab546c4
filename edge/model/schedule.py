"""Schedules: weekly windows, dated exceptions and one-off openings in the site's zone (R9).

One rule: a local time is the moment at which the local clock first shows it (RFC 5545, 3.3.5), for
starts and ends alike; a local time that is skipped when clocks go forward is the moment of that jump.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

DAY_MINUTES: Final = 24 * 60
EARLY_S: Final = (0.0, 4 * 3600.0)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_S_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _S_US
_PLAIN_DAYS: Final = 21
"""This many days in a row without exceptions have every weekday at least twice without a change of the clocks:
if the schedule does not change in them, it does not change later either."""
_SCHEDULED_US: Final = (365 * _DAY_US, 8000 * 365 * _DAY_US)
"""From 1971 to some day after 9900; nothing is scheduled outside, where dates come to their end."""


class ScheduleKind(StrEnum):
    """What a schedule is for."""

    UNLOCK = "unlock"
    """Doors stand unlocked while it is active."""
    ACCESS = "access"
    """Groups may pass while it is active."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of a day, in minutes after local midnight; an end beyond 1440 is on the next day."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OneOffOpening:
    """A one-off opening; times without an offset are local, others absolute."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is active. An exception replaces the windows that begin on its day; an opening adds one."""

    id: str
    name: str
    zone: tzinfo
    kind: ScheduleKind = ScheduleKind.UNLOCK
    weekly: tuple[tuple[Hours, ...], ...] = ((),) * 7
    """The windows that begin on each day of the week, Monday first."""
    exceptions: Mapping[date, tuple[Hours, ...]] = field(default_factory=dict)
    openings: tuple[OneOffOpening, ...] = ()
    first_to_arrive: bool = False
    """An unlock schedule waits for the first granted access of each window."""
    early_s: float = 0.0
    """How long before a window an access counts as its first."""
    _once: tuple[tuple[int, int], ...] = field(init=False, compare=False, repr=False)
    _special: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Resolve the openings, and note the days on which the week's pattern does not hold."""
        once = [(_point(self.zone, o.start), _point(self.zone, o.end)) for o in self.openings]
        days = {day.toordinal() for day in self.exceptions}
        days |= {EPOCH.toordinal() + edge // _DAY_US for span in once for edge in span}
        object.__setattr__(self, "_once", tuple(span for span in once if span[0] < span[1]))
        object.__setattr__(self, "_special", tuple(sorted(days)))


@dataclass(frozen=True, slots=True)
class Window:
    """A time without interruption during which a schedule is active; touching windows are one."""

    id: str
    start: datetime
    """In UTC. Of a schedule that has been active for weeks it is some moment weeks ago."""
    end: datetime | None
    """In UTC; None when no end is in sight."""


def active(schedule: Schedule, at: datetime) -> bool:
    """Whether the schedule is active at a moment (a datetime with an offset, any zone)."""
    now_us = _us(at)
    return _covered(_near(schedule, now_us), now_us)


def window(schedule: Schedule, at: datetime) -> Window | None:
    """The window a moment lies in, or None."""
    now_us = _us(at)
    start_us = now_us + 1
    for _ in range(_PLAIN_DAYS):
        holding = [span for span in _near(schedule, start_us - 1) if span[0] < start_us <= span[1]]
        if not holding:
            break
        start_us = min(span[0] for span in holding)
    if start_us > now_us:
        return None
    start = _when(start_us)
    return Window(f"{schedule.id}@{start:%Y-%m-%dT%H:%MZ}", start, next_change(schedule, at))


def next_change(schedule: Schedule, at: datetime) -> datetime | None:
    """When the schedule becomes active or ends being so, after a moment; None: never (in UTC)."""
    now_us = _us(at)
    was = active(schedule, at)
    for day in _days(schedule, now_us):
        from_us, until_us = max(day, now_us + 1), day + _DAY_US
        spans = _near(schedule, day)
        edges = sorted({edge for span in spans for edge in span if from_us <= edge < until_us})
        for edge in edges:
            if _covered(spans, edge) != was:
                return _when(edge)
    return None


def overlap(one: Schedule, other: Schedule, at: datetime, days: int) -> datetime | None:
    """When both are active at once for the first time within `days` days; None: never."""
    now, last = at, at + timedelta(days=days)
    while now <= last:
        if active(one, now) and active(other, now):
            return now
        changes = [change for change in (next_change(one, now), next_change(other, now)) if change is not None]
        if not changes:
            return None
        now = min(changes)
    return None


def moment(zone: tzinfo, at: datetime) -> datetime:
    """The moment (in UTC) of a time, local or with an offset; see `_point`."""
    return _when(_point(zone, at))


# --- local time to moments ------------------------------------------------------------------------


def _us(at: datetime) -> int:
    return (at - EPOCH) // _US


def _when(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def _offset(zone: tzinfo, local: datetime, fold: int) -> timedelta:
    return local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()


def _point(zone: tzinfo, at: datetime) -> int:
    """The moment of a local time: the first if it exists twice, that of the jump if it does not exist (PEP 495)."""
    if at.tzinfo is not None:
        return _us(at)
    first, second = _offset(zone, at, 0), _offset(zone, at, 1)
    naive_us = (at - EPOCH.replace(tzinfo=None)) // _US
    before, after = naive_us - first // _US, naive_us - second // _US
    if first >= second:  # where the clock was set back, this time exists twice
        return before
    low, high = after // _S_US, -(-before // _S_US)  # it was set forward: not at low, done at high
    while high - low > 1:
        middle = (low + high) // 2
        done = _when(middle * _S_US).astimezone(zone).utcoffset() == second
        low, high = (low, middle) if done else (middle, high)
    return high * _S_US


def _near(schedule: Schedule, us: int) -> list[tuple[int, int]]:
    """Every window that may hold a moment of the same UTC day, none of them empty."""
    if not _SCHEDULED_US[0] <= us < _SCHEDULED_US[1]:
        return []
    today = _when(us).date()
    spans = [*schedule._once]  # noqa: SLF001 -- the schedule's own module
    for day in (today + timedelta(days=n) for n in (-2, -1, 0, 1)):
        midnight = datetime.combine(day, time())
        for hours in schedule.exceptions.get(day, schedule.weekly[day.weekday()]):
            start = _point(schedule.zone, midnight + timedelta(minutes=hours.start))
            end = _point(schedule.zone, midnight + timedelta(minutes=hours.end))
            if start < end:
                spans.append((start, end))
    return spans


def _covered(spans: list[tuple[int, int]], us: int) -> bool:
    return any(start <= us < end for start, end in spans)


def _days(schedule: Schedule, now_us: int) -> Iterator[int]:
    """The UTC days, from this one on, in which the next change is found if there is any."""
    today = now_us // _DAY_US
    specials = (ordinal - EPOCH.toordinal() - 2 for ordinal in schedule._special)  # noqa: SLF001 -- as above
    following = today
    for start in (today, *specials):
        for day in range(max(following, start), start + _PLAIN_DAYS + 4):
            yield day * _DAY_US
            following = day + 1
