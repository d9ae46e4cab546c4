"""Plain text for terminals: lines, columns, times and sizes, without control characters.

One rule: all output goes through `say` or `edge.model.printable`. So a name from a log or a wire cannot move the
cursor, hide a line or rename a window.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from edge.model.printable import in_json, spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOCALTIME: Final = Path("/etc/localtime")
MARKS: Final = {"alarm": "!!", "warning": " !"}
"""The mark before a line of this severity. Colour is never the only sign."""


def say(line: str = "") -> None:
    """Print one line."""
    sys.stdout.write(f"{spelt(line)}\n")


def say_json(value: object) -> None:
    """Print one JSON document on one line, for scripts; control characters are escaped."""
    sys.stdout.write(f"{in_json(json.dumps(value, ensure_ascii=False))}\n")


def table(rows: Iterable[Sequence[object]], heads: Sequence[str]) -> list[str]:
    """Lines with a heading and left-aligned columns."""
    cells = [list(heads), *([spelt("" if cell is None else cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def local_now() -> datetime:
    """Now, in the time zone of this computer or of TZ. It has the zone's rules, for times before a clock change."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return datetime.now(ZoneInfo(name))
        with LOCALTIME.open("rb") as rules:
            return datetime.now(ZoneInfo.from_file(rules))
    except (OSError, ValueError, KeyError):  # no such zone: use the offset of today
        return datetime.now().astimezone()


def local(iso: str | None) -> str:
    """An RFC 3339 time as local time, to the second."""
    if iso is None:
        return "-"
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


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


def event_line(record: Mapping[str, Any]) -> str:
    """One record on one line: time, alarm mark, door, sentence."""
    data = record["data"]
    subject = record["subject"].removeprefix("doors/")
    head = f"{local(record['time'])} {MARKS.get(data['severity'], '  ')} {spelt(subject):<12} {record['type']:<24}"
    seen = f" (--seen {int(record['sequence'])})" if "seen" in data["details"] else ""
    return f"{head} {spelt(data['message'])}{seen}"


class ClockDoubts:
    """Marks the records from which on the clock was not set, and from which on it was set again."""

    def __init__(self) -> None:
        """The clock counts as set at first."""
        self._doubted = False

    def before(self, record: Mapping[str, Any]) -> str | None:
        """The line to print before this record, if any."""
        doubted, self._doubted = self._doubted, record["data"]["clock"] == "unsynced"
        if doubted == self._doubted:
            return None
        return "--- the clock is set" if doubted else "--- the clock is not set: from here on times may be wrong"


def size(count: float) -> str:
    """A number of bytes as text."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 -- what a KiB is
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
