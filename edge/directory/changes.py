"""The difference of two directories, as the audit events of the contract (section 3).

One rule: who applies the events of a difference to the old directory has the new one, but for what
is secret; of that they say only that it changed.

A card comes and goes by `card.activate` and `card.deactivate` (`new`, `removed`), `..._with_token`
for tokens; another number is another card. Schedules have no events of their own: what a schedule
says stands in the events of the groups and doors that go by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.directory.document import writing
from edge.model.event_types import CARD_ASSIGN, CARD_ASSIGN_USER, CARD_DEASSIGN, CARD_DEASSIGN_USER, LOCK_UPDATE
from edge.model.messages import Event, Subject
from edge.settings.door_changes import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from edge.directory.directory import Card, Directory, DoorAccess, Group, Member
    from edge.model.messages import Actor, Json

_LISTS: Final = (("cards", "card"), ("backup_cards", "backup_card"))
_SCHEDULE: Final = ("name", "weekly", "exceptions", "openings", "first_to_arrive", "early_s")


def difference(
    old: Directory, new: Directory, actor: Actor, at_ns: int, names: Mapping[str, str] | None = None
) -> list[Event]:
    """All events of `differing` at once: half a kilobyte each, five of them for a new person with a card."""
    return list(differing(old, new, actor, at_ns, names))


def differing(
    old: Directory, new: Directory, actor: Actor, at_ns: int, names: Mapping[str, str] | None = None
) -> Iterator[Event]:
    """Yield all events, in an order in which they can be applied: nothing is assigned before it exists.

    The same two directories always yield the same events. `names` are the doors' names. Takes seconds for
    100,000 cards, and may be long between two events: take them in a thread.
    """
    return _Difference(old, new, actor, at_ns, names or {}).events()


class _Difference:
    def __init__(self, old: Directory, new: Directory, actor: Actor, at_ns: int, names: Mapping[str, str]) -> None:
        self.old, self.new = old, new
        self.actor, self.at_ns, self.names = actor, at_ns, names

    def events(self) -> Iterator[Event]:
        yield from self.doors()
        yield from self.come("user", "users", lambda _, user: _without(writing.user(user)))
        yield from self.cards()
        yield from self.come("elevator", "elevators", lambda _, elevator: _elevator(elevator))
        yield from self.come("group", "groups", _group)
        yield from self.taken()
        yield from self.come("member", "members", lambda _, member: _member(member))
        yield from self.given()
        yield from self.come("camera", "cameras", lambda _, camera: _without(writing.camera(camera)), create="import")
        yield from self.come("integration", "integrations", lambda _, one: _without(writing.integration(one)))
        yield from self.gone("integration", "integrations")
        yield from self.gone("camera", "cameras")
        yield from self.gone("member", "members")
        yield from self.gone("group", "groups")
        yield from self.gone("elevator", "elevators")
        for card in self.old.cards.values():
            if card.id not in self.new.cards:
                yield self.card_event(card, "deactivate", {"removed": True})
        yield from self.gone("user", "users")

    # --- whole entries -----------------------------------------------------------------------------

    def come(
        self,
        resource: str,
        section: str,
        facts: Callable[[Directory, Any], dict[str, Any]],
        create: str = "create",
    ) -> Iterator[Event]:
        """Yield what is new or changed, in the order of the new document."""
        before: Mapping[str, Any] = getattr(self.old, section)
        after: Mapping[str, Any] = getattr(self.new, section)
        for entry_id, entry in after.items():
            was = before.get(entry_id)
            if was is None:
                yield self.event(
                    f"{resource}.{create}", self.subject(resource, entry, self.new), facts(self.new, entry)
                )
                continue
            details = changed(facts(self.old, was), facts(self.new, entry))
            details |= _secrets(was, entry) if resource == "member" else {}
            if details:
                yield self.event(f"{resource}.update", self.subject(resource, entry, self.new), details)

    def gone(self, resource: str, section: str) -> Iterator[Event]:
        """Yield what is no more, in the order of the old document; names stay in the history."""
        after: Mapping[str, Any] = getattr(self.new, section)
        for entry_id, entry in getattr(self.old, section).items():
            if entry_id not in after:
                details: dict[str, Json] = {"email": entry.email} if resource == "user" else {}
                if resource == "member":
                    details = {"user": entry.user}
                yield self.event(f"{resource}.destroy", self.subject(resource, entry, self.old), details)

    def doors(self) -> Iterator[Event]:
        for door in dict.fromkeys([*self.new.doors, *self.old.doors]):
            before = _door(self.old, self.old.access(door))
            details = changed(before, _door(self.new, self.new.access(door)))
            if details:
                yield self.event(LOCK_UPDATE, Subject("lock", door, self.names.get(door, door)), details, door=door)

    # --- cards ---------------------------------------------------------------------------------------

    def cards(self) -> Iterator[Event]:
        for card in self.new.cards.values():
            was = self.old.cards.get(card.id)
            same = was is not None and was.key == card.key and was.format is card.format
            if was is not None and was.user is not None and not (same and was.user == card.user):
                yield self.event(CARD_DEASSIGN_USER, _card(was), {"user": was.user})
            if was is not None and not same:
                yield self.card_event(was, "deactivate", {"removed": True})
            if was is None or not same:
                yield self.card_event(card, _state(card), {"new": True, "format": card.format.value})
            elif was.active is not card.active:
                yield self.card_event(card, _state(card), {})
            if card.user is not None and not (same and was is not None and was.user == card.user):
                yield self.event(CARD_ASSIGN_USER, _card(card), {"user": card.user})
        for card in self.old.cards.values():
            if card.id not in self.new.cards and card.user is not None:
                yield self.event(CARD_DEASSIGN_USER, _card(card), {"user": card.user})

    def card_event(self, card: Card, action: str, details: Mapping[str, Json]) -> Event:
        return self.event(f"card.{action}{'_with_token' if card.token else ''}", _card(card), details)

    def taken(self) -> Iterator[Event]:
        """Yield the cards that members have no more, so that others can have them."""
        for member in self.old.members.values():
            now = self.new.members.get(member.id)
            for name, what in _LISTS:
                kept = () if now is None else getattr(now, name)
                for card in getattr(member, name):
                    if card not in kept:
                        yield self.member_event(self.old, member, f"deassign_{what}", card)
                        if self.new.holders.get(card) != member.id:
                            yield self.event(CARD_DEASSIGN, _card(self.old.cards[card]), {"member": member.id})

    def given(self) -> Iterator[Event]:
        for member in self.new.members.values():
            was = self.old.members.get(member.id)
            if was == member:
                continue
            for name, what in _LISTS:
                had = () if was is None else getattr(was, name)
                for card in getattr(member, name):
                    off = card in member.disabled_cards
                    if card not in had:
                        yield self.member_event(self.new, member, f"assign_{what}", card)
                        if self.old.holders.get(card) != member.id:
                            yield self.event(CARD_ASSIGN, _card(self.new.cards[card]), {"member": member.id})
                    was_off = was is not None and card in had and card in was.disabled_cards
                    if off is not was_off:
                        yield self.member_event(self.new, member, f"{'disable' if off else 'enable'}_{what}", card)

    def member_event(self, side: Directory, member: Member, action: str, card: str) -> Event:
        details: dict[str, Json] = {"card": card, "number": side.cards[card].shown}
        return self.event(f"member.{action}", self.subject("member", member, side), details)

    # --- events ------------------------------------------------------------------------------------------

    def subject(self, resource: str, entry: Any, side: Directory) -> Subject:  # noqa: ANN401 -- any entry
        name = side.users[entry.user].name if resource == "member" else entry.name
        return Subject(resource, entry.id, name)

    def event(self, event_type: str, subject: Subject, details: Mapping[str, Json], door: str | None = None) -> Event:
        correlation = f"directory-{self.new.version}"
        return Event(
            event_type, self.at_ns, subject, self.actor, correlation=correlation, door=door, details=dict(details)
        )


def _card(card: Card) -> Subject:
    return Subject("card", card.id, card.shown)


def _state(card: Card) -> str:
    return "activate" if card.active else "deactivate"


def _without(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Leave out the id, which the subject has, and these keys."""
    return {key: value for key, value in entry.items() if key not in {"id", *keys}}


def _member(member: Member) -> dict[str, Any]:
    facts = _without(writing.member(member), "cards", "backup_cards", "disabled_cards", "pin_hash")
    return {**facts, "pin": member.pin is not None}


def _secrets(was: Member, now: Member) -> dict[str, Json]:
    return {"pin": "changed"} if was.pin is not None and now.pin is not None and was.pin != now.pin else {}


def _schedule(side: Directory, schedule: str | None) -> dict[str, Any]:
    """A schedule's id and what it says, so that the event stands on its own."""
    if schedule is None:
        return {"schedule": None}
    facts = writing.schedule(side.schedules[schedule])
    return {"schedule": schedule, **{f"schedule.{key}": facts[key] for key in _SCHEDULE}}


def _group(side: Directory, group: Group) -> dict[str, Any]:
    stops = sorted(f"{elevator}/{floor}" for elevator, floors in group.stops.items() for floor in floors)
    return {"name": group.name, "doors": sorted(group.doors), "stops": stops, **_schedule(side, group.schedule)}


def _door(side: Directory, door: DoorAccess) -> dict[str, Any]:
    return {**_without(writing.door(door), "schedule"), **_schedule(side, door.schedule)}


def _elevator(elevator: Any) -> dict[str, Any]:  # noqa: ANN401 -- an Elevator
    facts = writing.elevator(elevator)
    floors = {f"floor.{floor['id']}": _without(floor) for floor in facts.pop("floors")}
    return {**_without(facts), **floors}
