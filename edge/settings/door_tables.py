"""The tables `[door.ID]` and `[elevator.ID]` of the configuration file, and those of their points.

One rule: which points a door can have is written in `edge.model.roles`; here only what their tables have in common.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, create_model, field_validator

from edge.model import policy
from edge.model.policy import HeldOpenFrom, Relock
from edge.model.roles import INPUTS, REX, ROLES
from edge.settings.tables import Name, Table, Wires, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.model.roles import Role


class PointTable(BaseModel):
    """What every point's table has; the other keys are its driver's."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    driver: str = Field(description="the name of a driver, as in [driver.NAME]")


class InputTable(PointTable):
    """Any input: may have its own debounce."""

    debounce_ms: int | None = within(policy.DEBOUNCE_MS, "milliseconds", default=None)
    instability_ms: int | None = within(policy.INSTABILITY_MS, "milliseconds", default=None)


class RexTable(InputTable):
    """A request-to-exit button."""

    unlocks: bool = Field(default=True, description="true or false")


OWN: Final[Mapping[str, type[PointTable]]] = MappingProxyType({REX.name: RexTable})
"""Roles whose table has keys of its own."""
POINTS: Final[Mapping[str, type[PointTable]]] = MappingProxyType(
    {name: OWN.get(name, InputTable if name in INPUTS else PointTable) for name in ROLES}
)
"""Every point a door can have, with what its table has beside the driver's keys."""

_LOCK: Final = 'every door needs one, like lock = { driver = "gpio", line = 17, unlocked = "high", resting = "locked" }'
_WIRES: Final = 'a table like { driver = "gpio", ... }'


def _field(role: Role) -> tuple[Any, Any]:
    """The key of a point, as pydantic wants it."""
    if role.needed:
        return Wires, Field(description=f"a {role.name}: {_LOCK}")
    return Wires | None, Field(default=None, description=_WIRES)


if TYPE_CHECKING:  # pydantic makes it, and no type checker knows its keys
    _PointsTable: TypeAlias = Table
else:
    _PointsTable = create_model("_PointsTable", __base__=Table, **{name: _field(role) for name, role in ROLES.items()})


class DoorTable(_PointsTable):
    """`[door.ID]`: its points (`edge.model.roles`) and its policy (`edge.model.policy` says what each key means)."""

    name: Name | None = Field(default=None, description="a name for people")
    zone: Name | None = Field(default=None, description="a name for people")
    unlock_s: float = within(policy.UNLOCK_S, "seconds", default=5.0)
    relock: Relock = Field(default=Relock.CLOSE, strict=False)
    relock_delay_s: float = within(policy.RELOCK_DELAY_S, "seconds", default=0.0)
    held_open_s: float = within(policy.HELD_OPEN_S, "seconds", default=30.0)
    held_open_from: HeldOpenFrom = Field(default=HeldOpenFrom.UNLOCK, strict=False)
    held_open_warning_s: float = Field(default=0.0, ge=0, description="0 (none) to less than held_open_s")
    rex_shunt_s: float = within(policy.REX_SHUNT_S, "seconds", default=5.0)
    rex_grace_ms: int = within(policy.REX_GRACE_MS, "milliseconds", default=0)
    rex_level_s: float = within(policy.REX_LEVEL_S, "seconds", default=0.0)
    rex_in_lockdown: bool = Field(default=True, description="true or false")
    rex_in_interlock: bool = Field(default=True, description="true or false")
    debounce_ms: int = within(policy.DEBOUNCE_MS, "milliseconds", default=30)
    instability_ms: int = within(policy.INSTABILITY_MS, "milliseconds", default=1000)
    interlock: Name | None = Field(default=None, description="the name of a group of doors")

    @field_validator("held_open_warning_s")
    @classmethod
    def _before_the_alarm(cls, value: float, info: ValidationInfo) -> float:
        if (held_open_s := info.data.get("held_open_s")) is not None and value >= held_open_s:
            raise ValueError(f"found {value:g}, expected less than held_open_s, which is {held_open_s:g} seconds")
        return value


class FloorTable(Table):
    """`[elevator.ID.floor.ID]`: its wires; released, the relay lets the floor be chosen."""

    relay: Wires = Field(
        description='a table like a lock\'s: { driver = "gpio", line = 5, unlocked = "high", resting = "locked" }'
    )
    button: Wires | None = Field(default=None, description=_WIRES)


class ElevatorTable(Table):
    """`[elevator.ID]`: its reader and its floors; what people may do with them is in the directory."""

    name: Name | None = Field(default=None, description="a name for people")
    reader: Wires = Field(description=_WIRES)
    floor: dict[str, Any] = Field(default={}, description="tables called [elevator.NAME.floor.NAME]")
