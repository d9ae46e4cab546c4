"""Whose card is this: by what is printed on it, by its id, by what a reader saw."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.access.lookups import MOST_FOUND, read_facts, who
from edge.directory.cards import LAYOUTS, Format, encode
from edge.directory.document.reading import read
from edge.model.messages import CardRead

if TYPE_CHECKING:
    from edge.directory.directory import Directory

CONFIG = Path(__file__).parents[2] / "config" / "directory.json"
BUILDING = read(CONFIG.read_bytes(), CONFIG, ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("text", ["1001", "0:1001", "blue-1", " 1001 ", "01001"])
def test_a_card_is_found_by_what_is_printed_on_it(text: str) -> None:
    [found] = who(BUILDING, text)
    member: Any = found["member"]
    assert member["user"] == {"id": "ada", "name": "Ada Lovelace", "email": "ada@example.org"}
    assert [group["id"] for group in member["groups"]] == ["operations", "staff"]
    assert member["pin"] is True
    assert "scrypt" not in repr(found)


@pytest.mark.parametrize("text", ["9:1001", "100", "nobody", "", ":", "0x1001", "٣"])
def test_a_card_that_is_not_called_so_is_not_found(text: str) -> None:
    assert who(BUILDING, text) == []


def test_a_raw_card_is_found_by_its_digits_and_a_token_by_its_id_only() -> None:
    assert [one["card"]["id"] for one in who(BUILDING, "04A3B2C1D25E80")] == ["white-1"]  # type: ignore[index]
    [token] = who(BUILDING, "phone-hedy")
    assert "2248338d" not in repr(token)
    [spare] = who(BUILDING, "spare-1")
    member: Any = spare["member"]
    assert (member["backup"], member["card_enabled"]) == (True, False)
    [lost] = who(BUILDING, "1004")
    assert lost["member"] is None


def with_card(**card: Any) -> Directory:
    document = json.dumps({"version": 1, "cards": [{"id": "fob"} | card]})
    return read(document.encode(), CONFIG, ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    "text",
    ["18,54919", "018, 54919", "18:54919", "54919", "0001234567", "0012D687", "0x12d687", "87D61200", "2278953472"],
)
def test_a_fob_is_found_by_what_is_printed_on_it(text: str) -> None:
    """18,54919 is 0001234567 in decimal, 0012D687 in hexadecimal, 87D61200 or 2278953472 with its bytes reversed."""
    for card_format in ("wiegand26", "wiegand34"):
        found = who(with_card(format=card_format, facility=18, number=54919), text)
        assert [one["card"]["id"] for one in found] == ["fob"], card_format  # type: ignore[index]
        assert who(with_card(format=card_format, facility=19, number=54918), text) == []


@pytest.mark.parametrize("number", ["0012d687", "87d61200"])
@pytest.mark.parametrize("text", ["0001234567", "0012D687", "0x0012d687", "87D61200"])
def test_a_serial_number_is_found_with_its_bytes_in_either_order(number: str, text: str) -> None:
    assert len(who(with_card(format="raw", number=number), text)) == 1
    assert who(with_card(format="raw", number="0012d688"), text) == []


def test_a_26_bit_reader_sends_the_end_of_a_longer_number() -> None:
    assert len(who(with_card(format="wiegand26", facility=18, number=54919), "A512D687")) == 1
    assert who(with_card(format="wiegand34", facility=18, number=54919), "A512D687") == []


@pytest.mark.parametrize("text", ["1234567", "4294967296", "12345678", "0x12d6", "18,54919,1", "18;54919"])
def test_what_could_be_anything_is_nobodys_fob(text: str) -> None:
    assert who(with_card(format="wiegand26", facility=18, number=54919), text) == []


def test_a_read_is_told_as_the_directory_writes_it() -> None:
    shape = LAYOUTS[Format.WIEGAND26][0]
    facts = read_facts(BUILDING, CardRead("front.reader", 26, (encode(shape, 0, 1001) << 6).to_bytes(4), 1))
    assert (facts["format"], facts["facility"], facts["number"], facts["bits"]) == ("wiegand26", 0, "1001", 26)
    assert facts["written"] == "0:1001"
    assert (facts["card"], facts["user"]) == ("blue-1", "Ada Lovelace")
    unknown = read_facts(BUILDING, CardRead("front.reader", 56, bytes.fromhex("ff" * 7), 1))
    assert (unknown["format"], unknown["number"], unknown["card"]) == ("raw", "ff" * 7, None)
    assert read_facts(BUILDING, CardRead("front.reader", 0, b"", 1))["raw"] is None


def test_an_answer_is_bounded() -> None:
    blue = BUILDING.cards["blue-1"]
    many = {str(n): replace(blue, id=str(n), facility=n) for n in range(MOST_FOUND + 5)}
    assert len(who(replace(BUILDING, cards=many, holders={}), "1001")) == MOST_FOUND
