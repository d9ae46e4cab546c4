"""The event report as a file: CSV (RFC 4180, UTF-8) or JSON Lines, all of it or nothing.

One rule: a spreadsheet must never run what a card holder was named.
"""

from __future__ import annotations

import csv
import json
import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import tzinfo
    from pathlib import Path

COLUMNS: Final = (
    "time",
    "sequence",
    "type",
    "class",
    "severity",
    "success",
    "code",
    "subject",
    "object_type",
    "object_id",
    "object_name",
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_email",
    "cause",
    "message",
    "correlation",
    "clock",
    "id",
    "details",
)
LOCAL: Final = "local_time"
"""The column before these in what is meant for a spreadsheet."""
FORMULA: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""A spreadsheet may run a cell that begins with one of these, also in full width
(https://owasp.org/www-community/attacks/CSV_Injection)."""
BEGINS: Final = re.compile(rf"""((?:^|[;|\t\r\n])[\s"]*+)(?=[{FORMULA}])""")
"""Where a formula could begin, also behind what parts cells where the comma is the decimal sign."""


def written(path: Path, records: Iterable[dict[str, Any]], zone: tzinfo | None = None) -> int:
    """Write a report of CloudEvents and say how many; a file that was there is replaced only by a whole one.

    JSON Lines when the name ends in `.jsonl`; else CSV, for a spreadsheet if it has a `zone`. Raises OSError, and
    what `records` raises: then nothing is left behind.
    """
    if path.suffix.lower() == ".jsonl":
        return _whole(path, lambda out: write_jsonl(out, records))
    return _whole(path, lambda out: write_csv(out, records, zone))


def _whole(path: Path, write: Callable[[TextIO], int]) -> int:
    path = path.resolve()  # what a link leads to is meant
    if (there := path.exists()) and not path.is_file():
        raise OSError(f"{path} is no plain file: a report is written beside it and takes its place")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("x", encoding="utf-8", newline="") as out:
            if there:
                os.fchmod(out.fileno(), path.stat().st_mode & 0o777)
            count = write(out)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def write_csv(out: TextIO, records: Iterable[dict[str, Any]], zone: tzinfo | None = None) -> int:
    """Row by row; returns how many records.

    With a `zone` it is what a spreadsheet shows rightly when it is opened: a byte order mark, and before each row the
    time there, in a form that is taken for one.
    """
    if zone is not None:
        out.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS if zone is None else (LOCAL, *COLUMNS))
    count = 0
    for record in records:
        row = [_cell(value) for value in _row(record)]
        writer.writerow(row if zone is None else [_local(record["time"], zone), *row])
        count += 1
    return count


def _local(time: str, zone: tzinfo) -> str:
    return datetime.fromisoformat(time).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def write_jsonl(out: TextIO, records: Iterable[dict[str, Any]]) -> int:
    """One CloudEvent a line (https://jsonlines.org), as it looks on the wire; returns how many."""
    count = 0
    for record in records:
        out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
        count += 1
    return count


def _row(record: dict[str, Any]) -> list[Any]:
    data, thing, actor = record["data"], record["data"]["object"], record["data"]["actor"] or {}
    return [
        record["time"],
        int(record["sequence"]),
        record["type"],
        data["class"],
        data["severity"],
        str(data["success"]).lower(),
        data["code"],
        record["subject"],
        thing["type"],
        thing["id"],
        thing["name"],
        actor.get("kind"),
        actor.get("id"),
        actor.get("name"),
        actor.get("email"),
        data["cause"],
        data["message"],
        data["correlation"],
        data["clock"],
        record["id"],
        json.dumps(data["details"], ensure_ascii=False),
    ]


def _cell(value: object) -> object:
    """An apostrophe makes a spreadsheet take a cell for text; blanks before a formula do not help it."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = BEGINS.sub(r"\1'", value)
    return spelt(f"'{text}" if text.startswith(("\t", "\r", "\n")) else text)
