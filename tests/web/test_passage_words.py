"""A passage in words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.access.credentials import Code
from edge.web.pages.searching import CHIPS, SHOWS, search
from edge.web.passage_words import REFUSALS, day_words, length, passage_row
from edge.web.words import Words
from tests.support.control import passed

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 29, 23, 0, tzinfo=BERLIN)
ADA = {"kind": "user", "id": "ada", "name": "Ada Lovelace"}
BOB = {"kind": "user", "id": "bob", "name": "Bob"}


def row(**changed: Any) -> dict[str, Any]:
    return passage_row(passed(**changed), Words(BERLIN), NOW)


def said(**changed: Any) -> str:
    one = row(**changed)
    return f"{one['title']} {one['rest']} | {one['detail']} | {one['tag']}"


def test_who_came_in_where_and_how() -> None:
    assert said() == "Ada Lovelace · Front door | card, by Operations · opened, closed after 3 s | granted"
    one = row()
    assert (one["time"], one["mark"], one["tone"], one["day"]) == (
        "22:57:46",
        "AL",
        "calm",
        "Today, Sunday 29 November",
    )


REFUSED = {"tag": "refused", "openings": 0, "open_s": None, "details": {"credential": "card", "number": "…1002"}}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"people": [ADA, BOB]},
         "Ada Lovelace and 1 more · Front door | card, by Operations · opened, closed after 3 s | granted"),
        ({"open_s": None}, "Ada Lovelace · Front door | card, by Operations · opened | granted"),
        ({"openings": 3}, "Ada Lovelace · Front door | card, by Operations · opened 3 times | granted"),
        ({"tag": "not taken", "openings": 0, "open_s": None, "details": {}, "cause": "operator"},
         "Ada Lovelace · Front door | unlocked remotely · unlocked, not opened | not taken"),
        ({"tag": "exit", "people": [], "details": {}, "open_s": 0.4},
         "Exit · Front door | exit button · opened, closed after less than 1 s | exit"),
        ({"tag": "alarm", "alarms": ["lock.forced_open"], "people": [], "details": {}, "open_s": 134.0},
         "Front door forced open | stood open 2 min 14 s | alarm"),
        ({"tag": "alarm", "alarms": ["controller.gap"], "door": None, "message": "Records are missing", "people": [],
          "openings": 0, "open_s": None, "details": {}}, "Records are missing  |  | alarm"),
        (REFUSED | {"code": "expired"}, "Ada Lovelace · Front door | card …1002 · no longer valid | refused"),
        (REFUSED | {"code": "unknown_card", "people": []},
         "Unknown card …1002 · Front door | card · nobody has this card | refused"),
        (REFUSED | {"code": "odd_code"}, "Ada Lovelace · Front door | card …1002 · odd_code | refused"),
        ({"tag": "", "class": "audit", "message": "User A created by kim", "records": 12, "details": {}, "openings": 0},
         "User A created by kim and 11 more |  | "),
        ({"tag": "", "message": "Front door locked", "continued": True, "details": {}, "openings": 0, "people": []},
         "Front door locked  | goes on with an earlier passage | "),
        ({"warnings": ["Front door locked down by olga"], "details": {}},
         "Ada Lovelace · Front door | opened, closed after 3 s · Front door locked down by olga | granted"),
    ],
)  # fmt: skip
def test_what_came_of_it(changed: dict[str, Any], says: str) -> None:
    assert said(**changed) == says


@pytest.mark.parametrize(
    ("details", "says"),
    [
        ({"schedules": ["Days"], "opens": "2026-11-30T05:00:00+00:00"}, "outside Days, opens Mon 06:00"),
        ({"schedules": ["Days"], "opens": "2026-11-29T22:30:00+00:00"}, "outside Days, opens 23:30"),
        ({"schedules": ["Days"], "opens": "2027-01-04T05:00:00+00:00"}, "outside Days, opens 4 January 06:00"),
        ({"schedules": ["One", "Two"]}, "outside One, Two"),
        ({"reason": "the clock is not set"}, "outside the schedule (the clock is not set)"),
        ({}, "outside the schedule"),
    ],
)  # fmt: skip
def test_a_refusal_says_no_more_than_is_known(details: dict[str, Any], says: str) -> None:
    assert row(**REFUSED | {"code": "outside_schedule", "details": details})["detail"] == says


def test_every_refusal_at_a_door_has_words() -> None:
    assert REFUSALS.keys() >= {code.value for code in Code}


def test_days_are_headings() -> None:
    today = date(2026, 1, 1)
    assert day_words(today, today) == "Today, Thursday 1 January"
    assert day_words(date(2025, 12, 31), today) == "Yesterday, Wednesday 31 December 2025"
    assert day_words(date(2025, 12, 30), today) == "Tuesday 30 December 2025"
    assert [length(one) for one in (59.6, 3_600, 7_320)] == ["1 min 0 s", "1 h 0 min", "2 h 2 min"]


def test_chips_add_and_take_away_one_thing() -> None:
    asked = search([("door", "front"), ("door", "back"), ("show", "alarms"), ("period", "today")], NOW)
    on = {chip["name"]: chip["on"] for chip in asked.chips}
    assert on == {"Alarms": True, "Refused": False, "Changes": False, "Today": True, "7 days": False}
    by_name = {chip["name"]: chip["query"] for chip in asked.chips}
    assert by_name["Alarms"] == "door=front&door=back&period=today"
    assert by_name["Refused"] == "door=front&door=back&period=today&show=refused"
    assert asked.without("door", "front") == "door=back&show=alarms&period=today"
    assert {value for key, value, _ in CHIPS if key == "show"} == SHOWS.keys()


def test_a_chip_asks_for_what_it_says() -> None:
    assert search([("show", "alarms")], NOW).asked["type"] == SHOWS["alarms"]["type"]
    assert "lock.forced_open" in SHOWS["alarms"]["type"]
    assert "lock.opened" not in SHOWS["alarms"]["type"]
    midnight = datetime(2026, 11, 29, tzinfo=BERLIN)
    assert search([("period", "today")], NOW).asked["since_us"] == midnight.timestamp() * 1e6
    assert "cannot be given both" in search([("show", "refused"), ("outcome", "granted")], NOW).problem
    assert "is no view" in search([("view", "stars")], NOW).problem
