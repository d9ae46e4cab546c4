"""Steps of a decision: whose card or PIN it is, whether that member may pass now, whether a PIN is missing.

One rule: each step returns a value, or the refusal that ends the decision. Doors and elevators take the
same steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from edge.directory.cards import reading
from edge.directory.directory import Ask
from edge.directory.pins import PIN
from edge.model.schedule import active, next_change

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from edge.directory.directory import Card, Directory, Group, Member, ReaderPolicy
    from edge.directory.pins import HashParameters
    from edge.doors.progress import Moment
    from edge.model.messages import Actor, CardRead, Json


MOST_NAMED: Final = 3
"""Schedules that are named in a refusal, and looked into for when they open."""


class Code(StrEnum):
    """Why somebody is refused."""

    UNKNOWN_CARD = "unknown_card"
    CARD_INACTIVE = "card_inactive"
    DISABLED = "disabled"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    NO_ACCESS = "no_access"
    OUTSIDE_SCHEDULE = "outside_schedule"
    LOCKED_DOWN = "locked_down"
    BLOCKED = "blocked"
    INTERLOCK = "interlock"
    PIN_REQUIRED = "pin_required"
    WRONG_PIN = "wrong_pin"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    ANTI_PASSBACK = "anti_passback"


@dataclass(frozen=True, slots=True)
class Presented:
    """What somebody showed a reader: a card, a PIN, or both."""

    card: CardRead | None = None
    pin: str | None = field(default=None, repr=False)


def _nobody(_member: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Now:
    """The time, and the state of the reader."""

    moment: Moment
    ns: int = 0
    """The boot clock."""
    running: Collection[str] = frozenset()
    """Access schedules that were active when the clock could last be trusted (`running_access`)."""
    locked_out: bool = False
    """The reader accepts no PIN now, after too many wrong ones (`edge.access.guesses`)."""
    person_locked_out: Callable[[str], bool] = _nobody
    """Whether no PIN counts with the cards of this member now, after too many wrong ones at any reader."""


@dataclass(frozen=True, slots=True)
class AskPin:
    """The card is accepted, its PIN has to follow. Not recorded: `edge.access.keypad` waits for the PIN."""

    actor: Actor
    member: Member


@dataclass(frozen=True, slots=True)
class AccessRefused:
    """Access is refused."""

    code: Code
    actor: Actor | None = None
    member: Member | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


NO_DIGESTS: Final[Mapping[HashParameters, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Person:
    """The member whose card or PIN was shown."""

    actor: Actor
    member: Member
    card: Card | None

    def refused(self, code: Code, **details: Json) -> AccessRefused:
        """The refusal of this person."""
        return AccessRefused(code, self.actor, self.member, details)

    def credential(self, presented: Presented) -> Ask:
        """The kind of credential by which access is granted."""
        if self.card is None:
            return Ask.PIN
        return Ask.CARD if presented.pin is None else Ask.CARD_AND_PIN


def person(
    directory: Directory, asking: ReaderPolicy, presented: Presented, now: Now, digests: Mapping[HashParameters, bytes]
) -> Person | AccessRefused:
    """Find the member."""
    if presented.card is None:
        return _by_pin(directory, asking, presented, now, digests)
    card = directory.card(presented.card)
    if card is None:
        return AccessRefused(Code.UNKNOWN_CARD, details=_unknown(presented.card))
    member = directory.holder(card.id)
    if member is None:
        return AccessRefused(Code.CARD_INACTIVE, details={"reason": "nobody has this card"})
    who = Person(directory.user_of(member).actor, member, card)
    if not card.active:
        return who.refused(Code.CARD_INACTIVE)
    if card.id in member.disabled_cards:
        return who.refused(Code.DISABLED, reason="the card")
    return who


def entitled(
    directory: Directory, who: Person, now: Now, passes: Callable[[Group], bool]
) -> tuple[Group, ...] | AccessRefused:
    """Find the groups that let this person pass now; at least one, or the refusal."""
    member = who.member
    if not member.enabled:
        return who.refused(Code.DISABLED, reason="the member")
    moment = now.moment
    known = moment.at_least
    if member.valid_from is not None and (known is None or known < member.valid_from):
        return who.refused(Code.NOT_YET_VALID, **_untrusted(moment))
    if member.valid_until is not None and known is not None and known >= member.valid_until:
        return who.refused(Code.EXPIRED)
    groups = [group for group in map(directory.groups.get, member.groups) if group is not None and passes(group)]
    if not groups:
        return who.refused(Code.NO_ACCESS)
    holding = [group for group in groups if group.schedule is None or runs(directory, group.schedule, now)]
    return tuple(holding) or who.refused(Code.OUTSIDE_SCHEDULE, **_outside(directory, groups, moment))


def proven(
    asking: ReaderPolicy, who: Person, presented: Presented, now: Now, digests: Mapping[HashParameters, bytes]
) -> AskPin | AccessRefused | None:
    """What is still missing of what the reader asks for; None: nothing."""
    if who.card is None or asking.ask in {Ask.CARD, Ask.CARD_OR_PIN}:
        return None
    if asking.ask is Ask.PIN:
        return who.refused(Code.PIN_REQUIRED, reason="this reader takes no card")
    if now.locked_out or now.person_locked_out(who.member.id):
        return who.refused(Code.TOO_MANY_ATTEMPTS)
    pin = who.member.pin
    if pin is None:
        return who.refused(Code.PIN_REQUIRED, reason="the member has no PIN")
    if presented.pin is None:
        return AskPin(who.actor, who.member)
    digest = _digest(pin.recipe, presented.pin, digests)
    return None if digest is not None and pin.is_of(digest) else who.refused(Code.WRONG_PIN)


def _by_pin(
    directory: Directory, asking: ReaderPolicy, presented: Presented, now: Now, digests: Mapping[HashParameters, bytes]
) -> Person | AccessRefused:
    if asking.ask not in {Ask.PIN, Ask.CARD_OR_PIN} or presented.pin is None:
        takes = "cards only" if asking.ask is Ask.CARD else "no PIN alone"
        return AccessRefused(Code.NO_ACCESS, details={"reason": f"this reader takes {takes}"})
    if now.locked_out:
        return AccessRefused(Code.TOO_MANY_ATTEMPTS)
    for recipe, members in directory.alone.items():
        digest = _digest(recipe, presented.pin, digests)
        member_id = None if digest is None else members.get(digest)
        if member_id is not None:
            member = directory.members[member_id]
            return Person(directory.user_of(member).actor, member, None)
    return AccessRefused(Code.WRONG_PIN)


def _digest(recipe: HashParameters, pin: str, digests: Mapping[HashParameters, bytes]) -> bytes | None:
    if not PIN.fullmatch(pin):
        return None
    return digests[recipe] if recipe in digests else recipe.digest(pin)


def _untrusted(moment: Moment) -> dict[str, Json]:
    return {} if moment.trusted else {"reason": "the clock is not set"}


def _outside(directory: Directory, groups: Iterable[Group], moment: Moment) -> dict[str, Json]:
    """The schedules that keep somebody out, and when the first of them opens."""
    if not moment.trusted:
        return _untrusted(moment)
    ids = dict.fromkeys(group.schedule for group in groups if group.schedule is not None)
    schedules = [directory.schedules[one] for one in ids][:MOST_NAMED]
    opens = min((at for one in schedules if (at := next_change(one, moment.at)) is not None), default=None)
    names: list[Json] = [one.name for one in schedules]
    return {"schedules": names, **({} if opens is None else {"opens": opens.isoformat()})}


def _unknown(read: CardRead) -> dict[str, Json]:
    number = reading(read)
    details: dict[str, Json] = {"bits": read.bits, "format": number.format.value}
    return details if number.parity else {**details, "reason": "wrong parity"}


def runs(directory: Directory, schedule: str, now: Now) -> bool:
    """Whether an access schedule holds now."""
    if not now.moment.trusted:
        return schedule in now.running
    return active(directory.schedules[schedule], now.moment.at)


def running_access(directory: Directory, before: Collection[str], moment: Moment) -> frozenset[str]:
    """The schedules for `Now.running`: those active now, or with an unsynced clock those that were active before."""
    if not moment.trusted:
        return frozenset(before)
    return frozenset(schedule.id for schedule in directory.schedules.values() if active(schedule, moment.at))
