"""`doorctl export`: the event report as CSV (RFC 4180, UTF-8), all of it or nothing.

One rule: a spreadsheet must never run what a card holder was named.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from edge.cli.history import ascending, filters, newest, source
from edge.cli.text import say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

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
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet may run a cell that begins so (https://owasp.org/www-community/attacks/CSV_Injection)."""


def export(arguments: argparse.Namespace) -> int:
    """Write the event report; an existing file is replaced only by a whole one."""
    asked = filters(arguments)
    with closing(source(arguments)) as pages:
        records = newest(pages, asked, arguments.limit) if arguments.limit else ascending(pages, asked)
        if arguments.file == "-":
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8", newline="")
            count = write_csv(sys.stdout, records)
        else:
            count = _to_file(Path(arguments.file), records)
    if arguments.file == "-":
        return 0
    if arguments.json:
        say_json({"file": arguments.file, "records": count})
    else:
        sys.stderr.write(f"{count} records written to {arguments.file}\n")
    return 0


def _to_file(path: Path, records: Iterator[dict[str, Any]]) -> int:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("x", encoding="utf-8", newline="") as out:
            count = write_csv(out, records)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def write_csv(out: TextIO, records: Iterable[dict[str, Any]]) -> int:
    """Row by row; returns how many records."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    count = 0
    for record in records:
        writer.writerow([_cell(value) for value in _row(record)])
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
    """An apostrophe makes a spreadsheet take the cell for text; blanks before a formula do not help it."""
    if value is None:
        return ""
    text = isinstance(value, str) and (value.startswith(FORMULA) or value.lstrip().startswith(FORMULA))
    return f"'{value}" if text else value
