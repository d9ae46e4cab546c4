"""The records about event reports: who asked for one, and that it was finished.

One rule: a report ends with the moment in which it was requested; the records about it are not part of it.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge.model.event_types import EVENT_EXPORT_CREATE, EVENT_EXPORT_DOWNLOAD, EVENT_EXPORT_FINISHED
from edge.model.messages import Actor, Event, Subject
from edge.reports.search_words import UnknownGroupError, members
from edge.reports.searches import Filters
from edge.socket.server import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.directory.directory import Directory
    from edge.log.log import Log
    from edge.model.messages import Json
    from edge.system.clock import Clock

MOST_OPEN: Final = 64
"""Reports that are being written; above this the oldest is forgotten and its end is not recorded."""

MOST_SHOWN: Final = 1_000
"""Characters of filters in a record, so that nobody can fill the log with long filters."""


class _Create(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["create"]
    name: str = Field(min_length=1, max_length=200)
    limit: int | None = Field(None, ge=1, le=2**53)
    """Only so many of the newest records."""
    filters: Filters = Field(default_factory=lambda: Filters.model_validate({}))


class _Download(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["download"]
    export: str = Field(max_length=100)


class _Finished(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["finished"]
    export: str = Field(max_length=100)
    records: int = Field(ge=0, le=2**53)
    code: str | None = Field(None, pattern="^[a-z_]{1,40}$")
    """Why it was given up; None: it is complete."""


_ASK: Final[TypeAdapter[_Create | _Download | _Finished]] = TypeAdapter(
    Annotated[_Create | _Download | _Finished, Field(discriminator="action")]
)


class Exports:
    """Records `event_export.create`, `event_export.download` (while it is open) and `event_export.finished`."""

    def __init__(self, log: Log, clock: Clock, directory: Callable[[], Directory]) -> None:
        """No report is being written."""
        self._log, self._clock, self._directory = log, clock, directory
        self._open: OrderedDict[str, tuple[Actor, Subject, dict[str, Json]]] = OrderedDict()

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """The control socket's `export`. ValidationError for a malformed request, RequestError for a refused one."""
        ask = _ASK.validate_python(body)
        if isinstance(ask, _Create):
            try:
                members(self._directory(), ask.filters.group)
            except UnknownGroupError as error:
                raise RequestError("unknown_group", str(error)) from None
            through = self._log.committed
            filters = shown(ask.filters) | ({} if ask.limit is None else {"limit": ask.limit})
            return {"export": self.create(ask.name, filters, actor), "through": through}
        known = self._open.get(ask.export)
        if known is None or known[0] != actor:
            raise RequestError("unknown_export", f"no report {ask.export!r} of yours is being written")
        if isinstance(ask, _Download):
            self._record(EVENT_EXPORT_DOWNLOAD, known[1], actor, {"filters": known[2]})
        else:
            self.finished(ask.export, ask.records, ask.code)
        return {}

    def create(self, name: str, filters: dict[str, Json], actor: Actor) -> str:
        """Record that somebody requests a report; returns its id."""
        export = f"export-{secrets.token_hex(8)}"
        subject = Subject("event_export", export, name)
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)
        self._open[export] = (actor, subject, filters)
        self._record(EVENT_EXPORT_CREATE, subject, actor, {"filters": filters})
        return export

    def finished(
        self, export: str, records: int, code: str | None = None, also: Mapping[str, Json] | None = None
    ) -> None:
        """Record that a report is complete or, with a code, given up. KeyError when it is not being written."""
        actor, subject, filters = self._open.pop(export)
        details: dict[str, Json] = {"rows": records, "filters": filters, **(also or {})}
        self._record(EVENT_EXPORT_FINISHED, subject, actor, details, code)

    def _record(
        self, kind: str, subject: Subject, actor: Actor, details: dict[str, Json], code: str | None = None
    ) -> None:
        at_ns = self._clock.now_ns()
        event = Event(
            kind, at_ns, subject, actor, success=code is None, code=code, correlation=subject.id, details=details
        )
        self._log.append([event])


def shown(filters: Filters) -> dict[str, Json]:
    """The filters for a record; above `MOST_SHOWN` the longest are replaced by their number of values."""
    given: dict[str, Json] = filters.model_dump(by_alias=True, exclude_defaults=True)
    longest = sorted(given, key=lambda name: len(repr(given[name])))
    while len(repr(given)) > MOST_SHOWN:
        name = longest.pop()
        value = given[name]
        given[name] = f"{len(value)} values" if isinstance(value, list) else "cut"
    return given
