"""Wires the directory in force, its schedules and the readers to the doors.

One rule: doors never wait for it. Until a directory is loaded, readers refuse everybody; exits work.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from edge.access.lookups import read_facts, who
from edge.access.readers import Readers
from edge.access.timetable import Timetable
from edge.directory.in_force import LiveDirectory
from edge.log.log import LogUnavailableError
from edge.model.messages import ClockQuality
from edge.system.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.access.access_points import Floors
    from edge.access.enrolment.enrolments import Enrolments
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import CardRead, Json, KeysPressed, Record
    from edge.settings.controller import Settings
    from edge.settings.tables import DirectoryTable
    from edge.system.clock import Clock

LOOK_BACK: Final = 500
"""How many of the latest records are searched for a trusted time. The time now cannot be earlier."""


class People:
    """Readers, schedules and the directory of one controller, with what they need."""

    def __init__(  # noqa: PLR0913 -- what the daemon lends, by name
        self,
        settings: Settings,
        clock: Clock,
        *,
        runner: Runner,
        log: Log,
        elevators: Floors,
        light: Callable[[str, bool], None],
        enrolments: Enrolments,
    ) -> None:
        """Everybody is refused until `start` has loaded a directory."""
        self._log, self._clock = log, clock
        self.managed = settings.directory
        """Who may edit the directory."""
        self.started = asyncio.Event()
        """The directory is loaded."""
        self.timetable = Timetable(runner, clock, clock.quality())
        self.enrolments = enrolments
        self.readers = Readers(
            runner, self.timetable, elevators, log, now_ns=clock.now_ns, light=light, enrolments=enrolments
        )
        self.zone = ZoneInfo(settings.controller.time_zone)
        """The site's, in which local times of the directory are meant."""
        self.directory = LiveDirectory(
            settings.log.path.with_name("directory.db"),
            settings.directory.file,
            self.zone,
            doors=lambda: {key: door.name for key, door in runner.doors.items()},
            log=log,
            now_ns=clock.now_ns,
            wall_us=clock.wall_us,
        )
        self.directory.listeners.append(self._changed)
        runner.on_credential = self.readers.take
        runner.listeners.append(self.readers.moved)

    async def start(self) -> None:
        """Load the directory; readers decide by it from then on."""
        if self._clock.quality() is ClockQuality.UNSYNCED:
            with suppress(LogUnavailableError):
                self.witnessed(await self._log.read(max(0, self._log.committed - LOOK_BACK), LOOK_BACK))
        await self.directory.start()
        self._changed(self.directory.in_force)
        self.started.set()

    def restore(self, memories: Mapping[str, str]) -> None:
        """Restore the state of the unlock schedules from the log (R14)."""
        self.timetable.restore(memories)

    def follow(self, directory: DirectoryTable) -> None:
        """Use these settings from now on. Another file is read at the next reload of the directory."""
        self.managed, self.directory.file = directory, directory.file

    def clock_changed(self, quality: ClockQuality) -> None:
        """Note that the clock was set, or that its quality changed."""
        self.timetable.clock_changed(quality)

    def witnessed(self, records: Iterable[Record]) -> None:
        """Note the times of these records: the time now cannot be earlier."""
        known_us = [record.time_us for record in records if record.clock is not ClockQuality.UNSYNCED]
        if known_us:
            self.timetable.witnessed(max(known_us))

    def take(self, place: str, shown: CardRead | KeysPressed) -> None:
        """Take a card or keys from the reader of the door or elevator `place`."""
        self.readers.take(place, shown)

    def stop(self) -> None:
        """Stop: readers and schedules no longer move doors."""
        self.timetable.stop()
        self.readers.stop()
        self.enrolments.stop()
        self.directory.stop()

    def cards(self) -> list[Json]:
        """The last cards that readers saw, the newest last, in the form in which a directory has them."""
        calendar, directory = Calendar(self._clock), self.directory.in_force
        return [
            {
                "at": calendar.at(seen.at_ns),
                "reader": seen.card.point,
                **read_facts(directory, seen.card),
                "code": seen.code,
            }
            for seen in self.readers.cards
        ]

    async def who(self, card: str) -> list[Json]:
        """The cards that a text names, with their members. Searched on another thread, as a directory may be large."""
        return [*await asyncio.to_thread(who, self.directory.in_force, card)]

    def facts(self) -> dict[str, Json]:
        """The directory in numbers, for the status."""
        return {"managed": self.managed.managed, **self.directory.facts()}

    def _changed(self, directory: Directory) -> None:
        self.readers.directory(directory)
        self.timetable.directory(directory)
