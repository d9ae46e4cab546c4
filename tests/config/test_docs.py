"""docs/configuration.md has every key there is, with its range, its default and what SIGHUP does."""

from __future__ import annotations

import re
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_core import PydanticUndefined

from edge.config.reading import MOST_ELEVATORS, MOST_FLOORS, kinds
from edge.model.roles import INPUTS, ROLES
from edge.settings.alerts import MOST_ALERTS, AlertTable, IntegrationsTable, NtfyTable, SmtpTable
from edge.settings.cameras import MOST_CAMERAS, CameraTable, PicturesTable
from edge.settings.commands import CommandKeyTable, CommandsTable
from edge.settings.door_tables import POINTS, DoorTable, ElevatorTable, FloorTable, InputTable, PointTable, RexTable
from edge.settings.home_assistant import HomeAssistantTable
from edge.settings.tables import (
    ControllerTable,
    ControlTable,
    DirectoryTable,
    LogTable,
    MqttTable,
)
from edge.settings.web import WebTable
from tests.support import points_page
from tests.support.configs import GOOD, settings_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

PAGES = Path(__file__).parents[2] / "docs"
PAGE = (PAGES / "configuration.md").read_text()
SECTIONS = {
    "`[controller]`": ControllerTable,
    "`[log]`": LogTable,
    "`[mqtt]`": MqttTable,
    "`[control]`": ControlTable,
    "`[directory]`": DirectoryTable,
    "`[home_assistant]`": HomeAssistantTable,
    "`[commands]`": CommandsTable,
    "`[commands.key.NAME]`": CommandKeyTable,
    "`[web]`": WebTable,
    "`[integrations]`": IntegrationsTable,
    "`[smtp]`": SmtpTable,
    "`[ntfy]`": NtfyTable,
    "`[alert.ID]`": AlertTable,
    "`[camera.ID]`": CameraTable,
    "`[pictures]`": PicturesTable,
    "`[door.ID]`": DoorTable,
}
KEYS = {"driver": PointTable, "debounce_ms": InputTable, "instability_ms": InputTable, "unlocks": RexTable}


def rows(heading: str) -> dict[str, list[list[str]]]:
    """The rows of all tables under a heading: key -> the cells after it."""
    [chapter] = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    found: dict[str, list[list[str]]] = {}
    for line in chapter.splitlines():
        if match := re.match(r"\| `(\w+)` \|(.*)\|$", line):
            found.setdefault(match[1], []).append([cell.strip() for cell in match[2].split(" | ")])
    return found


def said(field: FieldInfo) -> tuple[str, list[str]]:
    """The default as the page has it, and the figures of the range."""
    default: Any = field.default
    if isinstance(default, Enum):
        default = default.value
    if default is PydanticUndefined:
        text = "must be given"
    elif default is None or default == ():
        text = "none"
    elif isinstance(default, bool):
        text = f"`{str(default).lower()}`"
    elif isinstance(default, str | Path):
        text = f"`{default}`"
    else:
        text = f"{default:g}"
    return text, [
        f"{limit:.10g}" for m in field.metadata for a in ("ge", "le") if (limit := getattr(m, a, None)) is not None
    ]


def meant(cell: str, roles: Collection[str]) -> set[str]:
    """The roles that a cell of the column "points" names: some, all, every input, every input but one."""
    if cell == "all":
        return {*roles}
    every = {*INPUTS} if "every input" in cell else set[str]()
    return (every | {*re.findall(r"`(\w+)`", cell)}) - {*re.findall(r"but `(\w+)`", cell)}


def check(field: FieldInfo, cells: list[str], default_cell: int) -> None:
    default, figures = said(field)
    assert cells[default_cell].startswith(default), (
        f"docs/configuration.md: {cells} should say that the default is {default}"
    )
    described = re.findall(r"\d+(?:\.\d+)?", cells[default_cell - 1])
    assert described[: len(figures)] == figures, f"docs/configuration.md: {cells} should give the range {figures}"


@pytest.mark.parametrize(("heading", "model"), [*SECTIONS.items()], ids=[m.__name__ for m in SECTIONS.values()])
def test_every_key_of_every_section(heading: str, model: type[BaseModel]) -> None:
    written = rows(heading)
    keys = {key: field for key, field in model.model_fields.items() if model is not DoorTable or key not in ROLES}
    assert list(written) == list(keys), f"docs/configuration.md, {heading}: a row for each key, in the order of {model}"
    for key, field in keys.items():
        [cells] = written[key]
        assert cells[-1] in {"at once", "restart"}
        if (model, key) != (DoorTable, "name"):
            check(field, cells, 2)


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_key_of_every_driver(kind: str) -> None:
    module = import_module(f"drivers.{kind}.points")
    written = rows(f'`kind = "{kind}"`')
    assert written.keys() == module.Settings.model_fields.keys(), f"docs/configuration.md: a row for each key of {kind}"
    for key, field in module.Settings.model_fields.items():
        check(field, written[key][0], 2)
    written = rows(f"Points of `{kind}`")
    points = {
        role: {field.alias or key: field for key, field in model.model_fields.items()}
        for role, model in module.POINTS.items()
    }
    assert written.keys() == {key for fields in points.values() for key in fields}, (
        f"docs/configuration.md, Points of `{kind}`: a row for each key"
    )
    for role, fields in points.items():
        for key, field in fields.items():
            default, _ = said(field)
            assert default in written[key][0][-1], f"{role}.{key}"
    for key, [cells] in written.items():
        assert meant(cells[1], points) == {role for role, fields in points.items() if key in fields}, key


def test_the_table_of_points_is_written_from_the_roles() -> None:
    behind = f"docs/configuration.md is behind edge/model/roles.py: renew it with {points_page.COMMAND}"
    assert points_page.written(PAGE) == PAGE, behind


def test_every_point_and_its_keys() -> None:
    written = rows("Points")
    assert set(written) == {*ROLES, *KEYS}, "docs/configuration.md, Points: a row for each role and each key"
    assert set(KEYS) == {key for model in POINTS.values() for key in model.model_fields}
    for key, model in KEYS.items():
        field = model.model_fields[key]
        [cells] = written[key]
        if key in {"driver", "unlocks"}:
            check(field, cells, 3)
        assert meant(cells[1], ROLES) == {role for role, has in POINTS.items() if key in has.model_fields}


def test_every_key_of_elevators_and_their_floors() -> None:
    written = rows("`[elevator.ID]`")
    keys = [*ElevatorTable.model_fields, *FloorTable.model_fields]
    assert list(written) == keys, (
        "docs/configuration.md, `[elevator.ID]`: a row for each key, in the order of the tables"
    )
    for key, field in {**ElevatorTable.model_fields, **FloorTable.model_fields}.items():
        [cells] = written[key]
        needed = field.is_required() or key == "floor"
        assert cells[-2:] == ["must be given" if needed else "the id" if key == "name" else "none", "restart"]
    assert written["floor"][0][1] == f"1 to {MOST_FLOORS} floors"
    assert f"There may be {MOST_ELEVATORS};" in PAGE


def test_the_elevator_on_the_page_is_a_good_one(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(\[elevator.*?)```", PAGE, re.DOTALL)
    assert 'reader = { driver = "line", address = 5 }' in example
    simple = example.replace('driver = "line", address = 5', 'driver = "sim"').replace('"gpio"', '"gp"')
    assert set(settings_of(tmp_path, GOOD + simple).drivers["gp"].points) == {"lift/ground.lock", "lift/ground.rex"}


def test_how_many_alerts_there_may_be() -> None:
    assert f"alerts.md). There may be {MOST_ALERTS}." in PAGE


def test_how_many_cameras_there_may_be() -> None:
    assert f"cameras.md). There may be {MOST_CAMERAS}." in PAGE


def test_the_alerts_on_their_page_are_good_ones(tmp_path: Path) -> None:
    examples = "".join(re.findall(r"```toml\n(.*?)```", (PAGES / "alerts.md").read_text(), re.DOTALL))
    settings = settings_of(tmp_path, f'{GOOD}buzzer = {{ driver = "sim" }}\n{examples}')
    assert (settings.alerts["forced"].escalate_to.webhook, settings.smtp.host) == (("pager",), "mail.example.org")
    assert settings.alerts["held"].actions.ntfy == ("doors-guard",)


def test_what_the_page_says_of_sighup_is_what_happens() -> None:
    """Compare with tests/settings/test_controller.py, which shows it."""
    at_once = {key for key, [cells] in rows("`[door.ID]`").items() if cells[-1] == "at once"}
    shown = (Path(__file__).parents[1] / "settings" / "test_controller.py").read_text()
    [policy] = re.findall(r"\[\n(.*?)\n    \],\n\)\ndef test_a_running_door", shown, re.DOTALL)
    assert at_once == set(re.findall(r'"(\w+)"\),', policy))
