"""The directory as a file: what is exported is imported again as it was, and a sheet from elsewhere becomes people."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.directory.directory import Directory
from edge.model.csv_cells import BYTE_ORDER_MARK, bare, safe
from edge.people.exchange.difference import planning_document
from edge.people.exchange.export import document_text, sheet_rows
from edge.people.exchange.plan import ImportPlan, planning_sheet
from edge.people.exchange.sheet import COLUMNS, SheetError, moment_cell, moment_of
from edge.people.slices import at_once
from tests.support.directories import BERLIN, DOORS, documents, large, made
from tests.support.people import building

KNOWN = datetime(2026, 11, 30, 12, tzinfo=UTC)
SOURCE = Path("people.csv")


def exported(directory: Directory, *, hashes: bool = True) -> str:
    """The document, piece by piece."""
    text, after = "", 0
    while after is not None:
        piece = at_once(document_text(directory, after, hashes=hashes))
        text, after = text + piece.text, piece.next  # type: ignore[assignment]
    return text


def sheet(directory: Directory, delimiter: str = ",", head: str = "") -> str:
    """The sheet as a spreadsheet would be given it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(COLUMNS)
    after: int | None = 0
    while after is not None:
        piece = at_once(sheet_rows(directory, after, BERLIN, KNOWN))
        writer.writerows([safe(cell) for cell in row] for row in piece.rows)
        after = piece.next
    return head + out.getvalue()


def planned(directory: Directory, text: str, **more: Any) -> ImportPlan:
    return at_once(planning_sheet(directory, text, SOURCE, BERLIN, doors=DOORS, **more))


def replaced(directory: Directory, document: str) -> ImportPlan:
    return at_once(planning_document(directory, document.encode(), SOURCE, BERLIN, doors=DOORS))


# --- what is exported is imported again ------------------------------------------------------------


@settings(max_examples=60)
@given(documents(), st.booleans())
def test_an_exported_document_is_the_same_directory(document: dict[str, Any], hashes: bool) -> None:
    directory = made(document)
    plan = replaced(directory, exported(directory, hashes=hashes))
    assert (plan.problems, plan.told, plan.changes) == ([], [], 0)
    assert plan.after == replace(directory, version=directory.version + 1)


@settings(max_examples=60)
@given(documents(), st.sampled_from(",;\t"), st.sampled_from(["", BYTE_ORDER_MARK]))
def test_an_exported_sheet_changes_nothing(document: dict[str, Any], delimiter: str, head: str) -> None:
    directory = made(document)
    plan = planned(directory, sheet(directory, delimiter, head))
    assert (plan.problems, plan.told, plan.changes) == ([], [], 0)
    assert plan.after == replace(directory, version=directory.version + 1)
    assert plan.counts["unchanged"] == sum(1 for _ in sheet(directory).splitlines()) - 1


@settings(max_examples=40)
@given(documents())
def test_a_sheet_makes_the_same_people_where_there_is_nobody_yet(document: dict[str, Any]) -> None:
    directory = made(document)
    tokens = [one for one in directory.cards.values() if one.token]
    if (
        tokens
        or not directory.groups
        or any(m.backup_cards or m.disabled_cards or not m.enabled for m in directory.members.values())
    ):
        return  # that is more than a sheet says
    empty = replace(directory, users={}, members={}, cards={}, by_key={}, holders={}, alone={})
    plan = planned(empty, sheet(directory))
    assert plan.problems == []
    told = [[bare(cell) for cell in row] for row in csv.reader(io.StringIO(sheet(plan.after), newline=""))]
    asked = [[bare(cell) for cell in row] for row in csv.reader(io.StringIO(sheet(directory), newline=""))]
    pins, state = COLUMNS.index("pin"), COLUMNS.index("state")

    def without(rows: list[list[str]]) -> list[list[str]]:
        return sorted([c for n, c in enumerate(row) if n not in {pins, state}] for row in rows)

    assert without(told) == without(asked)


@given(documents())
@settings(max_examples=20)
def test_pieces_of_any_size_make_the_document(document: dict[str, Any]) -> None:
    from edge.directory.document.writing import written  # noqa: PLC0415 -- for this test only

    pieces = [*written(made(document))]
    assert json.loads("".join(pieces))["version"] == document["version"]
    for after in range(len(pieces) + 1):
        assert [*written(made(document), after)] == pieces[after:]


def test_no_pin_and_for_the_group_no_hash_is_in_a_file() -> None:
    directory = building()
    assert "scrypt" in exported(directory)
    assert "scrypt" not in exported(directory, hashes=False) + sheet(directory)
    plan = replaced(Directory(), exported(directory, hashes=False))
    assert plan.problems == [
        'members[0].pin: found "kept", but there is no PIN of this member to be kept',
        'members[1].pin: found "kept", but there is no PIN of this member to be kept',
        "members[1].pin_alone: found without a PIN, expected pin or pin_hash as well",
    ]


@given(st.text(st.sampled_from("=+-@'; |\"ab,\t\n\uff1d"), max_size=12).filter(lambda text: text.isprintable()))
def test_a_cell_is_read_as_it_was_written(text: str) -> None:
    if not text.startswith("'") and not any(mark in text for mark in ("'=", "'+", "'-", "'@", "'\uff1d")):
        assert bare(str(safe(text))) == text


@given(st.datetimes(datetime(2001, 1, 1), datetime(2190, 1, 1)))  # noqa: DTZ001 -- hypothesis wants it so
def test_a_time_is_read_as_it_was_written_also_when_clocks_go_back(at: datetime) -> None:
    for moment in (at.replace(second=0, microsecond=0, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)):
        assert moment_of(moment_cell(moment, BERLIN), BERLIN, is_end=False) == moment


# --- sheets from elsewhere -------------------------------------------------------------------------


def test_a_sheet_adds_and_changes_people() -> None:
    directory = building()
    text = (
        "E-Mail;Name;Card number;Groups;PIN;Valid until\n"
        "ada@example.org;Ada Lovelace;12:1001;Always;;31.12.2026\n"
        ";Bob;;Weekdays; always;;\n"
        "grace@example.org;Grace Hopper;wiegand26 12:3456;always;4711;2026-12-24T18:00\n"
    )
    plan = planned(directory, text.replace("Weekdays; always", '"Weekdays; always"'))
    assert plan.problems == []
    assert plan.told == [
        "~ Ada: name Ada -> Ada Lovelace, until 2027-01-01T00:00, cards 12:1001, 12:1900 -> 12:1001",
        "~ Bob: groups Weekdays -> Weekdays, Always, cards 12:1002 -> none",
        "+ Grace Hopper: until 2026-12-24T18:00, a new PIN, Always, card 12:3456",
    ]
    assert plan.counts == {"added": 1, "changed": 2, "unchanged": 0}
    grace = plan.after.members["grace-hopper"]
    assert (grace.groups, grace.cards, grace.pin is not None) == (("always",), ("grace-hopper-1",), True)
    assert plan.after.cards["grace-hopper-1"].written == "12:3456"
    assert plan.after.members["ada"].pin == directory.members["ada"].pin
    assert (plan.after.members["bob"].cards, plan.after.holder("c1002")) == ((), None)
    assert plan.after.version == directory.version + 1


def test_people_come_from_a_spreadsheet_of_another_system() -> None:
    """Tabs, days that count to their end, a column for each group, facility code and number in one."""
    directory = made(
        {
            "version": 1,
            "groups": [
                {"id": "workshop", "name": "Workshop", "doors": ["garage"]},
                {"id": "front", "name": "Front Door", "doors": ["front"]},
            ],
        }
    )
    text = (
        "Card Number\tName\tFrom\tTo\tWorkshop\tFront Door\n"
        "1058399\tAda Example\t2026-01-01\t2026-12-31\tY\tY\n"
        "8154711\tJürgen Example\t2026-01-01\t2026-12-31\tN\tY\n"
    )
    plan = planned(directory, text)
    assert [one.split(";")[0] for one in plan.problems] == [
        "line 2: cards: no card here is called '1058399'",
        "line 3: cards: no card here is called '8154711'",
    ]
    plan = planned(directory, text, combined=True)
    assert plan.problems == []
    assert plan.told == [
        "+ Ada Example: from 2026-01-01T00:00, until 2027-01-01T00:00, Workshop, Front Door, card 10:58399",
        "+ Jürgen Example: from 2026-01-01T00:00, until 2027-01-01T00:00, Front Door, card 81:54711",
    ]
    assert plan.after.members["jurgen-example"].groups == ("front",)
    again = planned(plan.after, text, combined=True)
    assert (again.changes, again.counts["unchanged"]) == (0, 2)


def test_everything_that_is_wrong_is_told_by_its_line() -> None:
    text = (
        "name,id,email,groups,cards,pin,valid from,valid until,Phone\n"
        "Ada,,,Stuff,,,,,1\n"
        "Grace,,,,12:1002,,,,2\n"
        "Hedy,,,,,123,,,3\n"
        "Joan,,,,,,tomorrow,,4\n"
        'Otis,,no mail,,"99:999999999",,,,5\n'
        ",,nobody@example.org,,,,,,6\n"
        "Ada,,,,,,,,7\n"
        "Rosa,ro sa,,,,,,,8\n"
        "Mary,,,,,,,,9,10\n"
        "Lise,lise,ada@example.org,,,,,,11\n"
        ",bob,,,12:1002,,2026-02-01,2026-01-01,12\n"
    )
    plan = planned(building(), text)
    assert plan.told is not None
    assert plan.notes[0] == "not taken over: Phone (a column that is named after a group takes Y and N)"
    assert plan.problems == [
        "line 2: no group is called 'Stuff'; expected one such as Always (always), Weekdays (weekdays)",
        "line 3: card 12:1002 is the card of Bob (bob)",
        "line 4: pin: found something else, expected 4 to 12 digits; a spreadsheet drops zeros in front",
        (
            "line 5: valid_from: found 'tomorrow', expected a day such as 2026-12-31, "
            "or a time in whole minutes such as 2026-12-31T18:00"
        ),
        (
            "line 6: cards: no card here is called '99:999999999'; "
            "for a new one expected FACILITY:NUMBER, ten digits or hexadecimal ones as they are printed"
        ),
        'line 6: email: found "no mail", expected an e-mail address',
        "line 7: nobody here is called 'nobody@example.org', expected a name for somebody new",
        "line 8: Ada is in line 2 too: remove one, or give both an id if they are two people",
        "line 9: id: found 'ro sa', expected an id: 1 to 64 of A-Z, a-z, 0-9, _ . : @ and -",
        "line 10: found 10 cells, expected 9: is a quote missing?",
        "line 11: nobody has the id 'lise', and Ada (ada, ada@example.org) has this e-mail address",
        "line 12: valid_until: found a time before valid_from, expected one after it",
    ]
    assert plan.after == plan.before


def test_cards_change_hands_in_one_import() -> None:
    text = 'id,cards\nada,"12:1002"\nbob,"12:1001; 12:1900"\n'
    plan = planned(building(), text)
    assert plan.problems == []
    assert plan.after.members["ada"].cards == ("c1002",)
    assert plan.after.members["bob"].cards == ("c1001", "c1900")


def test_the_first_people_of_a_controller_may_pass_its_doors() -> None:
    plan = planned(Directory(), "Name,Card\nAda,12:1\nBob,12:2\n")
    assert plan.notes == ["there was no group yet: everybody is made, which may pass every door at any time"]
    assert plan.after.groups["everybody"].doors == {*DOORS}
    assert {one.groups for one in plan.after.members.values()} == {("everybody",)}


@pytest.mark.parametrize("text", ["Name,Workshop\nAda,N\n", "Name,Groups\nAda,\n"])
def test_a_sheet_that_says_something_of_doors_opens_no_others(text: str) -> None:
    plan = planned(Directory(), text)
    assert (plan.problems, plan.after.groups) == ([], {})
    assert plan.notes[-1] == "1 of those who are added are in no group, and may pass no door yet"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "it is empty"),
        ("\n\n , \n", "it is empty"),
        ("a,b\n1,2\n", "found the columns 'a', 'b'; expected one of id, email, name"),
        ("name,Name\n", "column 'name': found twice"),
        ("name\n" + '"' + "x" * 200_000, "field larger than field limit"),
        ("name\n" + "x\n" * 200_001, "found more than 200000 rows"),
        ("name" + "," * 3 + "x," * 300, "columns, expected at most 200"),
    ],
)
def test_what_is_no_list_of_people_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(SheetError, match=wrong):
        planned(building(), text)


@settings(max_examples=100)
@given(st.text(st.sampled_from('nameid,;\t\n\r"=+-@0123:\x00\x1b\u2028\udcff '), max_size=80))
def test_nothing_that_a_file_may_contain_is_a_mistake(rows: str) -> None:
    try:
        plan = planned(building(), f"name,groups,cards,valid_until,pin\n{rows}")
    except SheetError:
        return
    assert bool(plan.problems) or plan.after.version == 2


def test_a_formula_is_a_name_like_others_and_a_control_character_is_none() -> None:
    plan = planned(Directory(), "name\n'=1+1\n=2+2\n")
    assert [one.name for one in plan.after.users.values()] == ["=1+1", "=2+2"]
    assert "'=1+1" in sheet(plan.after)
    plan = planned(Directory(), "name\nA\x00da\n")
    assert plan.problems[0].startswith("line 2: name: found ")


def test_a_large_sheet_is_planned_in_bounded_steps() -> None:
    """Of 20,000 rows: each step is one of some hundred, and what is unchanged makes no edit."""
    directory = made(json.loads(large(20_000)))
    text = sheet(directory)
    steps = planning_sheet(directory, text, SOURCE, BERLIN, doors=DOORS)
    assert _count(steps) > 20_000 // 100
    empty = replace(directory, users={}, members={}, cards={}, by_key={}, holders={})
    plan = planned(empty, text)
    assert (plan.problems, plan.counts["added"]) == ([], 20_000)
    assert plan.after.members.keys() == directory.members.keys()


def _count(steps: Any) -> int:
    count = 0
    for _ in steps:
        count += 1
    return count


def test_the_difference_of_a_document_is_told() -> None:
    directory = building()
    document = json.loads(exported(directory, hashes=False))
    document["version"] = 0
    document["users"][0]["name"] = "Ada Lovelace"
    del document["cards"][2]
    document["members"][0] |= {"backup_cards": [], "disabled_cards": [], "pin": "123456"}
    plan = replaced(directory, json.dumps(document))
    assert (plan.problems, plan.after.version) == ([], 2)
    assert plan.counts == {"added": 0, "changed": 2, "removed": 1}
    assert plan.told == [
        "~ user Ada Lovelace (ada): name",
        "~ member Ada Lovelace (ada): backup_cards, disabled_cards, pin",
        "- card wiegand26 12:1900 (c1900)",
    ]
    assert replaced(directory, "{").problems == ["line 1, column 2: expecting value, expected a JSON object"]


def test_who_is_off_and_what_is_lost_or_disabled_is_so_on_another_controller() -> None:
    def change(document: dict[str, Any]) -> None:
        document["members"][1]["enabled"] = False
        document["cards"][1]["state"] = "inactive"

    here = building(change)
    text = sheet(here)
    assert "wiegand26 12:1002 (lost)" in text
    assert "wiegand26 12:1900 (disabled)" in text
    assert planned(here, text).counts == {"added": 0, "changed": 0, "unchanged": 2}
    plan = planned(replace(here, users={}, members={}, cards={}, holders={}, by_key={}, alone={}), text)
    assert (plan.problems, plan.counts["added"]) == ([], 2)
    there = plan.after
    assert {one.id: one.enabled for one in there.members.values()} == {"ada": True, "bob": False}
    taken = {card.written: card.active for card in there.cards.values()}
    assert taken == {"12:1001": True, "12:1900": False, "12:1002": False}
    assert any("off" in one for one in plan.told)


def test_how_many_lose_all_their_groups_or_cards_is_said_however_many_changes_there_are() -> None:
    note = "2 of those who are changed have no {} any more: an empty cell means none"
    assert planned(building(), "id,groups\nada,\nbob,\n").notes == [note.format("groups")]
    assert planned(building(), "id,cards\nada,\nbob,\n").notes == [note.format("cards")]
    assert planned(building(), "id,name\nada,Countess\n").notes == []


@pytest.mark.parametrize("other", [{"number": 5000}, {"facility": 12, "number": 5000}])
def test_a_number_that_is_the_id_of_another_card_is_not_guessed(other: dict[str, int]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["cards"] += [
            {"id": "5000", "format": "wiegand26", "facility": 1, "number": 7},
            {"id": "other", "format": "wiegand37"} | other,
        ]

    here = building(change)
    (problem,) = planned(here, "name,cards\nGrace,5000\n").problems
    assert problem.startswith("line 2: cards: '5000' may be")
    assert planned(here, "name,cards\nGrace,other\n").problems == []
