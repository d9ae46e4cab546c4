"""Elevator rules: a cardholder at the reader gets a permit for floors, and chooses one while it runs. Pure.

One rule: a permit is decided by the same steps as access at a door. The chosen floor is known only where its
button is wired to an input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.access.credentials import NO_DIGESTS, AccessRefused, AskPin, entitled, person, proven
from edge.access.decisions import Granted
from edge.model.event_types import ELEVATOR_PERMIT, ELEVATOR_PERMITTED
from edge.model.messages import NS_PER_S, Event, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.access.credentials import Now, Presented
    from edge.directory.directory import Directory, Elevator
    from edge.directory.pins import HashParameters
    from edge.model.messages import Json

MOST_PERMITS: Final = 64
"""Permits of one elevator at a time. One more ends the oldest early."""
LATE_NS: Final = 60 * NS_PER_S
"""How long after a permit a press within it may still settle (the longest `instability_ms`)."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Floors that a cardholder may choose for `for_s` seconds."""

    granted: Granted
    floors: tuple[str, ...]
    """In the order in which the elevator lists them."""
    for_s: float


@dataclass(frozen=True, slots=True)
class Ride:
    """A permit with its times. It runs, or has ended and is remembered for a while."""

    permit: Permit
    elevator: Elevator
    correlation: str
    since_ns: int
    until_ns: int
    chosen: frozenset[str] = frozenset()
    """Floors that were chosen. Each is recorded once."""


Answer: TypeAlias = Permit | AskPin | AccessRefused


def permit(
    directory: Directory,
    elevator: Elevator,
    presented: Presented,
    now: Now,
    digests: Mapping[HashParameters, bytes] = NO_DIGESTS,
) -> Answer:
    """Decide which floors somebody may choose: those of all the groups that let the member pass now."""
    who = person(directory, elevator.asking, presented, now, digests)
    if isinstance(who, AccessRefused):
        return who
    groups = entitled(directory, who, now, lambda group: bool(group.stops.get(elevator.id)))
    if isinstance(groups, AccessRefused):
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


def begun(permitted: Permit, elevator: Elevator, at_ns: int, correlation: str = "") -> Ride:
    """Start a permit."""
    return Ride(permitted, elevator, correlation, at_ns, at_ns + round(permitted.for_s * NS_PER_S))


def offered(permitted: Permit, elevator: Elevator, at_ns: int, correlation: str = "") -> Event:
    """The event `elevator.permit`, with the floors."""
    subject = Subject("elevator", elevator.id, elevator.name)
    actor = permitted.granted.actor
    names: list[Json] = [elevator.floors[floor].name for floor in permitted.floors]
    details: dict[str, Json] = {"floors": [*permitted.floors], "names": names, "for_s": permitted.for_s}
    return Event(ELEVATOR_PERMIT, at_ns, subject, actor, cause="user", correlation=correlation, details=details)


def joined(rides: tuple[Ride, ...], new: Ride) -> tuple[Ride, ...]:
    """Add a permit. Those that run go on, so that several people may enter together.

    Permits that ended long ago are dropped, and those of the same member that the new one covers.
    """
    kept = (ride for ride in rides if ride.until_ns + LATE_NS > new.since_ns and not _replaces(new, ride))
    return (*kept, new)[-MOST_PERMITS:]


def _replaces(new: Ride, old: Ride) -> bool:
    same = new.permit.granted.member.id == old.permit.granted.member.id
    return same and old.until_ns <= new.until_ns and set(old.permit.floors) <= set(new.permit.floors)


def given_until_ns(rides: tuple[Ride, ...], floor: str) -> int:
    """When the last permit for a floor ends; 0 without any."""
    return max((ride.until_ns for ride in rides if floor in ride.permit.floors), default=0)


def pressed(rides: tuple[Ride, ...], floor: str, at_ns: int) -> tuple[tuple[Ride, ...], list[Event]]:
    """A floor's button is held since `at_ns`: `elevator.permitted`, once for each permit.

    The latest permit for the floor has chosen it. A button that was held before the permit began counts
    from its beginning. No event without a running permit for the floor.
    """
    able = [ride for ride in rides if floor in ride.permit.floors and at_ns < ride.until_ns]
    able = [ride for ride in able if ride.since_ns <= at_ns] or able
    if not able or floor in able[-1].chosen:
        return rides, []
    ride = able[-1]
    marked = replace(ride, chosen=ride.chosen | {floor})
    return tuple(marked if known is ride else known for known in rides), [
        _chosen(ride, floor, max(at_ns, ride.since_ns))
    ]


def _chosen(ride: Ride, floor: str, at_ns: int) -> Event:
    subject = Subject("elevator", ride.elevator.id, ride.elevator.name)
    details = {"floor": floor, "name": ride.elevator.floors[floor].name}
    actor, correlation = ride.permit.granted.actor, ride.correlation
    return Event(ELEVATOR_PERMITTED, at_ns, subject, actor, cause="user", correlation=correlation, details=details)
