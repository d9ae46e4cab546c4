"""Records events of the controller itself: start, stop, update, steps of the clock, faults of log and broker.

One rule: a lasting fault is recorded once, and once more when it is over.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.model.event_types import (
    CONTROLLER_CLOCK_ADJUSTED,
    CONTROLLER_FAULT,
    CONTROLLER_FAULT_CLEARED,
    CONTROLLER_START,
    CONTROLLER_STOP,
    GATEWAY_UPDATE,
)
from edge.model.messages import SYSTEM, Event, Subject
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.log.log import Log
    from edge.model.messages import Json, Record
    from edge.system.clock import Clock

LOG: Final = logging.getLogger("doord")
STEP_TO_RECORD_US: Final = 2_000_000
"""R19: a smaller step of the clock is not recorded."""
BROKER: Final = Subject("upstream", "mqtt", "MQTT broker")


class ControllerEvents:
    """Records these events, and knows when `controller.stop` is on the disk."""

    def __init__(self, controller: Subject, log: Log, clock: Clock) -> None:
        """`controller` is the subject of events about the controller itself."""
        self.controller = controller
        self._log, self._clock = log, clock
        self._stop_stored = asyncio.Event()
        self._refused: str | None = None
        """The recorded reason why the broker refuses; None: it does not."""

    def started(self, config: str, ended: str | None) -> None:
        """Record the start with this file; `ended` is why systemd ended the run before, if it did."""
        details: dict[str, Json] = {"version": __version__, "config": spelt(config)}
        if ended is not None:
            details["ended"] = ended
        self._record(CONTROLLER_START, self.controller, details)

    def stopped(self) -> None:
        """Record the stop."""
        self._record(CONTROLLER_STOP, self.controller, {})

    async def stop_stored(self) -> None:
        """Wait until `controller.stop` is on the disk."""
        await self._stop_stored.wait()

    def committed(self, records: Sequence[Record]) -> None:
        """Note that these records are on the disk."""
        if any(record.event.type == CONTROLLER_STOP for record in records):
            self._stop_stored.set()

    def version_is(self, before: Json, memory: Mapping[str, str]) -> None:
        """Record an update from version `before` (None: the first start); `memory` is stored with it."""
        news = []
        if before not in (None, __version__):
            details: dict[str, Json] = {"from": before, "to": __version__}
            news.append(Event(GATEWAY_UPDATE, self._clock.now_ns(), self.controller, SYSTEM, details=details))
        self._log.append(news, memory)

    def clock_stepped(self, step_us: int) -> None:
        """Record that the clock was set by this much (R19)."""
        if abs(step_us) > STEP_TO_RECORD_US:
            self._record(CONTROLLER_CLOCK_ADJUSTED, self.controller, {"step_s": round(step_us / 1e6, 6)})

    def log_unreadable(self, reason: str) -> None:
        """Record that the log cannot be read, and that doors are guarded without it."""
        self._record(CONTROLLER_FAULT, self.controller, {"reason": reason})

    def leaves_out(self, topic: str, why: str) -> None:
        """See `edge.upstream.messages.UpstreamFaults`."""
        LOG.warning("%s: %s", topic, why)
        self._record(CONTROLLER_FAULT, BROKER, {"reason": f"{topic}: {why}", "topic": topic}, code="limit")

    def refuses(self, reason: str | None) -> None:
        """See `edge.upstream.messages.UpstreamFaults`."""
        if (reason is None) == (self._refused is None):
            return
        self._refused = reason
        self._record(CONTROLLER_FAULT if reason else CONTROLLER_FAULT_CLEARED, BROKER, {"reason": reason})

    def _record(self, event_type: str, subject: Subject, details: Mapping[str, Json], code: str | None = None) -> None:
        self._log.append([Event(event_type, self._clock.now_ns(), subject, SYSTEM, code=code, details=details)])
