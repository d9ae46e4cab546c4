"""Tasks that nobody awaits: the exception with which one ends is logged, and it is known which failed.

One rule: what the end of a task means is decided by its owner.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

LOG: Final = logging.getLogger(__name__)


def say_why(task: asyncio.Task[Any]) -> None:
    """Log the exception with which a task ended, if any; used with `add_done_callback`."""
    if not task.cancelled() and task.exception() is not None:
        LOG.critical("%s ended", task.get_name(), exc_info=task.exception())


class BackgroundTasks:
    """Tasks without which a program is not well. What it can do without keeps its own faults (`isolation`)."""

    def __init__(self) -> None:
        """None runs."""
        self._tasks: list[asyncio.Task[Any]] = []
        self.stopping = False
        """`cancel` was called: nothing new is to begin."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> None:
        """Run this until it ends, or until `cancel`."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """A task that has done its work is forgotten; one that failed stays."""
        say_why(task)
        if not task.cancelled() and task.exception() is None:
            self._tasks.remove(task)

    @property
    def failed(self) -> list[str]:
        """The names of the tasks that failed."""
        return [task.get_name() for task in self._tasks if task.done()]

    async def cancel(self, within_s: float) -> None:
        """Let all of them end, and wait for at most so long."""
        self.stopping = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
