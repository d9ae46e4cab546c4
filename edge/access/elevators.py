"""Elevators: releases the relays of floors while permits for them run, and reads the floors' buttons.

One rule: a relay is released only while a permit for its floor runs. The wanted state of every relay is computed
from the permits, so a relay whose line was lost is put right when the line returns.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from edge.access.elevator_rules import begun, given_until_ns, joined, offered, pressed
from edge.doors.debounce import Debouncer, Unstable
from edge.doors.inputs import Inputs
from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_INPUT_TAMPER, CONTROLLER_INPUT_UNSTABLE, READER_TAMPER
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
    Settled,
    Signal,
    Subject,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.access.elevator_rules import Permit, Ride
    from edge.directory.directory import Elevator
    from edge.model.messages import Json
    from edge.model.ports import Journal, Wires
    from edge.settings.controller import ElevatorSettings

LOG: Final = logging.getLogger(__name__)
AGAIN_NS: Final = NS_PER_S
"""After an error in doord or a driver, the relays are driven again this much later."""


@dataclass(slots=True)
class _Car:
    """One elevator: its permits, relays and buttons."""

    settings: ElevatorSettings
    inputs: Inputs
    rides: tuple[Ride, ...] = ()
    held: set[str] = field(default_factory=set)
    """Floors whose button is held."""
    wired: dict[str, bool] = field(default_factory=dict)
    """Floor -> what its relay was last told; True is released."""
    confirmed: dict[str, bool] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)
    """Supervised inputs whose wiring is cut or shorted."""
    timer: asyncio.TimerHandle | None = None

    @property
    def subject(self) -> Subject:
        return Subject("elevator", self.settings.id, self.settings.name)


class Elevators:
    """All elevators of this controller. Methods are called on the event loop, return at once and raise nothing."""

    def __init__(
        self,
        elevators: Mapping[str, ElevatorSettings],
        *,
        wires: Wires,
        journal: Journal,
        now_ns: Callable[[], int],
        run: str,
    ) -> None:
        """`run` is a text unique to this run of doord, for the ids of passages."""
        self._wires = wires
        self._journal = journal
        self._now_ns = now_ns
        self._run = run
        self._permits = 0
        self._stopped = False
        self._mistaken: set[tuple[str, str]] = set()  # bounded: by the elevators and the kinds of exceptions
        self.listeners: list[Callable[[str], None]] = []
        """Called with an elevator's id after anything about it changed."""
        self._cars = {key: _Car(settings, self._inputs(settings)) for key, settings in elevators.items()}
        self._at = {point: (car, floor) for car in self._cars.values() for point, floor in _points(car.settings)}
        self.points: frozenset[str] = frozenset(self._at)
        """Every point that belongs to an elevator."""

    # --- looking -----------------------------------------------------------------------------------

    def facts(self, known: Mapping[str, Elevator]) -> dict[str, Json]:
        """Each elevator and its floors, for the status; `known` has their names."""
        return {key: self._facts(car, known.get(key)) for key, car in self._cars.items()}

    def _facts(self, car: _Car, known: Elevator | None) -> Json:
        now_ns = self._now_ns()
        heard = self.points - car.lost - car.faulty
        floors: dict[str, Json] = {}
        for floor in car.settings.floors:
            left_ns = 0 if self._stopped else given_until_ns(car.rides, floor) - now_ns
            named = None if known is None else known.floors.get(floor)
            floors[floor] = {
                "name": floor if named is None else named.name,
                "permitted": left_ns > 0,
                "permitted_for_s": round(left_ns / NS_PER_S, 3) if left_ns > 0 else None,
                "relay": {True: "unlocked", False: "locked", None: "unknown"}[car.confirmed.get(floor)],
                "button": floor in car.held if car.settings.button_point(floor) in heard else None,
            }
        faulty: list[Json] = [*sorted(car.faulty)]
        return {"name": car.settings.name, "floors": floors, "lost": [*sorted(car.lost)], "faulty": faulty}

    # --- doing -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Lock every floor, and offer floors from now on."""
        for car in self._cars.values():
            self._refresh(car)

    def stop(self) -> None:
        """Offer no floor from now on. The drivers bring the relays to rest (R15)."""
        self._stopped = True
        for car in self._cars.values():
            car.inputs.stop()
            if car.timer is not None:
                car.timer.cancel()

    def permitted(self, elevator: Elevator, permit: Permit, events: Sequence[Event]) -> None:
        """Offer floors from now on. The record follows `events`; together they are one passage.

        Permits that run go on: a floor stays released until the last permit for it ends. Floors
        without a relay here, or whose relay is lost, are recorded as `not_driven`.
        """
        try:
            if not self._stopped:
                self._permitted(elevator, permit, events)
        except Exception as error:  # noqa: BLE001 -- an error of our own: the other elevators go on
            self._mistake(self._cars.get(elevator.id), error)

    def take(self, signal: Signal) -> None:
        """Take a signal of a driver. Only relays, buttons and lines of elevators count here."""
        try:
            if not self._stopped:
                self._handle(signal)
        except Exception as error:  # noqa: BLE001 -- an error of our own or of a driver: the next signals count
            self._mistake(None, error)

    # --- permits -----------------------------------------------------------------------------------

    def _permitted(self, elevator: Elevator, permit: Permit, events: Sequence[Event]) -> None:
        now_ns, car = self._now_ns(), self._cars.get(elevator.id)
        self._permits += 1
        ride = begun(permit, elevator, now_ns, f"{self._run}-{elevator.id}-{self._permits}")
        undriven: list[Json] = [*permit.floors]
        choices: list[Event] = []
        if car is not None:
            car.rides = joined(car.rides, ride)
            self._refresh(car)
            undriven = [f for f in permit.floors if f not in car.wired or car.settings.relay_point(f) in car.lost]
            for floor in permit.floors:
                if floor in car.held:
                    choices += self._choose(car, floor, now_ns)
        event = offered(permit, elevator, now_ns, ride.correlation)
        if undriven:
            event = replace(event, details={**event.details, "not_driven": undriven})
        before = [replace(earlier, correlation=ride.correlation) for earlier in events]
        self._journal.append([*before, event, *choices])
        self._tell(elevator.id)

    def _choose(self, car: _Car, floor: str, at_ns: int) -> list[Event]:
        car.rides, events = pressed(car.rides, floor, at_ns)
        return events

    def _refresh(self, car: _Car) -> None:
        """Drive every relay that is not as wanted, and come back when the next permit ends."""
        now_ns = self._now_ns()
        changed: dict[str, dict[str, bool]] = {}
        for floor, own in car.settings.floors.items():
            value = given_until_ns(car.rides, floor) > now_ns
            if car.wired.get(floor) is not value:
                changed.setdefault(own.relay, {})[floor] = value
        due_ns = min((ride.until_ns for ride in car.rides if ride.until_ns > now_ns), default=None)
        for driver, values in changed.items():
            car.wired |= values
            try:
                self._wires.apply(driver, {car.settings.relay_point(floor): value for floor, value in values.items()})
            except Exception as error:  # noqa: BLE001 -- the other drivers' relays are driven; these are tried again soon
                for floor in values:
                    car.wired.pop(floor, None)
                due_ns = min(now_ns + AGAIN_NS, due_ns or now_ns + AGAIN_NS)
                self._mistake(car, error)
        if car.timer is not None:
            car.timer.cancel()
            car.timer = None
        if due_ns is not None:
            delay_s = max(0, due_ns - now_ns) / NS_PER_S
            car.timer = asyncio.get_running_loop().call_later(delay_s, self._due, car)

    def _due(self, car: _Car) -> None:
        car.timer = None
        self._refresh(car)
        self._tell(car.settings.id)

    # --- signals -----------------------------------------------------------------------------------

    def _handle(self, signal: Signal) -> None:
        if isinstance(signal, Lost | Back):
            self._line(signal)
            return
        car, floor = self._at.get(signal.point, (None, ""))
        if car is None or signal.point in car.lost or isinstance(signal, CardRead | KeysPressed):
            return  # late signals of a lost line: its inputs are read anew when it returns
        if isinstance(signal, Level):
            if signal.point == car.settings.button_point(floor):
                car.inputs.feed(floor, signal.asserted, signal.at_ns, initial=signal.initial)
        elif isinstance(signal, Confirmed):
            car.confirmed[floor] = signal.asserted
            self._tell(car.settings.id)
        else:
            self._input_fault(car, floor, signal)

    def _line(self, signal: Lost | Back) -> None:
        """The runner records a lost line (R16); here relays and buttons take it into account."""
        points = signal.points & self.points
        for car in {id(self._at[point][0]): self._at[point][0] for point in sorted(points)}.values():
            for point in points:
                owner, floor = self._at[point]
                if owner is car:
                    self._point(car, floor, point, lost=isinstance(signal, Lost))
            if isinstance(signal, Back):
                self._refresh(car)
            self._tell(car.settings.id)

    def _point(self, car: _Car, floor: str, point: str, *, lost: bool) -> None:
        (car.lost.add if lost else car.lost.discard)(point)
        if point == car.settings.relay_point(floor):
            car.confirmed.pop(floor, None)
            car.wired.pop(floor, None)  # without its line it rests; it is driven anew when the line returns
        elif lost:
            car.inputs.forget(floor)
            car.held.discard(floor)

    def _input_fault(self, car: _Car, floor: str, signal: InputFault) -> None:
        if signal.reason is None:
            car.faulty.discard(signal.point)
            level = self._wires.level(signal.point) if floor else None
            if level is not None:
                car.inputs.feed(floor, level, signal.at_ns, initial=True)
        else:
            car.inputs.forget(floor)
            car.held.discard(floor)
            if signal.point not in car.faulty:
                car.faulty.add(signal.point)
                kind, tamper = ("controller_input", CONTROLLER_INPUT_TAMPER) if floor else ("reader", READER_TAMPER)
                details = {"reason": signal.reason}
                event = Event(tamper, signal.at_ns, _input(car, floor, kind), details=details)
                self._journal.append([event])
        self._tell(car.settings.id)

    def _inputs(self, settings: ElevatorSettings) -> Inputs:
        buttons = {floor: own.timing for floor, own in settings.floors.items() if own.timing is not None}
        return Inputs(
            {floor: Debouncer(timing.debounce_ms, timing.instability_ms) for floor, timing in buttons.items()},
            partial(self._settled, settings.id),
            lambda floor: self._wires.level(settings.button_point(floor)),
            self._now_ns,
        )

    def _settled(self, key: str, floor: str, report: Settled | Unstable) -> None:
        car = self._cars[key]
        try:
            events: list[Event] = []
            if isinstance(report, Unstable):
                subject = _input(car, floor, "controller_input")
                events = [Event(CONTROLLER_INPUT_UNSTABLE, report.at_ns, subject)]
            elif report.level:
                car.held.add(floor)
                events = self._choose(car, floor, report.at_ns)
            else:
                car.held.discard(floor)
            if events:
                self._journal.append(events)
            self._tell(key)
        except Exception as error:  # noqa: BLE001 -- an error of our own: the other buttons go on
            self._mistake(car, error)

    # --- mistakes ------------------------------------------------------------------------------------

    def _tell(self, key: str) -> None:
        for listener in self.listeners:
            try:
                listener(key)
            except Exception as error:  # noqa: BLE001 -- an error of a listener must not stop the elevator
                self._mistake(None, error)

    def _mistake(self, car: _Car | None, error: Exception) -> None:
        """Note an unexpected error: logged with its traceback each time, recorded once for each kind."""
        LOG.error("a mistake in doord itself", exc_info=error)
        subject = Subject("controller", "controller", "doord") if car is None else car.subject
        kind = (subject.id, type(error).__name__)
        if kind in self._mistaken:
            return
        self._mistaken.add(kind)
        details = {"reason": repr(error)[:500]}
        event = Event(
            CONTROLLER_FAULT, self._now_ns(), subject, SYSTEM, success=False, code="internal_error", details=details
        )
        with suppress(Exception):
            self._journal.append([event])


def _points(settings: ElevatorSettings) -> list[tuple[str, str]]:
    """Each point of an elevator with its floor; the reader's floor is empty."""
    points = [(settings.reader_point, "")]
    points += [(settings.relay_point(floor), floor) for floor in settings.floors]
    points += [(settings.button_point(floor), floor) for floor, own in settings.floors.items() if own.button]
    return points


def _input(car: _Car, floor: str, kind: str) -> Subject:
    settings = car.settings
    if not floor:
        return Subject(kind, settings.reader_point, f"{settings.name} reader")
    return Subject(kind, settings.button_point(floor), f"{settings.name} {floor} button")
