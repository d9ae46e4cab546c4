"""What an installer writes about simulated doors, checked.

One rule: simulated points need no wiring, but the resting state of a lock is chosen as with any driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.model.roles import carried

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Settings(_Table):
    """`[driver.NAME]` with `kind = "simulated"`."""

    bounce_ms: float = Field(default=0.0, ge=0, le=1000, description="0 to 1000 milliseconds")
    """How long a contact chatters when its leaf moves."""
    confirm_ms: float = Field(default=0.0, ge=0, le=5000, description="0 to 5000 milliseconds")
    """How long an output takes to answer."""


class Lock(_Table):
    """A simulated lock."""

    resting: Literal["locked", "unlocked"] = Field(
        description='"locked" (fail-secure) or "unlocked" (fail-safe): what the lock is while doord does not run'
    )


class Plain(_Table):
    """A simulated point that needs no settings."""


GROWS: Final = True
"""Points can be added while it runs (`edge.model.ports.Extensible`)."""

POINTS: Final[Mapping[str, type[BaseModel]]] = carried(inputs=Plain, lock=Lock, buzzer=Plain, reader=Plain)


def addresses(_point: BaseModel) -> Collection[str]:
    """Nothing: simulated points share no wires."""
    return ()
