"""Wires the directory in force, its schedules and the readers to the doors.

One rule: doors never wait for it. Until a directory is loaded, readers refuse everybody; exits work.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from edge.access.credentials import Code
from edge.access.enrolment.unknown_cards import UnknownCards
from edge.access.lookups import read_facts, who
from edge.access.readers import Readers
from edge.access.timetable import Timetable
from edge.directory.cards import keys_of
from edge.directory.in_force import LiveDirectory
from edge.log.log import LogUnavailableError
from edge.model.messages import ClockQuality
from edge.system.calendar import Calendar, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.access.access_points import Floors
    from edge.access.enrolment.enrolments import Enrolments
    from edge.access.enrolment.keeping import KeptCard
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import CardRead, Json, KeysPressed, Record
    from edge.settings.controller import Settings
    from edge.settings.tables import DirectoryTable
    from edge.system.clock import Clock

LOOK_BACK: Final = 500
"""How many of the latest records are searched for a trusted time. The time now cannot be earlier."""
MOST_KEPT_LISTED: Final = 50
"""Unknown cards from before those since the start, in the list of cards."""
GONE: Final = (
    "the number of this card is not kept any more: somebody has the card now, or too much time or too many other "
    "unknown cards have passed; hold it to a reader once more"
)


class NotKeptError(Exception):
    """A record leads to no card that can be given to somebody; the text is a sentence for people."""


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
        path = settings.log.path.with_name("unknown-cards.db")
        self.unknown = UnknownCards(path, clock, lambda: self.managed.unknown_cards_days)
        self.readers.keep = self.unknown.keep
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
        self.unknown.start()
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
        self.unknown.stop()

    def scheduled(self, door: str) -> Json:
        """The unlock schedule of a door as it stands now; None: it has none."""
        found = self.timetable.scheduled(door)
        if found is None:
            return None
        return {
            "id": found.schedule.id,
            "name": found.schedule.name or found.schedule.id,
            "state": "on" if found.running else "waiting" if found.waiting else "off",
            "next_change": None if found.next_change is None else iso(round(found.next_change.timestamp() * 1e6)),
        }

    def cards(self) -> list[Json]:
        """Unknown cards that are kept, and the last cards that readers saw since the start, the newest last."""
        calendar = Calendar(self._clock)
        seen = {key for one in self.readers.cards for key in keys_of(one.card)[:1]}
        kept = [one for one in self.unknown.latest() if keys_of(one.read)[0] not in seen][-MOST_KEPT_LISTED:]
        return [
            *map(self.kept_facts, kept),
            *(
                {**self._facts_of(one.card), "at": calendar.at(one.at_ns), "code": one.code}
                for one in self.readers.cards
            ),
        ]

    def kept_facts(self, kept: KeptCard) -> Json:
        """A kept card in the form of `cards`; `at` is None where the clock was not set."""
        at = iso(kept.at_us) if kept.at_us else None
        return {**self._facts_of(kept.read), "at": at, "code": Code.UNKNOWN_CARD.value}

    def _facts_of(self, read: CardRead) -> dict[str, Json]:
        return {"reader": read.point, **read_facts(self.directory.in_force, read)}

    async def unknown_card(self, sequence: int) -> KeptCard:
        """The unknown card of this record. Raises NotKeptError, and LogUnavailableError."""
        records = await self._log.read(sequence - 1, 1)
        if not records or records[0].sequence != sequence:
            raise NotKeptError(f"there is no event {sequence}")
        event = records[0].event
        if event.code != Code.UNKNOWN_CARD:
            raise NotKeptError(f"event {sequence} is not of an unknown card")
        kept = self.unknown.find(str(event.details.get("seen")))
        if kept is None:
            raise NotKeptError(GONE)
        return kept

    async def who(self, card: str) -> list[Json]:
        """The cards that a text names, with their members. Searched on another thread, as a directory may be large."""
        return [*await asyncio.to_thread(who, self.directory.in_force, card)]

    def facts(self) -> dict[str, Json]:
        """The directory in numbers, for the status."""
        return {"managed": self.managed.managed, **self.directory.facts()}

    def _changed(self, directory: Directory) -> None:
        self.readers.directory(directory)
        self.timetable.directory(directory)
        self.unknown.directory(directory)
