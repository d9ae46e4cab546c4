"""Where pages of history come from: a running daemon, or a log file.

One rule: whoever reads does not know which; a page is records as they look on the wire.
"""

from __future__ import annotations

import json
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from edge.client.connection import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from edge.client.connection import Client


class RecordPage(NamedTuple):
    """A page: records as they look on the wire, where the next begins, and how many were passed over."""

    records: list[dict[str, Any]]
    next: int | None
    skipped: int = 0


class Source(Protocol):
    """Pages of records by sequence."""

    def page(self, asked: dict[str, Any]) -> RecordPage:
        """What fits; `asked` is the body of the control socket's `events`."""

    def close(self) -> None:
        """Let go."""


class DaemonSource:
    """Pages from a running daemon."""

    def __init__(self, client: Client) -> None:
        """Takes the connection over."""
        self._client, self._answered = client, False

    def page(self, asked: dict[str, Any]) -> RecordPage:
        """See Source. Raises Refused and Unreachable."""
        try:
            answer = self._client.ask("events", **asked)
        except Unreachable:
            if not self._answered:
                raise
            self._client = self._client.again()  # it lets go of who reads one page for ten minutes
            answer = self._client.ask("events", **asked)
        self._answered = True
        return RecordPage(answer["records"], answer["next"], answer["skipped"])

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class FileSource:
    """Pages from a log file: of a dead daemon, or a copy."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when there is no such file, sqlite3.Error when it is no log."""
        from edge.log.reading.query import LogReader  # noqa: PLC0415 -- a daemon is asked without them
        from edge.model.cloudevents import Identity  # noqa: PLC0415 -- as above

        path.stat()
        self._directory: _Directory | None = None
        self._beside = path.with_name("directory.db")
        self._reader = LogReader(path)
        who = _object(self._reader.modes().get("controller", "{}"))
        self._identity = Identity(str(who.get("site", "unknown")), str(who.get("id", "unknown")), self._reader.epoch)

    def page(self, asked: dict[str, Any]) -> RecordPage:
        """See Source. OSError: the file is damaged here; ValueError: a group, and no directory beside the log."""
        from edge.model.cloudevents import cloudevent  # noqa: PLC0415 -- as above
        from edge.reports.search_words import query_of  # noqa: PLC0415 -- only a file is searched here

        if asked.get("group") and self._directory is None and self._beside.exists():
            self._directory = _directory(self._beside)
        query = query_of(asked, self._directory)
        try:
            page = self._reader.page(query)
        except self._reader.db.Error as error:
            raise OSError(f"the log cannot be read any further: {error}") from error
        records = [cloudevent(record, self._identity, replayed=False) for record in page.records]
        return RecordPage(records, page.next, page.skipped)

    def close(self) -> None:
        """Let the file go."""
        self._reader.close()


class _Group(NamedTuple):
    id: str
    name: str


class _Member(NamedTuple):
    user: str
    groups: frozenset[str]


class _Directory(NamedTuple):
    """Of a directory, who is in which group."""

    groups: dict[str, _Group]
    members: dict[str, _Member]


def _directory(path: Path) -> _Directory:
    """What a daemon stored of its directory, opened without changing it. ValueError for what is none.

    It was checked when it was stored, and to check it again takes longer than the search.
    """
    from edge.log.connections import connect_read_only  # noqa: PLC0415 -- as above

    with closing(connect_read_only(path)) as db:
        row = db.execute("SELECT document FROM directory").fetchone()
    if row is None:
        raise ValueError(f"{path} has no directory in it")
    try:
        known = json.loads(zlib.decompress(row[0]))
        groups, members = known.get("groups", ()), known.get("members", ())
        return _Directory(
            {one["id"]: _Group(one["id"], one["name"]) for one in groups},
            {one["id"]: _Member(one["user"], frozenset(one.get("groups", ()))) for one in members},
        )
    except (zlib.error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:  # somebody spoiled it: the records are still worth reading
        return {}
    return found if isinstance(found, dict) else {}
