"""Serves `doorctl log restored`: an older log was put in the place of a newer one.

One rule: only root or doord's own user may say so, because only they can replace the log.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from edge.socket.server import RequestError

if TYPE_CHECKING:
    from edge.log.log import Log
    from edge.model.messages import Actor, Json

WITHIN_S: Final = 10.0


async def begin_anew(log: Log, actor: Actor) -> Json:
    """Let the log go on as a new stream. Raises RequestError."""
    if actor.id not in {"uid:0", f"uid:{os.geteuid()}"}:
        raise RequestError("not_allowed", "only root may say that a log was restored")
    try:
        await asyncio.wait_for(log.new_epoch(f"{actor.name or actor.id} said that it was restored"), WITHIN_S)
    except TimeoutError:
        raise RequestError("log_unavailable", "the log cannot be written now") from None
    return {"stream": log.stream}
