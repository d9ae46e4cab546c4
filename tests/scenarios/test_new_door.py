"""A reload guards a new door beside the others, as a start would, and touches none of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from drivers.simulated.driver import SimulatedDriver
from edge.socket.peers import RequestError
from tests.support.broker import Broker
from tests.support.doord import Doord
from tests.support.house import House, live, write_config
from tests.support.people import document
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import BaseModel

BACK = """
[door.back]
name = "Back"
lock = { driver = "DRIVER", resting = "unlocked" }
contact = { driver = "DRIVER" }
rex = { driver = "DRIVER" }
reader = { driver = "DRIVER" }
"""
ON_BENCH = BACK.replace("DRIVER", "bench")
ON_ITS_OWN = '[driver.own]\nkind = "simulated"' + BACK.replace("DRIVER", "own")
RELEASE = 'release = { driver = "bench" }'
TAKEN = {"applied": ["door.back"], "needs_restart": [], "errors": []}


def bench(house: House, name: str = "bench") -> SimulatedDriver:
    driver = house.daemon.drivers[name].driver
    assert isinstance(driver, SimulatedDriver)
    return driver


async def add(house: House, config: Path, text: str) -> Any:
    append(config, text)
    answer = await house.request("reload")
    await asyncio.sleep(0.1)
    return answer


def append(config: Path, text: str) -> None:
    config.write_text(config.read_text() + text)


def test_a_door_on_a_running_driver(tmp_path: Path) -> None:
    config = write_config(tmp_path, unlock_s=5.0)

    async def script(house: House) -> None:
        await house.ask("unlock")
        before = bench(house).history("front.lock")
        assert await add(house, config, ON_BENCH) == TAKEN
        assert [level for _, level in bench(house).history("back.lock")] == [True, False], "the resting level first"
        assert bench(house).history("front.lock") == before, "no other lock moves"
        assert house.door()["lock"] == "unlocked"
        found = house.door("back")
        assert (found["name"], found["lock"], found["contact"], found["alarm"]) == (
            "Back",
            "locked",
            "closed",
            "normal",
        )
        assert house.last("lock.create").door == "back"
        assert bench(house).describe()["lights"]["back.reader"], "its reader shows how it stands"
        await house.sim("rex", door="back")
        assert house.door("back")["lock"] == "unlocked"
        await asyncio.sleep(6)
        assert (house.door()["lock"], house.door("back")["lock"]) == ("locked", "locked")
        await house.sim("open", door="back")
        assert house.last("lock.forced_open").door == "back"
        assert (await house.request("reload"))["applied"] == [], "it is in force"

    house = live(config, script)
    assert bench(house).history("back.lock")[-1][1] is True, "at rest after the stop"


def test_an_open_door_is_found_open_and_not_forced(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def script(house: House) -> None:
        driver, plain = bench(house), bench(house).add

        def stands_open(points: Mapping[str, BaseModel]) -> None:
            plain(points)
            driver._inputs["back.contact"] = driver._leaves["back"] = True

        driver.add = stands_open  # type: ignore[method-assign]
        assert await add(house, config, ON_BENCH) == TAKEN
        assert (house.door("back")["contact"], house.door("back")["alarm"]) == ("open", "normal")
        assert house.last("lock.opened").details["observed"] == "at_start"

    live(config, script)


def test_a_door_on_a_driver_of_its_own(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def script(house: House) -> None:
        assert await add(house, config, ON_ITS_OWN) == {**TAKEN, "applied": ["driver.own", "door.back"]}
        assert [level for _, level in bench(house, "own").history("back.lock")] == [True, False]
        assert house.daemon.status.whole()["drivers"]["own"]["state"] == "online"  # type: ignore[index, call-overload]
        assert (house.door("back")["lock"], house.door("back")["contact"]) == ("locked", "closed")
        bench(house, "own").unplug()
        await asyncio.sleep(0.1)
        assert (house.door("back")["lock"], house.door()["lock"]) == ("unknown", "locked")
        bench(house, "own").plug()
        await asyncio.sleep(10)
        assert house.door("back")["lock"] == "locked", "it is kept running like any other"

    live(config, script)


def test_a_door_on_a_driver_that_is_lost_is_lost_with_it(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def script(house: House) -> None:
        bench(house).unplug()
        await asyncio.sleep(0.1)
        assert await add(house, config, ON_BENCH) == TAKEN
        assert house.door("back")["fault"] == "unplugged"
        bench(house).plug()
        await asyncio.sleep(10)
        found = house.door("back")
        assert (found["fault"], found["lock"], found["contact"]) == (None, "locked", "closed")
        assert [level for _, level in bench(house).history("back.lock")] == [True, False]

    live(config, script)


def test_a_driver_whose_hardware_is_not_there_is_tried_again_and_again(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    chip = '[driver.own]\nkind = "gpio"\nchip = "/dev/none"\n'
    door = '[door.back]\nlock = { driver = "own", line = 1, unlocked = "high", resting = "locked" }\n'

    async def script(house: House) -> None:
        assert (await add(house, config, chip + door))["applied"] == ["driver.own", "door.back"]
        assert "/dev/none" in house.door("back")["fault"]
        assert (house.door("back")["lock"], house.door()["lock"]) == ("unknown", "locked")
        assert house.last("controller.fault").door == "back"
        await asyncio.sleep(60)
        assert sum(record.event.type == "controller.fault" for record in house.records) == 1, "said once"

    live(config, script)


def test_a_reload_that_comes_with_the_stop_takes_over_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    refused: list[str] = []

    async def script(house: House) -> None:
        house.daemon.tasks.stopping = True
        with pytest.raises(RequestError, match="stopping"):
            await add(house, config, ON_ITS_OWN)
        refused.append("own")
        assert "own" not in house.daemon.drivers

    live(config, script)
    assert refused


def test_what_holds_for_every_door_holds_for_a_new_one(tmp_path: Path) -> None:
    config = write_config(tmp_path, controller=RELEASE)

    async def script(house: House) -> None:
        await house.sim("release", "on", door="controller")
        assert await add(house, config, ON_BENCH) == TAKEN
        assert house.door("back")["lock"] == "unlocked", "the fire alarm is its own, too"
        await house.sim("release", "off", door="controller")
        assert (house.door()["lock"], house.door("back")["lock"]) == ("locked", "locked")

    live(config, script)


def test_a_door_that_was_locked_down_when_it_went_is_locked_down_when_it_comes(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    alone = config.read_text()

    async def lock_down(house: House) -> None:
        await house.ask("lock_down", "back")

    async def script(house: House) -> None:
        assert await add(house, config, ON_BENCH) == TAKEN
        assert house.door("back")["mode"] == "locked_down"

    config.write_text(alone + ON_BENCH)
    live(config, lock_down)
    config.write_text(alone)
    live(config, script)


def test_people_and_schedules_know_it(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    file = tmp_path / "directory.json"
    start = config.read_text() + '[directory]\nfile = "directory.json"\n'
    people = document()
    for group in people["groups"]:
        group["doors"] = ["front"]
    file.write_text(json.dumps(people))
    config.write_text(start)

    async def script(house: House) -> None:
        await asyncio.sleep(1)
        people["groups"][0]["doors"] = ["front", "back"]
        always = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}
        people["schedules"].append({"id": "day", "name": "Day", "kind": "unlock", "weekly": [always]})
        people["doors"] = [{"id": "back", "schedule": "day"}]
        file.write_text(json.dumps({**people, "version": 2}))
        answer = await add(house, config, ON_BENCH)
        assert answer == {**TAKEN, "applied": ["door.back", "directory"]}
        await asyncio.sleep(1)
        assert (house.door("back")["mode"], house.door()["mode"]) == ("unlocked", "locked")
        await house.sim("card", "12:1001", door="back")
        await asyncio.sleep(1)
        [seen] = await _cards(house)
        assert (seen["reader"], seen["code"]) == ("back.reader", None)

    live(config, script)


def test_a_schedule_that_waited_for_its_door_speaks_at_once(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    always = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}
    day = {"id": "day", "name": "Day", "kind": "unlock", "weekly": [always]}
    people = {"version": 1, "schedules": [day], "doors": [{"id": "back", "schedule": "day"}]}
    (tmp_path / "directory.json").write_text(json.dumps(people))
    alone = config.read_text() + '[directory]\nfile = "directory.json"\n'

    async def before(house: House) -> None:
        await asyncio.sleep(1)
        assert house.door("back")["mode"] == "unlocked"

    async def script(house: House) -> None:
        await asyncio.sleep(1)
        assert (await add(house, config, ON_BENCH))["applied"] == ["door.back"]
        assert house.door("back")["mode"] == "unlocked"

    config.write_text(alone + ON_BENCH)
    live(config, before)
    config.write_text(alone)
    live(config, script)


async def _cards(house: House) -> list[dict[str, Any]]:
    answer: Any = await house.request("cards")
    return list(answer["cards"])


def test_the_broker_and_home_assistant_are_told(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with (
        Broker(tmp_path / "broker", "allow_anonymous true\n") as broker,
        Subscriber(broker.port, "doorward/v1/lab/test") as upstream,
        Subscriber(broker.port, "homeassistant", name="home") as home,
    ):
        config.write_text(config.read_text() + f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[home_assistant]\n')
        with Doord(config) as doord:
            upstream.wait(lambda: upstream.on("doors/front/state"), "the first door")
            before = len(upstream.on("status"))
            config.write_text(config.read_text() + ON_ITS_OWN)
            answer: Any = doord.ask("reload")
            assert answer["applied"] == ["driver.own", "door.back"]
            upstream.wait(lambda: upstream.on("doors/back/state"), "the new door")
            upstream.wait(lambda: upstream.on("status")[-1]["doors"] == ["front", "back"], "the status")
            assert all(one["online"] for one in upstream.on("status")[before:]), "the conversation goes on"
            home.wait(lambda: home.on("device/test/doorward_lab_back/config"), "the announcement")
            upstream.wait(lambda: "lock.create" in upstream.types(), "the audit record")
