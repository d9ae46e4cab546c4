"""Scheduled reports: when one is due in the site's zone, what it covers, what it is called.

One rule: a report is of a whole day, week (from Monday) or month that is over, by the site's calendar;
how long such a day was, with summer time coming or going, follows from the calendar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import tzinfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_LABELS: Final = {"day": r"\d{4}-\d\d-\d\d", "week": r"\d{4}-W\d\d", "month": r"\d{4}-\d\d"}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, and when."""

    every: str
    """`day`, `week` or `month`."""
    at: time
    """The first local time of this kind after the day, week or month is over."""
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Due:
    """One report. Times are microseconds since 1970 UTC."""

    at_us: int
    since_us: int
    until_us: int
    """The first moment that is not part of it."""
    label: str
    """Like `2026-11-22`, `2026-W47` (ISO 8601) or `2026-10`."""


def next_due(rhythm: Rhythm, now_us: int) -> Due:
    """The first one that is due after now."""
    end = _start(rhythm.every, _today(rhythm, now_us))
    while (due := _due(rhythm, end)).at_us <= now_us:
        end = _next(rhythm.every, end)
    return due


def dues_before(rhythm: Rhythm, now_us: int) -> Iterator[Due]:
    """Those that are or were due by now, the latest first, for ever."""
    end = _start(rhythm.every, _today(rhythm, now_us))
    while True:
        due = _due(rhythm, end)
        if due.at_us <= now_us:
            yield due
        end = _start(rhythm.every, end - timedelta(days=1))


def missing(rhythm: Rhythm, now_us: int, there: Collection[str], most: int) -> list[Due]:
    """Those to be written now, the oldest first, given the labels of those that are there.

    What was missed while the controller was off is made up for, back to the last that is there, at
    most `most`; a report that was never written before begins with the latest.
    """
    found: list[Due] = []
    for due in dues_before(rhythm, now_us):
        if due.label in there or len(found) == most:
            break
        found.append(due)
        if not there:
            break
    return found[::-1]


def file_name(name: str, due: Due, suffix: str) -> str:
    """Like `doors-2026-11-22.csv`."""
    return f"{name}-{due.label}.{suffix}"


def labels(name: str, every: str, suffix: str, files: Collection[str]) -> list[str]:
    """The labels of a report's files among others, oldest first."""
    pattern = re.compile(f"{re.escape(name)}-({_LABELS[every]})\\.{suffix}", re.ASCII)
    return sorted(match[1] for file in files if (match := pattern.fullmatch(file)))


def _today(rhythm: Rhythm, now_us: int) -> date:
    return (_EPOCH + now_us * _US).astimezone(rhythm.zone).date()


def _start(every: str, day: date) -> date:
    """The first day of the day, week or month that this day is in."""
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _next(every: str, start: date) -> date:
    if every == "month":
        return _start(every, start + timedelta(days=31))
    return start + timedelta(days=7 if every == "week" else 1)


def _due(rhythm: Rhythm, end: date) -> Due:
    start = _start(rhythm.every, end - timedelta(days=1))
    year, week, _ = start.isocalendar()
    label = {"week": f"{year}-W{week:02}", "month": f"{start:%Y-%m}"}.get(rhythm.every, start.isoformat())
    midnight = time()
    return Due(_us(rhythm, end, rhythm.at), _us(rhythm, start, midnight), _us(rhythm, end, midnight), label)


def _us(rhythm: Rhythm, day: date, at: time) -> int:
    """A local time that does not exist is what a clock shows that was not put forward; of two, the first."""
    return (datetime.combine(day, at, rhythm.zone).astimezone(UTC) - _EPOCH) // _US
