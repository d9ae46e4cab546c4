"""Visitors through the whole daemon: refused from their last minute on, and removed a day later."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from edge.model.messages import SYSTEM, ClockQuality
from edge.socket.peers import RequestError
from tests.scenarios.test_directory_edits import fresh
from tests.scenarios.test_people import ready, told
from tests.support.house import OTTO, House, live

if TYPE_CHECKING:
    from pathlib import Path

MORNING = "2026-11-23T08:00:00+00:00"
EVENING = "2026-11-23T18:00:00+00:00"


def it_is(house: House, at: str) -> None:
    """Set the clock."""
    now = datetime.fromisoformat(at)
    house.clock.step(round(now.timestamp() * 1e6) - house.clock.wall_us())


async def until(house: House, at: str) -> None:
    """Let the time pass."""
    await asyncio.sleep(datetime.fromisoformat(at).timestamp() - house.clock.wall_us() / 1e6)


async def shown(house: House, card: str) -> str:
    """Whether the door opens for a card."""
    await house.sim("card", card)
    return str(house.door()["lock"])


async def visitor(house: House, name: str = "Alan Turing", **more: Any) -> dict[str, Any]:
    answer = await house.request("visitor", name=name, doors=["front"], **more)
    assert isinstance(answer, dict)
    return answer


async def ids(house: House, **asked: Any) -> list[str]:
    return [one["id"] for one in (await house.request("people", **asked))["people"]]


def test_a_visitor_until_18_is_refused_a_second_later_also_after_a_power_cut(tmp_path: Path) -> None:
    here, cut = tmp_path / "here", tmp_path / "cut"
    here.mkdir()

    async def day(house: House) -> None:
        it_is(house, MORNING)
        await ready(house)
        answer = await visitor(house, until="18:00", card="12:3456")
        assert (answer["done"], answer["id"], answer["valid_until"]) == (True, "alan-turing", "2026-11-23T18:00+00:00")
        assert answer["doors"] == [{"id": "front", "name": "front door"}]
        assert await shown(house, "12:3456") == "unlocked"
        shutil.copytree(
            here, cut, ignore=shutil.ignore_patterns("*.sock", "*.new")
        )  # what is on the disk now is all that a power cut leaves
        await until(house, "2026-11-23T17:59:59+00:00")
        assert await shown(house, "12:3456") == "unlocked"
        await until(house, "2026-11-23T18:00:01+00:00")
        await house.sim("card", "12:3456")
        assert told(house, "reader.access")[-1].code == "expired"

    live(fresh(here), day)

    async def evening(house: House) -> None:
        it_is(house, "2026-11-23T17:59:00+00:00")
        await ready(house)
        assert await shown(house, "12:3456") == "unlocked"
        await asyncio.sleep(30)
        assert house.door()["lock"] == "locked"
        await until(house, "2026-11-23T18:00:01+00:00")
        assert await shown(house, "12:3456") == "locked"
        assert told(house, "reader.access")[-1].code == "expired"

    for folder in (here, cut):
        live(folder / "doorward.toml", evening)


def test_the_card_that_a_visitor_left_is_given_to_the_next_by_holding_it_to_a_reader(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        it_is(house, MORNING)
        await ready(house)
        assert (await visitor(house, card="12:3456"))["done"]
        await until(house, "2026-11-24T08:00:00+00:00")
        bert = await visitor(house, "Bert")
        await house.request("enrol", action="begin", reader="front")
        assert await shown(house, "12:3456") == "locked"
        enrolled = await house.request("enrol", action="state")
        assert (enrolled["state"], enrolled["card"]["number"], enrolled["holder"]) == ("card", "12:3456", None)
        answer = await house.request("card", action="give", card="12:3456", who=bert["id"])
        assert (answer["done"], answer["notes"]) == (True, ["Alan Turing, whose visit is over, had this card"])
        await asyncio.sleep(10)
        assert await shown(house, "12:3456") == "unlocked"
        await until(house, "2026-11-24T19:00:00+00:00")
        assert await ids(house) == ["bert"]

    live(fresh(tmp_path), script)


def test_visitors_are_removed_a_day_later_once_and_their_card_is_free(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        it_is(house, MORNING)
        await ready(house)
        assert (await visitor(house, card="12:3456"))["done"]
        await house.request("change_person", action="add", name="Grace", groups=[], valid_until="2026-11-23T18:00")
        assert await ids(house, visitors=True) == ["alan-turing"]
        assert await ids(house, visitors=False) == ["grace"]
        [alan] = (await house.request("people", visitors=True))["people"]
        assert (alan["visitor"], alan["state"], alan["groups"][0]["name"]) == (True, "active", "Visitors: front door")
        await until(house, "2026-11-24T17:59:50+00:00")
        assert await ids(house) == ["alan-turing", "grace"]
        await until(house, "2026-11-24T18:00:10+00:00")
        assert await ids(house) == ["grace"]
        directory = house.daemon.people.directory.in_force
        assert (len(directory.users), len(directory.cards), len(directory.groups)) == (1, 0, 0)
        answer = await visitor(house, "Bert", card="12:3456")
        assert (answer["done"], answer["notes"]) == (
            True, ["it is past 18:00, so this visit lasts until the end of the day"],
        )  # fmt: skip
        assert answer["valid_until"] == "2026-11-25T00:00+00:00"

    house = live(fresh(tmp_path), script)
    gone = told(house, "member.destroy", "user.destroy", "group.destroy")
    assert {event.actor for event in gone} == {SYSTEM}
    assert sorted(event.type for event in gone) == ["group.destroy", "member.destroy", "user.destroy"]
    assert {event.actor for event in told(house, "member.create")} == {OTTO}

    async def later(house: House) -> None:
        it_is(house, "2026-11-26T00:00:30+00:00")
        await ready(house)
        assert sorted(await ids(house)) == ["bert", "grace"], "the clock was set after the start, within the hour"
        await asyncio.sleep(3600)
        assert await ids(house) == ["grace"]

    assert len(told(live(tmp_path / "doorward.toml", later), "member.destroy")) == 1

    async def again(house: House) -> None:
        it_is(house, "2026-11-27T00:00:30+00:00")
        await asyncio.sleep(timedelta(hours=3).total_seconds())

    assert told(live(tmp_path / "doorward.toml", again), "member.destroy", "user.destroy") == []


def test_nobody_is_removed_by_a_clock_that_is_not_set_or_while_others_manage_the_directory(tmp_path: Path) -> None:
    config = fresh(tmp_path)

    async def script(house: House) -> None:
        it_is(house, MORNING)
        await ready(house)
        assert (await visitor(house))["notes"] == ["Alan Turing has neither a card nor a PIN yet"]
        house.clock.step(10 * 86_400 * 1_000_000, ClockQuality.UNSYNCED)
        await asyncio.sleep(7200)
        assert await ids(house) == ["alan-turing"]
        answer = await visitor(house, "Bert", until="2026-12-24T18:00")
        assert answer["notes"][0] == "the clock is not set: until it is, doors cannot tell when this visit is over"

    live(config, script)
    text = config.read_text()
    for managed, left in (("upstream", ["alan-turing", "bert"]), ("here", ["bert"])):
        config.write_text(f'{text}\n[directory]\nmanaged = "{managed}"\n')

        async def look(house: House, left: list[str] = left) -> None:
            it_is(house, "2026-12-03T12:00:00+00:00")
            await ready(house)
            await asyncio.sleep(7200)
            assert await ids(house) == left

        live(config, look)


def test_a_pin_is_made_and_opens_without_a_card_where_a_reader_takes_one(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        it_is(house, MORNING)
        await ready(house)
        put = {"put": "door", "entry": {"id": "front", "ask": "card_or_pin"}}
        assert (await house.request("edit_directory", changes=[put]))["done"]
        answer = await visitor(house, pin="make")
        assert (answer["done"], answer["notes"]) == (True, [])
        await house.sim("pin", answer["pin"])
        await asyncio.sleep(1)
        assert house.door()["lock"] == "unlocked"
        assert "pin" not in await visitor(house, "Bert", pin="4711")
        for wrong, message in (
            ({"pin": "47"}, "pin: expected 4 to 12 digits"),
            ({"until": "soon"}, "until: 'soon' is no time"),
            ({"until": "2020-01-01T10:00"}, "is over, expected a time to come"),
        ):
            with pytest.raises(RequestError, match=message):
                await visitor(house, "Cleo", **wrong)
        with pytest.raises(RequestError, match="no door 'attic'; expected one of front"):
            await house.request("visitor", name="Cleo", doors=["attic"])

    live(fresh(tmp_path), script)
