"""People at the control socket, through the whole daemon: who there is, and when they were last seen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edge.socket.peers import RequestError
from tests.scenarios.test_directory_edits import fresh
from tests.scenarios.test_people import ADA, config_of, people, ready, told
from tests.support.house import OTTO, House, live

if TYPE_CHECKING:
    from pathlib import Path


def test_people_are_listed_found_and_last_seen(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        found = await house.request("people")
        assert (found["version"], found["managed"], found["total"]) == (1, {"here": True, "text": None}, 2)
        assert [one["name"] for one in found["people"]] == sorted(one["name"] for one in found["people"])
        assert all(one["last_seen"] is None for one in found["people"])
        await house.sim("card", ADA)
        [ada] = (await house.request("people", text=ADA))["people"]
        assert (ada["name"], ada["state"], ada["cards"][0]["number"]) == ("Ada", "active", ADA)
        seen = ada["last_seen"]
        assert (seen["door"], seen["name"], seen["code"]) == ("front", "front door", None)
        person = (await house.request("person", who="ad"))["person"]
        assert (person["id"], person["last_seen"]) == (ada["id"], seen)
        assert {one["door"] for one in person["doors"]} >= {"front"}
        with pytest.raises(RequestError, match="nobody here is called 'nobody'"):
            await house.request("person", who="nobody")

    live(config_of(tmp_path), script)

    async def afterwards(house: House) -> None:
        await ready(house)
        person = (await house.request("person", who="ada"))["person"]
        assert person["last_seen"]["door"] == "front", "from the history"

    live(config_of(tmp_path), afterwards)


def test_a_local_time_is_the_sites(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        body = {"valid_from": "2026-07-01 08:00", "valid_until": "2026-12-24T18:00"}
        assert (await change(house, "change", who="ada", **body))["done"]
        person = (await house.request("person", who="ada"))["person"]
        assert (person["valid_from"], person["valid_until"]) == ("2026-07-01T06:00+00:00", "2026-12-24T17:00+00:00")
        assert (await change(house, "change", who="ada", valid_from=None, valid_until=""))["done"]
        person = (await house.request("person", who="ada"))["person"]
        assert (person["valid_from"], person["valid_until"]) == (None, None)

    live(config_of(tmp_path), script)


async def change(house: House, action: str, **body: Any) -> dict[str, Any]:
    answer = await house.request("change_person", action=action, **body)
    assert isinstance(answer, dict)
    return answer


def test_on_a_fresh_controller_a_person_is_added_and_passes(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        answer = await change(house, "add", name="Grace Hopper", card="12:3456", pin="make")
        assert (answer["done"], answer["id"], answer["outcomes"]) == (True, "grace-hopper", {"version": 1})
        assert len(answer["pin"]) == 6
        await house.sim("card", "12:3456")
        assert house.door()["lock"] == "unlocked"
        await ready(house)
        answer = await house.request("card", action="lost", of="grace")
        assert (answer["done"], answer["name"], answer["card"]["lost"]) == (True, "Grace Hopper", True)
        await asyncio.sleep(10)
        await house.sim("card", "12:3456")
        assert house.door()["lock"] == "locked"
        [grace] = (await house.request("people"))["people"]
        assert (grace["last_seen"]["code"], grace["pin"]) == ("card_inactive", True)
        again = await house.request("card", action="lost", card="12:3456")
        assert (again["done"], again["notes"]) == (True, ["card 12:3456 is lost already"])
        assert again["outcomes"] == {"version": 2}
        assert (await change(house, "remove", who="grace"))["done"]
        assert (await house.request("people"))["total"] == 0

    house = live(fresh(tmp_path), script)
    assert {event.actor for event in told(house, "user.create", "card.deactivate", "user.destroy")} == {OTTO}


def test_a_person_is_changed_with_the_words_of_a_desk(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        answer = await change(house, "change", who="ada", email="none", name="")
        assert (answer["done"], answer["code"]) == (False, "invalid_directory")
        assert answer["outcomes"]["problems"] == [
            'name: found "", expected 1 to 100 printable characters',
            'email: found "none", expected an e-mail address',
        ]
        assert (await change(house, "change", who="ada", name="Ada L.", pin=None))["done"]
        stale = await change(house, "change", who="ada", name="Ada K.", base=1)
        assert (stale["code"], stale["outcomes"]["in_force"]) == ("stale", 2)
        for wrong, message in (
            ({"action": "add", "who": "ada"}, "expected `who`, but for `add`"),
            ({"action": "off", "who": "ada", "name": "x"}, "expected nothing beside `who`, found name"),
            ({"action": "change", "who": "ada", "pin": "12"}, "pin: expected 4 to 12 digits"),
            (
                {"action": "change", "who": "ada", "valid_until": "soon"},
                "valid_until: 'soon' is no time, expected now, or",
            ),
            ({"action": "change", "who": "ada", "groups": ["x"]}, "no group is called 'x'"),
            ({"action": "change", "who": "ada", "card": "9"}, "expected FACILITY:NUMBER"),
        ):
            with pytest.raises(RequestError, match=message):
                await house.request("change_person", **wrong)
        assert (await change(house, "add", name="Adam"))["done"]
        with pytest.raises(RequestError, match="may be") as error:
            await house.request("person", who="ad")
        assert [one["id"] for one in error.value.details["candidates"]] == ["ada", "adam"]  # type: ignore[index,union-attr,call-overload]

    live(config_of(tmp_path), script)


def test_entries_are_read_without_secrets_and_put_back_as_they_are(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        found = await house.request("entries", kind="member", ids=["bob", "nobody"])
        [bob] = found["entries"]
        assert (found["version"], bob["pin"], "pin_hash" in bob) == (1, "kept", False)
        before = house.daemon.people.directory.in_force.members["bob"]
        answer = await house.request("edit_directory", changes=[{"put": "member", "entry": bob}], base=1)
        assert answer["done"]
        assert house.daemon.people.directory.in_force.members["bob"] == before
        with pytest.raises(RequestError, match="kind: found 'x', expected one of user, member"):
            await house.request("entries", kind="x", ids=[])

    live(config_of(tmp_path), script)


def test_two_at_once_are_planned_one_after_the_other(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        names = ["Grace Hopper"] * 3
        answers = await asyncio.gather(*(change(house, "add", name=one, card=f"12:{n}") for n, one in enumerate(names)))
        assert {one["id"] for one in answers if one["done"]} == {"grace-hopper", "grace-hopper-2", "grace-hopper-3"}

    live(config_of(tmp_path), script)


def test_who_is_not_master_is_told_where_people_are_changed(tmp_path: Path) -> None:
    people(tmp_path)
    config = config_of(tmp_path)
    config.write_text(config.read_text() + 'managed = "file"\n')

    async def script(house: House) -> None:
        await ready(house)
        head = (await house.request("people"))["managed"]
        assert head["here"] is False
        answer = await change(house, "off", who="ada")
        assert (answer["done"], answer["code"], answer["message"]) == (False, "managed_elsewhere", head["text"])

    live(config, script)


def test_who_is_named_by_id_is_nobody_else_when_they_are_gone(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        for card in ("12:3456", "12:3457"):
            await change(house, "add", name="Grace Hopper", card=card)
        exact: dict[str, Any] = {"who": "grace-hopper", "by_id": True}
        taken = {"action": "take", "card": "grace-hopper-1", "of": "grace-hopper-2", "by_id": True}
        with pytest.raises(RequestError, match="no card 'grace-hopper-1' of 'grace-hopper-2'"):
            await house.request("card", **taken)
        assert (await change(house, "remove", **exact))["done"]
        for ask in ({"action": "remove"}, {"action": "off"}, {"action": "change", "name": "Nobody"}):
            with pytest.raises(RequestError, match="nobody with the id 'grace-hopper'"):
                await house.request("change_person", **ask, **exact)
        with pytest.raises(RequestError, match="nobody with the id 'grace-hopper'"):
            await house.request("card", action="give", card="12:1", **exact)
        with pytest.raises(RequestError, match="no card 'grace-hopper-1'"):
            await house.request("card", action="lost", card="grace-hopper-1", of="grace-hopper", by_id=True)
        [other] = (await house.request("people"))["people"]
        assert (other["id"], other["name"], other["state"]) == ("grace-hopper-2", "Grace Hopper", "no access")
        await house.request("edit_directory", changes=[{"put": "user", "entry": {"id": "eve", "name": "Eve"}}])
        assert (await house.request("person", who="eve", by_id=True))["person"]["state"] == "no access"

    live(fresh(tmp_path), script)
