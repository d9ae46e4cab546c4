"""Time zones: the controller's, and this computer's where no controller says its own."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCALTIME: Final = Path("/etc/localtime")


def zone_of(status: Mapping[str, Any]) -> tzinfo:
    """The zone of a daemon's status; UTC where this computer does not know it, its own where the status names none."""
    name = status["controller"].get("time_zone")  # doord was not restarted after an update
    return zone_named(name) if name else local_zone()


def zone_named(name: str) -> tzinfo:
    """The zone of this IANA name; UTC where this computer does not know it."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return UTC


def local_zone() -> tzinfo:
    """The zone of this computer, or of TZ. It has the zone's rules, for times before a clock change."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with LOCALTIME.open("rb") as rules:
            return ZoneInfo.from_file(rules)
    except (OSError, ValueError, KeyError):  # no such zone: use the offset of today
        return timezone(timedelta(seconds=time.localtime().tm_gmtoff))


def zone_name(zone: tzinfo, at: datetime) -> str:
    """Its IANA name; else its abbreviation at this time."""
    key = zone.key if isinstance(zone, ZoneInfo) else None
    return key or str(at.astimezone(zone).tzname())
