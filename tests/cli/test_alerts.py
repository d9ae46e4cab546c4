"""`doorctl alerts`, `acknowledge`, `integration`: what they say, and their exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon

if TYPE_CHECKING:
    from pathlib import Path

ALERT = {
    "alert": "forced-7",
    "policy": "forced",
    "door": "front",
    "message": "Front door forced open",
    "count": 3,
    "raised": "2026-11-22T21:57:03.000000Z",
    "escalated": False,
}
OPEN = {"open": [ALERT], "waiting": {"email": 2}, "last_errors": {"email": "mail.example.org answered 451"}}
SINK = {
    "name": "Pager",
    "kind": "webhook",
    "state": "ok",
    "cursor": 7,
    "backlog": 2,
    "delivered": 5,
    "failed_of_latest": [0, 5],
    "last_error": None,
}


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


def test_open_alerts_are_listed_and_are_a_finding(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, alerts=OPEN):
        said = doorctl("alerts")
        assert said.code == 1
        assert all(word in said.out for word in ("forced-7", "front", "3", "Front door forced open"))
        assert said.lines[-1] == "email: 2 messages wait: mail.example.org answered 451"
        assert doorctl("--json", "alerts").json == OPEN


def test_no_alert_is_well(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, alerts={"open": [], "waiting": {}, "last_errors": {}}):
        assert (doorctl("alerts").code, doorctl("alerts").lines) == (0, ["no alert is open"])


def test_what_each_way_of_a_policy_answered_is_shown(doorctl: Doorctl) -> None:
    siren = {"way": "siren front", "taken": None, "answer": "not tested: give --siren"}
    well = {"way": "ntfy:doors", "taken": True, "answer": None}
    with FakeDaemon(doorctl.socket, test_alert={"policy": "forced", "answers": [well, siren]}) as daemon:
        said = doorctl("alerts", "test", "forced")
        assert daemon.asked == [{"op": "test_alert", "policy": "forced", "siren": False}]
        assert said.code == 0
        assert [line.split() for line in said.lines[1:]] == [
            ["ntfy:doors", "taken", "-"],
            ["siren", "front", "-", "not", "tested:", "give", "--siren"],
        ]
        assert doorctl("alerts", "test", "forced", "--siren", "--json").json["answers"] == [well, siren]
        assert daemon.asked[-1]["siren"] is True
    bad = {"way": "email ann@example.org", "taken": False, "answer": "it is down"}
    with FakeDaemon(doorctl.socket, test_alert={"policy": "forced", "answers": [well, bad]}):
        said = doorctl("alerts", "test", "forced")
        assert said.code == 1
        assert said.lines[-1].split() == ["email", "ann@example.org", "FAILED", "it", "is", "down"]


def test_an_alert_is_answered(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, acknowledge={"alert": "forced-7", "count": 3}) as daemon:
        assert doorctl("acknowledge", "forced-7").lines == ["forced-7 is acknowledged"]
        assert daemon.asked == [{"op": "acknowledge", "alert": "forced-7"}]


def test_integrations_are_listed_and_a_disabled_one_is_a_finding(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, integrations={"pager": SINK}):
        assert doorctl("integration", "list").code == 0
    with FakeDaemon(doorctl.socket, integrations={"pager": {**SINK, "state": "disabled", "last_error": "it is down"}}):
        said = doorctl("integration", "list")
        assert said.code == 1
        assert "it is down" in said.out
    with FakeDaemon(doorctl.socket, integrations={}):
        assert doorctl("integration", "list").lines == ["there is no integration"]


def test_an_integration_is_enabled(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, enable_integration={}) as daemon:
        assert doorctl("integration", "enable", "pager").lines == ["pager is enabled"]
        assert daemon.asked == [{"op": "enable_integration", "integration": "pager"}]
