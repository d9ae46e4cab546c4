"""The difference of two directories, as audit events (docs/events.md).

One rule: the old directory and the events of a difference give the new directory, except for secrets:
of a secret the events say only that it changed.

A card that is added or removed has a `card.activate` or `card.deactivate` with `new` or `removed`
(`..._with_token` for tokens). A card whose number changes is removed and added. Schedules have no events of
their own: the events of groups and doors contain what their schedule says.
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from edge.directory.document.keys import Audit
from edge.directory.document.tables import KEYS, READER_KEYS, READERS
from edge.model.event_types import (
    CARD_ACTIVATE,
    CARD_ACTIVATE_WITH_TOKEN,
    CARD_ASSIGN,
    CARD_ASSIGN_USER,
    CARD_DEACTIVATE,
    CARD_DEACTIVATE_WITH_TOKEN,
    CARD_DEASSIGN,
    CARD_DEASSIGN_USER,
    LOCK_UPDATE,
    MEMBER_ASSIGN_BACKUP_CARD,
    MEMBER_ASSIGN_CARD,
    MEMBER_DEASSIGN_BACKUP_CARD,
    MEMBER_DEASSIGN_CARD,
    MEMBER_DISABLE_BACKUP_CARD,
    MEMBER_DISABLE_CARD,
    MEMBER_ENABLE_BACKUP_CARD,
    MEMBER_ENABLE_CARD,
)
from edge.model.messages import Event, Subject
from edge.settings.door_changes import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edge.directory.directory import Card, Directory, Member
    from edge.directory.document.keys import Keys
    from edge.model.messages import Actor, Json

_LISTS: Final = (
    ("cards", MEMBER_ASSIGN_CARD, MEMBER_DEASSIGN_CARD, MEMBER_ENABLE_CARD, MEMBER_DISABLE_CARD),
    (
        "backup_cards",
        MEMBER_ASSIGN_BACKUP_CARD,
        MEMBER_DEASSIGN_BACKUP_CARD,
        MEMBER_ENABLE_BACKUP_CARD,
        MEMBER_DISABLE_BACKUP_CARD,
    ),
)
"""A member's list of cards, and the events of a card that is added, removed, enabled or disabled in it."""


PIECE: Final = 1_000
"""Ids that are sorted at once."""
_WITH_TOKEN: Final = {CARD_ACTIVATE: CARD_ACTIVATE_WITH_TOKEN, CARD_DEACTIVATE: CARD_DEACTIVATE_WITH_TOKEN}


def difference(old: Directory, new: Directory, actor: Actor, at_ns: int, **more: Any) -> list[Event]:  # noqa: ANN401 -- see `differing`
    """All events of `differing` at once: half a kilobyte each, five of them for a new person with a card."""
    return list(differing(old, new, actor, at_ns, **more))


def differing(  # noqa: PLR0913 -- what differs, by name
    old: Directory,
    new: Directory,
    actor: Actor,
    at_ns: int,
    *,
    names: Mapping[str, str] | None = None,
    touched: Iterable[tuple[str, str]] | None = None,
) -> Iterator[Event]:
    """Yield all events, in an order in which they can be applied: nothing is assigned before it exists.

    The same two directories always yield the same events: entries of the old one come in the order of their ids,
    because edits that are made again after a restart leave them in another order. `names` are the doors' names.
    `touched` names the only entries that may differ, each as its list and id; None: all are compared. That takes
    seconds for 100,000 cards, and may be long between two events: iterate in a thread.
    """
    found = _Difference(old, new, actor, at_ns, names or {})
    found.touched = None if touched is None else _with_schedules(old, new, touched)
    return found.events()


class _Difference:
    def __init__(self, old: Directory, new: Directory, actor: Actor, at_ns: int, names: Mapping[str, str]) -> None:
        self.old, self.new = old, new
        self.touched: Mapping[str, Iterable[str]] | None = None
        """The ids of each list that may differ; None: all."""
        self.actor, self.at_ns, self.names = actor, at_ns, names

    def events(self) -> Iterator[Event]:
        yield from self.doors()
        yield from self.come("user", "users")
        yield from self.cards()
        yield from self.come("elevator", "elevators")
        yield from self.come("group", "groups")
        yield from self.taken()
        yield from self.come("member", "members")
        yield from self.given()
        yield from self.come("camera", "cameras", create="import")
        yield from self.come("integration", "integrations")
        yield from self.gone("integration", "integrations")
        yield from self.gone("camera", "cameras")
        yield from self.gone("member", "members")
        yield from self.gone("group", "groups")
        yield from self.gone("elevator", "elevators")
        for card in self.removed("cards"):
            yield self.card_event(card, CARD_DEACTIVATE, {"removed": True})
        yield from self.gone("user", "users")

    def entries(self, side: Directory, section: str) -> Mapping[str, Any]:
        """The entries of a list that may differ, in their order."""
        known: Mapping[str, Any] = getattr(side, section)
        if self.touched is None:
            return known
        return {one: known[one] for one in self.touched.get(section, ()) if one in known}

    def removed(self, section: str) -> Iterator[Any]:
        """The entries that are not in the new directory."""
        known: Mapping[str, Any] = getattr(self.old, section)
        after: Mapping[str, Any] = getattr(self.new, section)
        return (known[one] for one in _in_order(one for one in self.entries(self.old, section) if one not in after))

    # --- whole entries -----------------------------------------------------------------------------

    def come(self, resource: str, section: str, create: str = "create") -> Iterator[Event]:
        """Yield the events of new and changed entries, in the order of the new document."""
        before: Mapping[str, Any] = getattr(self.old, section)
        for entry_id, entry in self.entries(self.new, section).items():
            was = before.get(entry_id)
            if was is None:
                details = _facts(self.new, section, entry)
                yield self.event(f"{resource}.{create}", self.subject(resource, entry, self.new), details)
                continue
            details = self.changes(section, was, entry)
            if details:
                yield self.event(f"{resource}.update", self.subject(resource, entry, self.new), details)

    def gone(self, resource: str, section: str) -> Iterator[Event]:
        """Yield the events of removed entries, with their names."""
        for entry in self.removed(section):
            details: dict[str, Json] = {"email": entry.email} if resource == "user" else {}
            if resource == "member":
                details = {"user": entry.user}
            yield self.event(f"{resource}.destroy", self.subject(resource, entry, self.old), details)

    def changes(self, section: str, was: object, now: object) -> dict[str, Json]:
        """The changed keys of an entry; of a secret only that it changed."""
        if was == now and not KEYS[section].schedules:
            return {}
        details = changed(_facts(self.old, section, was), _facts(self.new, section, now))
        for key in KEYS[section].audited:
            if key.audit is Audit.SECRET:
                before, after = getattr(was, key.attribute), getattr(now, key.attribute)
                if before is not None and after is not None and before != after:
                    details[key.told_as or key.name] = "changed"
        return details

    def doors(self) -> Iterator[Event]:
        for door in dict.fromkeys([*self.entries(self.new, "doors"), *_in_order(self.entries(self.old, "doors"))]):
            details = self.changes("doors", self.old.access(door), self.new.access(door))
            if details:
                yield self.event(LOCK_UPDATE, Subject("lock", door, self.names.get(door, door)), details, door=door)

    # --- cards ---------------------------------------------------------------------------------------

    def cards(self) -> Iterator[Event]:
        for card in self.entries(self.new, "cards").values():
            was = self.old.cards.get(card.id)
            same = was is not None and was.key == card.key and was.format is card.format
            if was is not None and was.user is not None and not (same and was.user == card.user):
                yield self.event(CARD_DEASSIGN_USER, _card(was), {"user": was.user})
            if was is not None and not same:
                yield self.card_event(was, CARD_DEACTIVATE, {"removed": True})
            if was is None or not same:
                yield self.card_event(card, _state(card), {"new": True, "format": card.format.value})
            elif was.active is not card.active:
                yield self.card_event(card, _state(card), {})
            if card.user is not None and not (same and was is not None and was.user == card.user):
                yield self.event(CARD_ASSIGN_USER, _card(card), {"user": card.user})
        for card in self.removed("cards"):
            if card.user is not None:
                yield self.event(CARD_DEASSIGN_USER, _card(card), {"user": card.user})

    def card_event(self, card: Card, event_type: str, details: Mapping[str, Json]) -> Event:
        return self.event(_WITH_TOKEN[event_type] if card.token else event_type, _card(card), details)

    def taken(self) -> Iterator[Event]:
        """Yield the events of cards that are taken from members, before they are given to others."""
        members = self.entries(self.old, "members")
        for member_id in _in_order(one for one in members if members[one] != self.new.members.get(one)):
            member, now = members[member_id], self.new.members.get(member_id)
            for name, _, deassign, _, _ in _LISTS:
                kept = () if now is None else getattr(now, name)
                for card in getattr(member, name):
                    if card not in kept:
                        yield self.member_event(self.old, member, deassign, card)
                        if self.new.holders.get(card) != member.id:
                            yield self.event(CARD_DEASSIGN, _card(self.old.cards[card]), {"member": member.id})

    def given(self) -> Iterator[Event]:
        for member in self.entries(self.new, "members").values():
            was = self.old.members.get(member.id)
            if was == member:
                continue
            for name, assign, _, enable, disable in _LISTS:
                had = () if was is None else getattr(was, name)
                for card in getattr(member, name):
                    off = card in member.disabled_cards
                    if card not in had:
                        yield self.member_event(self.new, member, assign, card)
                        if self.old.holders.get(card) != member.id:
                            yield self.event(CARD_ASSIGN, _card(self.new.cards[card]), {"member": member.id})
                    was_off = was is not None and card in had and card in was.disabled_cards
                    if off is not was_off:
                        yield self.member_event(self.new, member, disable if off else enable, card)

    def member_event(self, side: Directory, member: Member, event_type: str, card: str) -> Event:
        details: dict[str, Json] = {"card": card, "number": side.cards[card].shown}
        return self.event(event_type, self.subject("member", member, side), details)

    # --- events ------------------------------------------------------------------------------------------

    def subject(self, resource: str, entry: Any, side: Directory) -> Subject:  # noqa: ANN401 -- any entry
        name = side.users[entry.user].name if resource == "member" else entry.name
        return Subject(resource, entry.id, name)

    def event(self, event_type: str, subject: Subject, details: Mapping[str, Json], door: str | None = None) -> Event:
        correlation = f"directory-{self.new.version}"
        return Event(
            event_type, self.at_ns, subject, self.actor, correlation=correlation, door=door, details=dict(details)
        )


def _with_schedules(old: Directory, new: Directory, touched: Iterable[tuple[str, str]]) -> dict[str, dict[str, None]]:
    """The touched ids of each list, in order; for a touched schedule also the groups and doors that use it."""
    found: dict[str, dict[str, None]] = {}
    for section, entry_id in touched:
        found.setdefault(section, {})[entry_id] = None
    if schedules := found.get("schedules"):
        for section in ("groups", "doors"):
            for side in (new, old):
                ids = (one.id for one in getattr(side, section).values() if one.schedule in schedules)
                found.setdefault(section, {}).update(dict.fromkeys(_in_order(ids)))
    return found


def _in_order(ids: Iterable[str]) -> Iterator[str]:
    """Sort in pieces: other threads wait while Python sorts a list."""
    ids, pieces = iter(ids), []
    while piece := sorted(islice(ids, PIECE)):
        pieces.append(piece)
    return heapq.merge(*pieces)


def _card(card: Card) -> Subject:
    return Subject("card", card.id, card.shown)


def _state(card: Card) -> str:
    return CARD_ACTIVATE if card.active else CARD_DEACTIVATE


def _facts(side: Directory, section: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any value of a directory
    """What an event says of an entry."""
    reader = _said(side, READER_KEYS, value.asking) if section in READERS else {}
    return {**reader, **_said(side, KEYS[section], value)}


def _said(side: Directory, keys: Keys, value: object) -> dict[str, Any]:
    """What an event says of these keys. After a schedule's id comes its content: the event needs no other source."""
    facts: dict[str, Any] = {}
    for key in keys.audited:
        attribute = getattr(value, key.attribute)
        facts |= key.said(attribute)
        if key.audit is Audit.SCHEDULE and attribute is not None:
            schedule = _said(side, KEYS["schedules"], side.schedules[attribute])
            facts |= {f"{key.name}.{name}": said for name, said in schedule.items()}
    return facts
