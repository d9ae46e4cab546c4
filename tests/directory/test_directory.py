"""Directory documents: taken over whole, or refused with everything that is wrong; secrets hashed on arrival."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.simulated.driver import _wiegand
from edge.directory.document.pins import MOST_CLEAR
from edge.directory.document.reading import MOST_PROBLEMS, DirectoryError, read, reading
from edge.directory.document.tables import SECTIONS
from edge.directory.document.writing import written
from edge.model.messages import CardRead
from tests.support.directories import BERLIN, HASHES, SHIPPED, SOURCE, documents, large, made

if TYPE_CHECKING:
    from edge.directory.directory import Directory

SITE = ("front", "back", "server-room", "garage")
PERSON = {"id": "ada", "name": "Ada"}


def problems(document: Any, **more: Any) -> list[tuple[str, str]]:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(DirectoryError) as caught:
        read(text, SOURCE, BERLIN, **more)
    assert all(str(problem).isprintable() for problem in caught.value.problems)
    return [(problem.key, problem.message) for problem in caught.value.problems]


def test_the_shipped_directory_fits_the_simulated_building() -> None:
    directory = read(SHIPPED.read_bytes(), SHIPPED, BERLIN, doors=SITE)
    assert len(directory.members) == 6
    assert directory.groups["operations"].doors == frozenset(SITE)


def test_the_simulated_hands_hold_the_shipped_cards_and_pins() -> None:
    directory = read(SHIPPED.read_bytes(), SHIPPED, BERLIN)
    bits, data = _wiegand("1001")
    found = directory.card(CardRead("front.reader", bits, data, 0))
    assert found is not None
    assert found.id == "blue-1"
    ada, cleaning = directory.members["ada"].pin, directory.members["cleaning"].pin
    assert ada is not None
    assert ada.is_of(ada.recipe.digest("2580"))
    assert cleaning is not None
    assert cleaning.is_of(cleaning.recipe.digest("246810"))


@settings(max_examples=150, deadline=None)
@given(documents())
def test_what_is_written_reads_the_same(document: dict[str, Any]) -> None:
    directory = made(document)
    again = read("".join(written(directory)).encode(), SOURCE, BERLIN)
    assert again == directory
    assert (again.by_key, again.holders, again.alone) == (directory.by_key, directory.holders, directory.alone)


def test_everything_that_is_wrong_is_said_at_once_with_its_place() -> None:
    document = {
        "version": 3,
        "usrs": [],
        "users": [PERSON, {"id": "ada", "name": "Other"}, {"id": "a b", "name": ""}, 5],
        "members": [
            {"id": "m", "user": "adda", "cards": ["c1", "cx"], "pin": "12", "groups": [5]},
            {"id": "n", "user": "ada", "cards": ["c1", "c2"], "groups": ["staf"], "disabled_cards": ["c9"]},
            {"id": "o", "user": "ada", "cards": ["c1"], "pin_alone": True, "visitor": True},
        ],
        "cards": [
            {"id": "c1", "format": "wiegand26", "facility": 1, "number": 7},
            {"id": "c2", "format": "wiegand26", "number": 1},
            {"id": "c3", "format": "wiegand26", "facility": 1, "number": 7},
            {"id": "c4", "format": "wiegand", "number": 7},
        ],
        "groups": [{"id": "staff", "name": "Staff", "doors": ["fornt"], "schedule": "night", "stops": [{}]}],
        "schedules": [
            {"id": "night", "name": "N", "kind": "unlock", "weekly": [{"days": ["noon"], "from": "8:00", "to": 5}]}
        ],
        "doors": [{"id": "front", "schedule": "day", "anti_passback": {"exit": "front", "mode": "hard"}}],
    }
    found = dict(problems(document, doors=["front"], above=3))
    expected = """usrs users[1].id users[2].id users[2].name users[3] members[0].pin members[0].groups[0]
        cards[1].facility cards[2].number cards[3].format groups[0].stops[0].elevator
        groups[0].stops[0].floors schedules[0].weekly[0].days[0] schedules[0].weekly[0].from
        schedules[0].weekly[0].to version members[1].groups members[1].disabled_cards
        members[2].cards members[2].pin_alone members[2].visitor doors[0].schedule doors[0].anti_passback.exit"""
    assert set(found) == set(expected.split())
    assert found["usrs"] == 'unknown key, did you mean "users"?'
    assert found["users[1].id"] == 'found "ada" a second time, expected an id of its own'
    assert found["cards[2].number"] == "found the number of cards[0] (c1), expected another"
    assert found["members[2].visitor"] == "found without valid_until, expected valid_until as well"
    assert found["version"] == "found 3, expected more than 3, which is in force"
    assert found["schedules[0].weekly[0].from"] == 'found "8:00", expected a time of day from "00:00" to "24:00"'


def test_a_reference_says_what_was_meant() -> None:
    document = {
        "version": 1,
        "users": [PERSON],
        "members": [{"id": "m", "user": "adda"}],
        "groups": [{"id": "g", "name": "G", "doors": ["fornt"], "schedule": "s"}],
        "schedules": [{"id": "s", "name": "S", "kind": "unlock"}],
    }
    assert dict(problems(document, doors=["front", "back"])) == {
        "members[0].user": 'found "adda", did you mean "ada"?',
        "groups[0].doors": 'found "fornt", which is no door of the configuration, did you mean "front"?',
        "groups[0].schedule": 'found "s" of kind unlock, expected one of kind access',
    }


def test_a_door_that_is_gone_does_not_lock_everybody_out_at_the_next_start() -> None:
    document = {"version": 1, "groups": [{"id": "g", "name": "G", "doors": ["gone"]}]}
    assert made(document, doors=None).groups["g"].doors == {"gone"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'{"version": 1',
        b'{"version": 1} x',
        b'{"version": NaN}',
        b'{"users": [{]}',
        b'{"users": [1 2]}',
        b"{1: 2}",
        b'{"version":' + b"[" * 100_000,
        b'{"version":' + b"9" * 5_000 + b"}",
        b'\xff{"version": 1}',
        b'{"version": 1, "\\ud800": 3}',
        b'{"version": 1, "users": [{"id": "a", "name": "\\ud800"}]}',
        b'{"version": 1, "version": 2}',
        b'{"version": true}',
        b'{"version": 1, "users": [{"id": "a", "id": "b", "name": "A"}]}',
        b'{"version": 1, "users": {"a": 1}}',
        b'{"version": 1, "users": [], "users": []}',
    ],
    ids=range(19),
)  # fmt: skip
def test_what_is_no_directory_is_refused(text: bytes) -> None:
    assert problems(text)


junk = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "", "x", "ada", "2026-01-01T00:00", "\ud800", 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "from", "to", "number", "format", "days", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["version", *SECTIONS]), junk | st.lists(junk, max_size=3)))
def test_anything_is_a_directory_or_refused_and_nothing_else(document: dict[str, Any]) -> None:
    with contextlib.suppress(DirectoryError):
        made(document)


@settings(max_examples=200, deadline=None)
@given(documents(), st.data())
def test_a_right_document_with_one_thing_wrong_is_refused_or_right(
    document: dict[str, Any], data: st.DataObject
) -> None:
    section = data.draw(st.sampled_from([key for key in SECTIONS if document[key]] or ["users"]))
    if document[section]:
        entry = data.draw(st.sampled_from(document[section]))
        entry[data.draw(st.sampled_from([*entry]))] = data.draw(junk)
    with contextlib.suppress(DirectoryError):
        again = read("".join(written(made(document))).encode(), SOURCE, BERLIN)
        assert again == made(document)


def test_a_pin_is_hashed_on_arrival_and_never_repeated() -> None:
    salts = iter([b"0" * 16, b"1" * 16, b"2" * 16])
    members = [
        {"id": "m", "user": "ada", "pin": "271828"},
        {"id": "n", "user": "ada", "pin": "271828"},
    ]
    directory = made({"version": 1, "users": [PERSON], "members": members}, salt=lambda _size: next(salts))
    one, other = (directory.members[member].pin for member in "mn")
    assert one is not None
    assert other is not None
    assert one.digest != other.digest, "each has a salt of its own"
    assert one.is_of(one.recipe.digest("271828"))
    assert not one.is_of(one.recipe.digest("271829"))
    assert "271828" not in repr(directory) + "".join(written(directory))


def test_no_problem_repeats_a_secret() -> None:
    document = {
        "version": 1,
        "members": [{"id": "m", "user": "ada", "pin": "27182x"}, {"id": "n", "user": "x", "pin_hash": "scrypt$2718"}],
        "cards": [
            {"id": "t", "format": "token", "number": "deadbeef"},
            {"id": "w", "format": "wiegand26", "facility": 2, "number": 271828},
            {"id": "r", "format": "raw", "number": "2718zz"},
        ],
    }
    assert not [message for _, message in problems(document) if "2718" in message or "dead" in message]


@pytest.mark.parametrize(
    ("card", "facility", "number"),
    [
        ({"number": "18,54919"}, 18, "54919"),
        ({"number": "018:54919"}, 18, "54919"),
        ({"number": "0001234567"}, 18, "54919"),
        ({"number": "0012D687"}, 18, "54919"),
        ({"number": "0x12d687"}, 18, "54919"),
        ({"number": "A512D687"}, 18, "54919"),
        ({"number": "87D61200", "reversed": True}, 18, "54919"),
        ({"number": "2278953472", "reversed": True}, 18, "54919"),
        ({"format": "wiegand34", "number": "A512D687"}, 0xA512, "54919"),
        ({"format": "wiegand34", "number": "87D612A5", "reversed": True}, 0xA512, "54919"),
        ({"format": "wiegand35", "number": "18,54919"}, 18, "0054919"),
        ({"format": "raw", "number": "87d61200", "reversed": True}, None, "0012d687"),
    ],
)
def test_a_number_is_taken_as_it_is_printed(card: dict[str, Any], facility: int | None, number: str) -> None:
    directory = made({"version": 1, "cards": [{"id": "c", "format": "wiegand26"} | card]})
    found = directory.cards["c"]
    assert (found.facility, found.number) == (facility, number)
    again = read("".join(written(directory)).encode(), SOURCE, BERLIN)
    assert again.cards["c"] == found
    assert again.by_key == directory.by_key


@pytest.mark.parametrize(
    ("card", "place"),
    [
        ({"number": "18,54919", "facility": 18}, "number"),
        ({"number": "1234567"}, "number"),
        ({"number": "12345678"}, "number"),  # hexadecimal or decimal? nobody can tell
        ({"number": "4294967296"}, "number"),
        ({"number": "18,65536"}, "number"),
        ({"number": "256,1"}, "facility"),
        ({"number": "18,54919", "reversed": True}, "reversed"),
        ({"number": 7, "facility": 1, "reversed": True}, "reversed"),
        ({"format": "wiegand37", "number": "0001234567"}, "number"),
        ({"format": "raw", "number": "ff80", "bits": 9, "reversed": True}, "reversed"),
        ({"format": "token", "number": "ab" * 16, "reversed": True}, "number"),
    ],
)
def test_a_number_that_could_be_anything_is_refused(card: dict[str, Any], place: str) -> None:
    found = problems({"version": 1, "cards": [{"id": "c", "format": "wiegand26"} | card]})
    assert [where for where, _ in found] == [f"cards[0].{place}"]
    assert not [message for _, message in found if str(card["number"]) in message]


def test_pins_that_work_alone_share_a_salt_and_must_differ() -> None:
    def members(*pins: dict[str, str]) -> dict[str, Any]:
        entries = [{"id": f"m{n}", "user": "ada", "pin_alone": True, **pin} for n, pin in enumerate(pins)]
        return {"version": 1, "users": [PERSON], "members": entries}

    directory = made(members({"pin": "1234"}, {"pin": "5678"}, {"pin_hash": HASHES[1]}))
    assert len(directory.alone) == 1
    assert sorted(*[found.values() for found in directory.alone.values()]) == ["m0", "m1", "m2"]
    same = problems(members({"pin": "1234"}, {"pin": "1234"}))
    assert same == [("members[1]", "found the PIN of another member, expected a different one")]
    salts = [HASHES[0].replace("YSBzYWx0", f"YSBzYWx{n}") for n in "0123w"]
    assert "5 salts" in dict(problems(members(*({"pin_hash": text} for text in salts))))["members"]


@pytest.mark.parametrize(
    "head",
    ["scrypt$ln=17,r=16,p=1$YQ$", "scrypt$ln=30,r=8,p=1$YQ$", "scrypt$ln=14,r=8,p=1$é$", "argon2$ln=14,r=8,p=1$YQ$"],
)
def test_a_hash_that_would_cost_too_much_is_refused(head: str) -> None:
    member = {"id": "m", "user": "ada", "pin_hash": head + "A" * 43}
    document = {"version": 1, "users": [PERSON], "members": [member]}
    assert [key for key, _ in problems(document)] == ["members[0].pin_hash"]


def test_too_many_pins_in_clear_are_refused_before_the_first_is_hashed() -> None:
    members = [{"id": f"m{n}", "user": "ada", "pin": "1234"} for n in range(MOST_CLEAR + 1)]
    [(key, message)] = problems({"version": 1, "users": [PERSON], "members": members})
    assert key == "members"
    assert "use pin_hash" in message


def test_problems_have_an_end() -> None:
    found = problems({"version": 1, "users": [{"id": n} for n in range(MOST_PROBLEMS)]})
    assert len(found) <= MOST_PROBLEMS + 2
    assert "more than" in found[-1][1]


def test_building_comes_in_slices() -> None:
    steps = reading(large(3000), Path("large"), BERLIN, doors=["front", "back"])
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            directory: Directory = done.value
            break
        count += 1
    assert count > 3 * 3000 / 100
    card = directory.card(_wiegand37(2999))
    assert card is not None
    assert card.id == "c2999"
    holder = directory.holder(card.id)
    assert holder is not None
    assert directory.user_of(holder).name == "User 2999"


def _wiegand37(number: int) -> CardRead:
    """A 37 bit card with facility code 0, bit by bit."""
    data = [int(digit) for digit in f"{number:035b}"]
    bits = [sum(data[:18]) % 2, *data, 1 - sum(data[-18:]) % 2]
    value = int("".join(map(str, bits)), 2) << 3
    return CardRead("front.reader", 37, value.to_bytes(5), 0)
