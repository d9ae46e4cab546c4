"""The socket's `access`, `groups` and `schedules`: who may pass where and when, and why somebody may not.

One rule: what is looked through is looked through by one request at a time, aside, in slices; doors go first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from edge.access.credentials import Now
from edge.daemon.requests.desk import DeskAsk, found
from edge.directory.directory import Group
from edge.doors.progress import Moment
from edge.people.access import overview, passing
from edge.people.access.explaining import Circumstances, explain
from edge.people.access.places import Place, find_place, meant, places
from edge.people.access.sentences import DIRECTORY_ALONE, NO_CLOCK, Case, closed_note, sentence
from edge.people.finding import Somebody, finding
from edge.people.groups import find_group
from edge.people.roll import LONGEST_CURSOR
from edge.people.slices import aside
from edge.people.times import parse_at
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from edge.access.people import People
    from edge.doors.runner import Runner
    from edge.model.messages import Actor, Json

    Ordering: TypeAlias = Callable[[], Generator[None, None, Sequence[str]]]

LONGEST_NAME: Final = 200
LONGEST_TIME: Final = 40
MOST_ROWS: Final = 500


class _Access(DeskAsk):
    of: str | None = Field(None, max_length=LONGEST_NAME)
    """A door, a group or a person, whichever is called so."""
    door: str | None = Field(None, max_length=LONGEST_NAME)
    who: str | None = Field(None, max_length=LONGEST_NAME)
    group: str | None = Field(None, max_length=LONGEST_NAME)
    at: str | None = Field(None, max_length=LONGEST_TIME)
    after: str | None = Field(None, max_length=LONGEST_CURSOR)
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class _Groups(DeskAsk):
    """Takes nothing."""


class _Schedules(DeskAsk):
    schedule: str | None = Field(None, max_length=LONGEST_NAME)
    """Only those that are called so."""


class _Asked:
    """One request: the directory, the doors and the moment that it is answered for."""

    def __init__(self, people: People, runner: Runner, ordering: Ordering, at: str | None) -> None:
        """Raises RequestError when `at` is no time."""
        self.directory, self.order = people.directory.in_force, ordering()
        self.doors = {key: door.name for key, door in runner.doors.items()}
        self.zone = people.zone
        self.runner, self.readers = runner, people.readers
        self.now = self.readers.now()
        self.asked_at = self.now.moment.at
        try:
            moment = None if at is None else parse_at(at, self.asked_at, self.zone)
        except ValueError as error:
            raise RequestError("malformed", f"at: {error}") from None
        self.is_now = moment is None or moment == self.asked_at
        if moment is not None and not self.is_now:
            self.now = Now(Moment(moment))

    @property
    def at(self) -> datetime:
        """The moment that is asked about, in the site's zone."""
        return self.now.moment.at.astimezone(self.zone)

    def about(self) -> dict[str, Json]:
        """What every answer begins with."""
        note = None if self.now.moment.trusted else NO_CLOCK
        return {"version": self.directory.version, "at": self.at.isoformat(timespec="seconds"), "note": note}


class WhoMayPass:
    """Serves the requests."""

    def __init__(self, people: People, runner: Runner, ordering: Ordering) -> None:
        """`people` has the directory in force and the time, `runner` the doors; `ordering` puts everybody in order."""
        self._people, self._runner = people, runner
        self._ordering = ordering
        self._one_at_a_time = asyncio.Lock()

    @property
    def ops(self) -> Mapping[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """By their names."""
        return {"access": self._access, "groups": self._groups, "schedules": self._schedules}

    async def _access(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _Access.model_validate(body)
        named = [key for key in ("of", "door", "who", "group") if getattr(ask, key) is not None]
        if len(named) != 1 and named not in (["of", "door"], ["door", "who"]):
            raise RequestError("malformed", "access: expected door, who, group or of; or door with who or of")
        asked = self._asked(ask.at)
        query = passing.RowQuery(ask.limit, ask.after, only_now=not asked.is_now)
        async with self._one_at_a_time:
            if ask.door is not None and len(named) > 1:
                return await _explained(asked, *await found(_both(asked, ask.who or ask.of or "", ask.door)))
            thing = await found(_thing(asked, ask))
            page = await aside(_page(asked, thing, query))
        return {**asked.about(), **_about(asked, thing), **_rows(asked, page)}

    def _asked(self, at: str | None) -> _Asked:
        return _Asked(self._people, self._runner, self._ordering, at)

    async def _groups(self, body: dict[str, Any], _actor: Actor) -> Json:
        _Groups.model_validate(body)
        asked = self._asked(None)
        async with self._one_at_a_time:
            told = await aside(overview.groups(asked.directory, asked.now, asked.zone))
        return {**asked.about(), "groups": told}

    async def _schedules(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _Schedules.model_validate(body)
        asked = self._asked(None)
        async with self._one_at_a_time:
            told = await found(overview.schedules(asked.directory, asked.now, asked.zone, ask.schedule))
        return {**asked.about(), "schedules": told}


def _thing(asked: _Asked, ask: _Access) -> Generator[None, None, Place | Group | Somebody]:
    directory = asked.directory
    if ask.who is not None:
        return (yield from finding(directory, ask.who))
    if ask.group is not None:
        return find_group(directory, ask.group)
    if ask.door is not None:
        return find_place(directory, asked.doors, ask.door)
    return (yield from meant(directory, asked.doors, ask.of or ""))


def _both(asked: _Asked, who: str, door: str) -> Generator[None, None, tuple[Somebody, Place]]:
    somebody = yield from finding(asked.directory, who)
    return somebody, find_place(asked.directory, asked.doors, door)


def _page(
    asked: _Asked, thing: Place | Group | Somebody, query: passing.RowQuery
) -> Generator[None, None, passing.RowPage]:
    directory, now = asked.directory, asked.now
    if isinstance(thing, Place):
        order = yield from asked.order
        return (yield from passing.of_place(directory, thing, order, now, query))
    ways = places(directory, asked.doors)
    if isinstance(thing, Group):
        order = yield from asked.order
        passed = [one for one in ways if one.is_passed_by(thing)]
        return (yield from passing.of_group(directory, thing, passed, order, now, query))
    if thing.member is None:
        return passing.RowPage([], None)
    return (yield from passing.of_member(directory, thing.member, ways, now, query))


def _about(asked: _Asked, thing: Place | Group | Somebody) -> dict[str, Json]:
    if isinstance(thing, Place):
        shut = asked.is_now and thing.elevator is None
        note = closed_note(thing.name, asked.runner.door(thing.id)) if shut else None
        about: dict[str, Json] = {"kind": "door", "of": {**thing.called}, "doors": None}
        return about if note is None else {**about, "note": note}
    if isinstance(thing, Group):
        passed = [one for one in places(asked.directory, asked.doors) if one.is_passed_by(thing)]
        doors: list[Json] = [{**one.called, "ask": one.asking.ask.value} for one in passed]
        return {"kind": "group", "of": {"id": thing.id, "name": thing.name}, "doors": doors}
    return {"kind": "person", "of": {"id": thing.id, "name": thing.user.name}, "doors": None}


def _rows(asked: _Asked, page: passing.RowPage) -> dict[str, Json]:
    rows: list[Json] = [passing.written(asked.directory, row, asked.at) for row in page.rows]
    return {"rows": rows, "next": page.next}


async def _explained(asked: _Asked, somebody: Somebody, place: Place) -> Json:
    directory = asked.directory
    here = asked.is_now and place.elevator is None
    given = Circumstances(asked.runner.door(place.id), asked.readers.passback) if here else Circumstances()
    now = asked.readers.now(f"{place.id.partition('/')[0]}.reader") if asked.is_now else asked.now
    explained = await asyncio.to_thread(explain, directory, somebody, place, now, given)
    page = passing.RowPage([], None)
    if somebody.member is not None:
        query = passing.RowQuery(MOST_ROWS)
        page = await aside(passing.of_member(directory, somebody.member, [place], asked.now, query))
    case = Case(directory, somebody, place, asked.now.moment.at, asked.asked_at, asked.zone, asked.doors)
    return {
        **asked.about(),
        "kind": "decision",
        "person": {"id": somebody.id, "name": somebody.user.name},
        "door": place.called,
        "allowed": bool(explained.granted),
        "code": explained.code,
        "sentence": sentence(case, explained),
        "until": None if explained.until is None else explained.until.astimezone(asked.zone).isoformat(),
        "note": None if asked.is_now else DIRECTORY_ALONE,
        "attempts": [{"shown": one.shown, "code": one.code} for one in explained.attempts],
        **_rows(asked, page),
    }
