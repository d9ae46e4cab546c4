"""`doorctl events` and `doorctl export`: the history, page by page, never the whole log in memory."""

from __future__ import annotations

import csv
import json
import os
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from edge.cli.client import Client
from edge.cli.text import event_line, say, say_json
from edge.cli.times import parse_time, to_us

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

PAGE: Final = 500
DEFAULT_DAYS: Final = 90
NEWEST: Final = 10_000
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
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would run a cell that begins with one of these (OWASP: CSV injection)."""


class Source(Protocol):
    """Where pages of records come from: a running daemon or a file."""

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        """Records as they look on the wire, and where the next page begins."""

    def close(self) -> None:
        """Let go."""


class DaemonSource:
    """Pages from a running daemon."""

    def __init__(self, socket: Path) -> None:
        """Raises Unreachable."""
        self._client = Client(socket)

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        """See Source."""
        answer = self._client.ask("events", **asked)
        return answer["records"], answer["next"]

    def close(self) -> None:
        """Hang up."""
        self._client.__exit__(None, None, None)


class FileSource:
    """Pages from a log file: of a dead daemon, or a copy."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when there is no such file, sqlite3.Error when it is no log."""
        from edge.log_query import LogReader  # noqa: PLC0415 -- sqlite-utils is slow to import
        from edge.wire import Identity  # noqa: PLC0415 -- as above

        path.stat()
        self._reader = LogReader(path)
        who = json.loads(self._reader.modes().get("controller", "{}"))
        self._identity = Identity(str(who.get("site", "?")), str(who.get("id", "?")), self._reader.epoch)

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        """See Source."""
        from edge.log_query import Query  # noqa: PLC0415 -- as above
        from edge.wire import cloudevent  # noqa: PLC0415 -- as above

        page = self._reader.page(
            Query(
                asked.get("since_us"),
                asked.get("until_us"),
                tuple(asked.get("door", ())),
                tuple(asked.get("type", ())),
                asked.get("class"),
                after=asked.get("after") or 0,
                before=asked.get("before"),
                limit=asked["limit"],
                newest=asked.get("newest", False),
            )
        )
        return [cloudevent(record, self._identity, replayed=False) for record in page.records], page.next

    def close(self) -> None:
        """Let the file go."""
        self._reader.close()


def source(arguments: argparse.Namespace) -> Source:
    """The file that was named, or else the daemon."""
    return FileSource(arguments.log) if arguments.log else DaemonSource(arguments.socket)


def filters(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, in the words of the control socket. Raises ValueError for a time that is none."""
    now = datetime.now().astimezone()
    since = parse_time(arguments.since, now) if arguments.since else now - timedelta(days=DEFAULT_DAYS)
    asked: dict[str, Any] = {"since_us": to_us(since.astimezone(UTC)), "door": arguments.door, "type": arguments.type}
    if arguments.until:
        asked["until_us"] = to_us(parse_time(arguments.until, now))
    if arguments.event_class:
        asked["class"] = arguments.event_class
    return asked


def ascending(pages: Source, asked: dict[str, Any], after: int = 0) -> Iterator[dict[str, Any]]:
    """Everything above `after`, oldest first."""
    following: int | None = after
    while following is not None:
        records, following = pages.page({**asked, "after": following, "limit": PAGE})
        yield from records


def newest(pages: Source, asked: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    """The newest `limit`, oldest first: look back for where they begin, then read forward."""
    left = limit
    before: int | None = None
    records: list[dict[str, Any]] = []
    while left > 0:
        records, before = pages.page({**asked, "before": before, "limit": min(left, PAGE), "newest": True})
        left -= len(records)
        if before is None:
            break
    if limit <= PAGE:
        yield from reversed(records)
    elif before is None:
        yield from ascending(pages, asked)
    else:
        yield from ascending(pages, asked, int(records[-1]["sequence"]) - 1)


def events(arguments: argparse.Namespace) -> int:
    """Print the history, and go on with what comes when asked to."""
    show = say_json if arguments.json else lambda record: say(event_line(record))
    asked = filters(arguments)
    last = 0
    with closing(source(arguments)) as pages:
        for record in newest(pages, asked, arguments.limit):
            show(record)
            last = int(record["sequence"])
        if arguments.follow:
            sys.stdout.flush()
            _follow(arguments, pages, asked, last)
    return 0


def _follow(arguments: argparse.Namespace, pages: Source, asked: dict[str, Any], last: int) -> None:
    """The live stream only says that there is something; what it is comes from the log, without gaps."""
    show = say_json if arguments.json else lambda record: say(event_line(record))
    with Client(arguments.socket) as live:
        for _ in live.stream("watch"):
            for record in ascending(pages, asked, last):
                show(record)
                last = int(record["sequence"])
            sys.stdout.flush()


def export(arguments: argparse.Namespace) -> int:
    """Write the event report: all of it or nothing."""
    asked = filters(arguments)
    with closing(source(arguments)) as pages:
        records = newest(pages, asked, arguments.limit) if arguments.limit else ascending(pages, asked)
        if arguments.file == "-":
            count = write_csv(sys.stdout, records)
        else:
            path = Path(arguments.file)
            partial = path.with_name(f".{path.name}.{os.getpid()}.part")
            try:
                with partial.open("w", encoding="utf-8", newline="") as out:
                    count = write_csv(out, records)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
    if arguments.json:
        sys.stderr.write(json.dumps({"file": arguments.file, "records": count}) + "\n")
    else:
        sys.stderr.write(f"{count} records written to {arguments.file}\n")
    return 0


def write_csv(out: TextIO, records: Iterator[dict[str, Any]]) -> int:
    """RFC 4180, UTF-8; returns how many records."""
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
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
