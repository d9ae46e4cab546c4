"""`doorctl export`: the event report as a file, whole or not at all.

One rule: a running daemon records who asks for a report, and that the report was finished.
"""

from __future__ import annotations

import io
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.cli.history import filters, source
from edge.cli.meant import meant
from edge.cli.pages import ascending, newest
from edge.cli.text import say_json
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.reports.file import write_csv, written

if TYPE_CHECKING:
    import argparse
    from datetime import tzinfo

STDOUT: Final = "-"
SUFFIXES: Final = ("", ".csv", ".jsonl")
_SPREADSHEET: Final = ": Excel and LibreOffice open FILE.csv that was written with --spreadsheet"
OTHERS: Final = dict.fromkeys((".xlsx", ".xls", ".ods"), _SPREADSHEET)
"""What to do instead."""
LONGEST_NAME: Final = 200


def export(arguments: argparse.Namespace) -> int:
    """Write the event report. An existing file is replaced only by a complete one."""
    suffix = Path(arguments.file).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"no {suffix} can be written{OTHERS.get(suffix, '')}; expected FILE.csv, FILE.jsonl or -")
    filters(arguments, datetime.now(UTC))  # what is wrong is said before anybody is asked
    with closing(source(arguments)) as pages:
        zone = pages.zone()
        asked = meant(pages, filters(arguments, datetime.now(zone)))
    write = _write if arguments.log else _recorded
    count = write(arguments, asked, zone if arguments.spreadsheet else None)
    if arguments.file == STDOUT:
        return 0
    if arguments.json:
        say_json({"file": arguments.file, "records": count})
    else:
        sys.stderr.write(f"{count} records written to {arguments.file}\n")
    return 0


def _recorded(arguments: argparse.Namespace, asked: dict[str, Any], zone: tzinfo | None) -> int:
    """Write the records up to the request. The records about the report itself are not in it."""
    name = "standard output" if arguments.file == STDOUT else Path(arguments.file).name[-LONGEST_NAME:]
    limit = {"limit": arguments.limit} if arguments.limit else {}
    begun = _tell(arguments, action="create", name=name, filters=asked, **limit)
    try:
        count = _write(arguments, {**asked, "before": begun["through"] + 1}, zone)
    except BaseException:
        with suppress(RequestRefused, Unreachable):  # the first error is the one to show
            _tell(arguments, action="finished", export=begun["export"], records=0, code="given_up")
        raise
    _tell(arguments, action="finished", export=begun["export"], records=count)
    return count


def _tell(arguments: argparse.Namespace, **body: Any) -> Any:  # noqa: ANN401 -- JSON
    """Ask on a connection of its own: the daemon closes one that is silent while a long report is written."""
    with closing(Client(arguments.socket)) as client:
        return client.ask("export", **body)


def _write(arguments: argparse.Namespace, asked: dict[str, Any], zone: tzinfo | None) -> int:
    with closing(source(arguments)) as pages:
        records = newest(pages, asked, arguments.limit) if arguments.limit else ascending(pages, asked)
        if arguments.file != STDOUT:
            return written(Path(arguments.file), records, zone)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="")
        return write_csv(sys.stdout, records, zone)
