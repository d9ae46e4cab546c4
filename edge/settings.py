"""Settings: a configuration that has been checked, and what a new one changes.

One rule: settings are frozen; a new configuration is compared with the one in force, and only
what a running door can take over is applied without a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from edge.policy import DoorPolicy, Timing
    from edge.ports import Driver
    from edge.tables import Commands, Control, Controller, Log, Mqtt


class DriverModule(Protocol):
    """What a module `drivers.<kind>` has to have."""

    Settings: type[BaseModel]
    """The `[driver.NAME]` table without `kind`."""
    POINTS: Mapping[str, type[BaseModel]]
    """Role -> the point's table without `driver`; a role that is missing is not offered."""

    def addresses(self, point: Any) -> Collection[str]:  # noqa: ANN401 - one of its own POINTS models
        """Return what of the hardware a point occupies, like `line 17`."""

    def create(
        self,
        name: str,
        settings: Any,  # noqa: ANN401 - its own model
        points: Mapping[str, BaseModel],
        now_ns: Callable[[], int],
    ) -> Driver:
        """Make the driver; claims no hardware yet."""


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """One `[driver.NAME]` and all points it carries, by name (`front.lock`)."""

    name: str
    kind: str
    settings: BaseModel
    points: Mapping[str, BaseModel]
    module: DriverModule

    def create(self, now_ns: Callable[[], int]) -> Driver:
        """Make the driver; claims no hardware yet."""
        return self.module.create(self.name, self.settings, self.points, now_ns)


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


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration that has been checked. All paths are absolute."""

    file: Path
    controller: Controller
    log: Log
    mqtt: Mqtt | None
    control: Control
    commands: Commands
    drivers: Mapping[str, DriverSettings]
    doors: Mapping[str, DoorSettings]
    release: str | None
    """The driver of the release input for all doors (point `controller.release`), if there is one."""
    release_timing: Timing
