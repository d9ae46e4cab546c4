"""Settings: a configuration that has been checked, and what a new one changes.

One rule: settings are frozen; a new configuration is compared with the one in force, and only
what a running door can take over is applied without a restart.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from edge.model.roles import LOCK, READER, REX
from edge.settings.cameras import PicturesTable
from edge.settings.tables import MetricsTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from edge.model.policy import DoorPolicy, Timing
    from edge.model.ports import Driver
    from edge.settings.alert_policies import AlertPolicy
    from edge.settings.alerts import IntegrationsTable, NtfyTable, SmtpTable
    from edge.settings.cameras import CameraTable
    from edge.settings.home_assistant import HomeAssistantTable
    from edge.settings.reports import ReportTable
    from edge.settings.tables import ControllerTable, ControlTable, DirectoryTable, LogTable, MqttTable
    from edge.settings.web import WebTable


class DriverPoints(Protocol):
    """What a module `drivers.<kind>.points` has to have."""

    Settings: type[BaseModel]
    """The `[driver.NAME]` table without `kind`."""
    POINTS: Mapping[str, type[BaseModel]]
    """Role -> the point's table without `driver`; a role that is missing is not offered."""

    def addresses(self, point: Any) -> Collection[str]:  # noqa: ANN401 - one of its own POINTS models
        """Return the parts of the hardware that a point occupies, like `line 17`."""


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """One `[driver.NAME]` and all points it carries, by name (`front.lock`)."""

    name: str
    kind: str
    settings: BaseModel
    points: Mapping[str, BaseModel]
    module: DriverPoints

    def create(self, now_ns: Callable[[], int]) -> Driver:
        """Make the driver; claims no hardware yet."""
        driver = importlib.import_module(f"drivers.{self.kind}.driver")
        return cast("Driver", driver.create(self.name, self.settings, self.points, now_ns))


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """One `[door.ID]`."""

    id: str
    name: str
    policy: DoorPolicy
    points: Mapping[str, str]
    """Role -> the name of the driver that carries it. `lock` is always there."""
    timing: Mapping[str, Timing]
    """Role of each input -> how it is debounced."""
    zone: str | None = None
    """The part of the site where it is, as the page groups doors; None: no part."""


@dataclass(frozen=True, slots=True)
class FloorSettings:
    """One `[elevator.ID.floor.ID]`."""

    relay: str
    """The driver that carries its relay (point `lift/ground.lock`)."""
    button: str | None = None
    """The driver that carries its button (point `lift/ground.rex`), if it is wired to an input."""
    timing: Timing | None = None
    """How the button is debounced; None without one."""


@dataclass(frozen=True, slots=True)
class ElevatorSettings:
    """One `[elevator.ID]`. As for doors, the name of a point has its role after the dot."""

    id: str
    name: str
    reader: str
    """The driver that carries its reader (point `lift.reader`)."""
    floors: Mapping[str, FloorSettings]
    """At least one, in the order of the file."""

    @property
    def reader_point(self) -> str:
        """The name of its reader's point."""
        return f"{self.id}.{READER.name}"

    def relay_point(self, floor: str) -> str:
        """The name of a relay's point."""
        return f"{self.id}/{floor}.{LOCK.name}"

    def button_point(self, floor: str) -> str:
        """The name of a button's point."""
        return f"{self.id}/{floor}.{REX.name}"


@dataclass(frozen=True, slots=True)
class KeySettings:
    """One public key of `[commands]`, and what it may be used for; None: everything."""

    key: str
    """Where it is in the configuration, like `commands.keys[0]`."""
    name: str
    """The name of its table, or else of its file."""
    file: Path
    commands: frozenset[str] | None = None
    doors: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """`[commands]`: with a key, every command needs a signature."""

    keys: tuple[KeySettings, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration that has been checked. All paths are absolute."""

    file: Path
    controller: ControllerTable
    log: LogTable
    mqtt: MqttTable | None
    control: ControlTable
    commands: CommandSettings
    directory: DirectoryTable
    web: WebTable
    """The local page's section; doord does not use it, so no change of it concerns doord."""
    drivers: Mapping[str, DriverSettings]
    doors: Mapping[str, DoorSettings]
    elevators: Mapping[str, ElevatorSettings]
    release: str | None
    """The driver of the release input for all doors (point `controller.release`), if there is one."""
    release_timing: Timing
    integrations: IntegrationsTable
    reports: Mapping[str, ReportTable] = field(default_factory=dict)
    metrics: MetricsTable = field(default_factory=MetricsTable)
    home_assistant: HomeAssistantTable | None = None
    smtp: SmtpTable | None = None
    ntfy: NtfyTable | None = None
    alerts: Mapping[str, AlertPolicy] = field(default_factory=dict)
    cameras: Mapping[str, CameraTable] = field(default_factory=dict)
    pictures: PicturesTable = field(default_factory=PicturesTable)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a new configuration changes, by key (`door.front.unlock_s`)."""

    doors: tuple[str, ...]
    """The doors that a running daemon takes over: only their name or policy changed."""
    added: tuple[str, ...]
    """New doors that are guarded from then on; their drivers may be new, too."""
    applied: tuple[str, ...]
    """The changed keys of these doors, and of sections that are taken over whole."""
    restart: tuple[str, ...]
    """The changed keys that need a restart; their old values stay in force until then."""
    settings: Settings
    """What is in force once `doors` and `added` have been taken over: compare the next configuration with this."""


def difference(old: Settings, new: Settings) -> Difference:
    """Compare the configuration in force with a new one.

    A door is taken over whole or not at all: if one of its changes needs a restart, all wait for it. New doors and
    drivers are taken over together, unless other wiring changes as well.
    """
    applied: list[str] = []
    restart = _drivers(old.drivers, new.drivers)
    if (old.release, old.release_timing) != (new.release, new.release_timing):
        restart.append("controller.release")
    doors: dict[str, DoorSettings] = {}
    for door, before in sorted(old.doors.items()):
        after = new.doors.get(door)
        if after is None:
            restart.append(f"door.{door}")
            continue
        live, fixed = _door(before, after, old, new)
        keys = [f"door.{door}.{key}" for key in (*live, *fixed)]
        if fixed:
            restart += keys
        elif live:
            doors[door] = after
            applied += keys
    restart += _elevators(old, new)
    added = [door for door in new.doors if door not in old.doors]
    names = [*(f"driver.{name}" for name in new.drivers if name not in old.drivers), *(f"door.{one}" for one in added)]
    changed, drivers = tuple(doors), new.drivers
    if restart or not all(_may_join(new.doors[door], old) for door in added):
        drivers, added = old.drivers, []
        restart += names
    else:
        applied += names
        doors |= {door: new.doors[door] for door in added}
    restart = [*_sections(_ALONE, old, new), *restart]
    restart += _reports(old.reports, new.reports)
    restart += _cameras(old.cameras, new.cameras)
    applied += _keys(old.commands, new.commands)
    applied += [*_sections(_LIVE, old, new), *_alerts(old.alerts, new.alerts)]
    settings = replace(
        old,
        doors=MappingProxyType({**old.doors, **doors}),
        drivers=drivers,
        commands=new.commands,
        alerts=new.alerts,
        integrations=new.integrations,
        smtp=new.smtp,
        ntfy=new.ntfy,
        mqtt=new.mqtt,
        home_assistant=new.home_assistant,
        directory=new.directory,
    )
    return Difference(changed, tuple(added), tuple(applied), tuple(dict.fromkeys(restart)), settings)


def _may_join(door: DoorSettings, old: Settings) -> bool:
    """Whether a new door can be guarded without a restart: on new drivers, or on drivers that can add points.

    A new member of an interlock group would hold up the others until its contact is known.
    """
    theirs = [old.drivers[name].module for name in door.points.values() if name in old.drivers]
    return door.policy.interlock is None and all(getattr(module, "GROWS", False) for module in theirs)


def _alerts(old: Mapping[str, AlertPolicy], new: Mapping[str, AlertPolicy]) -> list[str]:
    return [f"alert.{name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _reports(old: Mapping[str, ReportTable], new: Mapping[str, ReportTable]) -> list[str]:
    return [f"report.{name}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def _cameras(old: Mapping[str, CameraTable], new: Mapping[str, CameraTable]) -> list[str]:
    keys: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after, key = old.get(name), new.get(name), f"camera.{name}"
        keys += [key] if before is None or after is None else [f"{key}.{one}" for one in _fields(before, after)]
    return keys


_ALONE: Final = (
    "controller",
    "log",
    "control",
    "metrics",
    "pictures",
)
"""Sections of which there is one."""
_LIVE: Final = ("integrations", "smtp", "ntfy", "mqtt", "home_assistant", "directory")
"""Sections that are taken over while the daemon runs."""


def _sections(sections: Sequence[str], old: Settings, new: Settings) -> list[str]:
    keys: list[str] = []
    for section in sections:
        before, after = getattr(old, section), getattr(new, section)
        if before is None or after is None:
            keys += [section] if before is not after else []
        else:
            keys += [f"{section}.{key}" for key in _fields(before, after)]
    return keys


def _keys(old: CommandSettings, new: CommandSettings) -> list[str]:
    """The keys of `[commands]` that differ; all of them are taken over."""
    before, after = ({one.key: one for one in chosen.keys} for chosen in (old, new))
    keys = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    return list(dict.fromkeys(key.partition("[")[0] for key in keys))


def _fields(before: BaseModel, after: BaseModel) -> list[str]:
    return [key for key in type(before).model_fields if getattr(before, key) != getattr(after, key)]


def _drivers(old: Mapping[str, DriverSettings], new: Mapping[str, DriverSettings]) -> list[str]:
    """The keys of drivers that need a restart; a new driver does not."""
    keys: list[str] = []
    for name, before in sorted(old.items()):
        after = new.get(name)
        if after is None:
            keys.append(f"driver.{name}")
        elif before.kind != after.kind:
            keys.append(f"driver.{name}.kind")
        else:
            keys += [f"driver.{name}.{key}" for key in _fields(before.settings, after.settings)]
    return keys


def _elevators(old: Settings, new: Settings) -> list[str]:
    """The changed keys of elevators, all of which need a restart."""
    keys: list[str] = []
    for name in sorted(old.elevators.keys() | new.elevators.keys()):
        before, after, key = old.elevators.get(name), new.elevators.get(name), f"elevator.{name}"
        if before is None or after is None:
            keys.append(key)
            continue
        keys += [f"{key}.name"] if before.name != after.name else []
        keys += [f"{key}.reader"] if _reader(before, old) != _reader(after, new) else []
        for floor in sorted(before.floors.keys() | after.floors.keys()):
            was, now = _floor(before, floor, old), _floor(after, floor, new)
            if not was or not now:
                keys.append(f"{key}.floor.{floor}")
            else:
                keys += [f"{key}.floor.{floor}.{role}" for role in was if was[role] != now[role]]
    return keys


def _reader(elevator: ElevatorSettings, settings: Settings) -> object:
    return elevator.reader, settings.drivers[elevator.reader].points[elevator.reader_point]


def _floor(elevator: ElevatorSettings, floor: str, settings: Settings) -> dict[str, object]:
    """Everything about a floor's points; nothing for a floor that is not there."""
    own = elevator.floors.get(floor)
    if own is None:
        return {}
    button = None if own.button is None else settings.drivers[own.button].points[elevator.button_point(floor)]
    return {
        "relay": (own.relay, settings.drivers[own.relay].points[elevator.relay_point(floor)]),
        "button": (own.button, button, own.timing),
    }


_TIMING: Final = frozenset({"debounce_ms", "instability_ms", "rex_settle_ms"})
"""Keys of a policy that belong to its inputs or its interlock group: debouncers and groups are made at the start."""


def _door(before: DoorSettings, after: DoorSettings, old: Settings, new: Settings) -> tuple[list[str], list[str]]:
    """Return the keys that can be taken over and those that cannot."""
    live = [key for key in ("name", "zone") if getattr(before, key) != getattr(after, key)]
    roles = sorted(before.points.keys() | after.points.keys())
    fixed = [role for role in roles if _point(before, role, old) != _point(after, role, new)]
    for key in (f.name for f in fields(before.policy)):
        if getattr(before.policy, key) == getattr(after.policy, key) or key == "has_contact":
            continue  # a contact that was added or removed is a point
        if key == "interlock":
            fixed.append(key)
        elif key not in _TIMING:
            live.append({"rex_unlocks": "rex.unlocks"}.get(key, key))
    return live, fixed


def _point(door: DoorSettings, role: str, settings: Settings) -> object:
    """Everything about one point, except for keys of the policy."""
    driver = door.points.get(role)
    if driver is None:
        return None
    return driver, settings.drivers[driver].points[f"{door.id}.{role}"], door.timing.get(role)
