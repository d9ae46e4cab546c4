"""Every type of the contract is produced by the whole daemon, the way the contract says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.model.catalogue import CATALOGUE, Witness
from edge.model.messages import Actor, InputFault
from edge.model.ports import Incoming
from tests.support.house import House, live
from tests.support.people import document

TESTS = Path(__file__).parents[1]
ELSEWHERE = {
    "controller.gap": "log/test_retention.py",
    "controller.storage": "faults/test_log_disk.py",
    "integration.warn_due_to_error": "delivery/test_sink.py",
    "integration.disable_due_to_error": "delivery/test_sink.py",
}
"""What takes a disk or a receiver that fails has tests of its own."""
CONFIG = """
[controller]
id = "test"
site = "lab"
name = "Test"
release = {{ driver = "bench" }}
[log]
path = "log.db"
[control]
socket = "doord.sock"
[directory]
file = "directory.json"
[driver.bench]
kind = "simulated"
[elevator.lift]
name = "Lift"
reader = {{ driver = "bench" }}
floor.0 = {{ relay = {{ driver = "bench", resting = "locked" }}, button = {{ driver = "bench" }} }}
"""
DOOR = """
[door.{0}]
name = "{0} door"
lock = {{ driver = "bench", resting = "locked" }}
contact = {{ driver = "bench" }}
rex = {{ driver = "bench" }}
tamper = {{ driver = "bench" }}
reader = {{ driver = "bench" }}
held_open_s = {1}
"""
WEB = Actor("operator", "web:ada", "Ada")
ADA = "12:1001"


def write_config(folder: Path, *doors: tuple[str, float]) -> Path:
    path = folder / "doorward.toml"
    path.write_text(CONFIG.format() + "".join(DOOR.format(*door) for door in doors))
    return path


def write_people(folder: Path, change: dict[str, Any] | None = None) -> None:
    (folder / "directory.json").write_text(json.dumps(document() | (change or {})))


async def ready(house: House) -> None:
    while (await house.request("status"))["directory"]["state"] != "ready":  # noqa: ASYNC110 -- virtual time; only status tells
        await asyncio.sleep(0.1)


def produced(house: House) -> set[str]:
    return {record.event.type for record in house.records}


async def doors_move(house: House) -> None:
    await ready(house)
    await house.sim("card", ADA)
    await house.sim("open")
    await house.sim("close")
    await house.ask("unlock")
    await asyncio.sleep(6)  # nobody comes
    await house.sim("open")  # forced
    await house.sim("close")
    await house.ask("unlock")
    await house.sim("open")
    await asyncio.sleep(31)  # held
    await house.sim("close")
    await house.ask("lock_down")
    await house.ask("cancel_lockdown")
    await house.sim("tamper")
    await house.sim("bounce", "3000")
    await asyncio.sleep(4)
    await house.sim("release", door="controller")
    house.daemon.signals.take(InputFault("front.reader", "cut", house.loop.now_ns()))
    await house.sim("cut")
    await house.sim("mend")
    house.clock.step(5_000_000)
    await house.sim("card", ADA, door="lift")
    await house.sim("rex", door="lift/0")


async def schedules_run(house: House) -> None:
    days = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "00:00"}
    reception = {"id": "open", "name": "Open", "kind": "unlock", "first_to_arrive": True, "weekly": [days]}
    folder = house.daemon.configuration.settings.file.parent
    write_people(
        folder,
        {
            "version": 2,
            "schedules": [*document()["schedules"], reception],
            "doors": [{"id": "front", "schedule": "open"}],
        },
    )
    await house.request("reload")
    await house.sim("card", ADA)
    write_people(folder, {"version": 3})
    await house.request("reload")
    await ready(house)


async def administrators_change(house: House) -> None:
    folder, first = house.daemon.configuration.settings.file.parent, document()
    token = {"id": "t", "format": "token", "number": "sha256:" + "ab" * 32, "user": "ada"}
    camera, payroll = {"id": "eye", "name": "Eye"}, {"id": "pay", "name": "Payroll"}
    ada, bob = first["members"]
    bare = {**ada, "cards": [], "backup_cards": [], "disabled_cards": []}
    steps: list[dict[str, Any]] = [
        {"cards": [*first["cards"], token], "cameras": [camera], "integrations": [payroll]},
        {
            "cards": [*({**one, "state": "inactive"} for one in first["cards"]), {**token, "state": "inactive"}],
            "users": [{**one, "name": f"{one['name']} B."} for one in first["users"]],
            "members": [
                {**ada, "cards": [], "backup_cards": ["c1001"], "disabled_cards": []},
                {**bob, "enabled": False, "backup_cards": ["c1900"], "disabled_cards": ["c1900"]},
            ],
            "groups": [{**one, "name": "All"} for one in first["groups"]],
            "elevators": [{**one, "name": "The lift"} for one in first["elevators"]],
            "cameras": [{**camera, "name": "Eyes"}],
            "integrations": [{**payroll, "name": "Wages"}],
        },
        {"members": [bare, {**bob, "backup_cards": ["c1900"]}]},
        {"members": [{**ada, "backup_cards": ["c1900"], "disabled_cards": []}, {**bob, "disabled_cards": ["c1002"]}]},
        {"members": [{**ada, "disabled_cards": ["c1900"]}, bob]},
        {key: [] for key in ("users", "members", "cards", "groups", "schedules", "elevators")},
    ]  # fmt: skip
    for version, step in enumerate(steps, start=10):
        write_people(folder, {**step, "version": version})
        answer = await house.request("reload")
        assert answer["errors"] == []
        await ready(house)


async def upstream_tells(house: House) -> None:
    for number, row in enumerate(row for row in CATALOGUE.values() if row.witness is Witness.UPSTREAM):
        command = {
            "id": f"r-{number}",
            "command": "record",
            "issued_at": "2026-11-22T21:57:00Z",
            "actor": {"id": "ann"},
            "event": {"type": row.type, "object": {"type": "user", "id": "bob", "name": "Bob"}},
        }
        house.daemon.intake.ordered(Incoming("commands", json.dumps(command).encode(), retained=False))
    await asyncio.sleep(1)


async def people_use_the_page(house: House) -> None:
    service = house.daemon.service
    for action in ("create", "sign_in", "sign_out", "destroy"):
        await service.request("login", {"action": action, "login": "ada"}, WEB)
    asked: Any = await service.request("export", {"action": "create", "name": "events.csv"}, WEB)
    await service.request("export", {"action": "download", "export": asked["export"]}, WEB)
    await service.request("export", {"action": "finished", "export": asked["export"], "records": 0}, WEB)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, set[str]]:
    """One building on two days: another version of the software, and other doors, on the second."""
    folder = tmp_path_factory.mktemp("catalogue")
    write_people(folder)

    async def first(house: House) -> None:
        await doors_move(house)
        await schedules_run(house)
        await administrators_change(house)
        await upstream_tells(house)
        await people_use_the_page(house)

    async def second(house: House) -> None:
        await ready(house)

    one = live(write_config(folder, ("front", 30.0), ("back", 30.0)), first)
    patch = pytest.MonkeyPatch()
    patch.setattr("edge.daemon.remembering.__version__", "99.0")
    patch.setattr("edge.daemon.controller_events.__version__", "99.0")
    other = live(write_config(folder, ("front", 40.0), ("side", 30.0)), second)
    patch.undo()
    return one, produced(one) | produced(other)


@pytest.mark.parametrize("event_type", sorted(CATALOGUE))
def test_it_is_produced(house: tuple[House, set[str]], event_type: str) -> None:
    if event_type in ELSEWHERE:
        assert event_type in (TESTS / ELSEWHERE[event_type]).read_text()
        return
    assert event_type in house[1], f"{event_type}: add a scenario that makes it, or name its test in ELSEWHERE"


def test_who_brought_it_stands_in_every_change(house: tuple[House, set[str]]) -> None:
    changes = [
        record.event for record in house[0].records if CATALOGUE[record.event.type].witness is not Witness.CONTROLLER
    ]
    assert len(changes) > 60
    assert all(event.actor is not None for event in changes)


def test_the_secrets_of_a_directory_are_in_no_record(house: tuple[House, set[str]]) -> None:
    told = " ".join(repr(replace(record.event, actor=None)) for record in house[0].records)
    assert "scrypt" not in told
    assert "ab" * 32 not in told
