"""Access points, each with a reader: a door, which is unlocked, or an elevator, which offers floors.

One rule: an access point decides by pure rules and carries out the decision. It keeps no state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from edge.access import decisions, elevator_rules
from edge.access.credentials import AccessRefused, AskPin, Code
from edge.access.decisions import Granted
from edge.access.elevator_rules import Permit
from edge.directory.directory import Elevator
from edge.model.messages import CommandName, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.access.anti_passback import Passback
    from edge.access.credentials import Now, Presented
    from edge.access.timetable import Timetable
    from edge.directory.directory import Directory, ReaderPolicy
    from edge.directory.pins import HashParameters
    from edge.doors.runner import Runner
    from edge.model.messages import Actor, Event
    from edge.model.ports import Journal

BY_THE_DOOR: Final = frozenset({Code.LOCKED_DOWN, Code.BLOCKED, Code.INTERLOCK})
"""Refusals by the state of the door. The door also records a refused `lock.unlock` (R10, R18)."""

Answer: TypeAlias = Granted | Permit | AskPin | AccessRefused


class Floors(Protocol):
    """What access points need of `edge.access.elevators.Elevators`."""

    def permitted(self, elevator: Elevator, permit: Permit, events: Sequence[Event]) -> None:
        """Offer the floors. The record follows these events; together they are one passage."""


class AccessPoint(Protocol):
    """A door or an elevator with its reader."""

    id: str

    @property
    def door(self) -> str | None:
        """The door that its records belong to; None for an elevator."""

    def reader(self, directory: Directory) -> Subject:
        """Its reader, as records name it."""

    def asking(self, directory: Directory) -> ReaderPolicy:
        """What its reader asks for (card, PIN or both), and how long it waits."""

    def decide(
        self,
        directory: Directory,
        seen: Presented,
        now: Now,
        digests: Mapping[HashParameters, bytes],
        passback: Passback,
    ) -> Answer:
        """Decide. Changes nothing."""

    def events(self, directory: Directory, answer: Answer, seen: Presented, at_ns: int) -> list[Event]:
        """The events of an answer at the reader: `reader.access`, or none while a PIN has to follow."""

    def admit(self, directory: Directory, answer: Granted | Permit, events: list[Event]) -> bool:
        """Let somebody pass and record it. False: the door refused."""

    def refuse(self, refused: AccessRefused, events: list[Event]) -> None:
        """Record that somebody was refused."""


class DoorAccessPoint:
    """A door: a grant unlocks it."""

    def __init__(self, door: str, runner: Runner, timetable: Timetable, log: Journal) -> None:
        """`door` is its id."""
        self.id, self._runner, self._timetable, self._log = door, runner, timetable, log

    @property
    def door(self) -> str:
        """See `AccessPoint`."""
        return self.id

    def reader(self, _directory: Directory) -> Subject:
        """See `AccessPoint`."""
        return Subject("reader", f"{self.id}.reader", f"{self._runner.door(self.id).name} reader")

    def asking(self, directory: Directory) -> ReaderPolicy:
        """See `AccessPoint`."""
        return directory.access(self.id).asking

    def decide(
        self,
        directory: Directory,
        seen: Presented,
        now: Now,
        digests: Mapping[HashParameters, bytes],
        passback: Passback,
    ) -> Answer:
        """See `AccessPoint`."""
        return decisions.decide(directory, self._runner.door(self.id), seen, now, passback=passback, digests=digests)

    def events(self, directory: Directory, answer: Answer, seen: Presented, at_ns: int) -> list[Event]:
        """See `AccessPoint`."""
        if isinstance(answer, Permit):
            return []
        return decisions.events_of(answer, seen, self.reader(directory), at_ns, door=self.id)

    def admit(self, _directory: Directory, answer: Granted | Permit, events: list[Event]) -> bool:
        """See `AccessPoint`."""
        granted = answer.granted if isinstance(answer, Permit) else answer
        for_s = None
        if granted.extended_s is not None:
            for_s = max(granted.extended_s, self._runner.settings(self.id).policy.unlock_s)
        done = self._unlock(granted.actor, events, for_s)
        if done:
            self._timetable.arrived(self.id, granted.actor)
        return done

    def refuse(self, refused: AccessRefused, events: list[Event]) -> None:
        """See `AccessPoint`."""
        if refused.code in BY_THE_DOOR and refused.actor is not None:
            self._unlock(refused.actor, events, None)
        else:
            self._log.append(events)

    def _unlock(self, actor: Actor, events: list[Event], for_s: float | None) -> bool:
        outcomes = self._runner.command(
            CommandName.UNLOCK, [self.id], command_id="card", actor=actor, for_s=for_s, events=events
        )
        return outcomes[self.id].done


class ElevatorAccessPoint:
    """An elevator: a grant offers floors."""

    def __init__(self, elevator: str, floors: Floors, log: Journal) -> None:
        """`elevator` is its id."""
        self.id, self._floors, self._log = elevator, floors, log

    @property
    def door(self) -> None:
        """See `AccessPoint`."""
        return

    def reader(self, directory: Directory) -> Subject:
        """See `AccessPoint`."""
        return Subject("reader", f"{self.id}.reader", f"{self._elevator(directory).name} reader")

    def _elevator(self, directory: Directory) -> Elevator:
        return directory.elevators.get(self.id) or Elevator(self.id, self.id, {})

    def asking(self, directory: Directory) -> ReaderPolicy:
        """See `AccessPoint`."""
        return self._elevator(directory).asking

    def decide(
        self,
        directory: Directory,
        seen: Presented,
        now: Now,
        digests: Mapping[HashParameters, bytes],
        _passback: object,
    ) -> Answer:
        """See `AccessPoint`."""
        return elevator_rules.permit(directory, self._elevator(directory), seen, now, digests)

    def events(self, directory: Directory, answer: Answer, seen: Presented, at_ns: int) -> list[Event]:
        """See `AccessPoint`."""
        decision = answer.granted if isinstance(answer, Permit) else answer
        return decisions.events_of(decision, seen, self.reader(directory), at_ns)

    def admit(self, directory: Directory, answer: Granted | Permit, events: list[Event]) -> bool:
        """See `AccessPoint`."""
        if isinstance(answer, Permit):
            self._floors.permitted(self._elevator(directory), answer, events)
        return isinstance(answer, Permit)

    def refuse(self, _refused: AccessRefused, events: list[Event]) -> None:
        """See `AccessPoint`."""
        self._log.append(events)
