"""`doorctl events`: the history, read page by page. The whole log is never in memory."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from edge.cli.event_lines import EventLines
from edge.cli.meant import meant
from edge.cli.pages import ascending, newest
from edge.cli.text import say_json
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.client.sources import DaemonSource, FileSource
from edge.client.times import parse_time, to_us
from edge.model.alike import did_you_mean
from edge.model.catalogue import CATALOGUE
from edge.model.event_types import LOCK_FORCED_OPEN, LOCK_OPENED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from edge.client.sources import Source

DEFAULT_DAYS: Final = 90
AGAIN_S: Final = 2.0


def source(arguments: argparse.Namespace) -> Source:
    """The log file that was named, or the daemon."""
    return FileSource(arguments.log) if arguments.log else DaemonSource(Client(arguments.socket))


def filters(arguments: argparse.Namespace, now: datetime) -> dict[str, Any]:
    """The filters of a search, as the control socket takes them; times without a zone are in that of `now`.

    Raises ValueError for a wrong time or event type.
    """
    for name in arguments.type:
        if name not in CATALOGUE:
            near = did_you_mean(name, CATALOGUE) or f"; expected one such as {LOCK_OPENED}, {LOCK_FORCED_OPEN}, ..."
            raise ValueError(f"{name!r} is not an event type{near}")
    asked: dict[str, Any] = {}
    if arguments.since:
        asked["since_us"] = to_us(parse_time(arguments.since, now))
    elif not arguments.correlation:  # a passage is found at any time
        asked["since_us"] = to_us(now.astimezone(UTC) - timedelta(days=DEFAULT_DAYS))
    if arguments.until:
        asked["until_us"] = to_us(parse_time(arguments.until, now))
    if arguments.event_class:
        asked["class"] = arguments.event_class
    lists = ("door", "type", "user", "group", "outcome", "code", "text", "correlation")
    return asked | {name: given for name in lists if (given := getattr(arguments, name))}


def events(arguments: argparse.Namespace) -> int:
    """Print the history; with --follow also new records as they come."""
    if arguments.follow and (arguments.log or arguments.until):
        raise ValueError("--follow shows new records of a running daemon: use it without --log and --until")
    try:
        filters(arguments, datetime.now(UTC))  # what is wrong is said before anybody is asked
        last = 0
        with closing(source(arguments)) as pages:
            zone = pages.zone()
            asked = meant(pages, filters(arguments, datetime.now(zone)))
            show = say_json if arguments.json else EventLines(zone).show
            for record in newest(pages, asked, arguments.limit):
                show(record)
                last = int(record["sequence"])
        if arguments.follow:
            sys.stdout.flush()
            _follow(arguments, asked, last, show)
        elif last == 0:
            sys.stderr.write("doorctl: no record matches\n")  # that is an answer: exit code 0
    except KeyboardInterrupt:
        if not arguments.follow:
            raise
    return 0


def _follow(
    arguments: argparse.Namespace, asked: dict[str, Any], last: int, show: Callable[[dict[str, Any]], None]
) -> None:
    """Print new records until Ctrl-C. Waits for a daemon that is gone, and goes on where it was."""
    stream: str | None = None
    trouble: str | None = None
    while True:
        try:
            with Client(arguments.socket) as live, closing(DaemonSource(Client(arguments.socket))) as pages:
                for item in live.stream("watch"):
                    trouble = _say_trouble(trouble, None)
                    status = item.get("status")
                    if status and status["stream"] != stream:  # a new log counts from 1
                        stream, last = status["stream"], last if stream is None else 0
                    if status and status["log"]["committed"] <= last:
                        continue
                    for shown in _show_after(show, pages, asked, last, item):
                        last = shown  # after each record: the connection may break
        except (Unreachable, RequestRefused) as error:
            trouble = _say_trouble(trouble, str(error))
            time.sleep(AGAIN_S)


def _say_trouble(before: str | None, now: str | None) -> str | None:
    """Print a new error once, and once that it is over."""
    if now != before:
        sys.stderr.write(f"doorctl: {f'{now}; trying again' if now else 'the daemon is back'}\n")
    return now


def _show_after(
    show: Callable[[dict[str, Any]], None], pages: Source, asked: dict[str, Any], last: int, item: dict[str, Any]
) -> Iterator[int]:
    """Show the records after `last`, read from the log: the stream only says that there are new ones.

    Yields the sequence number after each record.
    """
    newest_known = int(item["record"]["sequence"]) if "record" in item else int(item["status"]["log"]["committed"])
    if newest_known <= last:
        return
    for record in ascending(pages, asked, last):
        show(record)
        last = int(record["sequence"])
        yield last
    sys.stdout.flush()
    yield max(newest_known, last)
