"""What the entries of a directory refer to: it is there, of the right kind, and nobody else's.

One rule: an entry that is wrong in itself is named once; references to it are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.problems import dotted, meant, shown
from edge.model.schedule import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from edge.directory.directory import Group, Member
    from edge.directory.document.entries import Entries

SUGGESTED_FROM = 200
"""Of more entries than that none is suggested: to compare them all takes too long."""


def references(found: Entries, doors: Collection[str] | None) -> Iterator[None]:
    """Check every reference, an entry a step; note who holds which card."""
    check = _References(found, doors)
    for member in found.members.values():
        check.member(member)
        yield
    for card in found.cards.values():
        where = found.where[f"cards.{card.id}"]
        holder = found.holders.get(card.id)
        check.there(where, "user", "users", card.user)
        if card.user is not None and holder is not None and found.members[holder].user != card.user:
            other = found.members[holder].user
            check.add(where, "user", f"found {shown(card.user)}, expected {shown(other)}, whose member {holder} has it")
        yield
    for group in found.groups.values():
        check.group(group)
        yield
    for door in found.doors.values():
        where = found.where[f"doors.{door.id}"]
        check.door(where, "id", door.id)
        check.schedule(where, door.schedule, ScheduleKind.UNLOCK)
        if door.anti_passback is not None:
            check.door(where, "anti_passback.exit", door.anti_passback.exit)
            if door.anti_passback.exit == door.id:
                check.add(where, "anti_passback.exit", "found the door itself, expected another")
    for camera in found.cameras.values():
        for camera_door in sorted(camera.doors):
            check.door(found.where[f"cameras.{camera.id}"], "doors", camera_door)
        yield


class _References:
    def __init__(self, found: Entries, doors: Collection[str] | None) -> None:
        self.found, self.doors = found, doors

    def add(self, where: str, name: str, message: str) -> None:
        self.found.report.add(f"{where}.{name}", message)

    def there(self, where: str, name: str, section: str, entry_id: str | None) -> bool:
        known = getattr(self.found, section)
        if entry_id is None or entry_id in known:
            return entry_id is not None
        if f"{section}.{entry_id}" not in self.found.broken:
            expected = meant(entry_id, known) if 0 < len(known) <= SUGGESTED_FROM else f"expected one of {section}"
            self.add(where, name, f"found {shown(entry_id)}, {expected}")
        return False

    def door(self, where: str, name: str, door: str) -> None:
        if self.doors is not None and door not in self.doors:
            expected = meant(door, self.doors) if self.doors else "expected none: no door is configured"
            self.add(where, name, f"found {shown(door)}, which is no door of the configuration, {expected}")

    def schedule(self, where: str, schedule: str | None, kind: ScheduleKind) -> None:
        if self.there(where, "schedule", "schedules", schedule) and schedule is not None:
            own = self.found.schedules[schedule].kind
            if own is not kind:
                self.add(where, "schedule", f"found {shown(schedule)} of kind {own}, expected one of kind {kind}")

    def member(self, member: Member) -> None:
        where = self.found.where[f"members.{member.id}"]
        self.there(where, "user", "users", member.user)
        for name, cards in (("cards", member.cards), ("backup_cards", member.backup_cards)):
            for card in cards:
                if not self.there(where, name, "cards", card):
                    continue
                if card in self.found.holders:
                    message = f"which {self.found.holders[card]} has, expected a card that nobody has"
                    self.add(where, name, f"found {shown(card)}, {message}")
                self.found.holders.setdefault(card, member.id)
        for card in member.disabled_cards:
            if card not in member.cards and card not in member.backup_cards:
                self.add(where, "disabled_cards", f"found {shown(card)}, expected one of this member's cards")
        for group in member.groups:
            self.there(where, "groups", "groups", group)

    def group(self, group: Group) -> None:
        where = self.found.where[f"groups.{group.id}"]
        for door in sorted(group.doors):
            self.door(where, "doors", door)
        self.schedule(where, group.schedule, ScheduleKind.ACCESS)
        for index, (elevator, floors) in enumerate(group.stops.items()):
            at = dotted(where, "stops", index)
            if self.there(at, "elevator", "elevators", elevator):
                known = self.found.elevators[elevator].floors
                for floor in sorted(floors - known.keys()):
                    self.add(at, "floors", f"found {shown(floor)}, {meant(floor, known)}")
