"""Which moment is asked about: `now`, `22:00`, `sun 22:00`, `tomorrow 08:00`, `2026-12-24T10:00`.

One rule: a time without an offset is local to the site, as schedules are; a time without a date is the next one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from edge.model.schedule import moment

if TYPE_CHECKING:
    from datetime import tzinfo

EXPECTED: Final = "expected now, or a time such as 22:00, sun 22:00, tomorrow 08:00 or 2026-12-24T10:00"
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RELATIVE: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WORDS: Final = re.compile(r"(?:([a-z]{3,9}) +)?([0-9]{1,2}:[0-9]{2})")
_YEARS: Final = range(1971, 9900)
"""Schedules know no others."""


def parse_at(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The moment, in UTC; `now` has an offset, and `zone` is the site's. Raises ValueError with a sentence."""
    word = text.strip().lower()
    try:
        if word == "now":
            return now.astimezone(UTC)
        local = _from_words(word, now.astimezone(zone).replace(tzinfo=None)) or datetime.fromisoformat(text.strip())
        if local.year not in _YEARS:
            raise ValueError(f"{local.year} is out of range")  # noqa: TRY301 -- with all that is no time
        return moment(zone, local)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time, {EXPECTED}") from None


def _from_words(word: str, now: datetime) -> datetime | None:
    """A local time; None when these are no such words."""
    found = _WORDS.fullmatch(word)
    if found is None:
        return None
    day, clock = found[1], time.fromisoformat(f"{found[2]:0>5}")
    today = datetime.combine(now.date(), clock)
    if day is None:
        return today if today >= now.replace(second=0, microsecond=0) else today + timedelta(days=1)
    if day in _RELATIVE:
        return today + timedelta(days=_RELATIVE[day])
    [weekday] = [number for number, name in enumerate(_DAYS) if name.startswith(day)]
    coming = today + timedelta(days=(weekday - now.weekday()) % len(_DAYS))
    return coming if coming >= now.replace(second=0, microsecond=0) else coming + timedelta(days=len(_DAYS))
