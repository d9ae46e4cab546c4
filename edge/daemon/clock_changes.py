"""Tells the other parts when the clock was set, or its quality changed.

One rule: the log is told first, so that every later record gets the right time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edge.model.messages import ClockQuality

if TYPE_CHECKING:
    from edge.access.people import People
    from edge.daemon.controller_events import ControllerEvents
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.socket.watchers import Watchers
    from edge.system.clock import Clock

LOG: Final = logging.getLogger("doord")


class ClockChanges:
    """Watches the clock, and tells the log, schedules, doors and watchers."""

    def __init__(  # noqa: PLR0913 -- each is told
        self,
        clock: Clock,
        *,
        log: Log,
        people: People,
        runner: Runner,
        events: ControllerEvents,
        watchers: Watchers,
    ) -> None:
        """Nothing is watched before `run`."""
        self._clock, self._log, self._people, self._runner = clock, log, people, runner
        self._events, self._watchers = events, watchers

    async def run(self) -> None:
        """Watch the clock until cancelled."""
        await self._clock.watch(self._stepped, self._quality_changed)

    def _stepped(self, step_us: int) -> None:
        self._tell(self._clock.quality())
        self._events.clock_stepped(step_us)

    def _quality_changed(self, quality: ClockQuality) -> None:
        LOG.info("the clock is now %s", quality)
        self._tell(quality)
        self._watchers.changed()

    def _tell(self, quality: ClockQuality) -> None:
        self._log.note_clock(self._clock.now_ns(), self._clock.wall_us(), self._clock.quality())
        self._people.clock_changed(quality)
        self._runner.clock_changed(trusted=quality is not ClockQuality.UNSYNCED)
