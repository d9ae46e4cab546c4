"""The entries of a directory document as values.

One rule: of entries with the same id or card number the first counts; every other one is a problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.directory.directory import (
    AntiPassback,
    Camera,
    Card,
    DoorAccess,
    Elevator,
    Floor,
    Group,
    Integration,
    Member,
    ReaderPolicy,
    User,
)
from edge.directory.document.cards import number_of
from edge.directory.document.integrations import integration_of
from edge.directory.document.problems import once
from edge.directory.document.schedules import schedule_of
from edge.directory.document.tables import KEYS, READER_KEYS
from edge.model.problems import dotted, shown

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge.directory.document import tables
    from edge.model.problems import ProblemReport
    from edge.model.schedule import Schedule
    from edge.settings.tables import Table


class _Where(dict[str, str]):
    """An entry that is not in the document, but already in force, is named by its list and id."""

    def __missing__(self, own: str) -> str:
        return own


class Entries:
    """The entries of a document that have been read so far, by id."""

    def __init__(self, report: ProblemReport, zone: tzinfo) -> None:
        """Nothing so far."""
        self.report, self.zone = report, zone
        self.users: dict[str, User] = {}
        self.members: dict[str, Member] = {}
        self.cards: dict[str, Card] = {}
        self.groups: dict[str, Group] = {}
        self.schedules: dict[str, Schedule] = {}
        self.doors: dict[str, DoorAccess] = {}
        self.elevators: dict[str, Elevator] = {}
        self.cameras: dict[str, Camera] = {}
        self.integrations: dict[str, Integration] = {}
        self.by_key: dict[bytes, str] = {}
        self.holders: dict[str, str] = {}
        self.clear_pins: dict[str, str] = {}
        self.where: dict[str, str] = _Where()
        """`members.ada` -> `members[3]`: where an entry is in the document, for problems that are found later."""
        self.broken: set[str] = set()
        """`members.ada` for each entry with problems of its own: references to it are not reported as well."""

    def add(self, section: str, where: str, table: Table) -> None:
        """Take in one entry whose keys have been checked."""
        entry_id: str = table.id  # type: ignore[attr-defined]  # every entry has one
        if self.claim(section, where, entry_id):
            getattr(self, section)[entry_id] = getattr(self, f"_{section}")(where, table)

    def wrong(self, section: str, where: str, entry: object) -> None:
        """Note an entry with problems of its own, so that references to it are not reported as well."""
        entry_id = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(entry_id, str) and self.claim(section, where, entry_id):
            self.broken.add(f"{section}.{entry_id}")

    def claim(self, section: str, where: str, entry_id: str) -> bool:
        """Note where an entry is in the document. False, and a problem, when another entry has its id."""
        own = f"{section}.{entry_id}"
        if own in self.where:
            self.report.add(dotted(where, "id"), f"found {shown(entry_id)} a second time, expected an id of its own")
            return False
        self.where[own] = where
        return True

    # --- one entry ---------------------------------------------------------------------------------

    def _users(self, where: str, table: tables.UserEntry) -> User:
        return User(**self._attributes("users", where, table))

    def _members(self, where: str, table: tables.MemberEntry) -> Member:
        if table.pin is not None and table.pin_hash is not None:
            self.report.add(dotted(where, "pin_hash"), "found beside pin, expected only one of them")
        elif table.pin is not None:
            self.clear_pins[table.id] = table.pin
        elif table.pin_alone and table.pin_hash is None:
            self.report.add(dotted(where, "pin_alone"), "found without a PIN, expected pin or pin_hash as well")
        member = Member(**self._attributes("members", where, table))
        begin, end = member.valid_from, member.valid_until
        if begin is not None and end is not None and end <= begin:
            self.report.add(dotted(where, "valid_until"), "found a time before valid_from, expected one after it")
        if member.visitor and table.valid_until is None:
            self.report.add(dotted(where, "visitor"), "found without valid_until, expected valid_until as well")
        return member

    def _cards(self, where: str, table: tables.CardEntry) -> Card:
        facility, number, bits, own = number_of(self.report, where, table)
        if own:
            other = self.by_key.setdefault(own, table.id)
            if other != table.id:
                of = self.where[f"cards.{other}"]
                self.report.add(dotted(where, "number"), f"found the number of {of} ({other}), expected another")
        return Card(**self._attributes("cards", where, table), facility=facility, number=number, bits=bits, key=own)

    def _groups(self, where: str, table: tables.GroupEntry) -> Group:
        stops: dict[str, frozenset[str]] = {}
        for index, stop in enumerate(table.stops):
            at = dotted(where, "stops", index)
            if stop.elevator in stops:
                self.report.add(dotted(at, "elevator"), f"found {shown(stop.elevator)} a second time, expected once")
            stops[stop.elevator] = frozenset(once(self.report, dotted(at, "floors"), stop.floors))
        return Group(**self._attributes("groups", where, table), stops=stops)

    def _schedules(self, where: str, table: tables.ScheduleEntry) -> Schedule:
        return schedule_of(self.report, where, table, self.zone)

    def _doors(self, where: str, table: tables.DoorEntry) -> DoorAccess:
        pair = table.anti_passback
        back = None if pair is None else AntiPassback(pair.exit, pair.mode == "hard", pair.forget_after_s)
        return DoorAccess(
            **self._attributes("doors", where, table), asking=self._asking(where, table), anti_passback=back
        )

    def _elevators(self, where: str, table: tables.ElevatorEntry) -> Elevator:
        floors: dict[str, Floor] = {}
        for index, floor in enumerate(table.floors):
            if floor.id in floors:
                at = dotted(where, "floors", index, "id")
                self.report.add(at, f"found {shown(floor.id)} a second time, expected an id of its own")
            floors[floor.id] = Floor(floor.id, floor.name)
        return Elevator(**self._attributes("elevators", where, table), floors=floors, asking=self._asking(where, table))

    def _cameras(self, where: str, table: tables.CameraEntry) -> Camera:
        return Camera(**self._attributes("cameras", where, table))

    def _integrations(self, where: str, table: tables.IntegrationEntry) -> Integration:
        return integration_of(self.report, where, table, Integration(**self._attributes("integrations", where, table)))

    # --- parts of entries ----------------------------------------------------------------------------

    def _attributes(self, section: str, where: str, table: Table) -> dict[str, Any]:
        return KEYS[section].attributes(table, self.report, self.zone, where)

    def _asking(self, where: str, table: tables.ReaderEntry) -> ReaderPolicy:
        return ReaderPolicy(**READER_KEYS.attributes(table, self.report, self.zone, where))
