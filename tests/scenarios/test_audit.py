"""What administrators changed, found by comparison and recorded with who brought it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.house import OTTO, House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.messages import Event


async def nothing(_house: House) -> None:
    """Start and stop."""


def audits(house: House) -> list[Event]:
    return [record.event for record in house.records if record.event.type.startswith("lock.") and record.event.actor]


def test_a_reload_says_what_changed_and_who_asked_for_it(tmp_path: Path) -> None:
    config = write_config(tmp_path, unlock_s=5.0)

    async def script(house: House) -> None:
        write_config(tmp_path, unlock_s=7.5)
        assert (await house.request("reload"))["applied"] == ["door.front.unlock_s"]
        await house.request("reload")  # nothing more to say

    [event] = audits(live(config, script))
    assert (event.type, event.door, event.actor) == ("lock.update", "front", OTTO)
    assert event.details == {"unlock_s": [5.0, 7.5]}


def test_a_new_configuration_at_the_start_is_compared_with_the_last_one(tmp_path: Path) -> None:
    assert audits(live(write_config(tmp_path, doors=["front", "back"]), nothing)) == []
    config = write_config(tmp_path, doors=["front", "side"], held_open_s=60.0)
    told = audits(live(config, nothing))
    assert [(event.type, event.door) for event in told] == [
        ("lock.destroy", "back"),
        ("lock.update", "front"),
        ("lock.create", "side"),
    ]
    assert told[1].details == {"held_open_s": [30.0, 60.0]}
    assert told[2].details["lock.resting"] == "locked"
    assert {event.actor.name for event in told if event.actor} == {"doorward.toml"}
    assert audits(live(config, nothing)) == []
