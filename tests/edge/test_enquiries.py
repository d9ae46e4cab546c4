"""Whose card is this: by what is printed on it, by its id, by what a reader saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.cards import LAYOUTS, Format, encode
from edge.directory_reading import read
from edge.enquiries import MOST_FOUND, read_facts, who
from edge.messages import CardRead

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


def test_a_read_is_told_as_the_directory_writes_it() -> None:
    shape = LAYOUTS[Format.WIEGAND26][0]
    facts = read_facts(BUILDING, CardRead("front.reader", 26, (encode(shape, 0, 1001) << 6).to_bytes(4), 1))
    assert (facts["format"], facts["facility"], facts["number"], facts["bits"]) == ("wiegand26", 0, "01001", 26)
    assert (facts["card"], facts["user"]) == ("blue-1", "Ada Lovelace")
    unknown = read_facts(BUILDING, CardRead("front.reader", 56, bytes.fromhex("ff" * 7), 1))
    assert (unknown["format"], unknown["number"], unknown["card"]) == ("raw", "ff" * 7, None)
    assert read_facts(BUILDING, CardRead("front.reader", 0, b"", 1))["raw"] is None


def test_an_answer_is_bounded() -> None:
    blue = BUILDING.cards["blue-1"]
    many = {str(n): replace(blue, id=str(n), facility=n) for n in range(MOST_FOUND + 5)}
    assert len(who(replace(BUILDING, cards=many, holders={}), "1001")) == MOST_FOUND
