"""The socket's `people`, `person` and `proposals`: who there is, for those at a desk.

One rule: what is found and said is `edge.people`'s; here it is asked and answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from edge.access.edits import elsewhere
from edge.daemon.requests.desk import DeskAsk, PersonAsk, found
from edge.daemon.requests.last_seen import LastSeen
from edge.people.cards import holders_of
from edge.people.facts import door_facts, is_visitor, person_facts
from edge.people.finding import finding
from edge.people.roll import LONGEST_CURSOR, Roll
from edge.people.slices import aside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence
    from typing import TypeVar

    from edge.access.people import People
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Actor, Json
    from edge.people.finding import Somebody

    T = TypeVar("T")

MOST: Final = 500
"""People on a page."""
LONGEST: Final = 200
MOST_PROPOSED: Final = 6


class _People(DeskAsk):
    text: str = Field("", max_length=LONGEST)
    after: str = Field("", max_length=LONGEST_CURSOR)
    limit: int = Field(100, ge=1, le=MOST)
    visitors: bool | None = None


class _Person(PersonAsk):
    who: str = Field(min_length=1, max_length=LONGEST)


class _Proposals(DeskAsk):
    text: str = Field(min_length=1, max_length=LONGEST)


class PeopleLooks:
    """Serves what is asked about people."""

    def __init__(self, people: People, runner: Runner, log: Log) -> None:
        """`people` has the directory in force."""
        self._people, self._runner = people, runner
        self._seen = LastSeen(log)
        self._roll = Roll()
        self._made = 0
        people.directory.listeners.append(self._changed)
        self.ops: dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]] = {
            "people": self._list,
            "person": self._person,
            "proposals": self._proposals,
        }

    def _changed(self, _directory: Directory) -> None:
        self._made += 1

    def ordering(self) -> Generator[None, None, Sequence[str]]:
        """Everybody of the directory that is in force now, in the order of their names (`Roll.order`)."""
        return self._roll.order(self._people.directory.in_force, self._made)

    async def _list(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _People.model_validate(body)
        directory, made = self._people.directory.in_force, self._made
        holders = await aside(holders_of(directory, ask.text)) if ask.text else ()
        fits = None if ask.visitors is None else lambda one: is_visitor(one) is ask.visitors
        page = await aside(
            self._roll.page(
                directory, made, text=ask.text, holders=holders, fits=fits, after=ask.after, limit=ask.limit
            )
        )
        people = await self._told(directory, page.people)
        return {**self._head(directory), "total": page.total, "next": page.next, "people": [*people]}

    async def _proposals(self, body: dict[str, Any], _actor: Actor) -> Json:
        """Whose name, e-mail address or id has a text: for a search of the history. Cards are not looked into."""
        ask = _Proposals.model_validate(body)
        roll = self._roll.page(self._people.directory.in_force, self._made, text=ask.text, limit=MOST_PROPOSED)
        found = await aside(roll)
        return {"people": [{"id": one.user.id, "name": one.user.name} for one in found.people]}

    async def _person(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _Person.model_validate(body)
        directory = self._people.directory.in_force
        somebody = await found(finding(directory, ask.who, by_id=ask.by_id))
        [facts] = await self._told(directory, [somebody])
        doors = door_facts(directory, somebody.member, self._names())
        return {**self._head(directory), "person": {**facts, "doors": doors}}

    def _head(self, directory: Directory) -> dict[str, Json]:
        where = elsewhere(self._people.managed, upstream=False)
        managed: Json = {"here": where is None, "text": where}
        return {"version": directory.version, "time_zone": str(self._people.zone), "managed": managed}

    async def _told(self, directory: Directory, people: Sequence[Somebody]) -> list[dict[str, Json]]:
        seen = await self._seen.of(dict.fromkeys(one.user.id for one in people), self._names())
        known = self._people.timetable.moment().at_least
        return [person_facts(directory, one, known, seen.get(one.user.id)) for one in people]

    def _names(self) -> dict[str, str]:
        return {key: door.name for key, door in self._runner.doors.items()}
