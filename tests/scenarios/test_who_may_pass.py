"""Who may pass, asked at the control socket of a whole daemon: lists, reasons, groups, schedules."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edge.model.messages import ClockQuality
from edge.people.access.sentences import DIRECTORY_ALONE, NO_CLOCK
from edge.socket.peers import RequestError
from tests.scenarios.test_people import ADA, config_of, people, ready
from tests.support.directories import large
from tests.support.house import House, live

if TYPE_CHECKING:
    from pathlib import Path

BOB = "12:1002"
WHEN = "Mon-Fri 08:00-18:00"
OUTSIDE = f"No: Bob may pass front door by Weekdays, {WHEN}; at %s that is outside (outside_schedule)."


async def access(house: House, **body: Any) -> dict[str, Any]:
    answer = await house.request("access", **body)
    assert isinstance(answer, dict)
    return answer


async def refused(house: House, **body: Any) -> str:
    with pytest.raises(RequestError) as refusal:
        await house.request("access", **body)
    return f"{refusal.value.code}: {refusal.value}"


def rows(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            row["person"]["id"],
            row["group"]["id"],
            row["door"] and row["door"]["id"],
            row["when"],
            row["ask"],
            row["now"],
        )
        for row in answer["rows"]
    ]


def test_lists_of_a_door_a_person_and_a_group(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:  # it is Sunday, 22:57 in Berlin
        await ready(house)
        front = await access(house, door="front")
        assert (front["version"], front["kind"], front["of"]) == (1, "door", {"id": "front", "name": "front door"})
        ada = ("ada", "always", "front", "always", "card", True)
        assert rows(front) == [ada, ("bob", "weekdays", "front", WHEN, "card", False)]
        assert rows(await access(house, of="Front door", at="now")) == rows(front)
        assert rows(await access(house, door="front", at="sun 22:00")) == [ada], "only who may pass then"
        assert len(rows(await access(house, door="front", at="mon 10:00"))) == 2
        first = await access(house, door="front", limit=1)
        assert rows(await access(house, door="front", limit=1, after=first["next"])) == rows(front)[1:]
        bob = await access(house, who="bob")
        assert rows(bob) == [("bob", "weekdays", door, WHEN, "card", False) for door in ("front", "lift")]
        assert [floor["name"] for floor in bob["rows"][1]["floors"]] == ["Floor 0", "Floor 1"]
        page = await access(house, who="bob", limit=1)
        assert [*rows(page), *rows(await access(house, who="bob", after=page["next"]))] == rows(bob)
        roof = await access(house, of="lift/2")
        assert rows(roof) == [("ada", "always", "lift/2", "always", "card", True)]
        group = await access(house, of="weekdays")
        assert (group["kind"], rows(group)) == ("group", [("bob", "weekdays", None, WHEN, None, False)])
        assert [(door["id"], door["ask"]) for door in group["doors"]] == [("front", "card"), ("lift", "card")]
        await house.ask("lock_down")
        note = "front door is locked down now: nobody may pass it (locked_down)."
        assert (await access(house, door="front"))["note"] == note

    live(config_of(tmp_path), script)


def test_a_reason_is_the_one_that_the_door_gives(tmp_path: Path) -> None:
    people(tmp_path)

    async def code_at_the_door(house: House, card: str) -> str | None:
        await asyncio.sleep(5)  # two reads of one card right after each other are one
        await house.sim("card", card)
        seen = (await house.request("cards"))["cards"][-1]
        return seen["code"]  # type: ignore[no-any-return]  # from JSON

    async def script(house: House) -> None:
        await ready(house)
        answer = await access(house, of="bob", door="front")
        assert (answer["kind"], answer["allowed"], answer["note"]) == ("decision", False, None)
        assert answer["sentence"] == OUTSIDE % "Sunday 22:57"
        assert answer["code"] == await code_at_the_door(house, BOB) == "outside_schedule"
        then = await access(house, who="bob", door="front", at="sun 22:00")
        assert (then["sentence"], then["note"]) == (OUTSIDE % "Sunday 2026-11-29 22:00", DIRECTORY_ALONE)
        assert then["at"] == "2026-11-29T22:00:00+01:00"
        yes = await access(house, who="bob", door="front", at="mon 10:00")
        assert (yes["allowed"], yes["sentence"]) == (True, "Yes, with card …1002 by Weekdays until 18:00.")
        assert yes["until"] == "2026-11-23T18:00:00+01:00"
        assert (await access(house, who="ada", door="front"))["sentence"] == "Yes, with card …1001 by Always."
        assert await code_at_the_door(house, ADA) is None
        await house.ask("lock_down")
        answer = await access(house, who="ada", door="front")
        assert answer["sentence"] == "No: front door is locked down now (locked_down)."
        assert answer["code"] == await code_at_the_door(house, ADA)
        assert (await access(house, who="ada", door="front", at="tomorrow 10:00"))["allowed"], "that is of now only"
        lift = await access(house, who="ada", door="lift")
        assert lift["sentence"] == "Yes, with card …1001 by Always: Floor 0 and Floor 2."
        none = await access(house, who="bob", door="back")
        assert none["sentence"] == "No: Bob is in no group that may pass back door; these may: Always (no_access)."

    live(config_of(tmp_path), script)


def test_a_clock_that_is_not_set_is_said(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        house.daemon.people.clock_changed(ClockQuality.UNSYNCED)
        answer = await access(house, who="bob", door="front")
        assert answer["code"] == "outside_schedule"
        assert "the clock is not set" in answer["sentence"]
        assert (await access(house, door="front"))["note"] == NO_CLOCK
        assert (await access(house, door="front", at="mon 10:00"))["note"] is None
        [one] = (await house.request("schedules"))["schedules"]
        assert (one["now"], one["next_change"]) == (False, None)

    live(config_of(tmp_path), script)


def test_what_is_asked_badly_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        expected = "malformed: access: expected door, who, group or of; or door with who or of"
        for body in ({}, {"door": "front", "group": "weekdays"}, {"of": "ada", "who": "ada"}):
            assert await refused(house, **body) == expected
        assert await refused(house, door="frnot") == ("unknown_door: no door 'frnot'; did you mean front?")
        assert (await refused(house, group="x")).startswith(
            "unknown_group: no group is called 'x'; expected one such as"
        )
        assert await refused(house, who="x") == "unknown_person: nobody here is called 'x'"
        assert await refused(house, of="x") == "unknown: no door, group or person is called 'x'"
        assert await refused(house, of="b") == "ambiguous: 'b' may be back door (back); Bob (bob)"
        assert await refused(house, of="a") == "ambiguous: 'a' may be Always (always); Ada (ada, ada@example.org)"
        assert await refused(house, door="lift/") == (
            "ambiguous: 'lift/' may be Lift, Floor 0 (lift/0); Lift, Floor 1 (lift/1); Lift, Floor 2 (lift/2)"
        )
        assert (await refused(house, door="front", at="soon")).startswith("malformed: at: 'soon' is no time, expected")
        assert (await refused(house, door="front", limit=501)).startswith("malformed: access: limit")

    live(config_of(tmp_path), script)


def test_groups_and_schedules_and_what_goes_by_them(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        always, weekdays = (await house.request("groups"))["groups"]
        assert always == {
            "id": "always", "name": "Always", "doors": ["back", "front"], "elevators": {"lift": ["0", "2"]},
            "schedule": None, "when": "always", "members": 1,
        }  # fmt: skip
        assert (weekdays["schedule"], weekdays["when"], weekdays["members"]) == ("weekdays", WHEN, 1)
        [one] = (await house.request("schedules"))["schedules"]
        assert (one["id"], one["kind"], one["words"], one["groups"], one["doors"]) == (
            "weekdays", "access", WHEN, ["weekdays"], [],
        )  # fmt: skip
        assert one["weekly"] == [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}]
        assert (one["now"], one["next_change"]) == (False, "2026-11-23T08:00:00+01:00")
        assert len((await house.request("schedules", schedule="WEEK"))["schedules"]) == 1
        with pytest.raises(RequestError, match="no schedule 'x'; expected one of weekdays"):
            await house.request("schedules", schedule="x")

    live(config_of(tmp_path), script)


def test_thousands_are_read_page_by_page(tmp_path: Path) -> None:
    people(tmp_path).write_bytes(large(1_700))

    async def script(house: House) -> None:
        await ready(house)
        seen: list[str] = []
        after = None
        while True:
            page = await access(house, door="front", limit=500, **({} if after is None else {"after": after}))
            seen += [row["person"]["name"] for row in page["rows"]]
            if (after := page["next"]) is None:
                break
        assert (len(seen), seen) == (1_700, sorted(seen, key=str.lower))
        group = await access(house, of="Group 7")
        assert len(group["rows"]) == 17

    live(config_of(tmp_path), script)
