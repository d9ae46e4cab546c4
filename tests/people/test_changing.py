"""What is planned when people are added, changed, barred, removed and given cards: and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.people.card_changes import giving, marking, taking
from edge.people.cards import CardError
from edge.people.changing import DeskError, adding, barring, changing, removing
from edge.people.finding import NotFoundError
from edge.people.names import free_id, slug
from edge.people.slices import at_once
from tests.support.directories import BERLIN, cheap, edited, made
from tests.support.people import document

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.directory.directory import Directory
    from edge.people.changing import PersonPlan

EMPTY = made({"version": 1})
HERE = made(document())


def after(directory: Directory, steps: Generator[None, None, PersonPlan]) -> tuple[Directory, PersonPlan]:
    plan = at_once(steps)
    return edited(directory, plan.changes, Path("edit"), BERLIN, doors=["front", "back"]).directory, plan


def add(directory: Directory, **wanted: Any) -> tuple[Directory, PersonPlan]:
    return after(directory, adding(directory, wanted, ["front", "back"]))


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("Grace Hopper", "grace-hopper"),
        ("Émile  Zola-Ångström", "emile-zola-angstrom"),
        ("Søren ß. Łuk", "soren-ss-luk"),
        ("山田", "person"),
        ("x" * 100, "x" * 48),
    ],
)
def test_an_id_is_made_of_a_name(name: str, own: str) -> None:
    assert slug(name, "person") == own
    assert free_id(own, lambda one: one in {own, f"{own}-2"}) == f"{own}-3"


def test_the_first_person_of_a_fresh_controller_may_pass_every_door() -> None:
    directory, plan = add(EMPTY, name=" Grace  Hopper ", card="12:3456", email="grace@example.org")
    assert plan.id == "grace-hopper"
    assert plan.notes == ["there was no group yet: everybody is made, which may pass every door at any time"]
    assert directory.groups["everybody"].doors == {"front", "back"}
    member = directory.members["grace-hopper"]
    assert (member.user, member.cards, member.groups) == ("grace-hopper", ("grace-hopper-1",), ("everybody",))
    assert directory.users["grace-hopper"].name == "Grace Hopper"
    assert directory.cards["grace-hopper-1"].user == "grace-hopper"
    again, second = add(directory, name="Grace Hopper")
    assert (second.id, second.notes) == ("grace-hopper-2", ["Grace Hopper is in no group, and may pass no door yet"])
    assert again.members["grace-hopper-2"].groups == ()


def test_a_person_is_added_to_groups_that_are_called_by_name() -> None:
    directory, plan = add(HERE, name="Grace", groups_add=["ALWAYS", "week"], pin="4711", valid_until="2026-12-01T18:00")
    member = directory.members[plan.id]
    assert (member.groups, plan.notes) == (("always", "weekdays"), [])
    assert member.pin is not None
    assert str(member.valid_until) == "2026-12-01 17:00:00+00:00"
    with pytest.raises(NotFoundError, match=r"no group is called 'staff'; expected one such as Always \(always\)"):
        add(HERE, name="Grace", groups=["staff"])


def test_a_card_that_somebody_has_is_not_given_away() -> None:
    with pytest.raises(DeskError, match=r"12:1001 is the card of Ada \(ada\)") as error:
        add(HERE, name="Grace", card="12:1001")
    assert error.value.code == "card_taken"
    with pytest.raises(DeskError, match="name: missing"):
        add(HERE, name="  ")


def test_a_change_touches_only_what_is_changed() -> None:
    directory, plan = after(HERE, changing(HERE, "ada", {"name": "Ada Lovelace", "email": None}))
    assert [one["put"] for one in plan.changes] == ["user"]
    assert (directory.users["ada"].name, directory.users["ada"].email) == ("Ada Lovelace", None)
    assert directory.members["ada"] == HERE.members["ada"]
    directory, plan = after(HERE, changing(HERE, "ada", {"groups_add": ["weekdays"], "groups_remove": ["always"]}))
    assert [one["put"] for one in plan.changes] == ["member"]
    assert directory.members["ada"].groups == ("weekdays",)
    assert directory.members["ada"].pin == HERE.members["ada"].pin, "kept"
    directory, _ = after(HERE, changing(HERE, "ada", {"groups": [], "pin": None, "card": "12:1999"}))
    assert (directory.members["ada"].groups, directory.members["ada"].pin) == ((), None)
    assert directory.members["ada"].cards == ("c1001", "c1999")
    with pytest.raises(DeskError, match="nothing is to be changed"):
        at_once(changing(HERE, "ada", {}))


def test_a_pin_that_works_alone_is_replaced_and_taken_away() -> None:
    directory, _ = after(HERE, changing(HERE, "bob", {"pin": "424242"}))
    assert directory.members["bob"].pin_alone
    assert directory.members["bob"].pin != HERE.members["bob"].pin
    directory, _ = after(HERE, changing(HERE, "bob", {"pin": None}))
    assert (directory.members["bob"].pin, directory.members["bob"].pin_alone) == (None, False)


def test_somebody_who_is_only_a_user_becomes_a_member_when_that_is_needed() -> None:
    guest = made({"version": 1, "users": [{"id": "g", "name": "Guest"}], "groups": [{"id": "a", "name": "A"}]})
    directory, plan = after(guest, changing(guest, "guest", {"groups": ["a"]}))
    assert (plan.id, directory.members["g"].groups) == ("g", ("a",))


def test_a_person_is_barred_and_let_in_again() -> None:
    off, _ = after(HERE, barring(HERE, "Ada", enabled=False))
    assert not off.members["ada"].enabled
    on, _ = after(off, barring(off, "ada", enabled=True))
    assert on.members["ada"] == HERE.members["ada"]


def test_a_removed_person_takes_their_cards_along_unless_they_are_kept() -> None:
    here, _ = after(HERE, giving(HERE, "12:1999", "ada"))
    directory, _ = after(here, removing(here, "ada"))
    assert not {"c1001", "c1900", "c1999"} & directory.cards.keys()
    assert ("ada" in directory.users, "ada" in directory.members) == (False, False)
    kept, _ = after(here, removing(here, "ada", keep_cards=True))
    assert kept.cards.keys() == here.cards.keys()
    assert kept.cards["c1999"].user is None


def test_a_user_who_is_a_member_twice_is_removed_with_the_last() -> None:
    def twice(night: list[str]) -> Directory:
        return made(
            {
                "version": 1,
                "users": [{"id": "ada", "name": "Ada"}],
                "members": [
                    {"id": "day", "user": "ada", "cards": ["c"]},
                    {"id": "night", "user": "ada", "cards": night},
                ],
                "cards": [{"id": n, "format": "raw", "number": f"{n}{n}", "user": "ada"} for n in "cde"],
            }
        )

    here = twice(["d"])
    directory, _ = after(here, removing(here, "day"))
    assert (set(directory.users), set(directory.cards)) == ({"ada"}, {"d", "e"})
    directory, _ = after(directory, removing(directory, "night"))
    assert (set(directory.users), set(directory.cards)) == (set(), set())


def test_somebody_with_the_longest_id_gets_a_card() -> None:
    own = "x" * 64
    directory, _ = after(EMPTY, adding(EMPTY, {"name": "Eve"}, []))
    put = [{"put": "user", "entry": {"id": own, "name": "X"}}, {"put": "member", "entry": {"id": own, "user": own}}]
    directory = edited(directory, put, Path("edit"), BERLIN).directory
    for card in ("12:3456", "12:3457"):
        directory, _ = after(directory, giving(directory, card, own))
    assert directory.members[own].cards == (f"{own[:56]}-1", f"{own[:56]}-2")


def test_whoever_gets_a_lost_card_is_told() -> None:
    lost, _ = after(HERE, marking(HERE, "12:1900", None, lost=True))
    free, _ = after(lost, taking(lost, "12:1900", None))
    given, plan = after(free, giving(free, "12:1900", "bob"))
    assert plan.notes == ["card 12:1900 is lost: no door takes it until it is found"]
    assert given.cards["c1900"].active is False


def test_a_lost_card_is_inactive_until_it_is_found() -> None:
    lost, plan = after(HERE, marking(HERE, "12:1002", None, lost=True))
    assert (lost.cards["c1002"].active, plan.id, plan.card) == (False, "bob", "c1002")
    again = at_once(marking(lost, None, "bob", lost=False))
    assert [one["put"] for one in again.changes] == ["card"]
    same = at_once(marking(HERE, "12:1002", None, lost=False))
    assert (same.changes, same.notes) == ([], ["card 12:1002 is not lost"])
    with pytest.raises(CardError, match="Ada has several: 12:1001, 12:1900: say which one"):
        at_once(marking(HERE, None, "ada", lost=True))
    with pytest.raises(CardError, match="Bob has no card but 12:1002, which is not lost"):
        at_once(marking(HERE, None, "bob", lost=False))
    with pytest.raises(DeskError, match="either card or of"):
        at_once(marking(HERE, None, None, lost=True))


def test_a_card_is_given_and_taken_back() -> None:
    given, plan = after(HERE, giving(HERE, "12:77", "bob"))
    assert (plan.card, given.members["bob"].cards) == ("bob-1", ("bob-1", "c1002"))
    more, plan = after(given, giving(given, "12:78", "bob"))
    assert plan.card == "bob-2"
    assert at_once(giving(more, "12:78", "bob")).notes == ["Bob has this card already"]
    taken, _ = after(more, taking(more, "12:77", None))
    assert taken.members["bob"].cards == ("bob-2", "c1002")
    assert taken.cards["bob-1"].user is None
    assert at_once(taking(taken, "12:77", None)).notes == ["nobody has card 12:77"]
    back, _ = after(HERE, taking(HERE, "12:1900", None))
    assert (back.members["ada"].backup_cards, back.members["ada"].disabled_cards) == ((), ())


def test_what_is_planned_keeps_the_hash_of_a_pin() -> None:
    plan = at_once(barring(HERE, "ada", enabled=False))
    [change] = plan.changes
    assert change["entry"]["pin_hash"] == cheap("2580")  # type: ignore[index,call-overload]
