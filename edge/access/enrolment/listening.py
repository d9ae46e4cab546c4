"""Who waits for a card at which readers, and which card came. Pure values.

One rule: a reader listens for one person at a time. A card can then never come up at somebody else's desk.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.model.messages import Actor, CardRead

WITHIN_NS: Final = 60 * NS_PER_S
"""How long a reader listens."""
MOST: Final = 16
"""Enrolments that are kept, with those that have ended. The oldest that has ended is forgotten first."""


class EnrolmentState(StrEnum):
    """What has become of an enrolment."""

    LISTENING = "listening"
    CARD = "card"
    """A card came that nobody has."""
    ENDED = "ended"
    """No card came in time, or somebody ended it."""


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card that was shown to a reader that listens."""

    read: CardRead = field(repr=False)
    place: str
    """The door or elevator of the reader."""
    at: str
    """When it was shown, as a calendar time. Found once: it tells one reading from the next of the same card."""
    card: str | None
    """Its id in the directory, if it is there."""
    holder: str | None
    """The name of the person who has it."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What one person waits for, or has got."""

    actor: Actor
    reader: str | None
    """The door or elevator; None: any."""
    until_ns: int
    until: str
    """The same as a calendar time."""
    state: EnrolmentState = EnrolmentState.LISTENING
    shown: ShownCard | None = None
    """The card that came, or the last one that somebody has already."""

    @property
    def listens(self) -> bool:
        """Whether it still waits for a card."""
        return self.state is EnrolmentState.LISTENING

    def listens_at(self, place: str) -> bool:
        """Whether it waits for a card at this door or elevator."""
        return self.listens and self.reader in {None, place}


Listening: TypeAlias = tuple[Enrolment, ...]
"""One for each person, the oldest first."""


class OccupiedError(Exception):
    """Somebody else waits for a card there. The text is a sentence for people."""


def begun(listening: Listening, new: Enrolment) -> Listening:
    """Begin; it takes the place of what its actor had before. Raises OccupiedError."""
    others = [one for one in listening if one.actor.id != new.actor.id]
    for one in others:
        if one.listens and (one.reader == new.reader or None in {one.reader, new.reader}):
            raise OccupiedError(_occupied(one))
    if len(others) >= MOST:
        over = next((one for one in others if not one.listens), None)
        if over is None:
            raise OccupiedError(f"{MOST} people wait for a card already: try again in a minute")
        others.remove(over)
    return (*others, new)


def _occupied(by: Enrolment) -> str:
    where = "any reader" if by.reader is None else f"the reader of {by.reader}"
    return f"{by.actor.name or by.actor.id} waits for a card at {where}: try again in a minute, or at another reader"


def ended(listening: Listening, actor: str) -> Listening:
    """End the enrolment of this actor, if it still waits."""
    return tuple(_ended(one) if one.actor.id == actor else one for one in listening)


def expired(listening: Listening, now_ns: int) -> Listening:
    """End what has waited long enough."""
    return tuple(_ended(one) if now_ns >= one.until_ns else one for one in listening)


def _ended(one: Enrolment) -> Enrolment:
    return replace(one, state=EnrolmentState.ENDED, shown=None) if one.listens else one


def offered(listening: Listening, shown: ShownCard) -> tuple[Listening, bool]:
    """Offer a card to whoever waits for one there. True: it was taken, because nobody has it."""
    waits = next((one for one in listening if one.listens_at(shown.place)), None)
    if waits is None:
        return listening, False
    takes = shown.holder is None
    now = replace(waits, shown=shown, state=EnrolmentState.CARD if takes else EnrolmentState.LISTENING)
    return tuple(now if one is waits else one for one in listening), takes


def listening_places(listening: Listening, places: Iterable[str]) -> frozenset[str]:
    """Those of these doors and elevators whose reader listens."""
    return frozenset(place for place in places if any(one.listens_at(place) for one in listening))


def next_deadline(listening: Listening) -> int | None:
    """When `expired` changes something."""
    return min((one.until_ns for one in listening if one.listens), default=None)
