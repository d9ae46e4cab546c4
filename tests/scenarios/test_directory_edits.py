"""Edits of the directory through the whole daemon: a person who is added may pass, a card that is lost may not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edge.socket.peers import RequestError
from tests.scenarios.test_people import config_of, people, ready, told
from tests.support.house import OTTO, House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path

GROUP = {"put": "group", "entry": {"id": "staff", "name": "Staff", "doors": ["front"]}}
GRACE = [
    {"put": "user", "entry": {"id": "grace", "name": "Grace Hopper"}},
    {"put": "card", "entry": {"id": "g1", "format": "wiegand26", "facility": 12, "number": 3456, "user": "grace"}},
    {"put": "member", "entry": {"id": "grace", "user": "grace", "cards": ["g1"], "groups": ["staff"]}},
]


def fresh(folder: Path, directory: str = "", **policy: Any) -> Path:
    """A configuration as it is installed: nothing is said of a directory."""
    config = write_config(folder, doors=["front"], **policy)
    text = config.read_text().replace("rex = ", 'reader = { driver = "bench" }\nrex = ')
    config.write_text(f"{text}\n{directory}")
    return config


async def edit(house: House, *changes: Any, **more: Any) -> dict[str, Any]:
    answer = await house.request("edit_directory", changes=[*changes], **more)
    assert isinstance(answer, dict)
    return answer


def test_on_a_fresh_controller_a_person_is_added_passes_and_loses_the_card(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await ready(house)
        assert await edit(house, GROUP, *GRACE, base=0) == {
            "done": True, "code": None, "message": "", "outcomes": {"version": 1},
        }  # fmt: skip
        await house.sim("card", "12:3456")
        assert house.door()["lock"] == "unlocked"
        await house.sim("open")
        await house.sim("close")
        lost = {"put": "card", "entry": GRACE[1]["entry"] | {"state": "inactive"}}  # type: ignore[operator]
        assert (await edit(house, lost))["outcomes"] == {"version": 2}
        await asyncio.sleep(10)
        await house.sim("card", "12:3456")
        assert house.door()["lock"] == "locked"
        await ready(house)

    house = live(fresh(tmp_path), script)
    assert [event.code for event in told(house, "reader.access")] == [None, "card_inactive"]
    (created,) = told(house, "user.create")
    assert created.actor == OTTO
    assert [event.actor for event in told(house, "card.deactivate")] == [OTTO]

    async def afterwards(house: House) -> None:
        await ready(house)
        await asyncio.sleep(10)
        await house.sim("card", "12:3456")

    again = live(config_of(tmp_path), afterwards)
    assert told(again, "reader.access")[-1].code == "card_inactive"
    assert told(again, "user.create", "card.deactivate") == [], "recorded once"


def test_a_refused_edit_says_everything_and_changes_nothing(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        answer = await edit(house, *GRACE, {"remove": "user", "id": "bob"})
        assert (answer["done"], answer["code"]) == (False, "invalid_directory")
        assert answer["outcomes"]["problems"] == [
            'changes[2].entry.groups: found "staff", expected "always" or "weekdays"',
            'members.bob.user: found "bob", expected "ada" or "grace"',
        ]
        assert answer["message"] == answer["outcomes"]["problems"][0]
        assert (await edit(house, {"put": "user", "entry": {"id": "ada", "name": "A"}}))["done"]
        stale = await edit(house, {"remove": "user", "id": "ada"}, base=1)
        assert (stale["code"], stale["outcomes"]["in_force"]) == ("stale", 2)
        assert stale["outcomes"]["problems"] == [f'users.ada: "{OTTO.name}" changed it in version 2, after 1']
        with pytest.raises(RequestError, match="actor: Extra inputs"):
            await house.request("edit_directory", changes=[], actor={"id": "me"})

    live(config_of(tmp_path), script)


@pytest.mark.parametrize(
    ("managed", "where"),
    [
        ('file = "directory.json"\nmanaged = "file"', "directory.json, then doorctl reload"),
        ('managed = "upstream"', "managed upstream: change it there, it comes over MQTT"),
    ],
)
def test_who_is_not_master_is_told_who_is(tmp_path: Path, managed: str, where: str) -> None:
    people(tmp_path)
    config = fresh(tmp_path, f"[directory]\n{managed}\n")

    async def script(house: House) -> None:
        found = await ready(house)
        before = found["version"]
        assert f'managed = "{found["managed"]}"' in managed
        answer = await edit(house, GROUP)
        assert answer["code"] == "managed_elsewhere"
        assert where in answer["message"]
        assert (await ready(house))["version"] == before
        config.write_text(config.read_text().replace(managed, managed.partition("managed")[0]))
        assert "directory.managed" in (await house.request("reload"))["applied"]
        assert (await ready(house))["managed"] == "here"
        assert (await edit(house, GROUP))["done"]

    live(config, script)
