"""The socket's `enrol`: the next card that nobody has, at a reader or at any, for whoever is at a desk.

One rule: nothing is written. The card is given with `card` after whoever asked has said yes.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from edge.access.edits import elsewhere
from edge.access.enrolment.listening import EnrolmentState, OccupiedError
from edge.access.lookups import read_facts
from edge.daemon.requests.desk import DeskAsk
from edge.model.messages import NS_PER_S
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from edge.access.enrolment.listening import Enrolment, ShownCard
    from edge.access.people import People
    from edge.daemon.drivers import Drivers
    from edge.doors.runner import Runner
    from edge.model.messages import Actor, Json
    from edge.system.clock import Clock


class _Enrol(DeskAsk):
    action: Literal["begin", "state", "end"]
    reader: str | None = Field(None, max_length=64)


class EnrolmentDesk:
    """Serves the request."""

    def __init__(self, people: People, runner: Runner, drivers: Drivers, clock: Clock) -> None:
        """`people` has the enrolments, `drivers` knows which doors and elevators have a reader."""
        self._people, self._runner, self._drivers, self._clock = people, runner, drivers, clock

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """Begin, look, or end; the answer always says how it stands."""
        ask, enrolments = _Enrol.model_validate(body), self._people.enrolments
        if ask.reader is not None and ask.action != "begin":
            raise RequestError("malformed", f"{ask.action}: expected no reader")
        if ask.action == "begin":
            return self._told(self._begun(ask.reader, actor))
        return self._told(enrolments.of(actor) if ask.action == "state" else enrolments.end(actor))

    def _begun(self, reader: str | None, actor: Actor) -> Enrolment:
        if (where := elsewhere(self._people.managed, upstream=False)) is not None:
            raise RequestError("managed_elsewhere", where)
        known = self._drivers.readers()
        if not known:
            raise RequestError("no_reader", "no door has a reader: give the card by its number")
        if reader is not None and reader not in known:
            raise RequestError("unknown_door", f"no reader at {reader!r}; expected one of {', '.join(known)}")
        if not self._people.readers.loaded:
            raise RequestError("busy", "the directory is not loaded yet: try again in a moment")
        try:
            return self._people.enrolments.begin(actor, reader)
        except OccupiedError as error:
            raise RequestError("busy", str(error)) from None

    def _told(self, own: Enrolment | None) -> Json:
        if own is None:
            ended = EnrolmentState.ENDED.value
            return dict.fromkeys(("until", "reader", "name", "card", "holder")) | {"state": ended, "left_s": 0}
        return {
            "state": own.state.value,
            "until": own.until,
            "left_s": ceil((own.until_ns - self._clock.now_ns()) / NS_PER_S) if own.listens else 0,
            "reader": own.reader,
            "name": None if own.reader is None else self._name(own.reader),
            "card": None if own.shown is None else self._card(own.shown),
            "holder": None if own.shown is None else own.shown.holder,
        }

    def _card(self, shown: ShownCard) -> Json:
        facts = read_facts(self._people.directory.in_force, shown.read)
        return {
            "format": facts["format"],
            "number": facts["written"],
            "bits": shown.read.bits,
            "parity": facts["parity"],
            "card": shown.card,
            "reader": shown.place,
            "name": self._name(shown.place),
            "at": shown.at,
        }

    def _name(self, place: str) -> str:
        if place in self._runner.doors:
            return self._runner.doors[place].name
        elevator = self._people.directory.in_force.elevators.get(place)
        return place if elevator is None else elevator.name
