"""What an installer writes about GPIO lines, checked: the chip, and the wiring of each kind of point.

One rule: only wiring is said here (which line, which level means what); what a door does with it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from edge.model.roles import carried

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Polarity: TypeAlias = Literal["high", "low"]
Pull: TypeAlias = Literal["up", "down", "none"]
Line: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=511)]


class Settings(BaseModel):
    """The table `[driver.NAME]` of kind `gpio`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chip: Annotated[int, Field(strict=True, ge=0)] | Annotated[str, Field(strict=True, min_length=1)] = 0
    """A number (0: /dev/gpiochip0), a path, a name, or a label such as `pinctrl-rp1`."""


class _Point(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Line
    """The number of the line on its chip; on a Raspberry Pi the GPIO (BCM) number, not the pin of the header."""


class Output(_Point):
    """A line that is driven: `active_high` is its level when released or sounding, `at_rest` its state at rest."""

    @property
    def active_high(self) -> bool:
        """Whether the line is high when the point is released or sounds."""
        raise NotImplementedError

    @property
    def at_rest(self) -> bool:
        """Whether the point is released or sounds at rest."""
        return False

    @property
    def rest_levels(self) -> dict[int, bool]:
        """The lines of the point -> whether the line is high at rest."""
        return {self.line: self.active_high == self.at_rest}


class Lock(Output):
    """A lock relay. Nothing here has a default: only the installer knows the lock and its wiring."""

    unlocked: Polarity
    resting: Literal["locked", "unlocked"]

    @property
    def active_high(self) -> bool:
        """Whether the line is high while the lock is released."""
        return self.unlocked == "high"

    @property
    def at_rest(self) -> bool:
        """Whether the lock is released at rest."""
        return self.resting == "unlocked"


class Buzzer(Output):
    """A sounder; silent at rest."""

    active: Polarity = "high"

    @property
    def active_high(self) -> bool:
        """Whether the line is high while it sounds."""
        return self.active == "high"


class Input(_Point):
    """A line that is read."""

    pull: Pull = "up"

    @property
    def active_high(self) -> bool:
        """Whether the line is high when the point asserts."""
        raise NotImplementedError


class Contact(Input):
    """A door contact; it asserts when the door is open."""

    closed: Polarity = "low"

    @property
    def active_high(self) -> bool:
        """Whether the line is high while the door is open."""
        return self.closed == "low"


class Button(Input):
    """Every other input: a button, a switch or a loop; it asserts when it is active."""

    active: Polarity = "low"

    @property
    def active_high(self) -> bool:
        """Whether the line is high while it is active."""
        return self.active == "high"


GROWS: Final = True
"""Points can be added while it runs (`edge.model.ports.Extensible`)."""

POINTS: Final[Mapping[str, type[BaseModel]]] = carried(inputs=Button, lock=Lock, contact=Contact, buzzer=Buzzer)


def addresses(point: BaseModel) -> Collection[str]:
    """What a point occupies of its chip."""
    return {f"line {point.line}"} if isinstance(point, _Point) else set()
