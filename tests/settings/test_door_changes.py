"""What a new configuration changes at doors, as events."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

from edge.model.messages import SYSTEM
from edge.settings.door_changes import lock_changes, lock_facts
from tests.support.configs import settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.messages import Event
    from edge.settings.controller import Settings

HEAD = """
[controller]
id = "hq"
site = "hq"
name = "HQ"
[driver.gp]
kind = "gpio"
[driver.sim]
kind = "simulated"
bounce_ms = 8.0
"""
FRONT = """
[door.front]
name = "Front door"
lock = { driver = "sim", resting = "locked" }
contact = { driver = "sim" }
unlock_s = 5.0
"""
BACK = """
[door.back]
lock = { driver = "gp", line = 17, unlocked = "high", resting = "locked" }
"""


def changes(tmp_path: Path, old: str, new: str) -> list[Event]:
    return between(settings_of(tmp_path, HEAD + old), settings_of(tmp_path, HEAD + new))


def between(old: Settings | None, new: Settings) -> list[Event]:
    """The old facts have been kept as JSON meanwhile, as a restart does."""
    kept = None if old is None else json.loads(json.dumps(lock_facts(old)))
    return lock_changes(kept, lock_facts(new), SYSTEM, 5)


def test_nothing_changed_is_nothing_said(tmp_path: Path) -> None:
    assert changes(tmp_path, FRONT + BACK, BACK + FRONT) == []
    assert between(None, settings_of(tmp_path, HEAD + FRONT)) == []


def test_a_door_that_comes_brings_all_that_is_known_of_it(tmp_path: Path) -> None:
    [event] = changes(tmp_path, FRONT, FRONT + BACK)
    assert (event.type, event.object.type, event.object.id, event.door) == ("lock.create", "lock", "back", "back")
    assert event.actor == SYSTEM
    assert event.details["lock.line"] == 17
    assert event.details["lock.driver"] == "gp"
    assert event.details["unlock_s"] == 5.0
    json.dumps(dict(event.details))


def test_a_door_that_goes_keeps_its_name(tmp_path: Path) -> None:
    [event] = changes(tmp_path, FRONT + BACK, BACK)
    assert (event.type, event.object.name, event.details) == ("lock.destroy", "Front door", {})


@pytest.mark.parametrize(
    ("was", "now", "details"),
    [
        ("unlock_s = 5.0", "unlock_s = 7.5", {"unlock_s": [5.0, 7.5]}),
        ('name = "Front door"', 'name = "Main door"', {"name": ["Front door", "Main door"]}),
        ("unlock_s = 5.0", 'relock = "open"', {"relock": ["close", "open"]}),
        ('resting = "locked"', 'resting = "unlocked"', {"lock.resting": ["locked", "unlocked"]}),
        ("bounce_ms = 8.0", "bounce_ms = 9.0", {"driver.sim.bounce_ms": [8.0, 9.0]}),
    ],
)
def test_a_change_says_what_it_was_and_is(tmp_path: Path, was: str, now: str, details: dict[str, Any]) -> None:
    old = settings_of(tmp_path, HEAD + FRONT + BACK)
    [event] = between(old, settings_of(tmp_path, (HEAD + FRONT + BACK).replace(was, now, 1)))
    assert (event.type, event.object.id, event.details) == ("lock.update", "front", details)


class Reader(BaseModel):
    scbk_key: SecretStr | None = None
    address: int = 0
    key_file: str = "/etc/key"


def test_a_secret_is_said_to_have_changed_and_no_more(tmp_path: Path) -> None:
    base = settings_of(tmp_path, HEAD + FRONT)

    def with_reader(**wires: Any) -> Any:
        points = {**base.drivers["sim"].points, "front.reader": Reader(**wires)}
        driver = replace(base.drivers["sim"], points=MappingProxyType(points))
        door = replace(base.doors["front"], points={**base.doors["front"].points, "reader": "sim"})
        return replace(base, drivers={**base.drivers, "sim": driver}, doors={"front": door})

    def told(old: dict[str, Any], new: dict[str, Any]) -> Any:
        [event] = between(with_reader(**old), with_reader(**new))
        assert "2718" not in repr(event)
        return event.details

    one, other = SecretStr("271828"), SecretStr("271829")
    assert told({"scbk_key": one}, {"scbk_key": other, "address": 1}) == {
        "reader.scbk_key": "changed", "reader.address": [0, 1],
    }  # fmt: skip
    assert told({}, {"scbk_key": one}) == {"reader.scbk_key": "set"}
    assert told({"scbk_key": one}, {}) == {"reader.scbk_key": "removed"}
    assert told({}, {"key_file": "/etc/other"}) == {"reader.key_file": ["/etc/key", "/etc/other"]}
    [event] = between(base, with_reader(scbk_key=one))
    assert event.details["reader.scbk_key"] == "set"
    [event] = between(replace(base, doors={}), with_reader(scbk_key=one))
    assert event.details["reader.scbk_key"] == "set"
