"""Enrolment by presenting, through the whole daemon: the socket, the readers, their lights, a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edge.model.messages import Actor, CardRead
from edge.socket.peers import RequestError
from tests.scenarios.test_people import ADA, config_of, people, ready
from tests.support.house import House, live

if TYPE_CHECKING:
    from pathlib import Path

CARD = "12:3456"
MAYA = Actor("operator", "uid:1001", "maya")
LIFT = """
[elevator.lift]
name = "Lift"
reader = { driver = "bench" }
[elevator.lift.floor.0]
relay = { driver = "bench", resting = "locked" }
"""


def site(folder: Path, more: str = "", managed: str = "here", **changes: Any) -> Path:
    people(folder, **changes)
    config = config_of(folder)
    text = config.read_text().replace("[directory]\n", f'[directory]\nmanaged = "{managed}"\n')
    config.write_text(text + more)
    return config


async def enrol(house: House, action: str = "state", **more: Any) -> dict[str, Any]:
    return dict(await house.request("enrol", action=action, **more))


async def lights(house: House) -> dict[str, str]:
    return dict((await house.request("status"))["drivers"]["bench"]["facts"]["lights"])


def test_from_an_empty_place_to_a_door_that_opens(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        assert (await enrol(house))["state"] == "ended"
        began = await enrol(house, "begin", reader="front")
        assert (began["state"], began["reader"], began["name"]) == ("listening", "front", "front door")
        assert (began["card"], began["holder"]) == (None, None)
        assert await lights(house) == {"back.reader": "locked", "front.reader": "listening"}
        await house.sim("card", CARD, door="back")
        assert (await enrol(house))["card"] is None
        await house.sim("card", ADA)
        told = await enrol(house)
        assert (told["state"], told["holder"], told["card"]["number"]) == ("listening", "Ada", ADA)
        house.clock.step(1)
        assert (await enrol(house))["card"] == told["card"], "it is the same reading, however the calendar goes"
        await house.sim("card", CARD)
        told = await enrol(house)
        card = dict(told["card"])
        assert (told["state"], told["until"], told["holder"]) == ("card", began["until"], None)
        assert card.pop("at") < told["until"]
        assert card == {
            "format": "wiegand26", "number": CARD, "bits": 26, "parity": True, "card": None,
            "reader": "front", "name": "front door",
        }  # fmt: skip
        facts = (await house.request("status"))["drivers"]["bench"]["facts"]
        assert facts["readers"]["front.reader"] == "granted"
        assert facts["lights"]["front.reader"] == "locked"
        given = await house.request("card", action="give", who="ada", card=card["number"])
        assert given["done"]
        await asyncio.sleep(10)
        assert house.door()["lock"] == "locked"
        await house.sim("card", CARD)
        assert house.door()["lock"] == "unlocked"
        assert [one["code"] for one in (await house.request("cards"))["cards"]] == [
            "unknown_card", None, "unknown_card", None,
        ]  # fmt: skip

    house = live(site(tmp_path), script)
    assert "reader.tamper" not in house.types


def test_any_reader_is_also_that_of_an_elevator(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        began = await enrol(house, "begin")
        assert (began["reader"], began["name"]) == (None, None)
        assert set((await lights(house)).values()) == {"listening"}
        await house.sim("card", CARD, door="lift")
        card = (await enrol(house))["card"]
        assert (card["number"], card["reader"], card["name"]) == (CARD, "lift", "Lift")
        assert set((await lights(house)).values()) == {"locked"}

    live(site(tmp_path, LIFT), script)


def test_a_minute_an_end_and_a_restart_end_it(tmp_path: Path) -> None:
    config = site(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        assert (await enrol(house, "begin", reader="front"))["left_s"] == 60
        await asyncio.sleep(20.5)
        assert (await enrol(house))["left_s"] == 40
        await asyncio.sleep(39.6)
        assert (await enrol(house))["state"] == "ended"
        assert (await lights(house))["front.reader"] == "locked"
        await house.sim("card", CARD)
        assert (await enrol(house))["card"] is None
        await enrol(house, "begin")
        assert (await enrol(house, "end"))["state"] == "ended"
        assert (await enrol(house, "end"))["state"] == "ended"
        await enrol(house, "begin")

    live(config, script)

    async def afterwards(house: House) -> None:
        await ready(house)
        nothing = dict.fromkeys(("until", "reader", "name", "card", "holder"))
        assert await enrol(house) == {**nothing, "state": "ended", "left_s": 0}
        assert set((await lights(house)).values()) == {"locked"}

    live(config, afterwards)


def test_each_person_has_one_and_the_other_hears_who_is_at_that_reader(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        await enrol(house, "begin", reader="front")
        ask = house.daemon.service.request
        with pytest.raises(RequestError, match="otto waits for a card at the reader of front") as refused:
            await ask("enrol", {"action": "begin"}, MAYA)
        assert refused.value.code == "busy"
        await ask("enrol", {"action": "begin", "reader": "back"}, MAYA)
        await house.sim("card", CARD, door="back")
        assert (await enrol(house))["state"] == "listening"
        told: Any = await ask("enrol", {"action": "state"}, MAYA)
        assert told["card"]["number"] == CARD

    live(site(tmp_path), script)


def test_the_light_goes_on_blinking_when_the_door_moves_and_when_the_line_comes_back(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        await enrol(house, "begin", reader="front")
        await house.ask("lock_down")
        assert (await lights(house))["front.reader"] == "listening"
        await house.sim("cut")
        await house.sim("mend")
        assert (await lights(house))["front.reader"] == "listening"
        await house.sim("card", CARD)
        assert (await enrol(house))["state"] == "card"
        assert (await lights(house))["front.reader"] == "refusing"
        assert house.door()["lock"] == "locked"

    live(site(tmp_path), script)


def test_what_cannot_be_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        for body, code, text in (
            ({"action": "begin", "reader": "cellar"}, "unknown_door", "no reader at 'cellar'; expected one of back, f"),
            ({"action": "end", "reader": "front"}, "malformed", "end: expected no reader"),
            ({"action": "wait"}, "malformed", "action"),
        ):
            with pytest.raises(RequestError, match=text) as refused:
                await house.request("enrol", **body)
            assert refused.value.code == code

    live(site(tmp_path), script)


def test_where_the_directory_is_managed_elsewhere_no_reader_listens(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        with pytest.raises(RequestError, match=r"managed by its file: change .*directory\.json") as refused:
            await enrol(house, "begin")
        assert refused.value.code == "managed_elsewhere"
        assert (await enrol(house))["state"] == "ended"

    live(site(tmp_path, managed="file"), script)


def test_a_card_of_no_known_format_is_its_digits(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        await enrol(house, "begin")
        simulator: Any = house.daemon.drivers["bench"].driver
        simulator._emit(CardRead("front.reader", 32, bytes.fromhex("04a1b2c3"), house.clock.now_ns()))
        await asyncio.sleep(0.1)
        card = (await enrol(house))["card"]
        assert (card["format"], card["number"], card["bits"]) == ("raw", "04a1b2c3", 32)
        assert (await house.request("card", action="give", who="ada", card=card["number"]))["done"]

    live(site(tmp_path), script)


def test_a_token_stays_a_secret_and_is_given_by_its_id(tmp_path: Path) -> None:
    secret = bytes(range(1, 17))

    async def script(house: House) -> None:
        await ready(house)
        token = {"id": "phone", "format": "token", "number": secret.hex()}
        assert (await house.request("edit_directory", changes=[{"put": "card", "entry": token}]))["done"]
        await enrol(house, "begin", reader="front")
        simulator: Any = house.daemon.drivers["bench"].driver
        simulator._emit(CardRead("front.reader", 128, secret, house.clock.now_ns()))
        await asyncio.sleep(0.1)
        answer = await enrol(house)
        assert (answer["state"], answer["card"]["format"], answer["card"]["number"]) == ("card", "token", None)
        assert answer["card"]["card"] == "phone"
        [seen] = (await house.request("cards"))["cards"]
        assert (seen["format"], seen["written"], seen["card"]) == ("token", None, "phone")
        assert secret.hex() not in repr((answer, seen))
        assert (await house.request("card", action="give", who="ada", card="phone"))["card"]["format"] == "token"

    live(site(tmp_path), script)
