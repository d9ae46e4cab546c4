"""What the log tells a diagnosis: counts of a few event types, read page by page, newest first.

One rule: it reads a bounded number of records, whatever the size of the log.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from edge.diagnosis.facts import History, at_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.client.sources import Source

PAGE: Final = 500
MOST: Final = 10_000
"""Records looked at; at a busy site fewer than 30 days, and always the newest."""
DAY_US: Final = 86_400 * 1_000_000
TYPES: Final = (
    "controller.clock_adjusted",
    "controller.fault",
    "controller.gap",
    "controller.start",
    "controller.storage",
    "controller_input.unstable",
    "lock.access_not_taken",
    "lock.forced_open",
    "lock.opened",
)


def history(source: Source | None, now_us: int, broken: str | None) -> History:
    """Count; without a source only what the chain says is known."""
    steps = slow = gaps = watchdog = 0
    unstable, forced, lost, unlocks = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    opened: set[str] = set()
    for record in _newest(source, now_us) if source is not None else ():
        age_us = now_us - at_us(record["time"])
        kind, data = record["type"], record["data"]
        door, today = record["subject"].removeprefix("doors/"), age_us < DAY_US
        gaps += kind == "controller.gap"
        watchdog += kind == "controller.start" and data["details"].get("ended") == "watchdog"
        slow += kind == "controller.storage" and data["code"] == "slow" and age_us < 7 * DAY_US
        steps += kind == "controller.clock_adjusted" and today
        unstable[data["object"]["id"]] += kind == "controller_input.unstable" and today
        forced[door] += kind == "lock.forced_open" and today
        lost[data["object"]["id"]] += kind == "controller.fault" and data["object"]["type"] == "driver" and today
        if kind == "lock.opened":
            opened.add(door)
        elif kind == "lock.access_not_taken" and door not in opened and age_us < 7 * DAY_US:
            unlocks[door] += 1  # a door without a contact has none of these
    return History(
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
        found = source.page({**asked, "before": before})
        before = found.next
        yield from found.records
        if before is None:
            return
