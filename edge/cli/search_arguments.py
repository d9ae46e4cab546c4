"""What `doorctl events` and `export` take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.parsing import whole_number

if TYPE_CHECKING:
    import argparse


def _history(made: argparse.ArgumentParser, limit: int | None) -> None:
    made.add_argument(
        "--since", help="from this time on: 30m, 2h, yesterday, 'last month', 2026-11-22 ... (90 days ago)"
    )
    made.add_argument("--until", help="before this time, as --since")
    made.add_argument("--door", action="append", default=[], help="a door's id or name, may be repeated")
    made.add_argument("--type", action="append", default=[], help="an event type, may be repeated")
    made.add_argument("--user", action="append", default=[], help="an actor's id, name or e-mail, may be repeated")
    made.add_argument("--group", action="append", default=[], help="a group's id or name, may be repeated")
    made.add_argument("--class", dest="event_class", choices=("access", "audit"))
    made.add_argument("--outcome", choices=("granted", "refused"), help="only what was granted, or refused")
    made.add_argument("--code", action="append", default=[], help="the code of a refusal, may be repeated")
    made.add_argument("--correlation", help="the id that the events of one passage share; without --since at any time")
    made.add_argument("--text", help="text in a name, an e-mail address, the code, the type or the details")
    made.add_argument("--limit", type=whole_number, default=limit, metavar="N", help="only the newest N")
    made.add_argument("--log", type=Path, metavar="FILE", help="read this log file instead of asking the daemon")


def events(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    """`doorctl events`."""
    _history(made, 10_000)
    made.add_argument("--follow", action="store_true", help="keep running, and print new records as they come")


def export(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    """`doorctl export`."""
    made.add_argument("file", metavar="FILE", help="FILE.csv, FILE.jsonl, or - for CSV on standard output")
    made.add_argument("--spreadsheet", action="store_true", help="CSV with a byte order mark and a column local_time")
    _history(made, None)
