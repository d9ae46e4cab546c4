"""Which card somebody means by a number.

One rule: a card is named as `edge.access.lookups` says, wherever a command takes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.access.lookups import is_called

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.directory.directory import Card, Directory

SLICE: Final = 1_000
"""Cards that are looked at between two yields: about a millisecond on a PC."""


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
