"""Changes to single entries come to what a whole document with the same difference comes to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.directory.changes import difference
from edge.directory.document.reading import DirectoryError
from edge.directory.document.writing import written
from edge.directory.edits import layered, making
from edge.directory.edits.layered import frozen, working
from edge.directory.edits.shape import KINDS
from edge.model.messages import SYSTEM
from tests.directory.test_changes import apply, model, tidy
from tests.support.directories import BERLIN, DOORS, documents, edited, made
from tests.support.people import document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.directory.directory import Directory
    from edge.directory.edits.making import Edited

EDIT = Path("edit")
GRACE = [
    {"put": "user", "entry": {"id": "grace", "name": "Grace Hopper"}},
    {
        "put": "card",
        "entry": {"id": "grace-1", "format": "wiegand26", "facility": 12, "number": 3456, "user": "grace"},
    },
    {"put": "member", "entry": {"id": "grace", "user": "grace", "cards": ["grace-1"], "groups": ["always"]}},
]


def edit(before: Directory, *changes: Any) -> Edited:
    return edited(before, changes, EDIT, BERLIN, doors=DOORS)


def problems(before: Directory, *changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(DirectoryError) as refused:
        edit(before, *changes)
    return [(one.key, one.message) for one in refused.value.problems]


def indexes(directory: Directory) -> Any:
    """What `==` leaves out."""
    alone = {parameters: dict(index) for parameters, index in directory.alone.items()}
    return dict(directory.by_key), dict(directory.holders), alone


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What makes one document of another."""
    found: list[dict[str, Any]] = []
    for kind, section in KINDS.items():
        old, new = ({one["id"]: one for one in side.get(section, [])} for side in (before, after))
        found += [{"put": kind, "entry": entry} for own, entry in new.items() if old.get(own) != entry]
        found += [{"remove": kind, "id": own} for own in old if own not in new]
    return found


def changed(before: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document that has these changes in it."""
    lists = {section: {one["id"]: one for one in before.get(section, [])} for section in KINDS.values()}
    for change in changes:
        if "put" in change:
            lists[KINDS[change["put"]]][change["entry"]["id"]] = change["entry"]
        else:
            del lists[KINDS[change["remove"]]][change["id"]]
    return {"version": before["version"] + 1, **{section: [*one.values()] for section, one in lists.items()}}


@pytest.fixture(params=["copied", "in layers"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small indexes are copied, large ones are not."""
    if request.param == "in layers":
        monkeypatch.setattr(layered, "SMALL", 0)


@pytest.mark.usefixtures("_both_ways")
@given(data=st.data(), before=documents(), after=documents())
@settings(max_examples=150)
def test_edits_come_to_what_a_document_with_the_same_difference_does(
    data: st.DataObject, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """All of the difference, or some of it, which is often wrong: then both are refused."""
    every = changes_between(before, after)
    changes = data.draw(st.lists(st.sampled_from(every), unique_by=json.dumps)) if every else []
    changes = data.draw(st.sampled_from([changes, every])) if changes else []
    old = made(before)
    if not changes:
        assert problems(old) == [("changes", "found an empty list, expected at least one change")]
        return
    try:
        expected = made(changed(before, changes), doors=DOORS)
    except DirectoryError as error:
        theirs = {one.message for one in error.problems}
        ours = {message for _, message in problems(old, *changes)}
        blamed = ("which", "the number of", "a PIN that cannot", "with")  # of two in each other's way one is named
        assert {one for one in ours if not any(word in one for word in blamed)} == {
            one for one in theirs if not any(word in one for word in blamed)
        }
        return
    found = edit(old, *changes)
    assert found.directory == expected
    assert indexes(found.directory) == indexes(expected)
    again = made(json.loads("".join(written(found.directory))))
    assert (again, indexes(again)) == (expected, indexes(expected))
    told = difference(old, found.directory, SYSTEM, 5, touched=found.touched)
    assert sorted(map(repr, told)) == sorted(map(repr, difference(old, expected, SYSTEM, 5)))
    kept = edited(old, found.changes, EDIT, BERLIN)
    assert (kept.directory, indexes(kept.directory)) == (expected, indexes(expected))


@pytest.mark.usefixtures("_both_ways")
@given(data=st.data(), goals=st.lists(documents(), min_size=2, max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_records_of_edits_in_order_make_the_directory_of_an_empty_one(
    data: st.DataObject, goals: list[dict[str, Any]]
) -> None:
    """Edit after edit, a thousand of them and more in all examples; those that are refused leave nothing."""
    paper: dict[str, Any] = {"version": 0, **{section: [] for section in KINDS.values()}}
    now, told = made(paper), model(paper)
    for goal in goals:
        every = changes_between(paper, goal)
        some = st.lists(st.sampled_from(every), min_size=1, unique_by=json.dumps) if every else st.just([])
        for changes in (data.draw(some), every):
            left = [one for one in changes if one in changes_between(paper, goal)]
            try:
                found = edit(now, *left)
            except DirectoryError:
                continue
            told = apply(told, difference(now, found.directory, SYSTEM, 5, touched=found.touched))
            now, paper = found.directory, changed(paper, left)
    assert now == made(paper)
    assert tidy(told) == tidy(model(paper))


def test_a_new_person_with_a_card() -> None:
    before = made(document())
    after = edit(before, *GRACE).directory
    assert after.version == 2
    assert after.members["grace"].cards == ("grace-1",)
    assert after.holder("grace-1") is after.members["grace"]
    assert before == made(document()), "what was in force is as it was"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert problems(
        made(document()),
        {"put": "user", "entry": {"id": "gr ace", "nam": "Grace"}},
        {"put": "member", "entry": {"id": "m", "user": "nobody", "cards": ["c1001"]}},
        {"put": "card", "entry": {"id": "copy", "format": "wiegand26", "facility": 12, "number": 1001}},
        {"remove": "group", "id": "alway"},
    ) == [
        ("changes[3].id", 'found "alway", did you mean "always"?'),
        ("changes[0].entry.id", 'found "gr ace", expected an id: 1 to 64 of A-Z, a-z, 0-9, _ . : @ and -'),
        ("changes[0].entry.name", "missing, expected 1 to 100 printable characters"),
        ("changes[0].entry.nam", 'unknown key, did you mean "name"?'),
        ("changes[2].entry.number", "found the number of cards.c1001 (c1001), expected another"),
        ("changes[1].entry.user", 'found "nobody", expected "ada" or "bob"'),
        ("changes[1].entry.cards", 'found "c1001", which ada has, expected a card that nobody has'),
    ]


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ({"put": "user"}, "changes[0]", "found a table, expected { put, entry } or { remove, id }"),
        ({"put": "user", "entry": {"id": "x"}, "id": "x"}, "changes[0]", "expected { put, entry } or { remove, id }"),
        ("user", "changes[0]", 'found "user", expected { put, entry } or { remove, id }'),
        ({"remove": "membr", "id": "x"}, "changes[0].remove", 'found "membr", did you mean "member"?'),
        ({"put": 3, "entry": {}}, "changes[0].put", "found 3, expected"),
        ({"put": "user", "entry": []}, "changes[0].entry", "found a list, expected a table"),
        ({"put": "user", "entry": {"id": 5}}, "changes[0].entry.id", "found 5, expected an id"),
        ({"remove": "user", "id": None}, "changes[0].id", "expected an id"),
    ],
)
def test_what_is_no_change(change: Any, key: str, message: str) -> None:
    ((where, told),) = problems(made(document()), change)
    assert where == key
    assert message in told


def test_one_change_of_each_entry() -> None:
    told = problems(made(document()), {"remove": "user", "id": "ada"}, {"put": "user", "entry": {"id": "ada"}})
    assert told == [("changes[1].entry.id", 'found "ada" a second time, expected one change of each entry')]


def test_what_refers_to_something_that_is_gone_is_named() -> None:
    before = made(document())
    assert problems(before, {"remove": "card", "id": "c1900"}) == [
        ("members.ada.backup_cards", 'found "c1900", did you mean "c1002"?')
    ]
    assert problems(before, {"remove": "schedule", "id": "weekdays"}) == [
        ("groups.weekdays.schedule", 'found "weekdays", expected one of schedules')
    ]


def test_after_many_problems_the_rest_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST_PROBLEMS", 10)
    monkeypatch.setattr(making, "PUTS", 5)
    assert len(problems(made(document()), *({"remove": "card", "id": f"x{n}"} for n in range(1000)))) == 11


def test_two_swap_their_cards_and_two_cards_their_numbers() -> None:
    before = made(document())
    ada, bob = (one for one in document()["members"])
    swapped = edit(
        before,
        {"put": "member", "entry": ada | {"cards": ["c1002"]}},
        {"put": "member", "entry": bob | {"cards": ["c1001"]}},
        {"put": "card", "entry": document()["cards"][2] | {"number": 1999}},
        {"put": "card", "entry": document()["cards"][3] | {"number": 1900}},
    ).directory
    assert {card: swapped.holders[card] for card in ("c1001", "c1002")} == {"c1001": "bob", "c1002": "ada"}
    assert swapped.by_key == {**before.by_key, before.cards["c1900"].key: "c1999", before.cards["c1999"].key: "c1900"}


def test_a_door_that_is_not_configured_any_more_is_in_nobodys_way_but_is_not_given_anew() -> None:
    before = made(document())
    changes = [{"put": "group", "entry": {"id": "g", "name": "G", "doors": ["front"]}}]
    (problem,) = _refused(before, changes, ["back"])
    assert problem.startswith('found "front", which is no door of the configuration')
    assert edited(before, GRACE, EDIT, BERLIN, doors=["back"]).directory.version == 2


def _refused(before: Directory, changes: Sequence[object], doors: list[str]) -> list[str]:
    with pytest.raises(DirectoryError) as refused:
        edited(before, changes, EDIT, BERLIN, doors=doors)
    return [one.message for one in refused.value.problems]


def test_a_pin_can_be_kept_by_who_does_not_know_it() -> None:
    before = made(document())
    bob = {key: value for key, value in document()["members"][1].items() if key != "pin_hash"}
    after = edit(before, {"put": "member", "entry": bob | {"pin": "kept", "groups": ["always"]}}).directory
    assert after.members["bob"] == replace(before.members["bob"], groups=("always",))
    assert indexes(after)[2] == indexes(before)[2]
    (gone,) = problems(before, {"put": "member", "entry": bob})
    assert gone == ("changes[0].entry.pin_alone", "found without a PIN, expected pin or pin_hash as well")
    (none,) = problems(before, *GRACE[:2], {"put": "member", "entry": GRACE[2]["entry"] | {"pin": "kept"}})  # type: ignore[operator]
    assert none == ("changes[2].entry.pin", 'found "kept", but there is no PIN of this member to be kept')


def test_a_pin_in_clear_is_hashed_and_nowhere_kept() -> None:
    before = made(document())
    bob = {key: value for key, value in document()["members"][1].items() if key != "pin_hash"}
    found = edit(before, {"put": "member", "entry": bob | {"pin": "31415"}})
    pin = found.directory.members["bob"].pin
    assert pin is not None
    assert pin.is_of(pin.recipe.digest("31415"))
    assert indexes(found.directory)[2] == {pin.recipe: {pin.digest: "bob"}}
    assert "31415" not in repr(found)
    assert edited(before, found.changes, EDIT, BERLIN).directory == found.directory


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 9))), max_size=40), st.integers(0, 9))
def test_what_lies_above_reads_like_a_dict(steps: list[tuple[int, int | None]], count: int) -> None:
    """Key and value to be set, or None to be removed; every so often another layer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layered, "SMALL", 0)
        plain = {n: n for n in range(count)}
        now: Mapping[int, int] = dict(plain)
        for key, value in steps:
            before, seen = now, [*now.items()]
            steps_of = working(now)
            while True:
                try:
                    next(steps_of)
                except StopIteration as done:
                    change = done.value
                    break
            if value is None:
                assert change.pop(key, None) == plain.pop(key, None)
            else:
                change[key] = plain[key] = value
            now = frozen(change)
            assert [*before.items()] == seen, "what somebody reads never changes"
            assert now == plain
            assert sorted(now) == sorted(plain)
            assert [*now.values()] == [now[one] for one in now]
            assert (len(now), now.get(key), key in now) == (len(plain), plain.get(key), key in plain)
