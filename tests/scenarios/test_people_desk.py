"""People at the control socket, through the whole daemon: who there is, and when they were last seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.socket.peers import RequestError
from tests.scenarios.test_people import ADA, config_of, people, ready
from tests.support.house import House, live

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
