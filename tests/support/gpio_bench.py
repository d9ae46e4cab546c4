"""The GPIO driver's bench for the driver contract: gpiozero's mock pins, with hands on them."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Any, Final

from gpiozero.pins.mock import MockFactory, MockPin

from drivers.gpio import driver
from drivers.gpio.points import POINTS, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INPUT_TABLES: Final[Mapping[str, dict[str, Any]]] = {
    # With no pull a mock pin is low at first, which means closed and not pressed here.
    "contact": {"closed": "low", "pull": "none"},
    "rex": {"active": "high", "pull": "none"},
}


class UnpluggablePins(MockFactory):
    """Mock pins that take direction and level in one step, remember what they drove, and can vanish."""

    def __init__(self) -> None:
        super().__init__(pin_class=UnpluggablePin)
        self.gone = False


class UnpluggablePin(MockPin):
    def __init__(self, factory: UnpluggablePins, info: Any) -> None:
        self.driven: list[bool] = []
        super().__init__(factory, info)

    def close(self) -> None:
        self.when_changed = None
        self._function = "input"

    def output_with_state(self, state: bool) -> None:
        self._refuse_when_gone()
        self._function = "output"
        self._set_state(state)

    def _set_function(self, value: str) -> None:
        self._refuse_when_gone()
        super()._set_function(value)

    def _get_state(self) -> bool:
        self._refuse_when_gone()
        return self._state

    def _set_state(self, value: bool) -> None:
        self._refuse_when_gone()
        super()._set_state(value)
        if not self.driven or self.driven[-1] is not bool(value):
            self.driven.append(bool(value))

    def _refuse_when_gone(self) -> None:
        if self.factory.gone:
            raise OSError(errno.ENODEV, "the chip has gone")


class GpioBench:
    """One driver on mock pins; every output is active high."""

    def __init__(self, inputs: Iterable[str], outputs: Mapping[str, bool]) -> None:
        """`outputs`: name -> resting level."""
        points: dict[str, Any] = {}
        for line, point in enumerate([*sorted(inputs), *outputs], start=4):
            role = point.rpartition(".")[2]
            table: dict[str, Any] = {"line": line, **INPUT_TABLES.get(role, {})}
            if role == "lock":
                table |= {"unlocked": "high", "resting": "unlocked" if outputs[point] else "locked"}
            points[point] = POINTS[role](**table)
        self.pins = UnpluggablePins()
        self.lines = {point: model.line for point, model in points.items()}
        self.driver = driver.create("bench", Settings(), points, self.now_ns, self.pins)

    def now_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def move(self, point: str, asserted: bool) -> None:
        pin = self.pins.pin(self.lines[point])
        pin.drive_high() if asserted else pin.drive_low()

    def shown(self, point: str) -> list[bool]:
        shown: list[bool] = self.pins.pin(self.lines[point]).driven
        return shown

    def unplug(self) -> None:
        self.pins.gone = True

    def plug(self) -> None:
        self.pins.gone = False
