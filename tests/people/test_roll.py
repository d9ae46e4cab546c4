"""Everybody by name: order, pages, searches, and that little is done again after an edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.people.cards import holders_of
from edge.people.roll import FEW, Roll
from edge.people.slices import at_once
from tests.support.directories import BERLIN, edited, large, made

if TYPE_CHECKING:
    from edge.directory.directory import Directory
    from edge.people.roll import RollPage

SOURCE = Path("an edit")
HERE: dict[str, Any] = {
    "version": 1,
    "users": [
        {"id": "zoe", "name": "Zoë Ångström", "email": "zoe@example.org"},
        {"id": "zora", "name": "Zora"},
        {"id": "ada", "name": "ada Lovelace"},
        {"id": "guest", "name": "Émile"},
    ],
    "members": [{"id": "z1", "user": "zoe", "cards": ["c1"]}, {"id": "z2", "user": "zora"}, {"id": "a", "user": "ada"}],
    "cards": [{"id": "c1", "format": "wiegand26", "facility": 12, "number": 42}],
}


def page(roll: Roll, directory: Directory, **asked: Any) -> RollPage:
    return at_once(roll.page(directory, directory.version, **asked))


def ids(found: RollPage) -> list[str]:
    return [one.id for one in found.people]


def test_names_are_sorted_without_accents_and_case_and_users_who_are_no_members_are_there() -> None:
    found = page(Roll(), made(HERE))
    assert (ids(found), found.total, found.next) == (["a", "guest", "z1", "z2"], 4, None)
    assert found.people[1].member is None


def test_pages_have_everybody_once_also_when_somebody_of_the_page_before_is_gone() -> None:
    roll, directory = Roll(), made(HERE)
    first = page(roll, directory, limit=2)
    assert ids(first) == ["a", "guest"]
    assert first.next is not None
    after = edited(directory, [{"remove": "user", "id": "guest"}], SOURCE, BERLIN).directory
    second = page(roll, after, limit=2, after=first.next)
    assert (ids(second), second.total, second.next) == (["z1", "z2"], 3, None)


def test_a_search_takes_words_in_any_order_addresses_and_the_numbers_of_cards() -> None:
    roll, directory = Roll(), made(HERE)
    assert ids(page(roll, directory, text="angstrom zoe")) == ["z1"]
    assert ids(page(roll, directory, text="@EXAMPLE")) == ["z1"]
    assert ids(page(roll, directory, text="z")) == ["z1", "z2"]
    assert ids(page(roll, directory, text="12:42", holders=at_once(holders_of(directory, "12:42")))) == ["z1"]
    assert ids(page(roll, directory, fits=lambda one: one.member is None)) == ["guest"]
    assert page(roll, directory, text="nobody").total == 0


def test_the_order_follows_what_edits_change() -> None:
    roll, directory = Roll(), made(HERE)
    page(roll, directory)
    changes = [
        {"put": "user", "entry": {"id": "ada", "name": "Zz Top"}},
        {"put": "member", "entry": {"id": "m", "user": "guest"}},
        {"put": "user", "entry": {"id": "bob", "name": "Bob"}},
        {"remove": "member", "id": "z2"},
    ]
    after = edited(directory, changes, SOURCE, BERLIN).directory
    assert ids(page(roll, after)) == ids(page(Roll(), after)) == ["bob", "m", "z1", "zora", "a"]


def test_many_are_sorted_in_slices_as_all_at_once() -> None:
    directory = made_of(3 * FEW)
    steps = Roll().page(directory, 1, limit=5000)
    slices = 0
    while True:
        try:
            next(steps)
            slices += 1
        except StopIteration as done:
            found: RollPage = done.value
            break
    names = [one.user.name for one in found.people]
    assert names == sorted(names, key=str.lower)
    assert (len(names), slices > 3) == (3 * FEW, True)


def test_two_who_ask_right_after_an_edit_get_the_same_people_once() -> None:
    roll, directory = Roll(), made_of(FEW)
    page(roll, directory)
    changes = [{"remove": "member", "id": "m1"}, {"put": "user", "entry": {"id": "new", "name": "Aa"}}]
    after = edited(directory, changes, SOURCE, BERLIN).directory
    asked = [roll.page(after, after.version, limit=5000) for _ in range(2)]
    next(asked[0])  # the other one is served while the first has only begun
    second, first = at_once(asked[1]), at_once(asked[0])
    assert ids(first) == ids(second) == ids(page(Roll(), after, limit=5000))
    assert ids(page(roll, after, limit=5000)) == ids(first)


def test_who_asked_before_an_edit_gets_the_people_of_then() -> None:
    roll, directory = Roll(), made_of(FEW)
    after = edited(directory, [{"remove": "member", "id": "m1"}], SOURCE, BERLIN).directory
    asked = roll.page(directory, directory.version, limit=5000)
    next(asked)
    assert ids(page(roll, after, limit=5000)) == ids(page(Roll(), after, limit=5000))
    assert ids(at_once(asked)) == ids(page(Roll(), directory, limit=5000))


def made_of(cards: int) -> Directory:
    import json  # noqa: PLC0415 -- only here

    return made(json.loads(large(cards)))
