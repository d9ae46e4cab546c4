"""Decisions: what somebody showed a reader becomes granted, or refused with a code.

One rule: a decision is a pure function of the directory, the door and the time; whatever is shown,
it never raises, and a refusal shows no more of a card than its last digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edge.access.anti_passback import NOBODY, violates
from edge.access.credentials import NO_DIGESTS, AccessRefused, AskPin, Code, Person, entitled, person, proven
from edge.directory.cards import reading
from edge.directory.directory import Ask
from edge.directory.pins import PIN
from edge.doors.modes import TRANSITIONS, RefusedByMode, Trigger
from edge.model.event_types import READER_ACCESS
from edge.model.messages import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.access.anti_passback import Passback
    from edge.access.credentials import Now, Presented
    from edge.directory.directory import Card, Directory, Group, Member, ReaderPolicy
    from edge.directory.pins import HashParameters
    from edge.doors.state import Door
    from edge.model.messages import Actor, CardRead, Json, Subject


@dataclass(frozen=True, slots=True)
class Granted:
    """Granted."""

    actor: Actor
    member: Member
    group: Group
    """By which the member may pass."""
    card: Card | None
    credential: Ask
    extended_s: float | None = None
    """For a member who needs longer: unlock at least so long."""
    passback: bool = False
    """Should not have come this way (soft anti-passback)."""


Decision: TypeAlias = Granted | AskPin | AccessRefused


def decide(  # noqa: PLR0913 -- everything a decision depends on, by name
    directory: Directory,
    door: Door,
    presented: Presented,
    now: Now,
    *,
    passback: Passback = NOBODY,
    digests: Mapping[HashParameters, bytes] = NO_DIGESTS,
) -> Decision:
    """Decide at a door.

    `digests` are the PIN hashed by `recipes`, which is slow and belongs on another thread; what is
    missing is hashed here. Refusals come in the order: the card, the person, the door, the PIN, the way.
    """
    access = directory.access(door.id)
    who = person(directory, access.asking, presented, now, digests)
    if isinstance(who, AccessRefused):
        return who
    groups = entitled(directory, who, now, lambda one: door.id in one.doors)
    if isinstance(groups, AccessRefused):
        return groups
    unproven = _closed(door, who) or proven(access.asking, who, presented, now, digests)
    if unproven is not None:
        return unproven
    wrong_way = violates(passback, directory, door.id, who.member.id, now.ns)
    if wrong_way and access.anti_passback is not None and access.anti_passback.hard:
        return who.refused(Code.ANTI_PASSBACK, exit=access.anti_passback.exit)
    extended_s = access.extended_unlock_s if who.member.extended_unlock else None
    return Granted(who.actor, who.member, groups[0], who.card, who.credential(presented), extended_s, wrong_way)


def recipes(directory: Directory, asking: ReaderPolicy, presented: Presented) -> tuple[HashParameters, ...]:
    """How the PIN will have to be hashed: mostly once, at most a handful of times, often not at all."""
    if presented.pin is None or not PIN.fullmatch(presented.pin):
        return ()
    if presented.card is None:
        return tuple(directory.alone) if asking.ask in {Ask.PIN, Ask.CARD_OR_PIN} else ()
    card = directory.card(presented.card)
    member = None if card is None else directory.holder(card.id)
    return () if member is None or member.pin is None or asking.ask is not Ask.CARD_AND_PIN else (member.pin.recipe,)


def lapsed(directory: Directory, read: CardRead) -> AccessRefused:
    """The refusal of a card whose PIN did not follow in time."""
    card = directory.card(read)
    member = None if card is None else directory.holder(card.id)
    actor = None if member is None else directory.user_of(member).actor
    return AccessRefused(Code.PIN_REQUIRED, actor, member, {"reason": "no PIN in time"})


def events_of(  # noqa: PLR0913 -- what the caller knows beside the decision, by name
    decision: Decision,
    presented: Presented,
    reader: Subject,
    at_ns: int,
    *,
    door: str | None = None,
    correlation: str = "",
) -> list[Event]:
    """The record of a decision: `reader.access`, with the user copied in; nothing for `AskPin`."""
    if isinstance(decision, AskPin):
        return []
    shown = None if presented.card is None else reading(presented.card).shown
    if isinstance(decision, Granted):
        details: dict[str, Json] = {"credential": decision.credential.value, "group": decision.group.id}
        if decision.card is not None:
            details |= {"card": decision.card.id, "number": decision.card.shown}
        if decision.extended_s is not None:
            details["extended_s"] = decision.extended_s
        if decision.passback:
            details["anti_passback"] = "soft"
        code = None
    else:
        details = {"credential": "pin" if shown is None else "card", **decision.details}
        if shown is not None:
            details["number"] = shown
        code = decision.code.value
    if decision.member is not None:
        details["member"] = decision.member.id
    return [
        Event(
            READER_ACCESS,
            at_ns,
            reader,
            decision.actor,
            success=code is None,
            code=code,
            correlation=correlation,
            door=door,
            details=details,
        )
    ]


def _closed(door: Door, who: Person) -> AccessRefused | None:
    """What the door itself says: the same as its rules will (R10, R11, R18)."""
    verdict = TRANSITIONS[door.mode, Trigger.ACCESS]
    if isinstance(verdict, RefusedByMode):
        return who.refused(Code(verdict.code))
    if door.refuses_access:
        return who.refused(Code.BLOCKED)
    if door.interlocked_by is not None and not door.release_input:
        return who.refused(Code.INTERLOCK, held_by=door.interlocked_by)
    return None
