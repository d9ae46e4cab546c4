"""A light for each part of the controller."""

from __future__ import annotations

from typing import Any

import pytest

from edge.diagnosis.facts import DaemonFacts, MachineFacts
from edge.web.lights import lights
from tests.support.control import door, status


def shown(machine: MachineFacts | None = None, **changed: Any) -> dict[str, tuple[str, str, str]]:
    told = status(**changed)
    made = lights(told, DaemonFacts.from_json(told), machine)
    assert all(one.word for one in made), "never a colour alone"
    return {one.name: (one.tone, one.word, one.detail) for one in made}


def driver(kind: str = "simulated", state: str = "online", reason: str | None = None, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "state": state, "reason": reason, "since": "2026-11-22T20:57:03.000000Z", "facts": facts}


def test_all_is_well() -> None:
    found = shown()
    assert found["Board bench"] == ("good", "Works", "simulated")
    assert found["Clock"] == ("good", "Set", "by the network")
    assert found["Log"] == ("good", "Writes", "")
    assert found["Upstream"][:2] == ("good", "Online")
    assert not any("Battery" in name or "Power" in name for name in found), "what nobody reports has no light"


def test_what_is_lost_says_why() -> None:
    points = {"lock": "bench", "reader": "bench"}
    found = shown(drivers={"bench": driver(state="lost", reason="no such line")}, doors={"front": door(points=points)})
    assert found["Board bench"] == ("alarm", "Lost", "simulated: no such line")
    assert found["Reader of Front door"] == ("alarm", "Lost", "bench is lost")
    assert shown(doors={"front": door(points=points)})["Reader of Front door"][0] == "good"


@pytest.mark.parametrize(
    ("facts", "name", "says"),
    [
        ({"state": "online"}, "Reader 0 on line", ("good", "Works", "")),
        ({"state": "lost", "reason": "no answer"}, "Reader 0 on line", ("alarm", "Lost", "no answer")),
        ({"state": "online", "secure": "default key"}, "Reader 0 on line", ("warning", "Not secure", "")),
        ({"state": "online", "power_failure": True},
         "Battery of 0 on line", ("alarm", "Power fails", "by its own report")),
    ],
)  # fmt: skip
def test_readers_on_a_line_answer_for_themselves(facts: Any, name: str, says: Any) -> None:
    line = driver("osdp", devices={"0": {"reason": None} | facts})
    points = {"lock": "line", "reader": "line"}
    found = shown(drivers={"line": line}, doors={"front": door(points=points)})
    assert found[name] == says
    assert "Reader of Front door" not in found, "told once"


@pytest.mark.parametrize(
    ("bits", "tone", "word"), [(0, "good", "Good"), (0x50000, "warning", "Was low"), (0x50005, "alarm", "Low")]
)
def test_the_voltage(bits: int, tone: str, word: str) -> None:
    assert shown(MachineFacts(throttled=bits))["Power of the controller"][:2] == (tone, word)


def test_clock_log_and_upstream_that_do_not_work() -> None:
    known = status()
    found = shown(
        clock=known["clock"] | {"quality": "unsynced"},
        log=known["log"] | {"writer": "disk_full", "error": "no space"},
        upstream=known["upstream"] | {"state": "no_subscriber", "last_error": "nobody listens"},
    )
    assert found["Clock"][:2] == ("warning", "Not set")
    assert found["Log"] == ("alarm", "Does not write", "no space")
    assert found["Upstream"] == ("warning", "No subscriber", "nobody listens")
    assert shown(upstream=None)["Upstream"] == ("off", "None", "the log is the only record")
