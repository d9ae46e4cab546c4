"""Whatever can be wrong with a door is on every display: each row of KINDS, and one that nobody wrote a display for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.cli.status import lines, well
from edge.cli.watching.screen import screen
from edge.cli.watching.view import View
from edge.diagnosis.diagnose import diagnose
from edge.diagnosis.facts import DaemonFacts, Facts, at_us
from edge.doors.conditions import KINDS, ConditionKind
from edge.model.catalogue import Severity
from edge.model.published.doors import DoorJson, DoorStateJson
from edge.system.metrics import Counters, text
from edge.web.pages.tiles import zones
from edge.web.words import Words
from tests.support.house import House, live, write_config
from tests.support.published import problems
from tests.upstream.test_home_assistant import parts, render, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEW = ConditionKind("window_broken", Severity.ALARM, "window broken", lambda _door: None)
LATER = timedelta(hours=2)
"""Some findings are none at once."""


def on_watch(status: dict[str, Any], width: int) -> str:
    """The line of the door, if it begins with the mark of its worst condition."""
    [condition, *_] = status["doors"]["front"].get("conditions") or [{"severity": "warning"}]
    mark = "!!" if condition["severity"] == "alarm" else " !"
    return "\n".join(line.text for line in screen(View(status), width, 24, 0) if line.text.startswith(mark))


def on_the_page(status: dict[str, Any]) -> str:
    [zone] = zones(status, Words(ZoneInfo("UTC")), named=True)
    [tile] = zone["doors"]
    assert tile["tone"] != "calm"
    return str(tile["says"]["headline"])


def in_diagnose(status: dict[str, Any]) -> str:
    later_us = at_us(status["clock"]["time"]) + round(LATER.total_seconds() * 1e6)
    found = diagnose(Facts(later_us, "0", DaemonFacts.from_json(status)))
    return "\n".join(seen for one in found for seen in one.evidence)


DISPLAYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "doorctl status": lambda status: "\n".join(text for text, _ in lines(status)),
    "doorctl watch": lambda status: on_watch(status, 120),
    "doorctl watch on a narrow screen": lambda status: on_watch(status, 45),
    "doorctl diagnose": in_diagnose,
    "the page": on_the_page,
    "figures": lambda status: text(status, Counters(), 0).replace("_", " "),
}


def wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts of a daemon, and the retained state of its door, with which one thing is wrong, or nothing."""
    for kind in (*KINDS.values(), NEW):
        detail = "why" if kind.code == code else None
        monkeypatch.setitem(KINDS, kind.code, replace(kind, detail=lambda _door, detail=detail: detail, needs=None))
    found: list[dict[str, Any]] = []

    async def script(house: House) -> None:
        found.extend(
            json.loads(json.dumps([house.daemon.status.with_inputs(), house.daemon.retained.door_state("front")]))
        )

    live(write_config(tmp_path), script)
    status, state = found
    return status, state


@pytest.mark.parametrize("code", [*KINDS, NEW.code])
def test_no_display_forgets_what_is_wrong_with_a_door(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, state = wrong(monkeypatch, tmp_path, code)
    kind = KINDS[code]
    [listed] = status["doors"]["front"]["conditions"]
    assert {**listed, "since": ""} == {
        "code": code, "severity": kind.severity.value, "since": "", "message": kind.words, "detail": "why",
    }  # fmt: skip
    assert datetime.fromisoformat(listed["since"]).tzinfo == UTC
    assert state["conditions"] == [listed]
    assert problems(state, DoorStateJson) + problems(status["doors"]["front"], DoorJson) == []
    assert not well(status), "doorctl status ends with 1"
    for name, show in DISPLAYS.items():
        shown = show(status).casefold()
        looked_for = code.replace("_", " ") if name == "figures" else kind.words
        assert looked_for in shown, f"{name} forgets {code}"
    (tmp_path / "ha").mkdir()
    sensors = parts(settings_of(tmp_path / "ha"))
    named = [one for one in sensors.values() if one.get("name") == kind.words.capitalize()]
    assert [render(one["value_template"], value_json=state) for one in named] == ["ON"], "Home Assistant forgets it"
    [told] = [render(one["json_attributes_template"], value_json=state) for one in named]
    assert json.loads(told) == {"reason": "why"}


def test_a_door_that_is_well_has_nothing_wrong_on_any_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, state = wrong(monkeypatch, tmp_path, None)
    assert (status["doors"]["front"]["conditions"], state["conditions"]) == ([], [])
    assert well(status)
    assert "door_condition{" not in text(status, Counters(), 0)
    assert [kind.code for kind in KINDS.values() if kind.words in in_diagnose(status)] == []
    (tmp_path / "ha").mkdir()
    problems = [one for one in parts(settings_of(tmp_path / "ha")).values() if "reason" in json.dumps(one)]
    assert len(problems) == len(KINDS)
    assert {render(one["value_template"], value_json=state) for one in problems} == {"OFF"}


def test_a_doord_from_before_an_update_is_not_shown_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _ = wrong(monkeypatch, tmp_path, None)
    del status["doors"]["front"]["conditions"]
    assert not well(status)
    for name, show in DISPLAYS.items():
        if name != "figures":  # they are doord's own
            assert "restart doord" in show(status).casefold() or name.endswith("narrow screen"), name
