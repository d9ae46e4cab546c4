"""Logs the exception of a task that nobody awaits.

One rule: it only logs. What the end of the task means is decided by its owner.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

LOG: Final = logging.getLogger(__name__)


def say_why(task: asyncio.Task[Any]) -> None:
    """Log the exception with which a task ended, if any; used with `add_done_callback`."""
    if not task.cancelled() and task.exception() is not None:
        LOG.critical("%s ended", task.get_name(), exc_info=task.exception())
