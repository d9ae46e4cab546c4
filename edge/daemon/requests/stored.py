"""Makes an answer wait until what was done is on the disk.

One rule: the answer waits while the disk works. If the disk fails, the answer says that it is not stored.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.doors.runner import Outcome

if TYPE_CHECKING:
    from edge.log.log import Log

WITHIN_S: Final = 2.0
LOOK_S: Final = 0.1
"""How often the state of the disk is checked during the wait."""
NOT_STORED: Final = Outcome(
    True, "not_stored", "done, but the log cannot be written now: a restart would forget it (doorctl status)"
)


async def with_disk(outcomes: dict[str, Outcome], log: Log) -> dict[str, Outcome]:
    """The outcomes, once they are stored. What was done but could not be stored has the code `not_stored`."""
    if not any(outcome.done for outcome in outcomes.values()) or await _stored(log):
        return outcomes
    return {door: NOT_STORED if outcome.done else outcome for door, outcome in outcomes.items()}


async def _stored(log: Log) -> bool:
    waiting, loop = asyncio.ensure_future(log.durable()), asyncio.get_running_loop()
    end_s = loop.time() + WITHIN_S
    while not waiting.done() and log.health().writer == "ok" and loop.time() < end_s:
        await asyncio.wait({waiting}, timeout=LOOK_S)
    if not waiting.done():
        waiting.cancel()
        return False
    return waiting.exception() is None
