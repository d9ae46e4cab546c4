"""What an installer writes about Wiegand readers, checked: the chip, the timing, and each reader's lines.

One rule: only wiring is configured here. The directory says what a card may open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from drivers.gpio import points as gpio_points
from drivers.gpio.points import Line, Polarity  # noqa: TC001 -- pydantic needs it to run
from drivers.wiegand.frames import Cards, Keypad  # noqa: TC001 -- as above
from edge.model.roles import carried

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LINES: Final = ("d0", "d1", "led", "beeper")
_LINE: Final = "the number of a line, 0 to 511"


class Settings(gpio_points.Settings):
    """The table `[driver.NAME]` of kind `wiegand`: a GPIO chip, and the timing of the readers on it."""

    gap_ms: int = Field(default=30, strict=True, ge=5, le=500, description="5 to 500 milliseconds")
    """Silence that ends a card or a key. Pulses are at most 20 ms apart."""
    glitch_us: int = Field(default=100, strict=True, ge=10, le=190, description="10 to 190 microseconds")
    """Edges that are closer than this are not two pulses: pulses are at least 200 us apart."""


class _Point(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reader(_Point):
    """A reader on two lines, with its light and its beeper if they are wired to lines, too."""

    d0: Line = Field(description=_LINE)
    d1: Line = Field(description=_LINE)
    format: Cards = "auto"
    """Cards of 26, 34, 35 and 37 bits with right parity, those of one length alone, or whatever comes, unchecked."""
    keypad: Keypad = "auto"
    """How many bits a key has; `26bit` is a whole PIN, which comes as a card with facility code 0."""
    led: Line | None = Field(default=None, description=_LINE)
    beeper: Line | None = Field(default=None, description=_LINE)
    active: Polarity = "low"
    """The level of our own lines at which light and beeper are on."""

    @field_validator(*_LINES[1:])
    @classmethod
    def _of_its_own(cls, value: int | None, info: ValidationInfo) -> int | None:
        same = [name for name in _LINES if name in info.data and info.data[name] == value and value is not None]
        if same:
            raise ValueError(f"found {value}, expected another line than {same[0]} has")
        return value

    @property
    def outputs(self) -> tuple[int, ...]:
        """The lines that are driven."""
        return tuple(line for line in (self.led, self.beeper) if line is not None)

    @property
    def rest_levels(self) -> dict[int, bool]:
        """Whether the lines that are driven are high while light and beeper are off."""
        return dict.fromkeys(self.outputs, self.active == "low")


class Buzzer(gpio_points.Buzzer):
    """A sounder of the door, for example a reader's beeper that is not used as such; silent at rest."""

    active: Polarity = "low"


POINTS: Final[Mapping[str, type[BaseModel]]] = carried(reader=Reader, buzzer=Buzzer)


def addresses(point: BaseModel) -> Collection[str]:
    """What a point occupies of its chip."""
    if isinstance(point, Reader):
        return {f"line {line}" for line in (point.d0, point.d1, *point.outputs)}
    return {f"line {point.line}"} if isinstance(point, Buzzer) else set()
