"""A task that nobody awaits: should it end with a fault, that is said.

One rule: this says it, and nothing more; whether anybody can do without the task is its owner's to know.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

LOG: Final = logging.getLogger(__name__)


def say_why(task: asyncio.Task[Any]) -> None:
    """Log the fault with which a task ended, if it did; as its `add_done_callback`."""
    if not task.cancelled() and task.exception() is not None:
        LOG.critical("%s ended", task.get_name(), exc_info=task.exception())
