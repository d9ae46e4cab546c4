"""Decisions at a door: a card or a PIN is granted, or refused with a code.

One rule: a decision is a pure function of the directory, the door and the time. It never raises, whatever a
reader sends, and a refusal shows only the last digits of a card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edge.access.anti_passback import NOBODY, violates
from edge.access.credentials import NO_DIGESTS, AccessRefused, AskPin, Code, entitled, person, proven
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
    """Access is granted."""

    actor: Actor
    member: Member
    group: Group
    """The group that lets the member pass."""
    card: Card | None
    credential: Ask
    extended_s: float | None = None
    """For a member with extended unlock: unlock for at least this long."""
    passback: bool = False
    """The passage violates soft anti-passback, which only records it."""


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

    `digests` has the PIN hashed by `recipes`: hashing is slow and belongs on another thread. A digest that is
    missing is computed here. The first check that fails decides: card, member, door, PIN, anti-passback.
    """
    access = directory.access(door.id)
    who = person(directory, access.asking, presented, now, digests)
    if isinstance(who, AccessRefused):
        return who
    groups = entitled(directory, who, now, lambda group: door.id in group.doors)
    if isinstance(groups, AccessRefused):
        return groups
    if (shut := closed(door)) is not None:
        return AccessRefused(shut.code, who.actor, who.member, shut.details)
    unproven = proven(access.asking, who, presented, now, digests)
    if unproven is not None:
        return unproven
    wrong_way = violates(passback, directory, door.id, who.member.id, now.ns)
    if wrong_way and access.anti_passback is not None and access.anti_passback.hard:
        return who.refused(Code.ANTI_PASSBACK, exit=access.anti_passback.exit)
    extended_s = access.extended_unlock_s if who.member.extended_unlock else None
    return Granted(who.actor, who.member, groups[0], who.card, who.credential(presented), extended_s, wrong_way)


def closed(door: Door) -> AccessRefused | None:
    """The refusal of the door itself, whoever comes; the same as its rules would give (R10, R11, R18)."""
    verdict = TRANSITIONS[door.mode, Trigger.ACCESS]
    if isinstance(verdict, RefusedByMode):
        return AccessRefused(Code(verdict.code))
    if door.refuses_access:
        return AccessRefused(Code.BLOCKED)
    if door.interlocked_by is not None and not door.release_input:
        return AccessRefused(Code.INTERLOCK, details={"held_by": door.interlocked_by})
    return None


def recipes(directory: Directory, asking: ReaderPolicy, presented: Presented) -> tuple[HashParameters, ...]:
    """The hash parameters with which a decision needs the PIN: mostly none or one, at most a few."""
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
    """The event of a decision: `reader.access` with the cardholder as its actor; nothing for `AskPin`."""
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
