"""The event report as a file: CSV (RFC 4180, UTF-8) or JSON Lines, all of it or nothing.

One rule: a file is replaced only by a complete one.
"""

from __future__ import annotations

import csv
import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from edge.model.csv_cells import BYTE_ORDER_MARK, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
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
"""The first column in a CSV for spreadsheets."""


def written(path: Path, records: Iterable[dict[str, Any]], zone: tzinfo | None = None) -> int:
    """Write a report of CloudEvents; returns how many. An existing file is replaced only by a complete one.

    JSON Lines when the name ends in `.jsonl`, else CSV, which is for spreadsheets if a `zone` is given. Raises OSError
    and what `records` raises; then no partial file is left.
    """
    if path.suffix.lower() == ".jsonl":
        return whole(path, lambda out: write_jsonl(out, records))
    return whole(path, lambda out: write_csv(out, records, zone))


def whole(path: Path, write: Callable[[TextIO], int]) -> int:
    """Write a file with this function; an existing file is replaced only by a complete one. Raises OSError."""
    path = path.resolve()  # replace a link's target, not the link
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
    except OSError as error:
        if error.filename != str(partial):
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from None  # the name that somebody knows
    finally:
        partial.unlink(missing_ok=True)
    return count


def write_csv(out: TextIO, records: Iterable[dict[str, Any]], zone: tzinfo | None = None) -> int:
    """Write CSV row by row; returns how many records.

    With a `zone` it is for spreadsheets: it begins with a byte order mark, and each row with the local time in a form
    that they recognise.
    """
    if zone is not None:
        out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS if zone is None else (LOCAL, *COLUMNS))
    count = 0
    for record in records:
        row = [safe(value) for value in _row(record)]
        writer.writerow(row if zone is None else [_local(record["time"], zone), *row])
        count += 1
    return count


def write_table(
    out: TextIO, columns: Sequence[str], rows: Iterable[Sequence[object]], *, spreadsheet: bool = False
) -> int:
    """Write any table as CSV; returns how many rows. For a spreadsheet it begins with a byte order mark."""
    if spreadsheet:
        out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([safe(value) for value in row])
        count += 1
    return count


def _local(time: str, zone: tzinfo) -> str:
    return datetime.fromisoformat(time).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def write_jsonl(out: TextIO, records: Iterable[dict[str, Any]]) -> int:
    """Write one CloudEvent a line (https://jsonlines.org), as it is sent upstream; returns how many."""
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
