"""Tells systemd that the daemon is well, for as long as it is.

One rule: it is petted only while the loop, every driver's task and the log's writer make progress.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.socket.watchers import Watchers
    from edge.system.clock import Clock
    from edge.system.systemd import Notifier
    from edge.system.tasks import BackgroundTasks

LOG: Final = logging.getLogger("doord")
WRITER_PATIENCE_NS: Final = 300 * NS_PER_S
"""A disk that keeps the writer longer than this in one call is a reason to start again."""
LOOK_S: Final = 10.0
"""How often it looks where systemd does not watch."""


class Watchdog:
    """Looks regularly whether everything makes progress."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        notifier: Notifier,
        *,
        log: Log,
        clock: Clock,
        runner: Runner,
        tasks: BackgroundTasks,
        watchers: Watchers,
    ) -> None:
        """`watchers` see when the writer stalls and when it goes on; `tasks` are those that may not fail."""
        self._notifier, self._log, self._clock = notifier, log, clock
        self._runner, self._tasks, self._watchers = runner, tasks, watchers

    async def run(self) -> None:
        """Runs until it is cancelled."""
        well_ns, writer = self._clock.now_ns(), "ok"
        while True:
            await asyncio.sleep(self._notifier.watchdog_s or LOOK_S)
            health = self._log.health()
            if health.writer != writer:
                writer = health.writer
                self._watchers.changed()
            if health.writer != "stalled":
                well_ns = self._clock.now_ns()
            self._notifier.status(f"{len(self._runner.doors)} doors, {health.committed} records, log {health.writer}")
            failed = self._tasks.failed
            if failed or self._clock.now_ns() - well_ns > WRITER_PATIENCE_NS:
                LOG.critical("not petting the watchdog: %s", ", ".join(failed) or "the log's writer hangs")
                continue
            self._notifier.watchdog()
