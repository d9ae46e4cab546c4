"""What is changed when a card is lost, found, given to somebody or taken back: the list of changes of an edit.

One rule: of several cards none is guessed; all of them are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.directory.document.writing import entry
from edge.people.cards import CardError, find_card, meant
from edge.people.changing import DeskError, PersonPlan, give_card, member_entry, without_card
from edge.people.finding import finding

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from datetime import datetime

    from edge.directory.directory import Card, Directory


def marking(
    directory: Directory, card: str | None, of: str | None, *, lost: bool, by_id: bool = False
) -> Generator[None, None, PersonPlan]:
    """Refuse a card from now on, as lost, or take it again: the one of this number, or the only one of a person.

    `by_id`: the card of this id, which this person has. Raises CardError and NotFoundError. Without a change the plan
    has a note.
    """
    chosen = _held(directory, card, of) if by_id else (yield from _chosen(directory, card, of, active=lost))
    plan = _about(directory, chosen)
    if chosen.active is lost:
        plan.put("card", entry("cards", chosen) | {"state": "inactive" if lost else "active"})
    else:
        plan.notes.append(f"{called(chosen)} is {'lost already' if lost else 'not lost'}")
    return plan


def giving(  # noqa: PLR0913 -- what gives whom what
    directory: Directory,
    card: str,
    who: str,
    seen: Iterable[Card] = (),
    known: datetime | None = None,
    *,
    by_id: bool = False,
) -> Generator[None, None, PersonPlan]:
    """Give a card that nobody has to a person. `seen` and `known` as in `adding`, `by_id` as in `finding`.

    Raises CardError, NotFoundError, and DeskError when somebody has it.
    """
    somebody = yield from finding(directory, who, by_id=by_id)
    member = member_entry(directory, somebody)
    plan = PersonPlan(str(member["id"]), somebody.user.name)
    given = yield from meant(directory, card, seen)
    own = plan.card = give_card(directory, plan, given, somebody.user.id, somebody.member, known)
    held = [*(member.get("cards") or ()), *(member.get("backup_cards") or ())]
    if own in held:
        plan.changes.clear()
        plan.notes.append(f"{somebody.user.name} has this card already")
    else:
        plan.put("member", member | {"cards": [*(member.get("cards") or ()), own]})
    return plan


def taking(
    directory: Directory, card: str | None, of: str | None, *, by_id: bool = False
) -> Generator[None, None, PersonPlan]:
    """Take a card back: nobody has it then. `by_id` as in `marking`. Raises CardError and NotFoundError."""
    chosen = _held(directory, card, of) if by_id else (yield from _chosen(directory, card, of, active=None))
    plan, member = _about(directory, chosen), directory.holder(chosen.id)
    if member is None:
        plan.notes.append(f"nobody has {called(chosen)}")
        return plan
    plan.put("member", without_card(member, chosen.id))
    plan.put("card", entry("cards", chosen) | {"user": None})
    return plan


def called(card: Card) -> str:
    """A card in a sentence."""
    return f"card {card.written or card.id}"


def _about(directory: Directory, card: Card) -> PersonPlan:
    member = directory.holder(card.id)
    who = "" if member is None else member.id
    return PersonPlan(who, "" if member is None else directory.user_of(member).name, card=card.id)


def _held(directory: Directory, card: str | None, of: str | None) -> Card:
    """The card of this id. Raises CardError when this person does not have it."""
    holder = None if card is None else directory.holder(card)
    if card is None or holder is None or holder.id != of:
        raise CardError("unknown_card", f"there is no card {card!r} of {of!r}, or no longer")
    return directory.cards[card]


def _chosen(
    directory: Directory, card: str | None, of: str | None, *, active: bool | None
) -> Generator[None, None, Card]:
    """The card of this number, or a person's only card of those that are (not) active."""
    if (card is None) is (of is None):
        raise DeskError("malformed", "expected either card or of")
    if card is not None:
        chosen = yield from find_card(directory, card)
        return chosen
    somebody = yield from finding(directory, str(of))
    member = somebody.member
    held = [] if member is None else [directory.cards[one] for one in (*member.cards, *member.backup_cards)]
    fitting = [one for one in held if active in {None, one.active}]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(one.written or one.id for one in fitting or held)
    if not fitting:
        text = f"no card but {names}" if held else "no card"
        state = {None: "", True: ", lost already", False: ", which is not lost"}[active] if held else ""
        raise CardError("unknown_card", f"{somebody.user.name} has {text}{state}")
    raise CardError("ambiguous", f"{somebody.user.name} has several: {names}: say which one")
