"""Schedules and times in the words of people: `Mon-Fri 06:00-22:00`, `Sunday 22:00`.

One rule: times are those of the site's zone, which is handed in.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from edge.model.schedule import DAY_MINUTES, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime, tzinfo

    from edge.model.schedule import Hours, Schedule

ALWAYS: Final = "always"
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG: Final = 3
"""So many days in a row are written as a range."""
_NEAR: Final = range(7)
"""So many days from today a day of the week says which day is meant."""


def week_words(schedule: Schedule) -> str:
    """The windows of the week; `never` for a week without any."""
    by_hours: dict[tuple[Hours, ...], list[int]] = {}
    for day, hours in enumerate(schedule.weekly):
        if hours:
            by_hours.setdefault(hours, []).append(day)
    parts = [f"{_days(days)} {' and '.join(map(_hours, hours))}" for hours, days in by_hours.items()]
    return ", ".join(parts) or "never"


def schedule_words(schedule: Schedule, today: date) -> str:
    """The week, and how much else there is from this day on."""
    special = sum(day >= today for day in schedule.exceptions)
    openings = sum(
        moment(schedule.zone, one.end).astimezone(schedule.zone).date() >= today for one in schedule.openings
    )
    notes = [_count(special, "day with an exception", "days with exceptions")] if special else []
    notes += [_count(openings, "opening", "openings")] if openings else []
    return week_words(schedule) + (f" ({', '.join(notes)})" if notes else "")


def moment_words(at: datetime, now: datetime, zone: tzinfo) -> str:
    """A moment: the day of the week and the time; with its date unless it is within the next days."""
    local = at.astimezone(zone)
    near = (local.date() - now.astimezone(zone).date()).days in _NEAR
    day = f"{local:%A}" if near else f"{local:%A %Y-%m-%d}"
    return f"{day} {local:%H:%M}"


def end_words(end: datetime, at: datetime, zone: tzinfo) -> str:
    """Until when: the time alone on the same day."""
    local = end.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == at.astimezone(zone).date() else moment_words(end, at, zone)


def listed(names: Iterable[str], last: str = "and") -> str:
    """`Ada`, `Ada and Bob`, `Ada, Bob and Cleo`."""
    *rest, final = names
    return f"{', '.join(rest)} {last} {final}" if rest else final


def _days(days: Sequence[int]) -> str:
    if len(days) == len(DAYS):
        return "every day"
    runs = ([day for _, day in run] for _, run in groupby(enumerate(days), key=lambda one: one[1] - one[0]))
    return ", ".join(
        f"{DAYS[run[0]]}-{DAYS[run[-1]]}" if len(run) >= _LONG else ", ".join(DAYS[day] for day in run) for run in runs
    )


def _hours(hours: Hours) -> str:
    end = hours.end if hours.end == DAY_MINUTES else hours.end % DAY_MINUTES
    return f"{_clock(hours.start)}-{_clock(end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
