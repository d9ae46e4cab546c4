"""Which card a number names, and what is entered for one that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.directory.cards import Format
from edge.directory.directory import Card
from edge.people.cards import CardError, find_card, meant
from edge.people.slices import at_once
from tests.support.directories import made

if TYPE_CHECKING:
    from edge.directory.directory import Directory

EMPTY = made({"version": 1})


def cards(*entries: dict[str, Any]) -> Directory:
    return made({"version": 1, "cards": [{"id": f"c{n}", **one} for n, one in enumerate(entries)]})


HERE = cards(
    {"format": "wiegand26", "facility": 12, "number": 3456},
    {"format": "wiegand34", "facility": 12, "number": 3456},
    {"format": "wiegand26", "facility": 13, "number": 42},
    {"format": "raw", "number": "04a3b2c1d25e80"},
)


def new(directory: Directory, text: str, *seen: Card) -> dict[str, Any] | None:
    return at_once(meant(directory, text, seen)).entry


def saw(card_format: Format, facility: int | None, number: str, bits: int | None = None) -> Card:
    return Card("", card_format, facility, number, bits, active=True, user=None, key=b"")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("wiegand26 12:3456", "c0"),
        ("Wiegand34 12,3456", "c1"),
        ("42", "c2"),
        ("13:42", "c2"),
        ("13:00042", "c2"),
        ("04A3B2C1D25E80", "c3"),
        ("raw 04a3b2c1d25e80", "c3"),
        ("c1", "c1"),
    ],
)
def test_a_card_is_named_by_its_number_and_its_format_where_that_is_needed(text: str, found: str) -> None:
    assert at_once(find_card(HERE, text)).id == found
    known = at_once(meant(HERE, text)).card
    assert known is not None
    assert known.id == found


def test_what_is_printed_can_be_entered_again() -> None:
    for card in HERE.cards.values():
        assert at_once(find_card(HERE, f"{card.format} {card.written}")) == card


def test_a_raw_number_of_bits_that_are_no_bytes_says_how_many() -> None:
    entry = {"format": "raw", "number": "f00d8040a0", "bits": 35}
    assert new(EMPTY, "raw f00d8040a0/35") == new(EMPTY, "F00D8040A0/35") == entry
    [card] = cards(entry).cards.values()
    assert card.written == "f00d8040a0/35"
    [same] = cards({"format": "raw", "number": card.written}).cards.values()
    assert same == card, "the document takes it too"
    for text in (card.written, "f00d8040a0", "raw f00d8040a0/35"):
        assert at_once(find_card(cards(entry), text)) == card
    with pytest.raises(CardError, match="no card is called"):
        at_once(find_card(cards(entry), "f00d8040a0/36"))


def test_several_cards_are_named_and_none_is_guessed() -> None:
    for find in (find_card, meant):
        with pytest.raises(CardError, match="may be wiegand26 12:3456, wiegand34 12:3456") as error:
            at_once(find(HERE, "12:3456"))
        assert error.value.code == "ambiguous"
    with pytest.raises(CardError, match="no card is called '9'") as error:
        at_once(find_card(HERE, "9"))
    assert error.value.code == "unknown_card"


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("12:3456", {"format": "wiegand26", "facility": 12, "number": 3456}),
        ("12:00077", {"format": "wiegand26", "facility": 12, "number": 77}),
        ("300:77", {"format": "wiegand34", "facility": 300, "number": 77}),
        ("12:70000", {"format": "wiegand35", "facility": 12, "number": 70000}),
        ("wiegand37 12:77", {"format": "wiegand37", "facility": 12, "number": 77}),
        ("wiegand37 77", {"format": "wiegand37", "number": 77}),
        ("0001234567", {"format": "wiegand26", "number": "0001234567"}),
        ("0x12d687", {"format": "wiegand26", "number": "0x12d687"}),
        ("wiegand34 0001234567", {"format": "wiegand34", "number": "0001234567"}),
        ("04A3B2C1D25E80", {"format": "raw", "number": "04a3b2c1d25e80"}),
        ("raw 04112233445566", {"format": "raw", "number": "04112233445566"}),
        ("0x04112233445566", {"format": "raw", "number": "04112233445566"}),
    ],
)
def test_a_new_card_is_of_the_first_format_that_its_number_fits(text: str, entry: dict[str, Any]) -> None:
    assert new(EMPTY, text) == entry
    cards(entry)  # the document takes it


def test_a_new_card_is_of_the_format_that_the_other_cards_have() -> None:
    others = cards(*({"format": "wiegand34", "facility": 1, "number": n} for n in range(2)))
    assert new(others, "12:77") == {"format": "wiegand34", "facility": 12, "number": 77}
    assert new(others, "0001234567") == {"format": "wiegand34", "number": "0001234567"}
    assert new(others, "12:70000") == {"format": "wiegand35", "facility": 12, "number": 70000}


def test_a_new_card_that_a_reader_saw_is_entered_as_it_was_seen() -> None:
    seen = [
        saw(Format.WIEGAND34, 12, "00077"),
        saw(Format.RAW, None, "f00d8040a0", 35),
        saw(Format.RAW, None, "beef", 16),
    ]
    assert new(EMPTY, "12:77", *seen) == {"format": "wiegand34", "facility": 12, "number": 77}
    assert new(EMPTY, "77", *seen) == {"format": "wiegand34", "facility": 12, "number": 77}
    assert new(EMPTY, "f00d8040a0", *seen) == {"format": "raw", "number": "f00d8040a0", "bits": 35}
    assert new(EMPTY, "beef", *seen) == {"format": "raw", "number": "beef"}
    assert new(EMPTY, "wiegand26 12:77", *seen) == {"format": "wiegand26", "facility": 12, "number": 77}


@pytest.mark.parametrize(
    "text", ["77", "", "grace", "12:", "token 00112233445566778899aabbccddeeff", "raw 123", "9999999:1"]
)
def test_what_is_no_number_of_a_new_card_is_told_what_is(text: str) -> None:
    with pytest.raises(CardError, match="expected FACILITY:NUMBER") as error:
        new(EMPTY, text)
    assert error.value.code == "malformed"
