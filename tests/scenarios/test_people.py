"""People at the doors, through the whole daemon: directory, cards, schedules, restarts, removals."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import TYPE_CHECKING, Any

from edge.directory.store import DirectoryStore
from edge.model.messages import Actor
from tests.support.house import OTTO, House, live, write_config
from tests.support.people import document

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.messages import Event

FILE = Actor("system", "file", "directory.json")
ADA, STRANGER = "12:1001", "12:9"


def people(folder: Path, **changes: Any) -> Path:
    """A configuration with readers and the directory of `tests.support.people`; returns the directory's file."""
    config = write_config(folder, controller='time_zone = "Europe/Berlin"', doors=["front", "back"])
    text = config.read_text().replace("rex = ", 'reader = { driver = "bench" }\nrex = ')
    config.write_text(f'{text}\n[directory]\nfile = "directory.json"\n')
    return write(folder, **changes)


def write(folder: Path, **changes: Any) -> Path:
    own = document() | changes
    own["doors"] = changes.get("doors", [])
    path = folder / "directory.json"
    path.write_text(json.dumps(own))
    return path


def config_of(folder: Path) -> Path:
    return folder / "doorward.toml"


def told(house: House, *types: str) -> list[Event]:
    return [record.event for record in house.records if record.event.type in types]


async def settle(house: House) -> None:
    """Start, take the directory up, and stop."""
    await ready(house)


async def ready(house: House) -> dict[str, Any]:
    """Wait until the directory is in force and recorded."""
    while (found := (await house.request("status"))["directory"])["state"] != "ready":  # noqa: ASYNC110 -- virtual time; what is waited for is told by status only
        await asyncio.sleep(0.1)
    return dict(found)


def test_a_card_passes_and_the_record_says_who(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        assert (await ready(house))["version"] == 1
        await house.sim("card", ADA)
        assert house.door()["lock"] == "unlocked"
        await house.sim("open")
        await house.sim("close")
        await house.sim("card", STRANGER)
        assert house.door()["lock"] == "locked"
        [first, second] = (await house.request("cards"))["cards"]
        assert (first["user"], first["code"], second["user"], second["code"]) == ("Ada", None, None, "unknown_card")
        assert (await house.request("who", card="1001"))["found"][0]["member"]["user"]["name"] == "Ada"
        facts = (await house.request("status"))["drivers"]["bench"]["facts"]
        assert facts["readers"] == {"front.reader": "refused"}

    house = live(config_of(tmp_path), script)
    assert house.types[-6:] == [
        "reader.access", "lock.unlock", "lock.opened", "lock.closed", "lock.locked", "reader.access",
    ]  # fmt: skip
    granted, refused = told(house, "reader.access")
    assert (granted.actor, granted.success) == (Actor("user", "ada", "Ada", "ada@example.org"), True)
    assert (refused.actor, refused.code) == (None, "unknown_card")


def test_the_status_says_who_passed_last_and_who_unlocked(tmp_path: Path) -> None:
    people(tmp_path)
    config = config_of(tmp_path)
    config.write_text(config.read_text().replace('name = "front door"', 'name = "front door"\nzone = "Ground floor"'))

    async def script(house: House) -> None:
        await ready(house)
        assert [house.door(one)["zone"] for one in ("front", "back")] == ["Ground floor", None]
        assert (house.door()["last"], house.door()["unlocked_by"]) == (None, None)
        await house.sim("card", ADA)
        assert (house.door()["last"]["who"], house.door()["unlocked_by"]) == ("Ada", {"kind": "user", "name": "Ada"})
        await asyncio.sleep(60)
        await house.sim("card", STRANGER)
        last = house.door()["last"]
        assert (last["who"], last["granted"], last["code"]) == (None, False, "unknown_card")
        assert house.door()["unlocked_by"] is None
        await house.ask("hold_unlocked", for_s=60)
        assert house.door()["unlocked_by"] == {"kind": "operator", "name": "otto"}
        await house.ask("block")
        assert house.door()["unlocked_by"] is None
        assert house.door("back")["last"] is None
        assert "last" not in str(house.daemon.retained.door_state("front")), "names are not retained at the broker"

    live(config, script)


def test_the_first_directory_is_all_new_and_every_event_has_who_brought_it(tmp_path: Path) -> None:
    people(tmp_path)
    house = live(config_of(tmp_path), settle)
    created = told(house, "user.create", "group.create", "member.create", "elevator.create")
    assert len(created) == 2 + 2 + 2 + 1
    assert {event.actor for event in created} == {FILE}
    assert told(live(config_of(tmp_path), settle), "user.create") == []


def test_a_removed_user_stays_in_the_history(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        await house.sim("card", ADA)
        left = document()
        bob = {key: [one for one in left[key] if one["id"] != "ada"] for key in ("users", "members")}
        write(tmp_path, version=2, **bob)
        assert (await house.request("reload"))["applied"] == ["directory"]
        await ready(house)
        await asyncio.sleep(10)
        await house.sim("card", ADA)

    house = live(config_of(tmp_path), script)
    passage = told(house, "lock.unlock")[0]
    assert passage.actor == Actor("user", "ada", "Ada", "ada@example.org")
    [gone] = told(house, "user.destroy")
    assert (gone.object.name, gone.actor) == ("Ada", OTTO)
    assert house.types.index("lock.unlock") < house.types.index("user.destroy")
    assert told(house, "reader.access")[-1].code == "card_inactive"

    async def look(house: House) -> None:
        page = await house.request("events", user=["ada@example.org"])
        assert "lock.unlock" in [record["type"] for record in page["records"]]

    live(config_of(tmp_path), look)


def test_a_bad_document_changes_nothing_and_names_everything(tmp_path: Path) -> None:
    people(tmp_path)

    async def script(house: House) -> None:
        await ready(house)
        write(tmp_path, version=2, groups=[{"id": "x", "name": "X", "doors": ["cellar", "attic"]}])
        errors = (await house.request("reload"))["errors"]
        assert len(errors) > 2
        assert any("cellar" in error for error in errors)
        assert any("attic" in error for error in errors)
        assert (await house.request("status"))["directory"]["error"] is not None
        await house.sim("card", ADA)
        assert house.door()["lock"] == "unlocked"
        write(tmp_path, users=[one | {"name": "Eve"} for one in document()["users"]])  # the same version
        assert "expected more than 1" in (await house.request("reload"))["errors"][0]
        write(tmp_path, version=3)
        assert (await house.request("reload"))["errors"] == []

    house = live(config_of(tmp_path), script)
    assert [event.object.type for event in told(house, "controller.fault")] == ["directory"]
    assert len(told(house, "controller.fault_cleared")) == 1


def test_what_was_stored_is_in_force_without_its_file(tmp_path: Path) -> None:
    file = people(tmp_path)
    live(config_of(tmp_path), settle)
    file.unlink()

    async def script(house: House) -> None:
        assert (await ready(house))["version"] == 1
        await house.sim("card", ADA)
        assert house.door()["lock"] == "unlocked"

    house = live(config_of(tmp_path), script)
    assert [event.object.type for event in told(house, "controller.fault")] == ["directory"]


def test_a_damaged_store_is_set_aside_and_the_file_takes_its_place(tmp_path: Path) -> None:
    people(tmp_path)
    live(config_of(tmp_path), settle)
    (tmp_path / "directory.db").write_bytes(b"no database at all" * 500)

    async def script(house: House) -> None:
        assert (await ready(house))["version"] == 1
        await house.sim("card", ADA)
        assert house.door()["lock"] == "unlocked"

    house = live(config_of(tmp_path), script)
    assert list(tmp_path.glob("directory.db.damaged-*"))
    assert told(house, "controller.fault")[0].details["reason"].startswith("the stored directory was damaged")  # type: ignore[union-attr]


def test_a_schedule_starts_runs_over_a_restart_and_ends(tmp_path: Path) -> None:
    days = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "00:00"}
    schedules = [*document()["schedules"], {"id": "open", "name": "Open", "kind": "unlock", "weekly": [days]}]
    people(tmp_path, schedules=schedules, doors=[{"id": "front", "schedule": "open"}])

    async def runs(house: House) -> None:
        await ready(house)
        assert (house.door()["mode"], house.door()["lock"]) == ("unlocked", "unlocked")
        assert house.door("back")["mode"] == "locked"

    async def ends(house: House) -> None:
        await runs(house)
        write(tmp_path, version=2)
        await house.request("reload")
        assert house.door()["mode"] == "locked"

    assert "lock.scheduled_unlock_started" in live(config_of(tmp_path), runs).types
    house = live(config_of(tmp_path), ends)
    assert [kind for kind in house.types if "schedule" in kind] == ["lock.scheduled_unlock_ended"]
    assert "lock.update" in house.types


def test_no_pin_stands_anywhere_in_clear(tmp_path: Path) -> None:
    members = document()["members"]
    members[0] = {**members[0], "pin": "90210777"}
    del members[0]["pin_hash"]
    people(tmp_path, members=members, doors=[{"id": "front", "ask": "card_and_pin"}])

    async def script(house: House) -> None:
        await ready(house)
        await house.sim("card", f"{ADA} pin 90210777")
        assert house.door()["lock"] == "unlocked"
        assert "90210777" not in json.dumps(await house.request("status"))

    live(config_of(tmp_path), script)
    for path in tmp_path.glob("*.db*"):
        assert b"90210777" not in path.read_bytes(), path
    stored, _ = DirectoryStore(tmp_path / "directory.db").load(0)
    assert stored is not None
    assert b"90210777" not in stored.document
    assert (tmp_path / "directory.db").stat().st_mode & 0o077 == 0
    with sqlite3.connect(tmp_path / "directory.db") as db:
        assert db.execute("SELECT audited, previous FROM directory").fetchone() == (1, None)
    db.close()
