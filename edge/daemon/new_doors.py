"""Adds the new doors of a reload to a running controller.

One rule: as at a start, their locks come to rest before anything else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.doors.driver_supervisor import open_all
from edge.doors.memory import schedule_memory
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.access.people import People
    from edge.daemon.configuration import Configuration
    from edge.daemon.drivers import Drivers
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.ports import Emit
    from edge.settings.controller import Settings
    from edge.system.clock import Clock
    from edge.system.tasks import BackgroundTasks


class NewDoors:
    """Adds doors while the others go on."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        configuration: Configuration,
        *,
        drivers: Drivers,
        runner: Runner,
        people: People,
        log: Log,
        clock: Clock,
        tasks: BackgroundTasks,
        take: Emit,
    ) -> None:
        """`take` gets the signals of new drivers."""
        self._configuration, self._drivers, self._runner, self._people = configuration, drivers, runner, people
        self._log, self._clock, self._tasks, self._take = log, clock, tasks, take

    async def guard(self, settings: Settings, doors: Sequence[str]) -> None:
        """Guard these doors of the new settings as well, their locks at rest first. Then the settings are in force.

        The wiring of all other doors is as before (`edge.settings.controller.difference`).
        Raises RequestError during a stop.
        """
        new = {name: driver for name, driver in settings.drivers.items() if name not in self._drivers}
        opened = await asyncio.to_thread(open_all, new, self._clock.now_ns) if new else {}  # loads libraries
        if self._tasks.stopping:
            for supervisor in opened.values():
                supervisor.close()
            raise RequestError("stopping", "doord is stopping: nothing is reloaded")
        self._configuration.settings = settings
        lost = self._drivers.extend(settings.drivers, opened, self._clock.now_ns())
        memories = self._log.modes()
        self._runner.add([settings.doors[door] for door in doors], memories)
        for signal in lost:
            self._take(signal)
        for name, supervisor in opened.items():
            self._tasks.spawn(supervisor.run(self._take), f"driver {name}")
        schedules = {schedule_memory(door) for door in doors}
        self._people.restore({key: memory for key, memory in memories.items() if key in schedules})
