"""One life of the controller: from a start of `doord` to its stop or crash."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.simulated.driver import SimulatedDriver
from edge.daemon.daemon import Daemon
from edge.doors.driver_supervisor import open_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.model.messages import Event, Record
    from edge.settings.controller import Settings
    from tests.simulation.machine import Machine
    from tests.support.clock import FakeClock


class Life:
    """A daemon, and what is seen of it."""

    def __init__(self, loop: Machine, clock: FakeClock, settings: Settings) -> None:
        self.loop, self.clock = loop, clock
        self.began_s = self.over_s = loop.virtual_s
        self.stop = asyncio.Event()
        self.stopped = self.dying = self.booted = self.forgot = False
        self.served_s = float("inf")
        """When it was asked to stop."""
        self.asked: list[asyncio.Future[None]] = []
        """What is being asked of it."""
        self.down_s, self.then = 1.0, "as it was"
        supervisors = open_all(settings.drivers, clock.now_ns)
        driver = supervisors["bench"].driver
        assert isinstance(driver, SimulatedDriver)
        self.driver = driver
        self.daemon = Daemon(settings, clock, supervisors=supervisors)
        self.events: list[Event] = []
        """Handed to the log."""
        self.promised = 0
        """How many of them are on the disk, as somebody was told who commanded."""
        self.told: list[tuple[str, Record]] = []
        """Which listeners were told to be on the disk, and in which stream."""
        self._append = self.daemon.log.append
        self.daemon.log.append = self._note  # type: ignore[method-assign]
        self.daemon.log.on_commit(self._hear)

    def _note(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None:
        self.events += events
        self._append(events, modes)

    def _hear(self, records: Sequence[Record]) -> None:
        self.told += [(self.daemon.log.stream, record) for record in records]
