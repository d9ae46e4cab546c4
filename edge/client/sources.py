"""Sources of history: a running daemon, or a log file.

One rule: both give the same pages, of records as they are sent upstream (CloudEvents).
"""

from __future__ import annotations

import json
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from edge.client.connection import RequestRefused, Unreachable
from edge.client.zones import local_zone, zone_of
from edge.model.alike import did_you_mean

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from edge.client.connection import Client


class RecordPage(NamedTuple):
    """A page: records as CloudEvents, where the next page begins (None: no more), and how many were passed over."""

    records: list[dict[str, Any]]
    next: int | None
    skipped: int = 0


class Source(Protocol):
    """A source of pages, in the order of sequence numbers."""

    def page(self, asked: dict[str, Any]) -> RecordPage:
        """One page of a search; `asked` is the body of the control socket's `events`."""

    def doors(self) -> dict[str, str]:
        """Id -> name of every door and elevator, as far as this source knows."""

    def zone(self) -> tzinfo:
        """The time zone of the controller, or of this computer."""

    def user(self, text: str) -> str:
        """The id of the user who is called or begins so. ValueError with a sentence for nobody and for several."""

    def close(self) -> None:
        """Release the connection or file."""


def doors_of(status: dict[str, Any]) -> dict[str, str]:
    """Id -> name of every door and elevator of a daemon's status."""
    every = {**status["elevators"], **status["doors"]}
    return {key: str(one.get("name") or key) for key, one in every.items()}


class DaemonSource:
    """Pages from a running daemon."""

    def __init__(self, client: Client) -> None:
        """Takes over the connection, and closes it in the end."""
        self._client, self._answered = client, False

    def page(self, asked: dict[str, Any]) -> RecordPage:
        """See Source. Raises RequestRefused and Unreachable; ValueError for an unknown group."""
        try:
            answer = self._client.ask("events", **asked)
        except RequestRefused as error:
            if error.code != "unknown_group":
                raise
            raise ValueError(str(error)) from None
        except Unreachable:
            if not self._answered:
                raise
            self._client = self._client.again()  # the daemon ends a connection that is idle for ten minutes
            answer = self._client.ask("events", **asked)
        self._answered = True
        return RecordPage(answer["records"], answer["next"], answer["skipped"])

    def doors(self) -> dict[str, str]:
        """See Source."""
        return doors_of(self._client.ask("status"))

    def zone(self) -> tzinfo:
        """See Source."""
        return zone_of(self._client.ask("status"))

    def user(self, text: str) -> str:
        """See Source."""
        try:
            return str(self._client.ask("person", who=text)["person"]["user"])
        except RequestRefused as error:
            if error.code not in {"unknown_person", "ambiguous"}:
                raise
            raise ValueError(str(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class FileSource:
    """Pages from a log file: of a dead daemon, or a copy."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when there is no such file, sqlite3.Error when it is no log."""
        from edge.log.reading.query import LogReader  # noqa: PLC0415 -- not needed to ask a daemon
        from edge.model.cloudevents import Identity  # noqa: PLC0415 -- as above

        path.stat()
        self._directory: _Directory | None = None
        self._beside = path.with_name("directory.db")
        self._reader = LogReader(path)
        who = _object(self._reader.modes().get("controller", "{}"))
        self._identity = Identity(str(who.get("site", "unknown")), str(who.get("id", "unknown")), self._reader.epoch)

    def page(self, asked: dict[str, Any]) -> RecordPage:
        """See Source. OSError where the file is damaged; ValueError for a group without a directory beside the log."""
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

    def doors(self) -> dict[str, str]:
        """See Source: those of the newest records."""
        found = {}
        for record in reversed(self._newest()):
            kind, _, door = str(record["subject"] or "").partition("/")
            if kind == "doors":
                found[door] = str(record["data"]["object"]["name"] or door)
        return found

    def zone(self) -> tzinfo:
        """See Source: this computer's, since a log has times alone."""
        return local_zone()

    def user(self, text: str) -> str:
        """See Source: nobody, a log knows only who acted; those of the newest records may be meant."""
        actors = [record["data"]["actor"] or {} for record in self._newest()]
        names = {str(name) for actor in actors for key in ("name", "email", "id") if (name := actor.get(key))}
        raise ValueError(f"no record has an actor {text!r}{did_you_mean(text, sorted(names))}")

    def _newest(self) -> list[dict[str, Any]]:
        return self.page({"newest": True}).records

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class _Group(NamedTuple):
    id: str
    name: str


class _Member(NamedTuple):
    user: str
    groups: frozenset[str]


class _Directory(NamedTuple):
    """The groups and members of a directory."""

    groups: dict[str, _Group]
    members: dict[str, _Member]


def _directory(path: Path) -> _Directory:
    """Read a daemon's stored directory, read-only. ValueError when the file has none.

    It is not checked again: it was when it was stored, and the check takes longer than the search.
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
            {group["id"]: _Group(group["id"], group["name"]) for group in groups},
            {member["id"]: _Member(member["user"], frozenset(member.get("groups", ()))) for member in members},
        )
    except (zlib.error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:  # damaged: the records can still be read
        return {}
    return value if isinstance(value, dict) else {}
