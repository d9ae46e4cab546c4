"""The configuration: a TOML file becomes frozen settings, or a list of everything wrong with it.

One rule: `Settings` need no further check, and a `ConfigError` has all problems of the file at once.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import tomllib
from collections import defaultdict
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

import drivers
from edge.model.plain_text import text_of
from edge.model.policy import DoorPolicy, Relock, Timing
from edge.model.problems import ConfigError, Problem, ProblemReport, alternatives, dotted, meant, shown
from edge.model.roles import CONTACT, LOCK, READER, RELEASE, REX, SITE
from edge.settings import tables
from edge.settings.alerts import MOST_ALERTS, AlertTable, IntegrationsTable, NtfyTable, SmtpTable
from edge.settings.cameras import MOST_CAMERAS, CameraTable, PicturesTable
from edge.settings.commands import CommandKeyTable, CommandsTable
from edge.settings.controller import (
    CommandSettings,
    DoorSettings,
    DriverPoints,
    DriverSettings,
    ElevatorSettings,
    FloorSettings,
    KeySettings,
    Settings,
)
from edge.settings.door_tables import POINTS, DoorTable, ElevatorTable, FloorTable, InputTable, PointTable, RexTable
from edge.settings.home_assistant import HomeAssistantTable
from edge.settings.tables import ControllerTable, ControlTable, DirectoryTable, LogTable, MetricsTable, MqttTable
from edge.settings.web import WebTable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge.settings.alert_policies import AlertPolicy
    from edge.settings.reports import ReportTable

DEFAULT_PATH: Final = Path("/etc/doorward/doorward.toml")
LARGEST_FILE: Final = 1 << 20
"""Bytes; a larger file is refused unread."""
MOST_DOORS: Final = 1024
MOST_ELEVATORS: Final = 64
MOST_FLOORS: Final = 256
MOST_KEYS: Final = 16
"""Of each kind; in the worst case all of them are tried on a message."""
"""Prefix of the names of points that belong to no door; no door may have this id."""

_SECTIONS: Final[dict[str, type[tables.Table]]] = {
    "controller": ControllerTable,
    "log": LogTable,
    "mqtt": MqttTable,
    "control": ControlTable,
    "commands": CommandsTable,
    "directory": DirectoryTable,
    "integrations": IntegrationsTable,
    "home_assistant": HomeAssistantTable,
    "metrics": MetricsTable,
    "ntfy": NtfyTable,
    "pictures": PicturesTable,
    "smtp": SmtpTable,
    "web": WebTable,
}
_OPTIONAL: Final = frozenset({"mqtt", "ntfy", "smtp", "home_assistant"})
"""Sections that switch something on by being present."""
_LATER: Final = frozenset({"driver", "door"})
"""A controller may have none: it is installed so, before the wiring is configured."""
_POLICY: Final = frozenset(DoorTable.model_fields) & frozenset(DoorPolicy.__dataclass_fields__)
_NAMED: Final = ("driver", "door", "elevator", "report", "alert", "camera")
_Table = TypeVar("_Table", bound=BaseModel)


def load(path: Path) -> Settings:
    """Read and check a configuration. Raises ConfigError with every problem found."""
    return settings_from(content_of(path), path)


def content_of(path: Path) -> bytes:
    """The content of a configuration file, unchecked; blocks. Raises ConfigError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError([Problem(path, "", f"cannot be read: {error.strerror}")]) from None
    if len(content) > LARGEST_FILE:
        problem = f"found more than {LARGEST_FILE} bytes, expected a configuration file"
        raise ConfigError([Problem(path, "", problem)])
    return content


def settings_from(content: bytes, path: Path, without: Collection[str] = ()) -> Settings:
    """Check the content of the file at `path`, ignoring the sections `without`. ConfigError with every problem."""
    report = ProblemReport(path)
    document = _document(content, report)
    if document is None:
        raise ConfigError(report.problems)
    document = {key: value for key, value in document.items() if key not in without}
    settings = _Reading(path, document, report).settings()
    if report.problems or settings is None:
        raise ConfigError(report.problems)
    return settings


@cache  # a check as another user may not be able to read this folder
def kinds() -> frozenset[str]:
    """Every driver kind: the packages in `drivers`."""
    return frozenset(found.name for found in pkgutil.iter_modules(drivers.__path__) if found.ispkg)


def _document(content: bytes, report: ProblemReport) -> dict[str, Any] | None:
    try:
        text = text_of(content)
    except ValueError as error:
        report.add("", f"{error}, expected TOML")
        return None
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or a number with thousands of digits
        report.add("", _syntax(str(error)))
    except RecursionError:
        report.add("", "found brackets nested too deeply, expected TOML")
    return None


def _syntax(message: str) -> str:
    match = re.fullmatch(r"(?P<text>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", message)
    if match is None:
        return f"expected TOML: {message}"
    where = f"line {match['line']}, column {match['column']}" if match["line"] else "end of file"
    return f"{where}: {match['text']}, expected TOML"


class _Reading:
    """One pass over a document. Problems go into the report, and reading goes on."""

    def __init__(self, path: Path, document: dict[str, Any], report: ProblemReport) -> None:
        self.path, self.document, self.report = path, document, report
        self.places = {
            "folder": path.absolute().parent,
            "credentials": Path(os.environ.get("CREDENTIALS_DIRECTORY", tables.CREDENTIALS)),
        }
        self.modules: dict[str, DriverPoints] = {}
        self.points: dict[str, dict[str, BaseModel]] = {}
        self.taken: dict[tuple[str, str], str] = {}

    def settings(self) -> Settings | None:
        for key in self.document:
            if key not in {*_SECTIONS, *_NAMED}:
                self.report.add(key, f"unknown section, {meant(key, {*_SECTIONS, *_NAMED})}")
        sections = {
            name: self.section(name, model)
            for name, model in _SECTIONS.items()
            if name not in _OPTIONAL or name in self.document
        }
        drivers_ = {
            name: self.driver(name, table) for name, table in self.named("driver", self.document.get("driver")).items()
        }
        controller = cast("ControllerTable | None", sections["controller"])
        release, timing = self.release(controller)
        declared = self.named("door", self.document.get("door"))
        doors = {name: self.door(name, table) for name, table in declared.items()}
        self.groups()
        if "home_assistant" in self.document and "mqtt" not in self.document:
            self.report.add(
                "home_assistant", "found without [mqtt], expected that section too: it works over the broker"
            )
        commands = self.commands(cast("CommandsTable | None", sections["commands"]), declared)
        elevators = self.elevators(declared)
        reports = self.reports()
        alerts = self.alerts(declared)
        cameras = self.cameras(declared)
        if self.report.problems:
            return None
        assert controller is not None  # noqa: S101 - it would have been reported
        return Settings(
            file=self.path.absolute(),
            controller=controller,
            log=cast("LogTable", sections["log"]),
            mqtt=cast("MqttTable | None", sections.get("mqtt")),
            control=cast("ControlTable", sections["control"]),
            commands=commands,
            directory=cast("DirectoryTable", sections["directory"]),
            web=cast("WebTable", sections["web"]),
            drivers=MappingProxyType({n: self.with_points(n, d) for n, d in drivers_.items() if d}),
            doors=MappingProxyType({name: door for name, door in doors.items() if door}),
            elevators=MappingProxyType({name: elevator for name, elevator in elevators.items() if elevator}),
            release=release,
            release_timing=timing,
            reports=MappingProxyType({name: report for name, report in reports.items() if report}),
            metrics=cast("MetricsTable", sections["metrics"]),
            home_assistant=cast("HomeAssistantTable | None", sections.get("home_assistant")),
            integrations=cast("IntegrationsTable", sections["integrations"]),
            smtp=cast("SmtpTable | None", sections.get("smtp")),
            ntfy=cast("NtfyTable | None", sections.get("ntfy")),
            alerts=MappingProxyType({name: policy for name, policy in alerts.items() if policy}),
            cameras=MappingProxyType({name: camera for name, camera in cameras.items() if camera}),
            pictures=cast("PicturesTable", sections["pictures"]),
        )

    def section(self, name: str, model: type[_Table]) -> _Table | None:
        """A section that is missing gets its defaults if it has them, without the cost of building a validator."""
        if name not in self.document and not any(field.is_required() for field in model.model_fields.values()):
            return model.model_construct()
        return self.table(name, model, self.document.get(name, {}))

    def table(self, key: str, model: type[_Table], value: object, also: Collection[str] = ()) -> _Table | None:
        if not isinstance(value, dict):
            self.report.add(key, f"found {shown(value)}, expected a table")
            return None
        try:
            return model.model_validate(value, context=self.places)
        except ValidationError as error:
            self.report.add_errors(key, model, error, also)
            return None

    def named(self, section: str, value: object, most: int = MOST_DOORS) -> dict[str, Any]:
        """The tables of `[section.NAME]`, whose names must be ids. A section that is present must have at least one."""
        value = {} if value is None else value
        if not isinstance(value, dict):
            self.report.add(section, f"found {shown(value)}, expected tables called [{section}.NAME]")
            return {}
        if not value and (section in self.document or section not in _LATER):
            self.report.add(section, f"missing, expected at least one table called [{section}.NAME]")
        if len(value) > most:
            self.report.add(section, f"found {len(value)} tables, expected at most {most}")
            return {}
        for name in value:
            if not tables.ID.fullmatch(name):
                self.report.add(dotted(section, name), f"found {shown(name)}, expected {tables.ID_EXPECTED}")
            elif name == SITE and section in {"door", "elevator"}:
                self.report.add(dotted(section, name), "found a name that the controller itself has, expected another")
        return value

    def commands(self, commands: CommandsTable | None, doors: Collection[str]) -> CommandSettings:
        if commands is None:
            return CommandSettings()
        keys = [KeySettings(f"commands.keys[{i}]", file.name, file) for i, file in enumerate(commands.keys)]
        if commands.key is not None:
            declared = self.named("commands.key", commands.key, MOST_KEYS)
            checked = [self.key(dotted("commands.key", name), name, table, doors) for name, table in declared.items()]
            keys += [key for key in checked if key is not None]
        return CommandSettings(tuple(keys))

    def key(self, key: str, name: str, value: object, doors: Collection[str]) -> KeySettings | None:
        table = self.table(key, CommandKeyTable, value)
        if table is None:
            return None
        for i, door in enumerate(table.doors or ()):
            if door not in doors:
                self.report.add(dotted(key, "doors", i), f"found {shown(door)}, {meant(door, doors)}")
        commands = None if table.commands is None else frozenset(table.commands)
        return KeySettings(key, name, table.file, commands, None if table.doors is None else frozenset(table.doors))

    def driver(self, name: str, table: object) -> DriverSettings | None:
        key = dotted("driver", name)
        if not isinstance(table, dict):
            self.report.add(key, f"found {shown(table)}, expected a table")
            return None
        own = dict(table)
        kind = own.pop("kind", None)
        if kind is None:
            self.report.add(dotted(key, "kind"), f"missing, expected {alternatives(sorted(kinds()))}")
            return None
        if not isinstance(kind, str) or kind not in kinds():
            self.report.add(dotted(key, "kind"), f"found {shown(kind)}, {meant(str(kind), kinds())}")
            return None
        module = cast("DriverPoints", importlib.import_module(f"drivers.{kind}.points"))
        self.modules[name], self.points[name] = module, {}
        settings = self.table(key, module.Settings, own, also=("kind",))
        return None if settings is None else DriverSettings(name, kind, settings, {}, module)

    def with_points(self, name: str, driver: DriverSettings) -> DriverSettings:
        points = MappingProxyType(self.points[name])
        return DriverSettings(name, driver.kind, driver.settings, points, driver.module)

    def release(self, controller: ControllerTable | None) -> tuple[str | None, Timing]:
        timing = Timing()
        if controller is None or controller.release is None:
            return None, timing
        point = self.point("controller.release", f"{SITE}.{RELEASE.name}", RELEASE.name, controller.release)
        if point is None:
            return None, timing
        return point.driver, self.timing("controller.release", cast("InputTable", point), timing)

    def point(
        self, key: str, name: str, role: str, wires: dict[str, Any], shape: type[PointTable] | None = None
    ) -> PointTable | None:
        """Check one point with the models of its role and its driver, and note the hardware address that it uses."""
        shape = shape or POINTS[role]
        common = self.table(key, shape, wires)
        driver = wires.get("driver")
        if not isinstance(driver, str):
            return common
        declared = self.document.get("driver", {})
        if driver not in self.modules:
            if not isinstance(declared, dict) or driver not in declared:  # a broken one has been reported already
                known = declared if isinstance(declared, dict) else {}
                self.report.add(dotted(key, "driver"), f"found {shown(driver)}, {meant(driver, known)}")
            return common
        module = self.modules[driver]
        if role not in module.POINTS:
            offered = alternatives(sorted(module.POINTS))
            self.report.add(key, f'the driver "{driver}" carries no {role}, expected {offered}')
            return common
        own = {k: v for k, v in wires.items() if k not in shape.model_fields}
        model = self.table(key, module.POINTS[role], own, also=shape.model_fields)
        if model is not None:
            self.points[driver][name] = model
        else:
            model = _as_far_as_right(module.POINTS[role], own)
        with suppress(AttributeError):  # without its line, say
            self.occupy(key, driver, module.addresses(model) if model is not None else ())
        return common

    def occupy(self, key: str, driver: str, addresses: Collection[str]) -> None:
        for address in addresses:
            other = self.taken.setdefault((driver, address), key)
            if other != key:
                self.report.add(key, f'{address} of the driver "{driver}" is already used by {other}')

    def timing(self, key: str, point: InputTable, default: Timing) -> Timing:
        debounce_ms = default.debounce_ms if point.debounce_ms is None else point.debounce_ms
        instability_ms = default.instability_ms if point.instability_ms is None else point.instability_ms
        if instability_ms < debounce_ms:
            message = f"found {instability_ms}, expected at least debounce_ms, which is {debounce_ms} milliseconds"
            self.report.add(dotted(key, "instability_ms"), message)
        return Timing(debounce_ms, instability_ms)

    def door(self, name: str, value: object) -> DoorSettings | None:
        key = dotted("door", name)
        door = self.table(key, DoorTable, value)
        raw = value if isinstance(value, dict) else {}
        points = {
            role: self.point(dotted(key, role), f"{name}.{role}", role, raw[role])
            for role in POINTS
            if isinstance(raw.get(role), dict)
        }
        inputs = {role: point for role, point in points.items() if isinstance(point, InputTable)}
        if door is None:
            for role, point in inputs.items():
                if point.debounce_ms is not None and point.instability_ms is not None:  # wrong for any door
                    self.timing(dotted(key, role), point, Timing())
            return None
        if door.relock is Relock.CLOSED and CONTACT.name not in raw:
            message = 'found "closed" at a door without a contact, expected a contact that shows when it is closed'
            self.report.add(dotted(key, "relock"), message)
        default = self.timing(key, InputTable(driver=""), Timing(door.debounce_ms, door.instability_ms))
        timing = {role: self.timing(dotted(key, role), point, default) for role, point in inputs.items()}
        contact, rex = timing.get(CONTACT.name, default), points.get(REX.name)
        chosen = {k: getattr(door, k) for k in _POLICY} | {
            "rex_unlocks": rex.unlocks if isinstance(rex, RexTable) else True,
            # the contact may bounce just as long
            "rex_settle_ms": 2 * timing[REX.name].debounce_ms if REX.name in timing else 0,
            "has_contact": CONTACT.name in points,
            "debounce_ms": contact.debounce_ms,
            "instability_ms": contact.instability_ms,
        }
        carried = {role: point.driver for role, point in points.items() if point}
        wired = MappingProxyType(carried), MappingProxyType(timing)
        return DoorSettings(name, door.name or name, DoorPolicy(**chosen), *wired, door.zone)

    def reports(self) -> dict[str, ReportTable | None]:
        if "report" not in self.document:
            return {}
        from edge.settings.reports import MOST_REPORTS, ReportTable  # noqa: PLC0415 -- locks need not wait for what is not used

        declared = self.named("report", self.document["report"], MOST_REPORTS)
        return {name: self.table(dotted("report", name), ReportTable, table) for name, table in declared.items()}

    def alerts(self, doors: dict[str, Any]) -> dict[str, AlertPolicy | None]:
        if "alert" not in self.document:
            return {}
        return {
            name: self.alert(name, own, doors)
            for name, own in self.named("alert", self.document["alert"], MOST_ALERTS).items()
        }

    def alert(self, name: str, value: object, doors: dict[str, Any]) -> AlertPolicy | None:
        from edge.config.alerts import policy_of  # noqa: PLC0415 -- as for reports

        alert = self.table(dotted("alert", name), AlertTable, value)
        return None if alert is None else policy_of(self.report, name, alert, doors, self.document)

    def cameras(self, doors: Collection[str]) -> dict[str, CameraTable | None]:
        if "camera" not in self.document:
            return {}
        declared = self.named("camera", self.document["camera"], MOST_CAMERAS)
        cameras_ = {name: self.table(dotted("camera", name), CameraTable, table) for name, table in declared.items()}
        for name, camera in cameras_.items():
            for i, door in enumerate(camera.doors if camera else ()):
                if door not in doors:
                    self.report.add(dotted("camera", name, "doors", i), f"found {shown(door)}, {meant(door, doors)}")
        return cameras_

    def elevators(self, doors: Collection[str]) -> dict[str, ElevatorSettings | None]:
        if "elevator" not in self.document:
            return {}
        declared = self.named("elevator", self.document["elevator"], MOST_ELEVATORS)
        for name in declared:
            if name in doors:  # its points and records could not be told from the door's
                self.report.add(dotted("elevator", name), "found the id of a door, expected another")
        return {name: self.elevator(name, table) for name, table in declared.items()}

    def elevator(self, name: str, value: object) -> ElevatorSettings | None:
        key = dotted("elevator", name)
        elevator = self.table(key, ElevatorTable, value)
        raw = value if isinstance(value, dict) else {}
        reader = None
        if isinstance(raw.get("reader"), dict):
            reader = self.point(dotted(key, "reader"), f"{name}.{READER.name}", READER.name, raw["reader"])
        floors: dict[str, FloorSettings | None] = {}
        if isinstance(value, dict) and isinstance(raw.get("floor", {}), dict):
            declared = self.named(dotted(key, "floor"), raw.get("floor"), MOST_FLOORS)
            floors = {id_: self.floor(dotted(key, "floor", id_), f"{name}/{id_}", own) for id_, own in declared.items()}
        whole = {id_: floor for id_, floor in floors.items() if floor}
        if elevator is None or reader is None or len(whole) < len(floors):
            return None
        return ElevatorSettings(name, elevator.name or name, reader.driver, MappingProxyType(whole))

    def floor(self, key: str, name: str, value: object) -> FloorSettings | None:
        floor = self.table(key, FloorTable, value)
        raw = value if isinstance(value, dict) else {}
        relay = button = timing = None
        if isinstance(raw.get("relay"), dict):
            relay = self.point(dotted(key, "relay"), f"{name}.{LOCK.name}", LOCK.name, raw["relay"])
        if isinstance(raw.get("button"), dict):
            button = self.point(dotted(key, "button"), f"{name}.{REX.name}", REX.name, raw["button"], InputTable)
        if button is not None:
            timing = self.timing(dotted(key, "button"), cast("InputTable", button), Timing())
        if floor is None or relay is None:
            return None
        return FloorSettings(relay.driver, None if button is None else button.driver, timing)

    def groups(self) -> None:
        """Refuse an interlock group with one door only, which is most likely a typing error."""
        members: dict[str, list[str]] = defaultdict(list)
        doors = self.document.get("door", {})
        for door, table in doors.items() if isinstance(doors, dict) else ():
            group = table.get("interlock") if isinstance(table, dict) else None
            if isinstance(group, str):
                members[group].append(door)
        for group, of_group in members.items():
            if len(of_group) == 1:
                others = sorted(set(members) - {group})
                hint = f"; {meant(group, others)}" if others else ""
                message = f"found {shown(group)} at this door only, expected a group of two doors or more{hint}"
                self.report.add(dotted("door", of_group[0], "interlock"), message)


def _as_far_as_right(model: type[BaseModel], value: Mapping[str, Any]) -> BaseModel | None:
    """A table without the keys that are wrong or missing: so a line that is used twice is told at once.

    None where the keys are right, but not together.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = [fault["loc"][:1] for fault in error.errors()]
    right = {k: v for k, v in value.items() if k in model.model_fields and (k,) not in wrong}
    return None if () in wrong else model.model_construct(**right)
