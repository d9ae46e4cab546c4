"""Lookups for a technician: who holds a card, and which doors it opens.

One rule: answers go over the local socket only. A whole card number appears nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edge.directory.cards import (
    LAYOUTS,
    PRINTED,
    named_format,
    pair,
    parts,
    printed,
    raw_bits,
    reading,
    value_of,
    written,
)
from edge.directory.document.writing import entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.directory.directory import Card, Directory, Member
    from edge.model.messages import CardRead, Json

MOST_FOUND: Final = 20
"""Cards in one answer."""
_NUMBER: Final = re.compile(r"[0-9]{1,20}")


def read_facts(directory: Directory, read: CardRead) -> dict[str, Json]:
    """A card as a reader sent it, in the form in which a directory has cards, and who holds it; no token's secret."""
    number, value = reading(read), value_of(read)
    known = directory.card(read)
    member = None if known is None else directory.holder(known.id)
    holder: Json = None if member is None else directory.user_of(member).name
    if known is not None and known.token:
        secret: dict[str, Json] = dict.fromkeys(("facility", "number", "written", "raw"))
        return secret | {
            "format": known.format.value,
            "bits": read.bits,
            "parity": True,
            "card": known.id,
            "user": holder,
        }
    return {
        "format": number.format.value,
        "facility": number.facility,
        "number": number.number if number.facility is None else str(int(number.number)),
        "written": written(number.format, number.facility, number.number, read.bits),
        "bits": read.bits,
        "parity": number.parity,
        "raw": read.data[: (read.bits + 7) // 8].hex() if value is not None else None,
        "card": None if known is None else known.id,
        "user": holder,
    }


def who(directory: Directory, text: str) -> list[dict[str, Json]]:
    """The cards that a text names, at most `MOST_FOUND`, each with its member.

    The text is an id, NUMBER or FACILITY:NUMBER, with or without its format before it, or what is printed on a fob:
    FACILITY,NUMBER, or the whole number in ten decimal digits or in hexadecimal, with its bytes in either order. Every
    card is compared: run it on a thread.
    """
    return [_facts(directory, card) for card, _ in zip(_called(directory, text), range(MOST_FOUND), strict=False)]


def _called(directory: Directory, text: str) -> Iterator[Card]:
    return filter(is_called(text), directory.cards.values())


def is_called(text: str) -> Callable[[Card], bool]:
    """Return a function that says whether a card is named by this text, in the forms of `who`."""
    card_format, wanted = named_format(text)
    facility, number = pair(wanted) or (None, int(wanted) if _NUMBER.fullmatch(wanted) else None)
    bare, bits = raw_bits(wanted.lower())
    whole, digits = printed(bare), _bytes(bare)

    def is_so(card: Card) -> bool:
        if card.id == text.strip():
            return True
        if card.token or card_format not in {None, card.format}:
            return False
        if card.bits is not None:
            return bits in {None, card.bits} and _raw(card, bare, digits, whole)
        return (number == int(card.number) and facility in {None, card.facility}) or _bears(card, whole)

    return is_so


def _raw(card: Card, wanted: str, digits: bytes, whole: bytes | None) -> bool:
    """Whether the text has the digits of this raw card, or its bytes in either order."""
    own = bytes.fromhex(card.number)
    return card.number == wanted or (card.bits == 8 * len(own) and own in {*_orders(digits), *_orders(whole)})


def _bears(card: Card, whole: bytes | None) -> bool:
    """Whether `whole`, as printed on a fob, has this card's facility and number, in either byte order."""
    if card.format not in PRINTED or not whole:
        return False
    shape = LAYOUTS[card.format][0]
    return (card.facility, int(card.number)) in {parts(shape, order) for order in _orders(whole)}


def _orders(data: bytes | None) -> tuple[bytes, ...]:
    return (data, data[::-1]) if data else ()


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.lower().removeprefix("0x")) if text.isalnum() else b""
    except ValueError:
        return b""


def _facts(directory: Directory, card: Card) -> dict[str, Json]:
    member = directory.holder(card.id)
    of_card = {key: value for key, value in entry("cards", card).items() if not card.token or key != "number"}
    of_card["written"] = card.written
    return {"card": of_card, "member": None if member is None else _member(directory, member, card.id)}


def _member(directory: Directory, member: Member, card: str) -> dict[str, Json]:
    user, of_member = directory.user_of(member), entry("members", member)
    groups: list[Json] = [
        {"id": group.id, "name": group.name, "doors": [*sorted(group.doors)], "schedule": group.schedule}
        for group in map(directory.groups.get, member.groups)
        if group is not None
    ]
    return {
        "id": member.id,
        "user": {"id": user.id, "name": user.name, "email": user.email},
        "enabled": member.enabled,
        "valid_from": of_member["valid_from"],
        "valid_until": of_member["valid_until"],
        "pin": member.pin is not None,
        "backup": card in member.backup_cards,
        "card_enabled": card not in member.disabled_cards,
        "groups": groups,
    }
