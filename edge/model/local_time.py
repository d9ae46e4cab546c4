"""Times in the site's time zone, for people; exact times stand beside them in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import tzinfo

US_PER_S: Final = 1_000_000


def local(time_us: int, zone: tzinfo) -> str:
    """`2026-07-02 00:30:00 CEST`, rounded down to the second."""
    return datetime.fromtimestamp(time_us // US_PER_S, zone).strftime("%Y-%m-%d %H:%M:%S %Z")
