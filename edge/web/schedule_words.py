"""A schedule as a form and as a picture: hours of a day as text, the week as bars, exceptions as a month.

One rule: pure functions; reading what is written here gives the same entry.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAYS: Final = {
    "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday",
    "sun": "Sunday",
}  # fmt: skip
"""As documents have them, and in words."""
DAY_MINUTES: Final = 24 * 60
CLOSED: Final = "closed"
HOURS_EXPECTED: Final = 'expected hours like "08:00-12:00, 13:00-17:30", or "closed"'
_PART: Final = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?")  # noqa: RUF001 -- people type both
MOST_SHOWN: Final = 200
"""Days with exceptions of a month view, and rows of a form."""


class Bar(NamedTuple):
    """Active from the one minute of a day to the other."""

    start: int
    end: int


class MonthDay(NamedTuple):
    """A day of a month view. `hours`: its exception; None: the week counts."""

    date: date
    hours: str | None
    outside: bool
    """It belongs to the month before or after."""


def hours_text(windows: Iterable[Mapping[str, str]]) -> str:
    """Windows of a day as people type them."""
    return ", ".join(f"{one['from']}-{one['to']}" for one in windows) or CLOSED


def read_hours(text: str) -> list[dict[str, str]]:
    """What was typed. Raises ValueError."""
    text = text.strip()
    if text.lower() in {"", CLOSED}:
        return []
    windows = []
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"found {part.strip()!r}, {HOURS_EXPECTED}")
        first, first_minute, last, last_minute = found.groups(default="00")
        windows.append({"from": f"{int(first):02}:{first_minute}", "to": f"{int(last):02}:{last_minute}"})
    return windows


def week_texts(weekly: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Day -> its hours."""
    parts = list(weekly)
    return {day: hours_text(sorted_parts(one for one in parts if day in one["days"])) for day in DAYS}


def sorted_parts(parts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """In the order of the day."""
    return sorted(parts, key=lambda one: (one["from"], one["to"]))


def read_week(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The week of a form: days with the same hours are one part. Raises ValueError, which names the day."""
    by_part: dict[tuple[str, str], list[str]] = {}
    for day, name in DAYS.items():
        try:
            windows = read_hours(texts.get(day, ""))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        for window in windows:
            by_part.setdefault((window["from"], window["to"]), []).append(day)
    return [{"days": days, "from": start, "to": end} for (start, end), days in by_part.items()]


def week_bars(weekly: Iterable[Mapping[str, Any]]) -> dict[str, list[Bar]]:
    """Day -> bars; hours beyond midnight go on in the next day's."""
    bars: dict[str, list[Bar]] = {day: [] for day in DAYS}
    names = list(DAYS)
    for part in weekly:
        start, end = _minute(part["from"]), _minute(part["to"])
        for day in part["days"]:
            bars[day].append(Bar(start, end if end > start else DAY_MINUTES))
            if end <= start and end:
                bars[names[(names.index(day) + 1) % len(names)]].append(Bar(0, end))
    return {day: sorted(parts) for day, parts in bars.items()}


def month(first: date, exceptions: Iterable[Mapping[str, Any]]) -> list[list[MonthDay]]:
    """The weeks of the month that begins on this day, with the exceptions of its days."""
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    begin, end = weeks[0][0], weeks[-1][-1]
    found: dict[date, str] = {}
    for one in exceptions:
        day, until = date.fromisoformat(one["date"]), date.fromisoformat(one.get("until") or one["date"])
        day, text = max(day, begin), hours_text(sorted_parts(one.get("windows") or ()))
        while day <= min(until, end):
            found[day] = text
            day += timedelta(days=1)
    return [[MonthDay(day, found.get(day), day.month != first.month) for day in week] for week in weeks]


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
