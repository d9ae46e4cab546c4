"""Where people may pass: doors, elevators and their floors.

One rule: they are found by id, name or the beginning of one, as people are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from edge.model.alike import did_you_mean, named_alike
from edge.people.finding import NotFoundError, finding, folded
from edge.people.words import listed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from edge.directory.directory import Directory, Elevator, Floor, Group, ReaderPolicy
    from edge.model.messages import Json
    from edge.people.finding import Somebody

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Place:
    """What stands behind a reader: a door, or an elevator with all its floors or only one of them."""

    id: str
    """`front`, `lift`, `lift/roof`."""
    name: str
    asking: ReaderPolicy
    elevator: Elevator | None = None
    floors: tuple[Floor, ...] = ()
    """Those that are asked about, of an elevator."""

    def given_by(self, group: Group) -> tuple[Floor, ...]:
        """The floors of it that a group may choose."""
        given = group.stops.get(self.elevator.id, ()) if self.elevator is not None else ()
        return tuple(floor for floor in self.floors if floor.id in given)

    def is_passed_by(self, group: Group) -> bool:
        """Whether the members of a group may pass here at some time."""
        return bool(self.given_by(group)) if self.elevator is not None else self.id in group.doors

    @property
    def called(self) -> dict[str, Json]:
        """For answers."""
        return {"id": self.id, "name": self.name}


def places(directory: Directory, doors: Mapping[str, str]) -> tuple[Place, ...]:
    """Every door that is configured (id to name) and every elevator of the directory."""
    found = [Place(door, name, directory.access(door).asking) for door, name in doors.items()]
    elevators = directory.elevators.values()
    return (*found, *(Place(one.id, one.name, one.asking, one, tuple(one.floors.values())) for one in elevators))


def find_place(directory: Directory, doors: Mapping[str, str], text: str) -> Place:
    """The door, elevator or floor (`lift/roof`) that is meant. Raises NotFoundError."""
    return _one(text, called_so(_places(directory, doors), text), [*doors, *directory.elevators])


def meant(directory: Directory, doors: Mapping[str, str], text: str) -> Generator[None, None, Place | Group | Somebody]:
    """The door, group or person that is meant; of one name a door comes first, then a group. Raises NotFoundError."""
    ways, groups = called_so(_places(directory, doors), text), called_so(_groups(directory), text)
    exact: list[Named[Place | Group]] = [*ways.exact, *groups.exact]
    begun: list[Named[Place | Group]] = [*ways.begun, *groups.begun]
    if exact:
        return exact[0].thing
    try:
        somebody = yield from finding(directory, text)
    except NotFoundError as error:
        if error.code == "unknown_person" and begun:
            return _one(text, Matches([], begun), [])
        if error.code == "unknown_person":
            known = {one.id: one.name for one in (*_groups(directory), *_places(directory, doors))}
            near = named_alike(text, known) or "".join(str(error).partition("; ")[1:])
            raise NotFoundError("unknown", f"no door, group or person is called {text.strip()!r}{near}") from None
        raise
    if begun and folded(text) not in somebody.called:
        raise _ambiguous(text, [*(one.described for one in begun), somebody.described])
    return somebody


class Named(NamedTuple, Generic[T_co]):
    """Something with an id and a name."""

    id: str
    name: str
    thing: T_co

    @property
    def described(self) -> str:
        """To tell things of one name apart."""
        return f"{self.name} ({self.id})"


class Matches(NamedTuple, Generic[T_co]):
    """What is called so, and what begins so."""

    exact: Sequence[Named[T_co]]
    begun: Sequence[Named[T_co]]


def called_so(every: Sequence[Named[T_co]], text: str) -> Matches[T_co]:
    """Look for an id, a name or the beginning of one; an id as it is written beats all."""
    if by_id := [one for one in every if one.id == text.strip()]:
        return Matches(by_id, [])
    wanted = folded(text)
    names = [(one, (folded(one.id), folded(one.name))) for one in every if wanted]
    exact = [one for one, called in names if wanted in called]
    begun = [one for one, called in names if any(name.startswith(wanted) for name in called)]
    return Matches(exact, [one for one in begun if "/" not in one.id] or begun)  # an elevator before its floors


def _places(directory: Directory, doors: Mapping[str, str]) -> list[Named[Place]]:
    """All of `places`, and each floor by itself."""
    every = [Named(one.id, one.name, one) for one in places(directory, doors)]
    for elevator in directory.elevators.values():
        for floor in elevator.floors.values():
            place_id, name = f"{elevator.id}/{floor.id}", f"{elevator.name}, {floor.name}"
            every.append(Named(place_id, name, Place(place_id, name, elevator.asking, elevator, (floor,))))
    return every


def _groups(directory: Directory) -> list[Named[Group]]:
    return [Named(one.id, one.name, one) for one in directory.groups.values()]


def _one(text: str, found: Matches[T_co], known: Sequence[str]) -> T_co:
    matching = found.exact or found.begun
    if not matching:
        hint = did_you_mean(text, known) or f"; expected one of {listed(known or ['none'], 'or')}"
        raise NotFoundError("unknown_door", f"no door {text.strip()!r}{hint}")
    if len(matching) > 1:
        raise _ambiguous(text, [one.described for one in matching])
    return matching[0].thing


def _ambiguous(text: str, described: Sequence[str]) -> NotFoundError:
    return NotFoundError("ambiguous", f"{text.strip()!r} may be {'; '.join(described)}")
