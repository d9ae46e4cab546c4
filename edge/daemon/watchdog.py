"""Sends the watchdog signal to systemd while the daemon works.

One rule: it is sent only while the event loop, every driver's task and the log's writer make progress.
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
"""If one write takes longer than this, systemd has to restart doord."""
LOOK_S: Final = 10.0
"""How often everything is checked where systemd has no watchdog for doord."""


class Watchdog:
    """Checks regularly that everything makes progress."""

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
        """`watchers` are told when the state of the writer changes. A failed one of `tasks` stops the signal."""
        self._notifier, self._log, self._clock = notifier, log, clock
        self._runner, self._tasks, self._watchers = runner, tasks, watchers

    async def run(self) -> None:
        """Check until cancelled."""
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
                LOG.critical(
                    "no watchdog signal, so that systemd restarts doord: %s",
                    ", ".join(failed) or "the log's writer hangs",
                )
                continue
            self._notifier.watchdog()
