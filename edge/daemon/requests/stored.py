"""Whether what was done is on the disk when somebody is told of it.

One rule: an answer waits for the disk while the disk works; once it does not, the answer says so instead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.doors.runner import Outcome

if TYPE_CHECKING:
    from edge.log.log import Log

WITHIN_S: Final = 2.0
LOOK_S: Final = 0.1
"""How often it is looked whether the disk is still worth waiting for."""
NOT_STORED: Final = Outcome(
    True, "not_stored", "done, but the log cannot be written now: a restart would forget it (doorctl status)"
)


async def with_disk(outcomes: dict[str, Outcome], log: Log) -> dict[str, Outcome]:
    """The outcomes, once what they speak of is stored; what was done and is not stored carries `not_stored`."""
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
