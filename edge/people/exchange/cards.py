"""Which cards the cells of a sheet name: as `edge.people.cards` says, without a look at every card for each of them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.access.lookups import is_called
from edge.directory.cards import LAYOUTS, PRINTED, Format, named_format, pair, parts, printed, raw_bits
from edge.people.cards import Meant, chosen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from edge.directory.directory import Card, Directory

SLICE: Final = 1_000
"""Cards between two yields."""
COMBINED: Final = 100_000
"""In combined numbers, the facility code is times this."""


LOST: Final = "lost"
DISABLED: Final = "disabled"
_MARKED: Final = re.compile(rf"(.*\S)\s*\(({LOST}|{DISABLED})\)", re.IGNORECASE)


class CardIndex:
    """The cards of one directory by their numbers."""

    def __init__(self, directory: Directory, seen: Sequence[Card] = ()) -> None:
        """Nothing is found before `fill`. `seen` are cards that readers saw, the newest last."""
        self._directory, self._seen = directory, seen
        self._ids: dict[int | str, str] = {}
        """By the number, or the hexadecimal digits of a raw card: the first one that has it."""
        self._others: dict[int | str, list[str]] = {}
        self._formats = Counter[Format]()

    def fill(self) -> Generator[None, None, None]:
        """Enter all cards, in slices."""
        for count, card in enumerate(self._directory.cards.values()):
            self._formats[card.format] += 1
            number = card.number if card.bits is not None or card.token else int(card.number)
            if not card.token and self._ids.setdefault(number, card.id) is not card.id:
                self._others.setdefault(number, []).append(card.id)
            if count % SLICE == 0:
                yield

    def meant(self, text: str) -> Meant:
        """The card that this names, or what its entry is to be. Raises CardError."""
        known = self._directory.cards.get(text)
        if known is not None and known.token:  # a sheet has nothing else of it
            return Meant(known, None)
        fits = is_called(text)
        numbers = [number for number in dict.fromkeys(_numbers(text)) if number in self._ids]
        ids = dict.fromkeys(one for number in numbers for one in (self._ids[number], *self._others.get(number, ())))
        ids |= {} if known is None else {known.id: None}
        cards = [card for card in map(self._directory.cards.__getitem__, ids) if fits(card)]
        exact = [card for card in cards if text in {card.written, f"{card.format} {card.written}"}]
        return chosen(text, (exact or cards) if known is None else cards, self._seen, self._formats)


def unmarked(text: str) -> tuple[str, bool]:
    """What a card is called, and whether a sheet says behind it that no door takes it."""
    found = _MARKED.fullmatch(text)
    return (text, False) if found is None else (found[1], True)


def separated(text: str) -> str:
    """A number in which facility code and number stand together, with a colon between them; other texts as they are."""
    digits = text.replace(" ", "")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > len("4194303") + 5:
        return text
    facility, number = divmod(int(digits), COMBINED)
    return f"{facility}:{number}"


def _numbers(text: str) -> Iterator[int | str]:
    """All numbers by which a card that is called so may be entered."""
    _, wanted = named_format(text)
    bare, _ = raw_bits(wanted.lower())
    if both := pair(wanted):
        yield both[1]
    if wanted.isascii() and wanted.isdecimal() and len(wanted) <= 20:  # noqa: PLR2004 -- no card has a longer one
        yield int(wanted)
    whole = printed(bare)
    for order in _orders(whole):
        yield from (parts(LAYOUTS[one][0], order)[1] for one in PRINTED)
        yield order.hex()
    yield bare
    try:
        yield from (order.hex() for order in _orders(bytes.fromhex(bare.removeprefix("0x"))))
    except ValueError:
        return


def _orders(data: bytes | None) -> Iterable[bytes]:
    return (data, data[::-1]) if data else ()
