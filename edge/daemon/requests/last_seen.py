"""When people were last seen at a reader: from the history, kept while doord runs.

One rule: each person is looked for in the history once; after that only new records count.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from edge.log.log import LogUnavailableError
from edge.log.reading.filters import Query
from edge.model.event_types import READER_ACCESS
from edge.system.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.log.log import Log
    from edge.model.messages import Json, Record

MOST_KEPT: Final = 20_000
"""People whose last record is kept; who is forgotten is looked for again."""
PAGE: Final = 200
MOST_PAGES: Final = 500
"""Pages of the history in one search; one page looks at no more than 65,536 records."""


class LastSeen:
    """The last `reader.access` of each user who was asked for, or who came since."""

    def __init__(self, log: Log) -> None:
        """Follows the log from now on."""
        self._log = log
        self._known: dict[str, dict[str, Json] | None] = {}
        """User -> where and when; None: never. The longest unasked first."""
        log.on_commit(self._committed)

    async def of(self, users: Iterable[str], doors: Mapping[str, str]) -> dict[str, dict[str, Json] | None]:
        """For each of these users `{at, door, name, code}`, or None; without those for whom the log cannot be read now.

        `doors` are the names of the configured doors, by id.
        """
        wanted = [*users]
        with suppress(LogUnavailableError):
            await self._search({user for user in wanted if user not in self._known})
        found: dict[str, dict[str, Json] | None] = {}
        for user in wanted:
            if user in self._known:
                seen = self._known[user]
                found[user] = seen and seen | {"name": doors.get(str(seen["door"]), seen["name"])}
        self._forget()
        return found

    async def _search(self, users: set[str]) -> None:
        """Look for all of them at once, from the newest record on; who is found is not looked for any further."""
        before: int | None = None
        for _ in range(MOST_PAGES if users else 0):
            people = tuple(sorted(users))
            query = Query(types=(READER_ACCESS,), people=people, newest=True, before=before, limit=PAGE)
            page = await self._log.query(query)
            for record in page.records:
                actor = record.event.actor
                if actor is not None and actor.id in users:
                    users.remove(actor.id)
                    self._known.setdefault(actor.id, _told(record))  # unless they have passed meanwhile
            before = page.next
            if before is None or not users:
                break
        for user in users:
            self._known.setdefault(user, None)

    def _committed(self, records: Sequence[Record]) -> None:
        for record in records:
            actor = record.event.actor
            if record.event.type == READER_ACCESS and actor is not None and actor.kind == "user":
                self._known.pop(actor.id, None)
                self._known[actor.id] = _told(record)
        self._forget()

    def _forget(self) -> None:
        while len(self._known) > MOST_KEPT:
            del self._known[next(iter(self._known))]


def _told(record: Record) -> dict[str, Json]:
    event = record.event
    return {
        "at": iso(record.time_us),
        "door": event.door or event.object.id.removesuffix(".reader"),
        "name": event.object.name.removesuffix(" reader"),
        "code": event.code,
    }
