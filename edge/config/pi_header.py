"""The 40-pin header of a Raspberry Pi: what its GPIO lines do before Doorward drives them, and their other functions.

One rule: it touches no hardware; `doorctl check` warns with it, and the installer makes boot lines from it.
Source: https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#gpio; BCM2835 ARM Peripherals, table 6-31.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

    from edge.settings.controller import DriverSettings, Settings

LINES: Final = range(28)
"""GPIO 0 to 27 are on the header of every Raspberry Pi; the firmware's `gpio=` sets them."""
HIGH_AT_POWER_UP: Final = range(9)
"""These lines are pulled up from power-up until the firmware or Doorward drives them; the others are pulled down."""
FREE: Final = "expected 5, 6, 16, 17 or 20 to 27"
RESTS: Final = "expected 16, 17 or 20 to 27"
SECOND_DUTY: Final = {
    **dict.fromkeys((0, 1), "identifies a HAT: the firmware drives it while the Pi starts"),
    **dict.fromkeys((2, 3), "is I²C, with 1.8 kΩ to 3.3 V on the board: a pull-down does nothing there"),
    **dict.fromkeys((7, 8, 9, 10, 11), "is SPI as soon as config.txt has dtparam=spi=on"),
    **dict.fromkeys((14, 15), "is the serial console: it sends and takes characters while the Pi starts"),
    **dict.fromkeys((12, 13, 18, 19), "is PWM as soon as config.txt has an overlay for sound, a fan or PWM"),
}
_CHIP: Final = re.compile(r"[04]|(?:/dev/)?gpiochip[04]|pinctrl-(?:bcm\d+|rp1)")
"""The names of the header's chip in a configuration; 4 is the Pi 5 with early kernels."""


@runtime_checkable
class Driven(Protocol):
    """A point that drives lines of a GPIO chip, of any driver."""

    @property
    def rest_levels(self) -> Mapping[int, bool]:
        """Line -> whether it is high while the point is at rest."""


def is_header(driver: DriverSettings) -> bool:
    """Whether this driver's chip is that of the header, on a Raspberry Pi."""
    return _CHIP.fullmatch(str(getattr(driver.settings, "chip", ""))) is not None


def concerns(settings: Settings) -> Iterator[tuple[str, str]]:
    """(key of the point, warning) for each line with another function or a level at power-up that matters."""
    for driver in settings.drivers.values():
        if not is_header(driver):
            continue
        for name, point in driver.points.items():
            rests = point.rest_levels if isinstance(point, Driven) else {}
            for line in sorted(_lines(driver, point)):
                for warning in _of_line(line, rests.get(line)):
                    yield _key(name, settings), f"GPIO {line} {warning}"


def _of_line(line: int, rests_high: bool | None) -> Iterator[str]:
    """Warnings about a line; `rests_high` is None for an input."""
    if line not in LINES:
        yield "is not on the 40-pin header; the board itself may use it: expected 0 to 27"
        return
    if line in SECOND_DUTY:
        yield f"{SECOND_DUTY[line]}: {FREE}"
    if line in HIGH_AT_POWER_UP and rests_high is False:
        yield f"is high from power-up until config.txt's gpio={line}=op,dl works, and high switches this on: {RESTS}"


def _key(point: str, settings: Settings) -> str:
    owner = point.partition(".")[0]
    return next((f"{kind}.{point}" for kind in ("door", "elevator") if owner in getattr(settings, f"{kind}s")), point)


def _lines(driver: DriverSettings, point: BaseModel) -> set[int]:
    return {int(address.removeprefix("line ")) for address in driver.module.addresses(point)}
