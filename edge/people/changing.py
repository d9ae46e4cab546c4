"""What is changed when somebody at a desk adds, changes, bars or removes a person: the list of changes of an edit.

One rule: what is planned here is what the directory is then asked for, as a whole; a name that is not known is refused
before, with what may have been meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge.directory.document.forms import short
from edge.directory.document.writing import entry
from edge.people.cards import Meant, meant
from edge.people.finding import Somebody, everybody, finding
from edge.people.groups import find_group, is_for_visitors
from edge.people.names import free_id, slug

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
    from datetime import datetime

    from edge.directory.directory import Card, Directory, Member
    from edge.model.messages import Json

    Entry = dict[str, Json]

EVERYBODY: Final = "everybody"
"""The group that is made with the first person, so that a door opens for them."""
LONGEST_OF_CARD: Final = 56
"""How much of a person's id is in that of a card; leaves room for a number: an id has 64 characters."""
SLICE: Final = 1_000
"""Cards that are looked at between two yields: about a millisecond on a PC."""
NEEDS_NO_MEMBER: Final = frozenset({"name", "email"})


class DeskError(Exception):
    """What was asked for cannot be planned; `code` is stable, the text is a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        """`code` is `malformed` or `card_taken`."""
        super().__init__(sentence)
        self.code = code


@dataclass(slots=True)
class PersonPlan:
    """The changes of one edit, about one person."""

    id: str
    """The member's; the user's where there is none."""
    name: str
    changes: list[dict[str, Json]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What else is worth telling, a sentence each."""
    card: str | None = None
    """The id of the card that it is about."""

    def put(self, kind: str, value: Mapping[str, Any]) -> None:
        """Put an entry, without empty values."""
        self.changes.append({"put": kind, "entry": short({**value})})

    def remove(self, kind: str, entry_id: str) -> None:
        """Remove an entry."""
        self.changes.append({"remove": kind, "id": entry_id})


def adding(
    directory: Directory,
    wanted: Mapping[str, Any],
    doors: Collection[str],
    seen: Iterable[Card] = (),
    known: datetime | None = None,
) -> Generator[None, None, PersonPlan]:
    """A new person. `wanted` has what was given of name, email, groups, card, pin, valid_from ...

    `doors` are the configured ones, `seen` the cards that readers saw, `known`: it is not earlier, for the card of a
    visitor whose time is over. In a directory without groups one is made for all doors, if none is named. Raises
    DeskError, CardError and NotFoundError.
    """
    name = " ".join(str(wanted.get("name") or "").split())
    if not name:
        raise DeskError("malformed", "name: missing, expected the name of a person")
    own = free_id(slug(name, "person"), lambda one: one in directory.users or one in directory.members)
    plan = PersonPlan(own, name)
    groups = _groups(directory, (), wanted)
    if not groups and not directory.groups and doors and "groups" not in wanted:
        plan.put("group", {"id": EVERYBODY, "name": "Everybody", "doors": sorted(doors)})
        plan.notes.append(f"there was no group yet: {EVERYBODY} is made, which may pass every door at any time")
        groups = [EVERYBODY]
    plan.put("user", {"id": own, "name": name, "email": wanted.get("email") or None})
    member = {"id": own, "user": own, "groups": groups, **_member_keys(wanted)}
    if wanted.get("card"):
        member["cards"] = [(yield from _given(directory, plan, own, str(wanted["card"]), seen, known))]
    plan.put("member", member)
    if not groups:
        plan.notes.append(f"{name} is in no group, and may pass no door yet")
    return plan


def changing(  # noqa: PLR0913 -- whom, and what is known
    directory: Directory,
    who: str,
    wanted: Mapping[str, Any],
    seen: Iterable[Card] = (),
    known: datetime | None = None,
    *,
    by_id: bool = False,
) -> Generator[None, None, PersonPlan]:
    """Another name, other groups ...: what `wanted` has; None takes away.

    `by_id` as in `finding`. Raises as `adding`.
    """
    if not wanted:
        raise DeskError("malformed", "nothing is to be changed: expected a name, an e-mail address, groups ...")
    somebody = yield from finding(directory, who, by_id=by_id)
    plan = PersonPlan(somebody.id, somebody.user.name)
    if not NEEDS_NO_MEMBER.isdisjoint(wanted):
        named = {key: wanted[key] for key in ("name", "email") if key in wanted}
        if "email" in named:
            named["email"] = named["email"] or None
        plan.put("user", {**entry("users", somebody.user), **named})
        plan.name = str(named.get("name") or plan.name)
    if wanted.keys() <= NEEDS_NO_MEMBER:
        return plan
    member = member_entry(directory, somebody)
    plan.id = member["id"]
    if "pin" in wanted:
        member.pop("pin_hash", None)
        member["pin_alone"] = member.get("pin_alone") and bool(wanted["pin"])
    member |= _member_keys(wanted)
    if not wanted.keys().isdisjoint({"groups", "groups_add", "groups_remove"}):
        member["groups"] = _groups(directory, member.get("groups") or (), wanted)
    if wanted.get("card"):
        card = yield from _given(directory, plan, somebody.user.id, str(wanted["card"]), seen, known, somebody.member)
        member["cards"] = _with_card(member, card)
    plan.put("member", member)
    return plan


def barring(directory: Directory, who: str, *, enabled: bool, by_id: bool = False) -> Generator[None, None, PersonPlan]:
    """Refuse a person everywhere from now on, or no longer. Raises NotFoundError."""
    somebody = yield from finding(directory, who, by_id=by_id)
    plan = PersonPlan(somebody.id, somebody.user.name)
    member = member_entry(directory, somebody)
    plan.id = member["id"]
    plan.put("member", member | {"enabled": enabled})
    return plan


def removing(
    directory: Directory, who: str, *, keep_cards: bool = False, by_id: bool = False
) -> Generator[None, None, PersonPlan]:
    """Remove a person, with the cards that were theirs unless they are kept for others. Raises NotFoundError."""
    somebody = yield from finding(directory, who, by_id=by_id)
    plan = PersonPlan(somebody.id, somebody.user.name)
    yield from taken_out(directory, plan, [somebody], keep_cards=keep_cards)
    return plan


def taken_out(
    directory: Directory, plan: PersonPlan, people: Sequence[Somebody], *, keep_cards: bool = False
) -> Generator[None, None, None]:
    """Remove these people, with their cards; also users who are nobody else, and groups made for their visits."""
    members = {one.member.id: one.member for one in people if one.member is not None}
    users = {one.user.id for one in people}
    groups = {group for member in members.values() for group in member.groups}
    groups = {group for group in groups if is_for_visitors(directory.groups[group])}
    for one in everybody(directory):
        if one is None:
            yield
        elif one.member is not None and one.id not in members:
            users.discard(one.user.id)
            groups.difference_update(one.member.groups)
    for kind, gone in (("member", members), ("user", users), ("group", groups)):
        for entry_id in sorted(gone):
            plan.remove(kind, entry_id)
    own = [directory.cards[card] for one in members.values() for card in (*one.cards, *one.backup_cards)]
    issued = yield from _issued(directory, users)
    for card in dict.fromkeys([*own, *issued]):
        if not keep_cards and directory.holders.get(card.id) in {None, *members}:
            plan.remove("card", card.id)
        elif card.user in users:
            plan.put("card", entry("cards", card) | {"user": None})


# --- parts ---------------------------------------------------------------------------------------


def _member_keys(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a member that are taken over as they are; an empty text takes away."""
    return {
        key: None if wanted[key] == "" else wanted[key]
        for key in ("valid_from", "valid_until", "extended_unlock", "pin")
        if key in wanted
    }


def member_entry(directory: Directory, somebody: Somebody) -> dict[str, Any]:
    """The entry of the member, a new one for a user who is none yet."""
    if somebody.member is not None:
        return entry("members", somebody.member)
    user = somebody.user.id
    return {"id": free_id(user, directory.members.__contains__), "user": user}


def _with_card(member: Mapping[str, Any], card: str) -> list[str]:
    """The member's cards with this one, which may be among the backup cards already."""
    cards, backup = member.get("cards") or [], member.get("backup_cards") or []
    return [*cards] if card in {*cards, *backup} else [*cards, card]


def _groups(directory: Directory, now: Iterable[str], wanted: Mapping[str, Any]) -> list[str]:
    def ids(key: str) -> list[str]:
        return [find_group(directory, str(one)).id for one in wanted.get(key) or ()]

    kept = ids("groups") if "groups" in wanted else [*now]
    left = {*ids("groups_remove")}
    return [one for one in dict.fromkeys([*kept, *ids("groups_add")]) if one not in left]


def _given(  # noqa: PLR0913, PLR0917 -- who gets what
    directory: Directory,
    plan: PersonPlan,
    user: str,
    text: str,
    seen: Iterable[Card],
    known: datetime | None,
    member: Member | None = None,
) -> Generator[None, None, str]:
    """Put a card that this user is to have; its id. Raises CardError, and DeskError when somebody has it."""
    card = yield from meant(directory, text, seen)
    plan.card = own = give_card(directory, plan, card, user, member, known)
    return own


def give_card(  # noqa: PLR0913, PLR0917 -- who gets what
    directory: Directory, plan: PersonPlan, card: Meant, user: str, member: Member | None, known: datetime | None
) -> str:
    """Put a card so that it was issued to this user; its id. A visitor whose time is over has it no more then.

    Raises DeskError when somebody else has it.
    """
    if card.card is None:
        of = plan.id[:LONGEST_OF_CARD]
        number = next(n for n in range(1, len(directory.cards) + 2) if f"{of}-{n}" not in directory.cards)
        own = f"{of}-{number}"
        plan.put("card", {"id": own, **(card.entry or {}), "user": user})
        return own
    holder = directory.holder(card.card.id)
    if holder is not None and (member is None or holder.id != member.id):
        whose = directory.user_of(holder).name
        if not holder.has_left(known):
            raise DeskError("card_taken", f"{card.card.written or card.card.id} is the card of {whose} ({holder.id})")
        plan.put("member", without_card(holder, card.card.id))
        plan.notes.append(f"{whose}, whose visit is over, had this card")
    if not card.card.active:
        plan.notes.append(f"card {card.card.written or card.card.id} is lost: no door takes it until it is found")
    plan.put("card", entry("cards", card.card) | {"user": user})
    return card.card.id


def without_card(member: Member, card: str) -> Entry:
    """The entry of a member who no longer has this card."""
    whole = entry("members", member)
    for key in ("cards", "backup_cards", "disabled_cards"):
        whole[key] = [one for one in whole[key] if one != card]
    return whole


def _issued(directory: Directory, users: Collection[str]) -> Generator[None, None, list[Card]]:
    """The cards that were issued to these users, whoever has them."""
    found = []
    for number, card in enumerate(directory.cards.values()):
        if card.user in users:
            found.append(card)
        if number % SLICE == 0:
            yield
    return found
