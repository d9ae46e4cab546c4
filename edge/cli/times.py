"""Times as people write them: `2h`, `yesterday`, `2026-11-22`, `2026-11-22T21:57+01:00`.

One rule: pure; now is handed in, with the zone that a time without one is meant in.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
EXPECTED: Final = "expected a time such as 30m, 2h, 3d, today, yesterday, 2026-11-22 or 2026-11-22T21:57"


def parse_time(text: str, now: datetime) -> datetime:
    """The moment meant, in UTC. Raises ValueError with a sentence.

    `3d` is 72 hours ago, whatever the clocks did. `today`, `yesterday` and a date mean midnight in
    the zone of `now`, by that zone's rules on that day. An hour that a zone had twice is the first.
    """
    word = text.strip().lower()
    try:
        if word == "now":
            return now.astimezone(UTC)
        if word in {"today", "yesterday"}:
            day = now.date() - timedelta(days=word == "yesterday")
            return datetime(day.year, day.month, day.day, tzinfo=now.tzinfo).astimezone(UTC)
        if found := _AGO.fullmatch(word):
            return now.astimezone(UTC) - timedelta(seconds=int(found[1]) * _UNIT_S[found[2]])
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time, {EXPECTED}") from None


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
