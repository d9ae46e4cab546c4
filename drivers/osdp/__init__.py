"""Readers, their relays and inputs on an RS-485 line, spoken to in OSDP by a control panel of our own.

One rule: from bytes to trust everything is pure (`frames`, `messages`, `secure`, `device`, `panel`), time
handed in; only `line` touches a port and only `driver` knows doors' points. docs/osdp.md tells why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.osdp.points import POINTS, Settings, addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from drivers.osdp.driver import OsdpDriver

__all__ = ["POINTS", "Settings", "addresses", "create"]


def create(name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]) -> OsdpDriver:
    """Make a driver that is not open yet; `points` by name, `front.reader`."""
    from drivers.osdp.driver import OsdpDriver  # noqa: PLC0415 -- loaded only when configured

    return OsdpDriver(name, settings, points, now_ns)
