"""Times as people write them: `2h`, `yesterday`, `2026-11-22`, `2026-11-22T21:57+01:00`.

One rule: pure functions; `now` is a parameter, and its zone applies to times without one.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)")
_CALENDAR: Final = re.compile(r"(this|last) (week|month|year)")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
EXPECTED: Final = (
    'expected a time such as 30m, 2h, 3d, today, yesterday, "last week", "last month", 2026-11-22 or 2026-11-22T21:57'
)


def parse_time(text: str, now: datetime) -> datetime:
    """A time in the past as people write it, in UTC. Raises ValueError with a sentence for people.

    `3d` is 72 hours ago, whatever the clocks did. `today`, `yesterday` and a date mean midnight in
    the zone of `now`, by that zone's rules on that day; `this` and `last` `week`, `month` or `year` mean where it
    began, a week on its Monday. An hour that a zone had twice is the first.
    """
    word = text.strip().lower()
    try:
        if word == "now":
            return now.astimezone(UTC)
        if word in {"today", "yesterday"}:
            day = now.date() - timedelta(days=word == "yesterday")
            return datetime(day.year, day.month, day.day, tzinfo=now.tzinfo).astimezone(UTC)
        if match := _CALENDAR.fullmatch(word):
            day = _beginning(now.date(), match[2], before=match[1] == "last")
            return datetime(day.year, day.month, day.day, tzinfo=now.tzinfo).astimezone(UTC)
        if match := _AGO.fullmatch(word):
            return now.astimezone(UTC) - timedelta(seconds=int(match[1]) * _UNIT_S[match[2]])
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time, {EXPECTED}") from None


def _beginning(day: date, of: str, *, before: bool) -> date:
    """The first day of the week, month or year that `day` is in, or of the one before."""
    if of == "week":
        return day - timedelta(days=day.weekday() + 7 * before)
    day = day.replace(day=1) if of == "month" else day.replace(month=1, day=1)
    return _beginning(day - timedelta(days=1), of, before=False) if before else day


def duration_s(text: str) -> float:
    """A duration in seconds: `7.5` or `90s`, `5m`, `8h`, `2d`, `1w`. Raises ValueError with a sentence for people."""
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?) ?([smhdw]?)", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no length of time, expected one such as 90s, 5m, 8h or 2d")
    return float(match[1]) * _UNIT_S[match[2] or "s"]


def parse_coming(text: str, now: datetime) -> datetime:
    """A time in the future, in the zone of `now`: `20:00` is today or else tomorrow. ValueError with a sentence."""
    try:
        clock = time.fromisoformat(text.strip()) if ":" in text[:3] else None
        if clock is None or clock.tzinfo is not None:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
        else:
            day = now.date() if clock > now.time() else now.date() + timedelta(days=1)
            moment = datetime.combine(day, clock, now.tzinfo)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time, expected one such as 20:00 or 2026-11-22T20:00") from None
    if moment <= now:
        raise ValueError(f"{text!r} is in the past")
    return moment


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
