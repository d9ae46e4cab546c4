"""The socket's `passages`: the history in pages of one row for each passage.

One rule: the search is that of `events`; names of doors and groups are those of today, where they still exist.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from edge.log.reading.passages import PassagesPage, passages
from edge.model.cloudevents import rfc3339
from edge.reports.passages import passage
from edge.reports.search_words import UnknownGroupError
from edge.reports.searches import Filters
from edge.socket.server import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Actor, Json
    from edge.reports.passages import Passage

MOST: Final = 100
"""Passages of one page."""
AT_ONCE: Final = 16
"""Passages that are told in one piece. Then doors have their turn."""


class _Passages(Filters):
    after: int | None = Field(None, ge=0, le=2**62)
    before: int | None = Field(None, ge=0, le=2**62)
    limit: int = Field(50, ge=1, le=MOST)


class Passages:
    """Serves `passages`: the newest first, `next` is the `before` of the next page (None: no more)."""

    def __init__(self, log: Log, runner: Runner, directory: Callable[[], Directory]) -> None:
        """`directory` returns the one in force."""
        self._log, self._runner, self._directory = log, runner, directory

    async def serve(self, body: dict[str, Any], _actor: Actor) -> Json:
        """One page of a search. Raises RequestError, ValidationError and LogUnavailableError."""
        ask = _Passages.model_validate(body)
        try:
            query = ask.query(self._directory())
        except UnknownGroupError as error:
            raise RequestError("unknown_group", str(error)) from None
        page: PassagesPage = await self._log.look(lambda reader: passages(reader, query))
        rows: list[Json] = []
        for number, records in enumerate(page.passages):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # doors come first
            rows.append(self._told(passage(records)))
        return {"passages": rows, "next": page.next}

    def _told(self, one: Passage) -> Json:
        groups, doors = self._directory().groups, self._runner.doors
        row = one.to_json()
        details = row["details"]
        assert isinstance(details, dict)  # noqa: S101 -- our own mistake
        group, door, held_by = details.get("group"), one.shown.event.door, details.get("held_by")
        if group in groups:
            details["group"] = groups[str(group)].name
        if held_by in doors:
            details["held_by"] = doors[str(held_by)].name
        if door is not None and door in doors:
            row["where"] = doors[door].name
        return {**row, "time": rfc3339(one.first.time_us), "until": rfc3339(one.last.time_us)}
