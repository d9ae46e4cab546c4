"""The doors as tiles: what each says, in which zone and order, and what the counts filter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.web.pages.tiles import counts, zones
from edge.web.words import Words
from tests.support.control import FakeDaemon, door, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-11-22T21:{}:03.000000Z"
NOW = AT.format(57)
WORDS = Words(ZoneInfo("Europe/Berlin"))
ADA = {"kind": "user", "name": "Ada"}
OLGA = {"kind": "operator", "name": "olga"}
RECEPTION = {"kind": "schedule", "name": "Reception"}

UNTIL_SIX = {"id": "reception", "name": "Reception", "state": "on", "next_change": "2026-11-23T17:00:00.000000Z"}


def since(**facets: str) -> dict[str, str]:
    return {**dict.fromkeys(("mode", "contact", "lock", "alarm"), AT.format("00")), **facets}


def said(one: dict[str, Any], *, named: bool = True) -> tuple[str, str, str]:
    """The tone, the glyph and the line of state of a door."""
    [zone] = zones(status(doors={"front": one}), WORDS, named=named)
    [tile] = zone["doors"]
    return tile["tone"], tile["glyph"], f"{tile['says']['headline']} {tile['says']['detail']}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"since": since(lock=AT.format(30))}, ("calm", "locked", "Locked since 22:30")),
        ({"mode": "blocked", "since": since(mode=AT.format(40))}, ("warning", "barred", "Blocked since 22:40")),
        ({"mode": "locked_down"}, ("warning", "barred", "Locked down since 21:57")),
        (
            {"mode": "unlocked", "lock": "unlocked", "unlocked_by": OLGA, "held_until": "2026-11-22T22:30:00.000000Z"},
            ("warning", "unlocked", "Held unlocked by olga until 23:30"),
        ),
        (
            {"mode": "unlocked", "lock": "unlocked", "contact": "open", "since": since(mode=AT.format(41))},
            ("warning", "unlocked", "Held unlocked, open since 22:41"),
        ),
        (
            {"mode": "unlocked", "lock": "unlocked", "unlocked_by": RECEPTION},
            ("notice", "unlocked", "Unlocked by Reception since 21:57"),
        ),
        (
            {"mode": "unlocked", "lock": "unlocked", "unlocked_by": RECEPTION, "schedule": UNTIL_SIX},
            ("notice", "unlocked", "Unlocked by Reception until 2026-11-23 18:00"),
        ),
        (
            {"mode": "accessed", "lock": "unlocked", "unlocked_by": ADA, "unlocked_for_s": 4.0},
            ("calm", "unlocked", "Unlocked by Ada until 22:57:07"),
        ),
        (
            {"contact": "open", "held_open_in_s": 20.0, "since": since(contact=AT.format(56))},
            ("calm", "locked", "Open for 1 min, alarm at 22:57:23"),
        ),
        ({"lock": "unknown"}, ("warning", "unknown", "Unknown since 21:57")),
        ({"alarm": "held_open", "contact": "open"}, ("alarm", "alarm", "Held open for 1 h")),
    ],
)
def test_a_tile_says_its_state_and_the_time_of_that_state(changes: dict[str, Any], told: tuple[str, str, str]) -> None:
    assert said(door(**changes)) == told


def test_who_may_not_see_the_history_sees_no_name_of_a_person() -> None:
    last = {"at": AT.format(55), "who": "Ada", "granted": True, "code": None}
    one = door(mode="accessed", lock="unlocked", unlocked_by=ADA, unlocked_for_s=4.0, last=last)
    [named], [bare] = (zones(status(doors={"front": one}), WORDS, named=right) for right in (True, False))
    assert named["doors"][0]["says"]["last"] == "last: Ada, 2 min ago"
    assert "Ada" not in str(bare)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"granted": True}, "last: Ada, 2 min ago"),
        ({"code": "outside_schedule"}, "last: Ada, refused 2 min ago"),
        ({"who": None, "code": "unknown_card"}, "last: unknown card, refused 2 min ago"),
        ({"who": None, "code": "wrong_pin"}, "last: somebody, refused 2 min ago"),
    ],
)
def test_a_refused_card_is_no_passage(changes: dict[str, Any], told: str) -> None:
    last = {"at": AT.format(55), "who": "Ada", "granted": False, "code": None, **changes}
    [zone] = zones(status(doors={"front": door(last=last)}), WORDS, named=True)
    assert zone["doors"][0]["says"]["last"] == told


def test_doors_stand_in_their_zones_and_an_alarm_comes_first() -> None:
    doors = {
        "a": door(zone="Ground floor"),
        "b": door(),
        "c": door(zone="First floor"),
        "d": door(zone="First floor", mode="blocked"),
    }
    found = zones(status(doors=doors), WORDS, named=True)
    order = [(zone["name"], [tile["id"] for tile in zone["doors"]]) for zone in found]
    assert order == [("Ground floor", ["a"]), ("First floor", ["d", "c"]), ("Other doors", ["b"])]
    doors["b"] = door(alarm="forced_open")
    assert zones(status(doors=doors), WORDS, named=True)[0]["name"] == "Other doors"
    assert [zone["name"] for zone in zones(status(), WORDS, named=True)] == [""], "no zone, no heading"


def test_an_older_doord_says_no_zone_and_nobody() -> None:
    one = {key: value for key, value in door().items() if key not in {"zone", "unlocked_by", "last"}}
    [zone] = zones(status(doors={"front": one}), WORDS, named=True)
    assert (zone["name"], zone["doors"][0]["says"]["last"]) == ("", "")


def test_the_counts_say_how_many_and_show_those(tmp_path: Path) -> None:
    doors = {
        "front": door(),
        "back": door(name="Back door", alarm="forced_open", contact="open"),
        "side": door(name="Side door", mode="unlocked", lock="unlocked"),
    }
    tiles = [tile for zone in zones(status(doors=doors), WORDS, named=True) for tile in zone["doors"]]
    assert [*counts(tiles).values()] == ["All 3", "1 alarm", "1 held unlocked", "1 open", "2 locked"]
    write_accounts(tmp_path / "accounts.json", vera="viewer")
    with FakeDaemon(tmp_path / "doord.sock", **answers(status=status(doors=doors))):
        browser = Browser(page_in(tmp_path))
        browser.sign_in("vera")

        def found(query: str) -> set[str]:
            text = browser.get(f"/doors?{query}").text
            return {one[1] for one in re.finditer(r'<li class="door" data-door="(\w+)"[^>]*[^n]>', text)} - {
                one[1] for one in re.finditer(r'<li class="door" data-door="(\w+)"[^>]* hidden>', text)
            }

        assert found("") == {"front", "back", "side"}
        assert found("show=open") == found("show=alarm") == {"back"}
        assert found("show=held") == {"side"}
        assert found("show=locked&text=FRONT") == {"front"}
        assert 'href="/doors?show=open&amp;text=a%26b"' in browser.get("/doors?text=a%26b").text
        assert browser.get("/doors?show=ajar").status_code == 404
