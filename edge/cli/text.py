"""Plain text for terminals: lines, times and sizes, without control characters.

One rule: all output goes through `say` or `edge.model.printable`. So a name from a log or a wire cannot move the
cursor, hide a line or rename a window.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from edge.cli.terminal import painted
from edge.model.printable import in_json, spelt

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge.cli.terminal import Kind

MARKS: Final[dict[str, str]] = {"alarm": "!!", "warning": " !"}
"""The mark before a line of this severity. Colour is never the only sign."""


def say(line: str = "", kind: Kind = "") -> None:
    """Print one line, in the colour of its kind where that is wanted."""
    sys.stdout.write(f"{painted(spelt(line), kind)}\n")


def say_json(value: object) -> None:
    """Print one JSON document on one line, for scripts; control characters are escaped."""
    sys.stdout.write(f"{in_json(json.dumps(value, ensure_ascii=False))}\n")


def local(iso: str | None, zone: tzinfo) -> str:
    """An RFC 3339 time in this zone, to the second."""
    return "-" if iso is None else f"{datetime.fromisoformat(iso).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def on_site(iso: str, zone: str) -> str:
    """A time as the site's local time, in whole minutes."""
    try:
        return f"{datetime.fromisoformat(iso).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    except (ValueError, KeyError):  # this computer does not know the zone
        return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M %Z}"


def until_words(iso: str, zone: str) -> str:
    """The end of something in the site's local time: `until today 18:00`, `until midnight`, or with its date."""
    now, end = datetime.now(UTC), datetime.fromisoformat(iso)
    today, day, day_before = (on_site(at.isoformat(), zone)[:10] for at in (now, end, end - timedelta(minutes=1)))
    clock = on_site(iso, zone)[11:]
    if day == today:
        return f"until today {clock}"
    return "until midnight" if day_before == today else f"until {day} {clock}"


def ago(iso: str, now: datetime | None = None) -> str:
    """How long ago an RFC 3339 time was, roughly."""
    return span((now or datetime.now(UTC)).timestamp() - datetime.fromisoformat(iso).timestamp())


def span(seconds: float) -> str:
    """A duration, roughly."""
    for length_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def size(count: float) -> str:
    """A number of bytes as text."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 -- what a KiB is
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
