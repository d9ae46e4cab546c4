"""The dashboard for Grafana: its form by Grafana's own types, its questions by Prometheus, its figures by doord's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.doors.modes import Mode
from edge.model.catalogue import CATALOGUE
from edge.system.metrics import ALARMS, Counters, text
from tests.support.control import door, status
from tests.system.test_metrics import FULL, S_NS, figures, promtool

if TYPE_CHECKING:
    from collections.abc import Iterator

BOARD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "config" / "grafana-doorward.json").read_text())
VARIABLES = {"$site": "hq", "$controller": "lobby", "$__range": "1h"}
LOOSE = {"definition", "step", "titleFormat", "textFormat"}
"""Keys that Grafana writes itself and whose types it leaves open: of a variable's query, of an annotation's."""


def panels(of: dict[str, Any] = BOARD) -> Iterator[dict[str, Any]]:
    """All panels, those in collapsed rows too."""
    for panel in of["panels"]:
        yield panel
        if "panels" in panel:
            yield from panels(panel)


def titled(title: str) -> dict[str, Any]:
    [found] = [panel for panel in panels() if panel["title"] == title]
    return found


def asked() -> list[str]:
    """Every question to Prometheus, with the variables filled in."""
    notes = BOARD["annotations"]["list"]
    found = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    return [filled(expr) for expr in (*found, *(note["expr"] for note in notes))]


def filled(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def test_grafanas_own_types_read_the_whole_dashboard() -> None:
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    from grafana_foundation_sdk.cog import encoder, plugins  # noqa: PLC0415 -- where it is installed

    plugins.register_default_plugins()
    read = json.loads(encoder.JSONEncoder().encode(models.Dashboard.from_json(BOARD)))
    assert {key for key in lost(BOARD, read) if key not in LOOSE} == set(), "keys or values that Grafana has not"


def lost(ours: Any, theirs: Any, key: str = "") -> Iterator[str]:
    """The keys of ours that came back missing or changed."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from lost(value, theirs[name], name) if name in theirs else (name,)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            yield from lost(one, other, key)
    elif ours != theirs:
        yield key


def test_what_the_dashboard_asks_can_be_asked(tmp_path: Path) -> None:
    rules = [{"record": f"asked:{n}", "expr": expr} for n, expr in enumerate(asked())]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    code, said = promtool("check", "rules", str(file))
    assert code == 0, said
    assert f"{len(rules)} rules found" in said


def test_the_dashboard_asks_for_no_figure_that_doord_has_not() -> None:
    names = set(re.findall(r"^# TYPE (doorward_\w+)", text(FULL, Counters(), S_NS), re.MULTILINE))
    whole = json.dumps(BOARD)
    assert {*re.findall(r"doorward_\w+", whole)} <= names
    types = {one for expr in asked() for one in re.findall(r"(?:lock|reader|controller_input)\.\w+", expr)}
    assert types
    assert types <= CATALOGUE.keys()
    modes = {mode for expr in asked() for mode in re.findall(r'mode="(\w+)"', expr)}
    assert modes == {mode.value for mode in Mode} - {"locked"}, "locked is what is none of the others"
    assert {alarm for expr in asked() for alarm in re.findall(r'alarm="(\w+)"', expr)} == {*ALARMS}


def test_panels_lie_beside_each_other_and_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids)) > 20
    for group in (BOARD, *(panel for panel in panels() if "panels" in panel)):
        taken: set[tuple[int, int]] = set()
        for panel in group["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert at["x"] + at["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells


def test_people_see_doors_first_and_technicians_open_a_row() -> None:
    [row] = [panel for panel in BOARD["panels"] if panel["type"] == "row"]
    assert row is BOARD["panels"][-1]
    assert row["collapsed"]
    assert len(row["panels"]) > 8
    assert [one["name"] for one in BOARD["templating"]["list"]] == ["datasource", "site", "controller"]
    for panel in panels():
        for target in panel.get("targets", ()):
            assert {"$site", "$controller"} <= {*re.findall(r"\$[a-z]+", target["expr"])}, panel["title"]


def check_answer(title: str, tmp_path: Path, doors: dict[str, Any], expected: dict[str, float]) -> None:
    """That Prometheus answers a panel's question so, by the labels of each series, where doord exports these doors."""
    [target] = titled(title)["targets"]
    series = []
    for name, value in figures(text(status(doors=doors), Counters(), S_NS)).items():
        family, _, labels = name.partition("{")
        scraped = ",".join(['job="doorward",instance="pi"', *([labels.removesuffix("}")] if labels else [])])
        series.append({"series": f"{family}{{{scraped}}}", "values": f"{value:g}x10"})
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    wanted = {"expr": filled(target["expr"]), "eval_time": "5m", "exp_samples": samples}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [wanted]}
    file = tmp_path / "test.json"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    code, said = promtool("test", "rules", str(file))
    assert code == 0, said


def of_doors(title: str, shown: dict[str, str]) -> dict[str, float]:
    """Door -> what the panel shows, as the labels and numbers that its mappings turn into that."""
    options = titled(title)["fieldConfig"]["defaults"]["mappings"][0]["options"]
    numbers = {option["text"]: float(number) for number, option in options.items()}
    return {f'{{controller="lobby", door="{door}"}}': numbers[words] for door, words in shown.items()}


def test_the_timelines_name_what_each_door_does(tmp_path: Path) -> None:
    names = {
        "locked": "Locked",
        "accessed": "Let in",
        "unlocked": "Unlocked",
        "blocked": "Blocked",
        "locked_down": "Locked down",
        "locked_open": "Released by the fire panel",
    }
    doors = {mode.value: door(mode=mode.value) for mode in Mode}
    check_answer("Locks", tmp_path, doors, of_doors("Locks", names))
    doors = {
        "shut": door(contact="closed"),
        "wide": door(contact="open"),
        "held": door(contact="open", alarm="held_open"),
        "forced": door(contact="open", alarm="forced_open"),
    }
    names = {"shut": "Closed", "wide": "Open", "held": "Held open", "forced": "Forced open"}
    check_answer("Doors and alarms", tmp_path, doors, of_doors("Doors and alarms", names))
    check_answer("Alarms now", tmp_path, doors, {"{}": 2})
    check_answer("Doors open", tmp_path, doors, {"{}": 3})


def test_no_alarm_is_a_nought_and_no_controller_is_no_answer(tmp_path: Path) -> None:
    check_answer("Alarms now", tmp_path, {"front": door()}, {"{}": 0})
    check_answer("Controllers away", tmp_path, {"front": door()}, {"{}": 0})
    check_answer("Alarms now", tmp_path, {}, {})
