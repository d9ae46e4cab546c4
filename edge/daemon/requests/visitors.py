"""The socket's `visitor`: somebody may pass some doors for a few hours.

One rule: a visit always has an end, and the answer says which, and what hinders it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from edge.daemon.requests.desk import DeskAsk
from edge.daemon.requests.people_changes import LONGEST, MAKE, Text
from edge.people.changing import DeskError
from edge.people.visitors import Visit, visit_until, visiting
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.access.people import People
    from edge.daemon.requests.people_changes import PeopleChanges
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.model.messages import Actor, Json
    from edge.people.changing import PersonPlan

MOST_DOORS: Final = 64
NOT_SET: Final = "the clock is not set: until it is, doors cannot tell when this visit is over"


class _Visitor(DeskAsk):
    name: str = Field(max_length=LONGEST)
    doors: list[str] = Field(max_length=MOST_DOORS)
    until: str | None = Text
    card: str | None = Text
    pin: str | None = Field(None, max_length=LONGEST, repr=False)


class VisitorDesk:
    """Serves the request."""

    def __init__(self, people: People, runner: Runner, changes: PeopleChanges) -> None:
        """`changes` puts an edit in force."""
        self._people, self._runner, self._changes = people, runner, changes

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """Enter a visitor. The answer is that of `change_person`, with `doors`."""
        ask = _Visitor.model_validate(body)
        moment = self._people.timetable.moment()
        try:
            until, note = visit_until(ask.until, moment.at, self._people.zone)
        except DeskError as error:
            raise RequestError(error.code, str(error)) from None
        notes = [one for one in (note, None if moment.trusted else NOT_SET) if one]
        names = {key: door.name for key, door in self._runner.doors.items()}
        visit = Visit(ask.name, ask.doors, until, ask.card, await self._changes.pin_of(ask.pin))
        where: list[str] = []

        def plan(directory: Directory) -> Generator[None, None, PersonPlan]:
            planned = yield from visiting(directory, visit, names, self._changes.seen(), moment.at_least)
            planned.plan.notes[:0] = notes
            where[:] = planned.doors
            return planned.plan

        done, answer = await self._changes.edited(plan, None, actor)
        answer |= {"id": done.id, "name": done.name, "time_zone": str(self._people.zone)}
        answer["valid_until"] = until.isoformat(timespec="minutes")
        answer["doors"] = [{"id": door, "name": names[door]} for door in where]
        return answer | {"pin": visit.pin} if ask.pin == MAKE and answer["done"] else answer
