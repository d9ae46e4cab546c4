"""The openings and alarms of the last week, read once for many browsers.

One rule: it reads a bounded number of the newest records, and `whole` says whether these were all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge.web.week import TYPES
from edge.web.words import utc_us

if TYPE_CHECKING:
    from datetime import datetime

    from edge.web.link import DaemonLink

PAGE: Final = 500
MOST_PAGES: Final = 60
KEPT_NS: Final = 60 * 1_000_000_000
"""How long records are reused before they are read again."""


@dataclass(slots=True)
class Recent:
    """The records of the last week, up to `KEPT_NS` old."""

    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    read_ns: int | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = True

    async def read(self, link: DaemonLink, since: datetime, now_ns: int) -> None:
        """Read the records from `since` on again if they are too old. Raises RequestRefused and Unreachable."""
        async with self.busy:
            if self.read_ns is not None and now_ns - self.read_ns < KEPT_NS:
                return
            records: list[dict[str, Any]] = []
            before: int | None = None
            for _ in range(MOST_PAGES):
                asked: dict[str, Any] = {
                    "type": list(TYPES),
                    "since_us": utc_us(since),
                    "before": before,
                    "newest": True,
                }
                answer = await link.ask("events", **asked, limit=PAGE)
                records += [{key: record[key] for key in ("subject", "time", "type")} for record in answer["records"]]
                before = answer["next"]
                if before is None:
                    break
            self.records, self.whole, self.read_ns = records, before is None, now_ns
