"""Plain text for terminals: columns, times, and nothing in it that a terminal would obey.

One rule: whatever came from a log or a wire is made printable before it is shown.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def printable(value: object) -> str:
    """Text with control characters made visible."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def say(line: str = "") -> None:
    """One line for the technician."""
    sys.stdout.write(f"{line}\n")


def say_json(value: object) -> None:
    """One JSON document on one line: what scripts read."""
    say(json.dumps(value, ensure_ascii=False))


def table(rows: Iterable[Sequence[object]], heads: Sequence[str]) -> list[str]:
    """Left-aligned columns, as wide as they must be."""
    cells = [list(heads), *([printable("" if cell is None else cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def local(iso: str | None) -> str:
    """A time of the wire as this computer's local time, to the second."""
    if iso is None:
        return "-"
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(iso: str, now: datetime | None = None) -> str:
    """How long ago a time of the wire was, roughly."""
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(iso)).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def event_line(record: Mapping[str, Any]) -> str:
    """One record on one line: time, alarm mark, door, sentence."""
    data = record["data"]
    mark = {"alarm": "!!", "warning": " !"}.get(data["severity"], "  ")
    subject = record["subject"].removeprefix("doors/")
    doubt = " (clock unsynced)" if data["clock"] == "unsynced" else ""
    head = f"{local(record['time'])} {mark} {printable(subject):<12} {record['type']:<24}"
    return f"{head} {printable(data['message'])}{doubt}"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 -- what a KiB is
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
