"""Whether somebody may pass a door at some moment, and why not: the answer of the function that decides at the door.

One rule: every card of theirs is shown to that function, and their PIN where it works alone; the PIN that may follow
a card is taken for right. Nothing here decides by itself. Whoever may see the history may read it, so of a card's
number only the last digits are named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.access.anti_passback import NOBODY
from edge.access.credentials import NO_DIGESTS, AccessRefused, AskPin, Code, Presented, runs
from edge.access.decisions import decide
from edge.access.elevator_rules import Permit, permit
from edge.directory.cards import key
from edge.directory.directory import Ask
from edge.doors.state import Door
from edge.model.messages import CardRead
from edge.model.schedule import next_change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from edge.access.anti_passback import Passback
    from edge.access.credentials import Now
    from edge.access.decisions import Decision, Granted
    from edge.directory.directory import Card, Directory, Group, Member
    from edge.directory.pins import HashParameters
    from edge.people.access.places import Place
    from edge.people.finding import Somebody

ANY_PIN: Final = "0000"
"""Stands for the PIN of whoever is asked about: it is never hashed."""
MOST_STEPS: Final = 50
"""Windows of several groups that are followed, each from the end of the last one."""
_BITS: Final = 8
"""Of the read that stands for a token, of which only the hash is known."""
_FURTHER: Final = tuple(Code)
"""Refusals in the order in which decisions come to them: what came furthest is told."""

Verdict: TypeAlias = "Granted | Permit | AccessRefused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that somebody can show, and what comes of it."""

    shown: str
    """`card …3456`, `card …3456 and PIN`, `PIN`."""
    verdict: Verdict

    @property
    def code(self) -> Code | None:
        """Of the refusal; None when it is granted."""
        return self.verdict.code if isinstance(self.verdict, AccessRefused) else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What comes of all that somebody can show."""

    attempts: tuple[Attempt, ...]
    until: datetime | None = None
    """Until when it stays so, if they may pass and that ends."""

    @property
    def best(self) -> Attempt | None:
        """What is granted, or was refused last of all; None for somebody who has nothing to show."""
        return max(self.attempts, key=_rank, default=None)

    @property
    def granted(self) -> tuple[Attempt, ...]:
        """All by which they may pass."""
        return tuple(one for one in self.attempts if one.code is None)

    @property
    def code(self) -> Code | None:
        """Of the refusal; None when they may pass, and for somebody who has nothing to show."""
        return None if self.best is None else self.best.code


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What counts beside the directory: nothing of it is known of another moment than now."""

    door: Door | None = None
    """As it stands; None for an elevator, or at another moment."""
    passback: Passback = NOBODY


def explain(directory: Directory, somebody: Somebody, place: Place, now: Now, given: Circumstances) -> Explanation:
    """Show all that somebody has. `somebody` may be no member: then there is nothing to show."""
    member = somebody.member
    if member is None:
        return Explanation(())
    found = Explanation(tuple(_attempts(_Reader(directory, place, now, given), member)))
    return replace(found, until=_until(directory, member, place, now)) if found.granted else found


@dataclass(frozen=True, slots=True)
class _Reader:
    """What a decision depends on, but for what is shown."""

    directory: Directory
    place: Place
    now: Now
    given: Circumstances

    def decide(self, presented: Presented, digests: Mapping[HashParameters, bytes] = NO_DIGESTS) -> Decision | Permit:
        """As the reader does."""
        place = self.place
        if place.elevator is None:
            door = self.given.door or Door(place.id, place.name)
            return decide(self.directory, door, presented, self.now, passback=self.given.passback, digests=digests)
        answer = permit(self.directory, place.elevator, presented, self.now, digests)
        return self._of_these_floors(answer) if isinstance(answer, Permit) else answer

    def _of_these_floors(self, answer: Permit) -> Permit | AccessRefused:
        asked = {floor.id for floor in self.place.floors}
        floors = tuple(one for one in answer.floors if one in asked)
        if floors:
            return replace(answer, floors=floors)
        who = answer.granted
        some = any(self.place.is_passed_by(self.directory.groups[one]) for one in who.member.groups)
        return AccessRefused(Code.OUTSIDE_SCHEDULE if some else Code.NO_ACCESS, who.actor, who.member)

    def shown(self, card: Card) -> tuple[_Reader, CardRead]:
        """What a reader would send of a card; of a token, whose secret nobody knows, something that stands for it."""
        if card.token:
            known = replace(self.directory, by_key={key(_BITS, 0): card.id})
            return replace(self, directory=known), CardRead("", _BITS, bytes(1), 0)
        bits = int.from_bytes(card.key[:2])
        size = (bits + 7) // 8
        value = int.from_bytes(card.key[2:]) << (size * 8 - bits)
        return self, CardRead("", bits, value.to_bytes(size), 0)


def _attempts(reader: _Reader, member: Member) -> Iterator[Attempt]:
    directory, pin = reader.directory, member.pin
    right = {} if pin is None else {pin.recipe: pin.digest}
    for card in (directory.cards[one] for one in (*member.cards, *member.backup_cards)):
        shown = f"card {card.id if card.token else card.shown}"
        knowing, read = reader.shown(card)
        verdict = knowing.decide(Presented(read))
        if isinstance(verdict, AskPin):
            verdict, shown = knowing.decide(Presented(read, ANY_PIN), right), f"{shown} and PIN"
        if not isinstance(verdict, AskPin):
            yield Attempt(shown, verdict)
    if pin is not None and member.pin_alone and reader.place.asking.ask in {Ask.PIN, Ask.CARD_OR_PIN}:
        verdict = reader.decide(Presented(pin=ANY_PIN), {**dict.fromkeys(directory.alone, b""), **right})
        if not isinstance(verdict, AskPin):
            yield Attempt("PIN", verdict)


def _rank(attempt: Attempt) -> int:
    verdict = attempt.verdict
    return _FURTHER.index(verdict.code) if isinstance(verdict, AccessRefused) else len(_FURTHER)


def _until(directory: Directory, member: Member, place: Place, now: Now) -> datetime | None:
    """When nothing lets them pass any more: the schedules of all their groups, and their own end."""
    groups = [directory.groups[one] for one in member.groups]
    end = _windows_end(directory, [one for one in groups if place.is_passed_by(one)], now)
    return min(filter(None, (end, member.valid_until)), default=None)


def _windows_end(directory: Directory, groups: Sequence[Group], now: Now) -> datetime | None:
    if not now.moment.trusted:
        return None
    at = now.moment.at
    for _ in range(MOST_STEPS):
        then = replace(now, moment=replace(now.moment, at=at))
        holding = [one for one in groups if one.schedule is None or runs(directory, one.schedule, then)]
        if not holding:
            return at
        ends = [None if one.schedule is None else next_change(directory.schedules[one.schedule], at) for one in holding]
        if None in ends:
            return None
        at = max(end for end in ends if end is not None)
    return None
