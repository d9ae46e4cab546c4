"""Scheduled reports: when one is due in the site's time zone, what it covers, what its file is called.

One rule: a report covers a whole day, week (from Monday) or month that is over, by the site's calendar.
A day with a change of summer time has 23 or 25 hours.
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
    """How often a report is due, and when."""

    every: str
    """`day`, `week` or `month`."""
    at: time
    """Due at the first such local time after the day, week or month."""
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class DueReport:
    """One report. Times are microseconds since 1970 UTC."""

    at_us: int
    since_us: int
    until_us: int
    """End of what it covers, exclusive."""
    label: str
    """Like `2026-11-22`, `2026-W47` (ISO 8601) or `2026-10`."""


def next_due(rhythm: Rhythm, now_us: int) -> DueReport:
    """The first report that is due after `now_us`."""
    end = _start(rhythm.every, _today(rhythm, now_us))
    while (due := _due(rhythm, end)).at_us <= now_us:
        end = _next(rhythm.every, end)
    return due


def dues_before(rhythm: Rhythm, now_us: int) -> Iterator[DueReport]:
    """All reports that are due by `now_us`, the latest first, without end."""
    end = _start(rhythm.every, _today(rhythm, now_us))
    while True:
        due = _due(rhythm, end)
        if due.at_us <= now_us:
            yield due
        end = _start(rhythm.every, end - timedelta(days=1))


def missing(rhythm: Rhythm, now_us: int, there: Collection[str], most: int) -> list[DueReport]:
    """The reports to write now, the oldest first; `there` are the labels of the existing ones.

    Reports that were missed while the controller was off are made up for, back to the last existing one and at
    most `most`. When there is none yet, only the latest is written.
    """
    dues: list[DueReport] = []
    for due in dues_before(rhythm, now_us):
        if due.label in there or len(dues) == most:
            break
        dues.append(due)
        if not there:
            break
    return dues[::-1]


def file_name(name: str, due: DueReport, suffix: str) -> str:
    """Like `doors-2026-11-22.csv`."""
    return f"{name}-{due.label}.{suffix}"


def labels(name: str, every: str, suffix: str, files: Collection[str]) -> list[str]:
    """The labels of a report's files among others, oldest first."""
    pattern = re.compile(f"{re.escape(name)}-({_LABELS[every]})\\.{suffix}", re.ASCII)
    return sorted(match[1] for file in files if (match := pattern.fullmatch(file)))


def _today(rhythm: Rhythm, now_us: int) -> date:
    return (_EPOCH + now_us * _US).astimezone(rhythm.zone).date()


def _start(every: str, day: date) -> date:
    """The first day of the day, week or month that contains this day."""
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _next(every: str, start: date) -> date:
    if every == "month":
        return _start(every, start + timedelta(days=31))
    return start + timedelta(days=7 if every == "week" else 1)


def _due(rhythm: Rhythm, end: date) -> DueReport:
    start = _start(rhythm.every, end - timedelta(days=1))
    year, week, _ = start.isocalendar()
    label = {"week": f"{year}-W{week:02}", "month": f"{start:%Y-%m}"}.get(rhythm.every, start.isoformat())
    midnight = time()
    return DueReport(_us(rhythm, end, rhythm.at), _us(rhythm, start, midnight), _us(rhythm, end, midnight), label)


def _us(rhythm: Rhythm, day: date, at: time) -> int:
    """A local time in microseconds since 1970. A skipped one counts as before the change; of two, the first counts."""
    return (datetime.combine(day, at, rhythm.zone).astimezone(UTC) - _EPOCH) // _US
