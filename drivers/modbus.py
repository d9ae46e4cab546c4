"""The driver kind `modbus`: relay and input boards on one RS-485 line, spoken to in Modbus RTU.

One rule: pymodbus and pyserial are loaded by `create`, so that a controller without such boards never pays for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.modbus_points import POINTS, Settings, addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from edge.ports import Driver

__all__ = ["POINTS", "Settings", "addresses", "create"]


def create(name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]) -> Driver:
    """Make the driver of one line; `points`: name -> its table. Touches nothing yet."""
    from drivers.modbus_driver import ModbusDriver  # noqa: PLC0415 -- it brings pymodbus along

    return ModbusDriver(name, settings, points, now_ns)
