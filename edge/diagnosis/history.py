"""Counts of a few event types in the log for a diagnosis, read page by page, newest first.

One rule: it reads a bounded number of records, whatever the size of the log.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from edge.diagnosis.facts import HistoryFacts, at_us
from edge.model.event_types import (
    CONTROLLER_CLOCK_ADJUSTED,
    CONTROLLER_FAULT,
    CONTROLLER_GAP,
    CONTROLLER_INPUT_UNSTABLE,
    CONTROLLER_START,
    CONTROLLER_STORAGE,
    LOCK_ACCESS_NOT_TAKEN,
    LOCK_FORCED_OPEN,
    LOCK_OPENED,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.client.sources import Source

PAGE: Final = 500
MOST: Final = 10_000
"""Records that are read, the newest; at a busy site these are fewer than 30 days."""
DAY_US: Final = 86_400 * 1_000_000
TYPES: Final = (
    CONTROLLER_CLOCK_ADJUSTED,
    CONTROLLER_FAULT,
    CONTROLLER_GAP,
    CONTROLLER_START,
    CONTROLLER_STORAGE,
    CONTROLLER_INPUT_UNSTABLE,
    LOCK_ACCESS_NOT_TAKEN,
    LOCK_FORCED_OPEN,
    LOCK_OPENED,
)


def history(source: Source | None, now_us: int, broken: str | None) -> HistoryFacts:
    """Count the records of the last 30 days before `now_us`; without a source only `broken` is known."""
    steps = slow = gaps = watchdog = 0
    unstable, forced, lost, unlocks = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    opened: set[str] = set()
    for record in _newest(source, now_us) if source is not None else ():
        age_us = now_us - at_us(record["time"])
        kind, data = record["type"], record["data"]
        door, today = record["subject"].removeprefix("doors/"), age_us < DAY_US
        gaps += kind == CONTROLLER_GAP
        watchdog += kind == CONTROLLER_START and data["details"].get("ended") == "watchdog"
        slow += kind == CONTROLLER_STORAGE and data["code"] == "slow" and age_us < 7 * DAY_US
        steps += kind == CONTROLLER_CLOCK_ADJUSTED and today
        unstable[data["object"]["id"]] += kind == CONTROLLER_INPUT_UNSTABLE and today
        forced[door] += kind == LOCK_FORCED_OPEN and today
        lost[data["object"]["id"]] += kind == CONTROLLER_FAULT and data["object"]["type"] == "driver" and today
        if kind == LOCK_OPENED:
            opened.add(door)
        elif kind == LOCK_ACCESS_NOT_TAKEN and door not in opened and age_us < 7 * DAY_US:
            unlocks[door] += 1  # a door without a contact has no such records
    return HistoryFacts(
        clock_steps=steps,
        slow_writes=slow,
        gaps=gaps,
        watchdog=watchdog,
        unstable=dict(+unstable),
        forced=dict(+forced),
        lost=dict(+lost),
        unlocks_unopened=dict(+unlocks),
        broken=broken,
    )


def _newest(source: Source, now_us: int) -> Iterator[dict[str, Any]]:
    asked = {"since_us": now_us - 30 * DAY_US, "type": list(TYPES), "newest": True, "limit": PAGE}
    before: int | None = None
    for _ in range(MOST // PAGE):
        page = source.page({**asked, "before": before})
        before = page.next
        yield from page.records
        if before is None:
            return
