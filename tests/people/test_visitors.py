"""Visitors: until when, the group that their doors make, whose card they may have, and who is removed afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.people.card_changes import giving
from edge.people.changing import DeskError, adding, removing
from edge.people.finding import NotFoundError
from edge.people.slices import at_once
from edge.people.visitors import MOST_AT_ONCE, Visit, leaving, visit_until, visiting
from tests.support.directories import BERLIN, edited, made
from tests.support.people import MONDAY_NOON, document

if TYPE_CHECKING:
    from edge.directory.directory import Directory
    from edge.people.changing import PersonPlan

DOORS = {"front": "Front door", "back": "Back door", "cellar": "Cellar"}
EVENING = datetime(2026, 11, 23, 17, tzinfo=UTC)
DAY = timedelta(days=1)
EMPTY = made({"version": 1})


def after(directory: Directory, plan: PersonPlan) -> Directory:
    return edited(directory, plan.changes, Path("edit"), BERLIN, doors=[*DOORS]).directory


def visit(directory: Directory, name: str, *doors: str, at: datetime = MONDAY_NOON, **more: Any) -> Directory:
    planned = at_once(visiting(directory, Visit(name, doors, **{"until": EVENING, **more}), DOORS, known=at))
    return after(directory, planned.plan)


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        (None, "2026-11-23T12:00", "2026-11-23T18:00"),
        (None, "2026-11-23T17:59", "2026-11-23T18:00"),
        (None, "2026-11-23T18:00", "2026-11-24T00:00"),
        (None, "2026-11-23T23:59", "2026-11-24T00:00"),
        (None, "2026-03-28T23:00", "2026-03-29T00:00"),
        ("16:30", "2026-11-23T12:00", "2026-11-23T16:30"),
        ("tomorrow 12:00", "2026-11-23T12:00", "2026-11-24T12:00"),
        ("2026-12-01T10:00", "2026-11-23T12:00", "2026-12-01T10:00"),
    ],
)
def test_a_visit_lasts_until_the_evening_unless_told(text: str | None, now: str, until: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    end, note = visit_until(text, datetime.fromisoformat(now).replace(tzinfo=zone), zone)
    assert f"{end.astimezone(zone):%Y-%m-%dT%H:%M}" == until
    assert (note is not None) is until.endswith("T00:00")


@pytest.mark.parametrize("text", ["2026-11-22T10:00", "soon", "", "today 11:00"])
def test_a_visit_ends_at_a_time_to_come(text: str) -> None:
    with pytest.raises(DeskError, match=r"^until: "):
        visit_until(text, MONDAY_NOON, ZoneInfo("Europe/Berlin"))


def test_doors_make_a_group_which_the_next_visitor_has_too() -> None:
    one = visit(EMPTY, "Alan  Turing", "front door", "back", pin="4711")
    group = one.groups["visitors-back-front"]
    assert (group.name, group.doors) == ("Visitors: Front door, Back door", {"front", "back"})
    alan = one.members["alan-turing"]
    assert (alan.groups, alan.visitor, alan.valid_until, alan.pin_alone) == ((group.id,), True, EVENING, True)
    assert one.users["alan-turing"].name == "Alan Turing"
    two = visit(one, "Alan Turing", "back", "front", card="12:3456")
    assert (two.members["alan-turing-2"].groups, [*two.groups]) == ((group.id,), [group.id])
    assert two.members["alan-turing-2"].cards == ("alan-turing-2-1",)
    three = visit(two, "Grace", "front", card="12:7")
    assert [*three.groups] == [group.id, "visitors-front"]


def test_a_group_that_opens_more_is_not_used() -> None:
    document = {
        "version": 1,
        "schedules": [{"id": "day", "name": "Day", "kind": "access"}],
        "groups": [
            {"id": "visitors-front", "name": "Mine", "doors": ["front"], "schedule": "day"},
            {"id": "guests", "name": "Guests", "doors": ["front"]},
        ],
    }
    directory = visit(made(document), "Alan", "front")
    assert directory.members["alan"].groups == ("visitors-front-2",)
    left = after(directory, at_once(removing(directory, "alan")))
    assert sorted(left.groups) == ["guests", "visitors-front"]


def test_many_doors_and_long_names_make_a_group_within_its_limits() -> None:
    doors = {f"door-{'x' * 50}-{n}": "A name of a door that is long " * 3 for n in range(9)}
    for directory in (EMPTY,):
        planned = at_once(visiting(directory, Visit("Alan", [*doors], EVENING), doors, known=MONDAY_NOON))
        one = edited(directory, planned.plan.changes, Path("edit"), BERLIN, doors=[*doors]).directory
        again = at_once(visiting(one, Visit("Bert", [*doors], EVENING), doors, known=MONDAY_NOON))
        two = edited(one, again.plan.changes, Path("edit"), BERLIN, doors=[*doors]).directory
        assert len(two.groups) == 1


@pytest.mark.parametrize(
    ("name", "doors", "message"),
    [
        (" ", ["front"], "name: missing"),
        ("Alan", [], "doors: missing, expected at least one door"),
        ("Alan", ["front", "attic"], "no door 'attic'; expected one of front, back or cellar"),
    ],
)
def test_what_cannot_be_planned_is_refused(name: str, doors: list[str], message: str) -> None:
    with pytest.raises((DeskError, NotFoundError), match=message):
        at_once(visiting(EMPTY, Visit(name, doors, EVENING), DOORS, known=MONDAY_NOON))


def test_what_still_keeps_a_visitor_out_is_said() -> None:
    directory = made({"version": 1, "doors": [{"id": "back", "ask": "card_or_pin"}]})
    for given, notes in (
        ({}, ["Alan has neither a card nor a PIN yet"]),
        ({"pin": "4711"}, ["Front door: its reader takes no PIN without a card"]),
        ({"pin": "4711", "card": "12:7"}, []),
    ):
        planned = at_once(
            visiting(directory, Visit("Alan", ["front", "back"], EVENING, **given), DOORS, known=MONDAY_NOON)
        )
        assert planned.plan.notes == notes


def test_the_card_of_a_visitor_whose_time_is_over_goes_to_the_next() -> None:
    one = visit(EMPTY, "Alan", "front", card="12:7")
    with pytest.raises(DeskError, match="12:7 is the card of Alan"):
        visit(one, "Grace", "front", card="12:7")
    two = visit(one, "Grace", "front", at=EVENING, until=EVENING + DAY, card="12:7")
    assert (two.members["alan"].cards, two.members["grace"].cards) == ((), ("alan-1",))
    assert two.cards["alan-1"].user == "grace"
    with pytest.raises(DeskError, match="12:7 is the card of Alan"):
        at_once(giving(visit(one, "Bert", "front"), "12:7", "bert", known=None))
    three = after(one, at_once(adding(one, {"name": "Bert", "card": "12:7", "groups": []}, DOORS, known=EVENING)))
    assert (three.members["alan"].cards, three.members["bert"].cards) == ((), ("alan-1",))
    three = visit(one, "Bert", "front")
    three = after(three, at_once(giving(three, "12:7", "bert", known=EVENING)))
    assert (three.members["alan"].cards, three.members["bert"].cards) == ((), ("alan-1",))
    left = after(two, at_once(leaving(two, EVENING + DAY)).plan)
    assert ([*left.members], [*left.users], [*left.cards]) == (["grace"], ["grace"], ["alan-1"])


def test_visitors_go_a_day_after_their_time_and_nobody_else() -> None:
    directory = visit(made(document()), "Alan", "front", card="12:7", pin="4711")
    directory = visit(directory, "Grace", "front", until=EVENING + DAY)
    expired = {"put": "member", "entry": {"id": "old", "user": "bob", "valid_until": "2020-01-01T10:00"}}
    directory = edited(directory, [expired], Path("edit"), BERLIN, doors=[*DOORS]).directory
    before = at_once(leaving(directory, EVENING + DAY - timedelta(seconds=1)))
    assert (before.plan.changes, before.due) == ([], EVENING + DAY)
    first = at_once(leaving(directory, EVENING + DAY))
    assert first.due == EVENING + 2 * DAY
    one = after(directory, first.plan)
    assert (sorted(one.members), sorted(one.users)) == (["ada", "bob", "grace", "old"], ["ada", "bob", "grace"])
    assert "alan-1" not in one.cards
    assert "visitors-front" in one.groups
    last = at_once(leaving(one, EVENING + 5 * DAY))
    two = after(one, last.plan)
    assert (last.due, sorted(two.groups)) == (None, ["always", "weekdays"])
    assert (two.members, two.cards) == (
        {key: value for key, value in directory.members.items() if key not in {"alan", "grace"}},
        made(document()).cards,
    )


def test_who_is_also_somebody_else_stays() -> None:
    directory = visit(made(document()), "Alan", "front")
    also = [
        {"put": "member", "entry": {"id": "alan-too", "user": "alan", "groups": ["visitors-front"]}},
        {"put": "card", "entry": {"id": "his", "format": "wiegand26", "facility": 1, "number": 1, "user": "alan"}},
    ]
    directory = edited(directory, also, Path("edit"), BERLIN, doors=[*DOORS]).directory
    left = after(directory, at_once(leaving(directory, EVENING + DAY)).plan)
    assert sorted(left.members) == ["ada", "alan-too", "bob"]
    assert {"alan", "his", "visitors-front"} <= {*left.users, *left.cards, *left.groups}


def test_a_crowd_leaves_in_parts() -> None:
    directory = EMPTY
    for number in range(MOST_AT_ONCE + 1):
        directory = visit(directory, f"V{number}", "front")
    first = at_once(leaving(directory, EVENING + DAY))
    directory = after(directory, first.plan)
    assert (len(directory.members), len(directory.groups), first.due) == (1, 1, EVENING + DAY)
    directory = after(directory, at_once(leaving(directory, EVENING + DAY)).plan)
    assert (len(directory.members), len(directory.users), len(directory.groups)) == (0, 0, 0)
