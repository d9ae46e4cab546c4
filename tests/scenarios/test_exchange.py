"""The directory as a file at the control socket, through the whole daemon: pieces, changes meanwhile, who is master."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.daemon.requests import exchange
from edge.people.exchange import export
from edge.socket.peers import RequestError
from tests.scenarios.test_directory_edits import fresh
from tests.scenarios.test_people import config_of, people, ready, told
from tests.support.house import OTTO, House, live

if TYPE_CHECKING:
    from pathlib import Path

SHEET = "name,cards\nGrace Hopper,12:3456\n"


async def begun(house: House, text: str, form: str = "csv") -> str:
    own: str = (await house.request("directory_import", action="begin", form=form))["import"]
    for at in range(0, len(text), 10):
        await house.request("directory_import", action="send", text=text[at : at + 10], **{"import": own})
    return own


async def plan(house: House, own: str) -> dict[str, Any]:
    answer: dict[str, Any] = await house.request("directory_import", action="plan", **{"import": own})
    return answer


def test_an_import_comes_in_pieces_and_is_in_force_as_a_whole(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        own = await begun(house, SHEET)
        with pytest.raises(RequestError, match="expected an import that was planned"):
            await house.request("apply_import", **{"import": own})
        assert (await plan(house, own))["told"] == ["+ Grace Hopper: card 12:3456"]
        answer = await house.request("apply_import", **{"import": own})
        assert (answer["done"], answer["outcomes"]) == (True, {"version": 1})
        await house.sim("card", "12:3456")
        assert house.door()["lock"] == "unlocked"
        with pytest.raises(RequestError, match="is not known any more"):
            await house.request("apply_import", **{"import": own})

    house = live(fresh(tmp_path), script)
    assert {event.actor for event in told(house, "user.create", "member.create", "card.activate")} == {OTTO}

    async def afterwards(house: House) -> None:
        await ready(house)
        assert (await house.request("people"))["total"] == 1, "it was stored"

    live(fresh(tmp_path), afterwards)


def test_what_somebody_changes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        own = await begun(house, SHEET)
        await plan(house, own)
        assert (await house.request("change_person", action="add", name="Ada"))["done"]
        answer = await house.request("apply_import", **{"import": own})
        assert (answer["done"], answer["code"], answer["outcomes"]["in_force"]) == (False, "stale", 1)
        assert [one["id"] for one in (await house.request("people"))["people"]] == ["ada"]
        own = await begun(house, SHEET)
        other = await begun(house, SHEET)
        with pytest.raises(RequestError, match="another one was begun"):
            await plan(house, own)
        await asyncio.sleep(exchange.KEPT_S + 1)
        with pytest.raises(RequestError, match="it was left for too long"):
            await plan(house, other)

    live(fresh(tmp_path), script)


def test_an_export_is_of_one_version_and_hashes_are_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people(tmp_path)
    monkeypatch.setattr(export, "LARGEST", 100)

    async def script(house: House) -> None:
        await ready(house)
        text, more = "", dict[str, Any]()
        while True:
            piece = await house.request("directory_export", form="json", **more)
            text += piece["text"]
            if piece["next"] is None:
                break
            more = {"after": piece["next"], "version": piece["version"]}
        bob = next(one for one in json.loads(text)["members"] if one["id"] == "bob")
        assert (bob["pin"], "pin_hash" in bob) == ("kept", False), "OTTO is not root"
        own = await begun(house, text, "json")
        assert (await plan(house, own))["changes"] == 0
        assert (await house.request("apply_import", **{"import": own}))["outcomes"] == {"version": 1}
        assert (await house.request("change_person", action="off", who="ada"))["done"]
        with pytest.raises(RequestError, match="version 2 is in force") as error:
            await house.request("directory_export", form="json", after=1, version=1)
        assert error.value.code == "stale"
        rows = await house.request("directory_export", form="csv")
        assert [dict(zip(rows["columns"], row, strict=True))["state"] for row in rows["rows"]] == ["off", "active"]

    live(config_of(tmp_path), script)


def test_a_file_is_bounded_and_belongs_to_who_is_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people(tmp_path)
    config = config_of(tmp_path)
    monkeypatch.setattr(exchange, "LARGEST", 20)

    async def script(house: House) -> None:
        await ready(house)
        with pytest.raises(RequestError, match="put it into the"):
            await begun(house, SHEET)

    live(config, script)
    config.write_text(config.read_text() + 'managed = "file"\n')

    async def elsewhere(house: House) -> None:
        await ready(house)
        with pytest.raises(RequestError, match="the directory is managed by its file"):
            await begun(house, SHEET)

    live(config, elsewhere)
