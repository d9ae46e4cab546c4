"""What a running daemon publishes of itself and its doors is what `edge.model.published` says, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest

from edge.doors.modes import Mode
from edge.doors.state import Alarm, Contact, Lock
from edge.model.catalogue import Severity
from edge.model.messages import ClockQuality
from edge.model.published.controller import ControllerStateJson
from edge.model.published.doors import ConditionJson, DoorJson, DoorStateJson
from edge.model.published.status import StatusJson
from tests.support.broker import Broker, free_port
from tests.support.control import STATUS, door
from tests.support.doord import Doord
from tests.support.published import fields, problems
from tests.support.subscriber import Subscriber
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """
[controller]
id = "test"
site = "lab"
name = "Test"
[log]
path = "log.db"
[control]
socket = "doord.sock"
[directory]
file = "directory.json"
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
[integrations]
allow_private = true
[alert.forced]
types = ["lock.forced_open"]
severity = "alarm"
webhook = ["pager"]
[camera.hall]
url = "http://127.0.0.1:{nobody}/"
doors = ["front"]
[driver.bench]
kind = "simulated"
[door.front]
name = "Front door"
reader = {{ driver = "bench" }}
lock = {{ driver = "bench", resting = "locked" }}
contact = {{ driver = "bench" }}
tamper = {{ driver = "bench" }}
[elevator.lift]
name = "Lift"
reader = {{ driver = "bench" }}
[elevator.lift.floor.ground]
relay = {{ driver = "bench", resting = "unlocked" }}
"""


PEOPLE = {
    "version": 1,
    "users": [{"id": "ada", "name": "Ada"}],
    "members": [{"id": "ada", "user": "ada", "cards": ["c1"], "groups": ["all"]}],
    "cards": [{"id": "c1", "format": "wiegand26", "facility": 12, "number": 1001}],
    "groups": [{"id": "all", "name": "All", "doors": ["front"]}],
    "schedules": [
        {"id": "day", "name": "Day", "kind": "unlock", "weekly": [{"days": ["mon"], "from": "08:00", "to": "08:01"}]}
    ],
    "doors": [{"id": "front", "schedule": "day"}],
}


def seen(value: Any, place: str = "") -> set[str]:
    """The names of all fields of a document, as `fields` calls them."""
    if isinstance(value, list):
        return {place} | {name for one in value for name in seen(one, f"{place}[]")}
    if not isinstance(value, dict):
        return {place}
    return {place} | {name for key, one in value.items() for name in seen(one, f"{place}.{key}".lstrip("."))}


def covered(described: str, names: set[str]) -> bool:
    """Whether a field was there at all; `*` is any key."""
    parts = described.split(".")
    return any(
        len(parts) == len(found := name.split(".")) and all(a in {b, "*"} for a, b in zip(parts, found, strict=True))
        for name in names
    )


def test_every_field_that_a_daemon_publishes_is_described_and_every_description_is_true(tmp_path: Path) -> None:
    hook = {
        "id": "pager",
        "name": "Pager",
        "kind": "webhook",
        "url": f"http://127.0.0.1:{free_port()}/",
        "secret": "pager",
    }
    (tmp_path / "directory.json").write_text(json.dumps({**PEOPLE, "integrations": [hook]}))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pager").write_text("a secret of a receiver")
    with Broker(tmp_path / "broker") as broker, Subscriber(broker.port, "doorward/v1/lab/test") as upstream:
        config = tmp_path / "doorward.toml"
        config.write_text(EVERYTHING.format(broker=broker.port, nobody=free_port()))
        with Doord(config) as doord:
            until(lambda: doord.ask("status")["integrations"])
            until(lambda: doord.ask("status")["directory"]["state"] == "ready")
            doord.ask("sim", door="front", action="card", argument="12:1001")
            until(lambda: doord.ask("status")["doors"]["front"]["last"])
            until(lambda: doord.ask("status")["doors"]["front"]["lock"] == "locked")
            doord.sim("front", "open")
            doord.sim("front", "tamper")
            until(lambda: doord.ask("status")["cameras"]["hall"]["last_error"])
            state = upstream.on
            upstream.wait(lambda: [len(one["conditions"]) for one in state("doors/front/state")][-1:] == [2], "both")
            until(lambda: doord.ask("status")["alerts"]["last_errors"])
            doord.ask("command", command="hold_unlocked", door="front")
            status = doord.ask("status")
        upstream.wait(lambda: not state("status")[-1]["online"], "the end")
    assert problems(status, StatusJson) == []
    assert [problems(one, ControllerStateJson) for one in state("status")] == [[]] * len(state("status"))
    assert [problems(one, DoorStateJson) for one in state("doors/front/state")] == [[]] * len(
        state("doors/front/state")
    )
    for told, described in ((status, StatusJson), (state("doors/front/state")[-1], DoorStateJson)):
        assert [row.name for row in fields(described) if not covered(row.name, seen(told))] == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda door: door.update(colour="red"), ["door.colour is not described"]),
        (lambda door: door.pop("mode"), ["door.mode is missing"]),
        (lambda door: door.update(mode="ajar"), ["door.mode: 'ajar' is no"]),
        (lambda door: door.update(warning=0), ["door.warning: 0 is no true or false"]),
        (lambda door: door["since"].update(lock=None), ["door.since.lock: None is no time"]),
        (lambda door: door["since"].update(lock="2026-11-22T21:57:03"), ["door.since.lock: '2026-11-22T21:57:03' is"]),
        (lambda door: door["conditions"].append({}), ["door.conditions[0].code is missing"]),
        (lambda door: door.update(points={"lock": 3}), ["door.points.lock: 3 is no text"]),
        (lambda door: door.update(conditions={}), ["door.conditions: {} is no list of object"]),
        (dict.copy, []),
    ],
)
def test_an_unknown_a_missing_and_a_wrong_field_are_found(change: Any, found: list[str]) -> None:
    one = door()
    change(one)
    told = sorted(problems(one, DoorJson, "door"))
    assert len(told) >= len(found)
    assert [text for text in found if not any(said.startswith(text) for said in told)] == []
    assert bool(told) == bool(found)


@pytest.mark.parametrize(
    ("document_of", "field", "values"),
    [
        (DoorJson, "mode", Mode),
        (DoorJson, "contact", Contact),
        (DoorJson, "lock", Lock),
        (DoorJson, "alarm", Alarm),
        (ControllerStateJson, "clock", ClockQuality),
        (ConditionJson, "severity", set(Severity) - {Severity.INFO}),
    ],
)
def test_every_value_that_there_is_may_be_said(document_of: type, field: str, values: Any) -> None:
    assert set(get_args(get_type_hints(document_of)[field])) == {str(one) for one in values}


def test_what_other_tests_take_for_a_status_is_one() -> None:
    assert problems(STATUS, StatusJson) == []


def test_every_field_has_a_meaning() -> None:
    for described in (StatusJson, DoorStateJson, ControllerStateJson):
        assert [row.name for row in fields(described) if not row.meaning] == []
