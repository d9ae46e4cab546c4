"""Elevators: a person at the reader is given floors, and chooses one while they are allowed.

One rule: floors are given by the same steps as doors are opened; which floor was chosen is only
known where its button is wired to an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edge.access import Granted, events_of
from edge.credentials import NO_DIGESTS, AskPin, Refused, entitled, person, proven
from edge.messages import NS_PER_S, Event, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.credentials import Now, Presented
    from edge.directory import Directory, Elevator
    from edge.messages import Json
    from edge.pins import Recipe


@dataclass(frozen=True, slots=True)
class Permit:
    """Floors that a person may choose from now on for `for_s` seconds."""

    granted: Granted
    floors: tuple[str, ...]
    """In the order of the elevator."""
    for_s: float


@dataclass(frozen=True, slots=True)
class Ride:
    """A permit that runs."""

    permit: Permit
    until_ns: int


Answer: TypeAlias = Permit | AskPin | Refused


def permit(
    directory: Directory,
    elevator: Elevator,
    presented: Presented,
    now: Now,
    digests: Mapping[Recipe, bytes] = NO_DIGESTS,
) -> Answer:
    """Decide which floors somebody may choose: those of all groups that hold now."""
    who = person(directory, elevator.asking, presented, now, digests)
    if isinstance(who, Refused):
        return who
    groups = entitled(directory, who, now, lambda one: bool(one.stops.get(elevator.id)))
    if isinstance(groups, Refused):
        return groups
    unproven = proven(elevator.asking, who, presented, now, digests)
    if unproven is not None:
        return unproven
    given = frozenset[str]().union(*(group.stops[elevator.id] for group in groups))
    extended = who.member.extended_unlock
    for_s = elevator.extended_permit_s if extended else elevator.permit_s
    granted = Granted(
        who.actor, who.member, groups[0], who.card, who.credential(presented), for_s if extended else None
    )
    return Permit(granted, tuple(floor for floor in elevator.floors if floor in given), for_s)


def begun(permitted: Permit, at_ns: int) -> Ride:
    """Start the time in which a floor may be chosen."""
    return Ride(permitted, at_ns + round(permitted.for_s * NS_PER_S))


def events(answer: Answer, presented: Presented, elevator: Elevator, at_ns: int, correlation: str = "") -> list[Event]:
    """`reader.access`, and for a permit `elevator.permit` with the floors."""
    reader = Subject("reader", f"{elevator.id}.reader", f"{elevator.name} reader")
    if not isinstance(answer, Permit):
        return events_of(answer, presented, reader, at_ns, correlation=correlation)
    subject = Subject("elevator", elevator.id, elevator.name)
    actor = answer.granted.actor
    names: list[Json] = [elevator.floors[floor].name for floor in answer.floors]
    details: dict[str, Json] = {"floors": [*answer.floors], "names": names, "for_s": answer.for_s}
    return [
        *events_of(answer.granted, presented, reader, at_ns, correlation=correlation),
        Event("elevator.permit", at_ns, subject, actor, cause="user", correlation=correlation, details=details),
    ]


def chosen(ride: Ride | None, elevator: Elevator, floor: str, at_ns: int, correlation: str = "") -> list[Event]:
    """The record of a floor's button: `elevator.permitted`; nothing for a floor that was not given, or no more."""
    if ride is None or floor not in ride.permit.floors or at_ns >= ride.until_ns or floor not in elevator.floors:
        return []
    subject = Subject("elevator", elevator.id, elevator.name)
    details = {"floor": floor, "name": elevator.floors[floor].name}
    actor = ride.permit.granted.actor
    return [Event("elevator.permitted", at_ns, subject, actor, cause="user", correlation=correlation, details=details)]
