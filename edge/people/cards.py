"""Which card somebody means by a number, and what a new one is to be.

One rule: a card is named as `edge.access.lookups` says, wherever a command takes one.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.access.lookups import is_called
from edge.directory.cards import LAYOUTS, PRINTED, Format, named_format, pair, printed, raw_bits

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from edge.directory.cards import Layout
    from edge.directory.directory import Card, Directory
    from edge.model.messages import Json

SLICE: Final = 1_000
"""Cards that are looked at between two yields: about a millisecond on a PC."""

MOST_NAMED: Final = 5
EXPECTED: Final = "expected FACILITY:NUMBER, ten digits or hexadecimal ones as they are printed"
_RAW: Final = re.compile(r"((0x)?(?=.*[a-fA-F])[0-9a-fA-F]{2,128}|0x[0-9a-fA-F]{2,128})(/[0-9]{1,3})?")
"""Digits alone are no bytes unless `0x` or `raw` stands before them."""


def called(directory: Directory, text: str) -> Generator[None, None, list[Card]]:
    """Find the cards that are called so, in slices."""
    found, fits = [], is_called(text)
    for number, card in enumerate(directory.cards.values()):
        if fits(card):
            found.append(card)
        if number % SLICE == 0:
            yield
    return found


def holders_of(directory: Directory, text: str) -> Generator[None, None, frozenset[str]]:
    """Find the members who have a card that is called so; nobody for a text without a digit, which is a name."""
    if not any(letter.isdecimal() for letter in text):
        return frozenset()
    cards = yield from called(directory, text)
    return frozenset(directory.holders[card.id] for card in cards if card.id in directory.holders)


class CardError(Exception):
    """No card, or more than one, is meant; `code` is stable, the text is a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        """`code` is `unknown_card`, `ambiguous` or `malformed`."""
        super().__init__(sentence)
        self.code = code


class Meant(NamedTuple):
    """A card that somebody means: one that there is, or one to be made. One of both is None."""

    card: Card | None
    entry: dict[str, Json] | None
    """Of a card, without an id."""


def find_card(directory: Directory, text: str) -> Generator[None, None, Card]:
    """Find the one card that is called so, in slices. Raises CardError."""
    found = yield from called(directory, text)
    if not found:
        raise CardError("unknown_card", f"no card is called {text.strip()!r}: doorctl cards has those that readers saw")
    return _only(text, found)


def meant(directory: Directory, text: str, seen: Iterable[Card] = ()) -> Generator[None, None, Meant]:
    """Find the card, or what its entry is to be; `seen` are cards that readers saw, the newest last.

    A number alone says nothing of a card's format. Unless the text begins with one, a new card is of the format in
    which a reader saw this number, or of the first format that the number fits and cards of the directory have, or of
    the first that it fits. Raises CardError.
    """
    fits, formats = is_called(text), Counter[Format]()
    known: list[Card] = []
    for count, card in enumerate(directory.cards.values()):
        if fits(card):
            known.append(card)
        formats[card.format] += 1
        if count % SLICE == 0:
            yield
    return chosen(text, known, seen, formats)


def chosen(text: str, known: list[Card], seen: Iterable[Card], formats: Mapping[Format, int]) -> Meant:
    """As `meant`, where the cards that are called so are `known`, and how many cards there are of each format."""
    if known:
        return Meant(_only(text, known), None)
    fits = is_called(text)
    for card in reversed([*seen]):
        if fits(card):
            return Meant(None, {key: value for key, value in _entry(card).items() if value is not None})
    return Meant(None, _new(text, formats))


def _only(text: str, found: list[Card]) -> Card:
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{card.format} {card.written}" for card in found[:MOST_NAMED])
    more = " and more" if len(found) > MOST_NAMED else ""
    raise CardError("ambiguous", f"{text.strip()!r} may be {names}{more}: write one of them in full")


def _entry(card: Card) -> dict[str, Json]:
    number: Json = card.number if card.bits is not None else int(card.number)
    whole = card.bits is None or card.bits == 4 * len(card.number)
    return {
        "format": card.format.value,
        "facility": card.facility,
        "number": number,
        "bits": None if whole else card.bits,
    }


def _new(text: str, known: Mapping[Format, int]) -> dict[str, Json]:
    card_format, number = named_format(text)
    if card_format is Format.RAW or (card_format is None and _RAW.fullmatch(number) and printed(number) is None):
        digits, bits = raw_bits(number.lower().removeprefix("0x"))
        if len(digits) % 2 == 0 and re.fullmatch("[0-9a-f]+", digits):
            return {"format": Format.RAW.value, "number": digits} | ({} if bits is None else {"bits": bits})
    elif both := pair(number):
        fitting = [one for one, shapes in LAYOUTS.items() if _holds(shapes[0], *both)]
        if card_format is not None or fitting:
            best = card_format or _likeliest(fitting, known)
            return {"format": best.value, "facility": both[0], "number": both[1]}
    elif printed(number) is not None and card_format in {None, *PRINTED}:
        return {"format": (card_format or _likeliest(sorted(PRINTED), known)).value, "number": number}
    elif card_format is not None and number.isascii() and number.isdecimal():
        return {"format": card_format.value, "number": int(number)}
    raise CardError("malformed", f"no card here is called {text.strip()!r}; for a new one {EXPECTED}")


def _holds(shape: Layout, facility: int, number: int) -> bool:
    return facility < 1 << shape.facility and number < 1 << shape.number


def _likeliest(fitting: Sequence[Format], known: Mapping[Format, int]) -> Format:
    """The format that most cards here have; of formats that none has, the first."""
    return max(fitting, key=lambda one: known.get(one, 0))
