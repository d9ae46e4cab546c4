"""Elevators: releases the relays of floors for as long as somebody may choose them, and hears their buttons.

One rule: a relay is released only while a permit for its floor runs. What the wires should be is
computed from the permits, never remembered as an action, so whatever was lost is put right later.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from edge.access.elevator_rules import begun, given_until_ns, joined, offered, pressed
from edge.doors.debounce import Debouncer, Settled, Unstable
from edge.doors.inputs import Inputs
from edge.model.messages import (
    NS_PER_S,
    SYSTEM,
    Back,
    CardRead,
    Confirmed,
    Event,
    InputFault,
    KeysPressed,
    Level,
    Lost,
    Signal,
    Subject,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.access.elevator_rules import Permit, Ride
    from edge.directory.directory import Elevator
    from edge.doors.runner import Wires
    from edge.model.messages import Json
    from edge.model.ports import Journal
    from edge.settings.controller import ElevatorSettings

LOG: Final = logging.getLogger(__name__)
AGAIN_NS: Final = NS_PER_S
"""After a mistake of our own, or a driver's, the wires are tried again this much later."""


@dataclass(slots=True)
class _Lift:
    """One elevator on its way through time."""

    settings: ElevatorSettings
    inputs: Inputs
    rides: tuple[Ride, ...] = ()
    held: set[str] = field(default_factory=set)
    """Floors whose button is held."""
    wired: dict[str, bool] = field(default_factory=dict)
    """What the relay of each floor was last told."""
    confirmed: dict[str, bool] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)
    """Supervised inputs whose wiring is cut or shorted."""
    timer: asyncio.TimerHandle | None = None

    @property
    def subject(self) -> Subject:
        return Subject("elevator", self.settings.id, self.settings.name)


class Lifts:
    """All elevators of this controller. Every method is called on the loop, returns at once and raises nothing."""

    def __init__(
        self,
        elevators: Mapping[str, ElevatorSettings],
        *,
        wires: Wires,
        journal: Journal,
        now_ns: Callable[[], int],
        run: str,
    ) -> None:
        """`run` makes this run's correlations unique."""
        self._wires = wires
        self._journal = journal
        self._now_ns = now_ns
        self._run = run
        self._permits = 0
        self._stopped = False
        self._mistaken: set[tuple[str, str]] = set()  # bounded: by the elevators and the kinds of exceptions
        self.listeners: list[Callable[[str], None]] = []
        """Called with an elevator's id after anything about it changed."""
        self._lifts = {key: _Lift(settings, self._inputs(settings)) for key, settings in elevators.items()}
        self._at = {point: (lift, floor) for lift in self._lifts.values() for point, floor in _points(lift.settings)}
        self.points: frozenset[str] = frozenset(self._at)
        """Every point that belongs to an elevator."""

    # --- looking -----------------------------------------------------------------------------------

    def facts(self) -> dict[str, Json]:
        """Each elevator and its floors, for status; seconds where something will end by itself."""
        return {key: self._facts(lift) for key, lift in self._lifts.items()}

    def _facts(self, lift: _Lift) -> Json:
        now_ns = self._now_ns()
        heard = self.points - lift.lost - lift.faulty
        floors: dict[str, Json] = {}
        for floor in lift.settings.floors:
            left_ns = 0 if self._stopped else given_until_ns(lift.rides, floor) - now_ns
            floors[floor] = {
                "permitted": left_ns > 0,
                "permitted_for_s": round(left_ns / NS_PER_S, 3) if left_ns > 0 else None,
                "relay": {True: "unlocked", False: "locked", None: "unknown"}[lift.confirmed.get(floor)],
                "button": floor in lift.held if lift.settings.button_point(floor) in heard else None,
            }
        faulty: list[Json] = [*sorted(lift.faulty)]
        return {"name": lift.settings.name, "floors": floors, "lost": [*sorted(lift.lost)], "faulty": faulty}

    # --- doing -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Nobody may choose a floor: drive every relay so, and guard from now on."""
        for lift in self._lifts.values():
            self._refresh(lift)

    def stop(self) -> None:
        """From now on no floor is given: the wires are the drivers' to bring to rest (R15)."""
        self._stopped = True
        for lift in self._lifts.values():
            lift.inputs.stop()
            if lift.timer is not None:
                lift.timer.cancel()

    def permitted(self, lift: Elevator, permit: Permit, shown: Event) -> None:
        """Let floors be chosen from now on, and record it behind what was `shown`, as one passage.

        A permit takes nothing from one that runs: each floor stays given until the last permit for
        it ends. Floors without a relay here, or whose relay is lost, are recorded as `not_driven`.
        """
        try:
            if not self._stopped:
                self._permitted(lift, permit, shown)
        except Exception as error:  # noqa: BLE001 -- our own mistake: it is this elevator's, and the others go on
            self._mistake(self._lifts.get(lift.id), error)

    def take(self, signal: Signal) -> None:
        """Take in what a driver saw; what does not concern a relay or a button here is left alone."""
        try:
            if not self._stopped:
                self._handle(signal)
        except Exception as error:  # noqa: BLE001 -- our own mistake or the driver's: signals go on coming
            self._mistake(None, error)

    # --- permits -----------------------------------------------------------------------------------

    def _permitted(self, elevator: Elevator, permit: Permit, shown: Event) -> None:
        now_ns, lift = self._now_ns(), self._lifts.get(elevator.id)
        self._permits += 1
        ride = begun(permit, elevator, now_ns, f"{self._run}-{elevator.id}-{self._permits}")
        undriven: list[Json] = [*permit.floors]
        choices: list[Event] = []
        if lift is not None:
            lift.rides = joined(lift.rides, ride)
            self._refresh(lift)
            undriven = [f for f in permit.floors if f not in lift.wired or lift.settings.relay_point(f) in lift.lost]
            for floor in permit.floors:
                if floor in lift.held:
                    choices += self._choose(lift, floor, now_ns)
        event = offered(permit, elevator, now_ns, ride.correlation)
        if undriven:
            event = replace(event, details={**event.details, "not_driven": undriven})
        self._journal.append([replace(shown, correlation=ride.correlation), event, *choices])
        self._tell(elevator.id)

    def _choose(self, lift: _Lift, floor: str, at_ns: int) -> list[Event]:
        lift.rides, events = pressed(lift.rides, floor, at_ns)
        return events

    def _refresh(self, lift: _Lift) -> None:
        """Put the wires right and come back when the next permit ends."""
        now_ns = self._now_ns()
        changed: dict[str, dict[str, bool]] = {}
        for floor, own in lift.settings.floors.items():
            value = given_until_ns(lift.rides, floor) > now_ns
            if lift.wired.get(floor) is not value:
                changed.setdefault(own.relay, {})[floor] = value
        due_ns = min((ride.until_ns for ride in lift.rides if ride.until_ns > now_ns), default=None)
        for driver, values in changed.items():
            lift.wired |= values
            try:
                self._wires.apply(driver, {lift.settings.relay_point(floor): value for floor, value in values.items()})
            except Exception as error:  # noqa: BLE001 -- the other drivers' relays are put right, and this one's soon
                for floor in values:
                    lift.wired.pop(floor, None)
                due_ns = min(now_ns + AGAIN_NS, due_ns or now_ns + AGAIN_NS)
                self._mistake(lift, error)
        if lift.timer is not None:
            lift.timer.cancel()
            lift.timer = None
        if due_ns is not None:
            delay_s = max(0, due_ns - now_ns) / NS_PER_S
            lift.timer = asyncio.get_running_loop().call_later(delay_s, self._due, lift)

    def _due(self, lift: _Lift) -> None:
        lift.timer = None
        self._refresh(lift)
        self._tell(lift.settings.id)

    # --- signals -----------------------------------------------------------------------------------

    def _handle(self, signal: Signal) -> None:
        if isinstance(signal, Lost | Back):
            self._line(signal)
            return
        lift, floor = self._at.get(signal.point, (None, ""))
        if lift is None or signal.point in lift.lost or isinstance(signal, CardRead | KeysPressed):
            return  # what was on its way when the line went comes anew with its return
        if isinstance(signal, Level):
            if signal.point == lift.settings.button_point(floor):
                lift.inputs.feed(floor, signal.asserted, signal.at_ns, initial=signal.initial)
        elif isinstance(signal, Confirmed):
            lift.confirmed[floor] = signal.asserted
            self._tell(lift.settings.id)
        else:
            self._input_fault(lift, floor, signal)

    def _line(self, signal: Lost | Back) -> None:
        """R16: the runner records it; here only what it means for relays and buttons."""
        points = signal.points & self.points
        for lift in {id(self._at[point][0]): self._at[point][0] for point in sorted(points)}.values():
            for point in points:
                owner, floor = self._at[point]
                if owner is lift:
                    self._point(lift, floor, point, lost=isinstance(signal, Lost))
            if isinstance(signal, Back):
                self._refresh(lift)
            self._tell(lift.settings.id)

    def _point(self, lift: _Lift, floor: str, point: str, *, lost: bool) -> None:
        (lift.lost.add if lost else lift.lost.discard)(point)
        if point == lift.settings.relay_point(floor):
            lift.confirmed.pop(floor, None)
            lift.wired.pop(floor, None)  # it rests now, whatever it was told, and is told anew on its return
        elif lost:
            lift.inputs.forget(floor)
            lift.held.discard(floor)

    def _input_fault(self, lift: _Lift, floor: str, signal: InputFault) -> None:
        if signal.reason is None:
            lift.faulty.discard(signal.point)
            level = self._wires.level(signal.point) if floor else None
            if level is not None:
                lift.inputs.feed(floor, level, signal.at_ns, initial=True)
        else:
            lift.inputs.forget(floor)
            lift.held.discard(floor)
            if signal.point not in lift.faulty:
                lift.faulty.add(signal.point)
                kind = "controller_input" if floor else "reader"
                details = {"reason": signal.reason}
                event = Event(f"{kind}.tamper", signal.at_ns, _input(lift, floor, kind), details=details)
                self._journal.append([event])
        self._tell(lift.settings.id)

    def _inputs(self, settings: ElevatorSettings) -> Inputs:
        buttons = {floor: own.timing for floor, own in settings.floors.items() if own.timing is not None}
        return Inputs(
            {floor: Debouncer(timing.debounce_ms, timing.instability_ms) for floor, timing in buttons.items()},
            partial(self._settled, settings.id),
            lambda floor: self._wires.level(settings.button_point(floor)),
            self._now_ns,
        )

    def _settled(self, key: str, floor: str, report: Settled | Unstable) -> None:
        lift = self._lifts[key]
        try:
            events: list[Event] = []
            if isinstance(report, Unstable):
                subject = _input(lift, floor, "controller_input")
                events = [Event("controller_input.unstable", report.at_ns, subject)]
            elif report.level:
                lift.held.add(floor)
                events = self._choose(lift, floor, report.at_ns)
            else:
                lift.held.discard(floor)
            if events:
                self._journal.append(events)
            self._tell(key)
        except Exception as error:  # noqa: BLE001 -- our own mistake: the other buttons go on
            self._mistake(lift, error)

    # --- mistakes ------------------------------------------------------------------------------------

    def _tell(self, key: str) -> None:
        for listener in self.listeners:
            try:
                listener(key)
            except Exception as error:  # noqa: BLE001 -- a listener's mistake is no elevator's
                self._mistake(None, error)

    def _mistake(self, lift: _Lift | None, error: Exception) -> None:
        """What should never happen: said in full, recorded once, and the elevators go on."""
        LOG.error("a mistake in doord itself", exc_info=error)
        subject = Subject("controller", "controller", "doord") if lift is None else lift.subject
        kind = (subject.id, type(error).__name__)
        if kind in self._mistaken:
            return
        self._mistaken.add(kind)
        details = {"reason": repr(error)[:500]}
        event = Event(
            "controller.fault", self._now_ns(), subject, SYSTEM, success=False, code="internal_error", details=details
        )
        with suppress(Exception):
            self._journal.append([event])


def _points(settings: ElevatorSettings) -> list[tuple[str, str]]:
    """Each point of an elevator and its floor; the reader has none."""
    points = [(settings.reader_point, "")]
    points += [(settings.relay_point(floor), floor) for floor in settings.floors]
    points += [(settings.button_point(floor), floor) for floor, own in settings.floors.items() if own.button]
    return points


def _input(lift: _Lift, floor: str, kind: str) -> Subject:
    settings = lift.settings
    if not floor:
        return Subject(kind, settings.reader_point, f"{settings.name} reader")
    return Subject(kind, settings.button_point(floor), f"{settings.name} {floor} button")
