"""Metrics for Prometheus: counted, written to a file for node-exporter if configured, and served at the socket.

One rule: they come from the status and from counters. No part waits for them.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from edge.system.background import in_background
from edge.system.metrics import Counters, text
from edge.system.metrics_file import MetricsFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.daemon.status import Status
    from edge.model.messages import Actor, Json, Record
    from edge.system.clock import Clock
    from edge.system.isolation import Isolation

LOOK_EVERY_S: Final = 5.0
"""How often the delay of the event loop is measured."""
WRITE_EVERY: Final = 3
"""Measurements between two writings of the file: Prometheus usually asks every 15 s."""


class Figures:
    """Counts metrics since the start."""

    def __init__(self, status: Status, clock: Clock, isolation: Isolation, file: Path | None) -> None:
        """`file` is read by node-exporter; None: no file is written."""
        self._status, self._clock, self._isolation, self._file = status, clock, isolation, file
        self._counters = Counters()

    def committed(self, records: Sequence[Record]) -> None:
        """Count records that are on the disk."""
        self._counters.committed(records, self._clock.now_ns())

    async def run(self) -> None:
        """Measure the delay of the event loop and write the file, until cancelled."""
        with self._isolation.part("metrics"):
            await self._measure()

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        file = None if self._file is None else MetricsFile(self._file)
        while True:
            for _ in range(WRITE_EVERY):
                due_s = loop.time() + LOOK_EVERY_S
                await asyncio.sleep(LOOK_EVERY_S)
                self._counters.late(loop.time() - due_s)
            if file is not None:
                await in_background(partial(file.write, self.text()), "metrics")  # a stop must not wait for the disk

    def text(self) -> str:
        """All metrics in the text format of Prometheus."""
        return text(self._status.whole(), self._counters, self._clock.now_ns())

    async def serve(self, _body: dict[str, Any], _actor: Actor) -> Json:
        """Serve `metrics` at the socket."""
        return {"text": self.text()}
