"""What is known of a person, for those at a desk.

One rule: of a PIN it is only said that there is one; a card's number is shown to whoever may look after people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.directory.document.keys import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edge.directory.directory import Card, Directory, Member
    from edge.model.messages import Json
    from edge.people.finding import Somebody


def person_facts(
    directory: Directory, somebody: Somebody, known: datetime | None, last_seen: Mapping[str, Json] | None
) -> dict[str, Json]:
    """A person as the socket's `people` has one. `known`: it is not earlier than that, as far as anybody knows."""
    user, member = somebody.user, somebody.member
    cards: list[Json] = []
    groups: list[Json] = []
    if member is not None:
        cards = [card_facts(directory.cards[one], member) for one in (*member.cards, *member.backup_cards)]
        groups = [{"id": one, "name": directory.groups[one].name} for one in member.groups]
    return {
        "id": somebody.id,
        "user": user.id,
        "name": user.name,
        "email": user.email,
        "state": state_of(directory, member, known),
        "valid_from": None if member is None else plain(member.valid_from),
        "valid_until": None if member is None else plain(member.valid_until),
        "visitor": is_visitor(somebody),
        "groups": groups,
        "cards": cards,
        "pin": member is not None and member.pin is not None,
        "extended_unlock": member is not None and member.extended_unlock,
        "last_seen": None if last_seen is None else {**last_seen},
    }


def is_visitor(somebody: Somebody) -> bool:
    """Whether the controller removes this person by itself a day after their time."""
    return somebody.member is not None and somebody.member.visitor


def card_facts(card: Card, member: Member | None) -> dict[str, Json]:
    """A card, and what it is to the member who has it."""
    return {
        "id": card.id,
        "format": card.format.value,
        "number": card.written,
        "shown": card.shown,
        "lost": not card.active,
        "enabled": member is None or card.id not in member.disabled_cards,
        "backup": member is not None and card.id in member.backup_cards,
    }


def state_of(directory: Directory, member: Member | None, known: datetime | None) -> str:
    """`active`, `off`, `expired`, `not yet`, or `no access`: in no group that opens anything."""
    if member is None:
        return "no access"
    if not member.enabled:
        return "off"
    if member.valid_until is not None and known is not None and known >= member.valid_until:
        return "expired"
    if member.valid_from is not None and (known is None or known < member.valid_from):
        return "not yet"
    groups = [directory.groups[one] for one in member.groups]
    return "active" if any(one.doors or one.stops for one in groups) else "no access"


def door_facts(directory: Directory, member: Member | None, names: Mapping[str, str]) -> list[Json]:
    """The doors of a member's groups, door by door; `names` are those of the configured doors, by id."""
    groups = [] if member is None else [directory.groups[one] for one in member.groups]
    found = sorted((door, group.id, group.schedule) for group in groups for door in group.doors)
    return [
        {"door": door, "name": names.get(door, door), "group": group, "schedule": schedule}
        for door, group, schedule in found
    ]
