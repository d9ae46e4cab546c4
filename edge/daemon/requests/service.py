"""Serves the requests at the control socket: status, history, commands, the simulator and more.

One rule: a request is checked completely here. Doors get only valid commands.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.commands.shape import RefusedError, judge_lasting, left_s
from edge.daemon.requests.directory_edits import DirectoryEdits
from edge.daemon.requests.enrolment import EnrolmentDesk
from edge.daemon.requests.exchange import DirectoryExchange
from edge.daemon.requests.logins import Logins
from edge.daemon.requests.passages import Passages
from edge.daemon.requests.people import PeopleLooks
from edge.daemon.requests.people_changes import PeopleChanges, unknown_card
from edge.daemon.requests.restored import begin_anew
from edge.daemon.requests.stored import with_disk
from edge.daemon.requests.visitors import VisitorDesk
from edge.daemon.requests.who_may_pass import WhoMayPass
from edge.log.log import LogUnavailableError
from edge.model.event_types import CONTROLLER_FAULT
from edge.model.messages import SYSTEM, Actor, CommandName, Event, Subject
from edge.model.problems import plain_message
from edge.model.roles import SITE
from edge.reports.exports import Exports
from edge.reports.search_words import UnknownGroupError
from edge.reports.searches import PageRequest
from edge.socket.allowances import Allowances
from edge.socket.server import RequestError
from edge.system.flood_counter import FloodCounter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping

    from edge.access.elevators import Elevators
    from edge.access.people import People
    from edge.daemon.broker import Broker
    from edge.daemon.drivers import Drivers
    from edge.daemon.requests.page_rights import PageRights
    from edge.daemon.status import Status
    from edge.daemon.wire_form import WireForm
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Json
    from edge.socket.watchers import Watchers
    from edge.system.clock import Clock

    Operation: TypeAlias = Callable[[dict[str, Any], Actor], Awaitable[Json]]

AT_ONCE: Final = 64
"""Records that are converted in one piece, in less than a millisecond. Then doors have their turn."""
SOCKET: Final = Subject("control", "socket", "Control socket")


class _Ask(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Command(_Ask):
    command: CommandName = Field(strict=False)
    door: str | None = None
    doors: list[str] | None = Field(None, max_length=1024)
    all: bool = False
    for_s: float | None = None
    until: str | None = Field(None, max_length=40)


class _Simulate(_Ask):
    door: str
    action: str
    argument: str | None = None


class _Who(_Ask):
    card: str = Field(min_length=1, max_length=200)


class _Cards(_Ask):
    seen: int | None = Field(None, ge=1, le=2**53 - 1)


class _Replay(_Ask):
    from_: int = Field(alias="from", ge=1)


class Service:
    """Serves `edge.socket.server.RequestHandler` for a daemon."""

    def __init__(  # noqa: PLR0913 -- each answers something
        self,
        status: Status,
        *,
        runner: Runner,
        elevators: Elevators,
        people: People,
        log: Log,
        clock: Clock,
        drivers: Drivers,
        origin: WireForm,
        broker: Broker,
        watchers: Watchers,
        rights: PageRights,
        more: Mapping[str, Operation],
    ) -> None:
        """`more` has the operations that other parts serve."""
        self._status_of, self._runner, self._elevators, self._people = status, runner, elevators, people
        self._log, self._clock, self._drivers, self._origin = log, clock, drivers, origin
        self._broker, self._watchers, self._rights = broker, watchers, rights
        self._allowances = Allowances(lambda: len(runner.doors))
        self._flood = FloodCounter(self._flooded)
        changes = PeopleChanges(people, runner)
        looks = PeopleLooks(people, runner, log)
        self._ops: dict[str, Operation] = {
            "status": self._status,
            "facts": self._facts,
            "events": self._events,
            "passages": Passages(log, runner, self._directory).serve,
            "command": self._command,
            "sim": self._simulate,
            "replay": self._replay,
            "cards": self._cards,
            "forget_cards": self._forget_cards,
            "who": self._who,
            "login": Logins(log, clock, rights).serve,
            "edit_directory": DirectoryEdits(people).serve,
            "enrol": EnrolmentDesk(people, runner, drivers, clock).serve,
            "log_restored": self._log_restored,
            **looks.ops,
            **changes.ops,
            "visitor": VisitorDesk(people, runner, changes).serve,
            **DirectoryExchange(people, runner, changes.seen).ops,
            **WhoMayPass(people, runner, looks.ordering).ops,
            **more,
            "export": Exports(log, clock, self._directory).serve,
        }

    def _directory(self) -> Directory:
        return self._people.directory.in_force

    def watch(self) -> AsyncGenerator[Json, None]:
        """The live stream."""
        return self._watchers.watch()

    def check_page(self, op: str, body: dict[str, Any], actor: Actor) -> None:
        """Check that the local page may ask this. Raises RequestError."""
        self._rights.check(op, body, actor)

    async def request(self, op: str, body: dict[str, Any], actor: Actor) -> Json:
        """Serve one request. Raises RequestError."""
        serve = self._ops.get(op)
        if serve is None:
            raise RequestError("unknown_op", f"{op!r} is not served; expected one of watch, {', '.join(self._ops)}")
        if op != "command":  # a command is checked first: its doors count
            self._allow(op, "", actor)
        try:
            return await serve(body, actor)
        except ValidationError as error:
            raise RequestError("malformed", _sentence(op, error)) from None
        except LogUnavailableError as error:
            raise RequestError("log_unavailable", f"the log cannot be read now: {error}") from None

    def dropped(self, what: str) -> None:
        """See `edge.socket.server.RequestHandler`."""
        self._flood.count(what)

    def _allow(self, op: str, kind: str, actor: Actor, amount: int = 1) -> None:
        try:
            self._allowances.spend(op, kind, actor.id, asyncio.get_running_loop().time(), amount)
        except RequestError:
            self.dropped(f"{kind or op} of {actor.name or actor.id}")
            raise

    def _flooded(self, counts: Mapping[str, int]) -> None:
        total = sum(counts.values())
        details: dict[str, Json] = {
            "reason": f"too many connections or requests: {total} refused",
            "refused": {**counts},
        }
        now_ns = self._clock.now_ns()
        event = Event(CONTROLLER_FAULT, now_ns, SOCKET, SYSTEM, success=False, code="flooded", details=details)
        self._log.append([event])

    async def _status(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return self._status_of.whole()

    async def _facts(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return self._status_of.with_inputs()

    async def _replay(self, body: dict[str, Any], _actor: Actor) -> Json:
        return self._broker.replay(_Replay.model_validate(body).from_)

    async def _cards(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _Cards.model_validate(body)
        if ask.seen is not None:
            return {"cards": [self._people.kept_facts(await unknown_card(self._people, ask.seen))]}
        return {"cards": self._people.cards()}

    async def _forget_cards(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return {"forgotten": self._people.unknown.forget()}

    async def _who(self, body: dict[str, Any], _actor: Actor) -> Json:
        found = await self._people.who(_Who.model_validate(body).card)
        return {"found": found, "time_zone": str(self._people.zone)}

    async def _log_restored(self, _body: dict[str, Any], actor: Actor) -> Json:
        return await begin_anew(self._log, actor)

    async def _events(self, body: dict[str, Any], _actor: Actor) -> Json:
        try:
            query = PageRequest.model_validate(body).query(self._directory())
        except UnknownGroupError as error:
            raise RequestError("unknown_group", str(error)) from None
        page = await self._log.query(query)
        records: list[Json] = []
        for number, record in enumerate(page.records):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # doors come first
            records.append(self._origin.cloudevent(record))
        return {"records": records, "next": page.next, "skipped": page.skipped}

    async def _command(self, body: dict[str, Any], actor: Actor) -> Json:
        ask = _Command.model_validate(body)
        known = self._runner.doors
        wanted: Iterable[str] = ask.doors or ([ask.door] if ask.door is not None else [])
        if ask.all:
            wanted = known
        wanted = list(dict.fromkeys(wanted))
        if not wanted:
            raise RequestError("malformed", "no door is named; expected door, doors or all")
        if unknown := [door for door in wanted if door not in known]:
            raise RequestError("unknown_door", f"no door {unknown[0]!r}; expected one of {', '.join(known) or 'none'}")
        for_s = self._lasting(ask)
        self._allow("command", ask.command, actor, len(wanted))
        command_id = f"local-{secrets.token_hex(8)}"
        outcomes = self._runner.command(ask.command, wanted, command_id=command_id, actor=actor, for_s=for_s)
        outcomes = await with_disk(outcomes, self._log)
        return {"outcomes": {door: asdict(outcome) for door, outcome in outcomes.items()}}

    def _lasting(self, ask: _Command) -> float | None:
        try:
            judge_lasting(ask.command, ask.for_s, ask.until)
            return ask.for_s if ask.until is None else left_s(ask.until, self._clock.wall_us())
        except RefusedError as error:
            raise RequestError(error.code, error.text) from None
        except ValueError as error:
            raise RequestError("malformed", f"until: {error}") from None

    async def _simulate(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _Simulate.model_validate(body)
        elevators = sorted({point.rpartition(".")[0] for point in self._elevators.points})
        known = [*self._runner.doors, *elevators, SITE]
        if ask.door not in known:
            raise RequestError("unknown_door", f"no door {ask.door!r}; expected one of {', '.join(known) or 'none'}")
        simulator = self._drivers.simulator(ask.door)
        if simulator is None:
            raise RequestError("not_simulated", f"{ask.door!r} has no simulated hardware")
        try:
            simulator.simulate(ask.door, ask.action, ask.argument)
        except ValueError as error:
            raise RequestError("malformed", str(error)) from None
        return {}


def _sentence(op: str, error: ValidationError) -> str:
    parts = [
        f"{'.'.join(str(part) for part in fault['loc']) or op}: {plain_message(fault)}" for fault in error.errors()
    ]
    return f"{op}: {'; '.join(parts)}"
