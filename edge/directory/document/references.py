"""Checks references between entries: the entry exists and has the right kind, and a card has one holder.

One rule: an entry with problems of its own is reported once; references to it are not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.problems import dotted, meant, shown
from edge.model.schedule import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from edge.directory.directory import Camera, Card, DoorAccess, Group, Member
    from edge.directory.document.entries import Entries

SUGGESTED_FROM = 200
"""With more entries than this no similar id is suggested: comparing them all takes too long."""


def not_there(section: str, entry_id: str, known: Collection[str]) -> str:
    """The message for a reference to an id that this list does not have."""
    expected = meant(entry_id, known) if 0 < len(known) <= SUGGESTED_FROM else f"expected one of {section}"
    return f"found {shown(entry_id)}, {expected}"


def references(found: Entries, doors: Collection[str] | None) -> Iterator[None]:
    """Check every reference, one entry a step; enter the holders of cards."""
    check = References(found, doors)
    for member in found.members.values():
        check.member(member)
        yield
    for card in found.cards.values():
        check.card(card)
        yield
    for group in found.groups.values():
        check.group(group)
        yield
    for door in found.doors.values():
        check.door(door)
    for camera in found.cameras.values():
        check.camera(camera)
        yield


class References:
    """Checks the references of one entry after the other. Members come first: they give cards their holders."""

    def __init__(self, found: Entries, doors: Collection[str] | None) -> None:
        """`doors` are the configured ones; None: do not check."""
        self.found, self.doors = found, doors

    def _add(self, where: str, name: str, message: str) -> None:
        self.found.report.add(f"{where}.{name}", message)

    def _there(self, where: str, name: str, section: str, entry_id: str | None) -> bool:
        known = getattr(self.found, section)
        if entry_id is None or entry_id in known:
            return entry_id is not None
        if f"{section}.{entry_id}" not in self.found.broken:
            self._add(where, name, not_there(section, entry_id, known))
        return False

    def _configured(self, where: str, name: str, door: str) -> None:
        if self.doors is not None and door not in self.doors:
            expected = meant(door, self.doors) if self.doors else "expected none: no door is configured"
            self._add(where, name, f"found {shown(door)}, which is no door of the configuration, {expected}")

    def _schedule(self, where: str, schedule: str | None, kind: ScheduleKind) -> None:
        if self._there(where, "schedule", "schedules", schedule) and schedule is not None:
            own = self.found.schedules[schedule].kind
            if own is not kind:
                self._add(where, "schedule", f"found {shown(schedule)} of kind {own}, expected one of kind {kind}")

    def member(self, member: Member) -> None:
        """Check its user, cards and groups."""
        where = self.found.where[f"members.{member.id}"]
        self._there(where, "user", "users", member.user)
        for name, cards in (("cards", member.cards), ("backup_cards", member.backup_cards)):
            for card in cards:
                if not self._there(where, name, "cards", card):
                    continue
                if card in self.found.holders:
                    message = f"which {self.found.holders[card]} has, expected a card that nobody has"
                    self._add(where, name, f"found {shown(card)}, {message}")
                self.found.holders.setdefault(card, member.id)
        for card in member.disabled_cards:
            if card not in member.cards and card not in member.backup_cards:
                self._add(where, "disabled_cards", f"found {shown(card)}, expected one of this member's cards")
        for group in member.groups:
            self._there(where, "groups", "groups", group)

    def card(self, card: Card) -> None:
        """Check the user it was issued to: it is also the user of its holder."""
        where = self.found.where[f"cards.{card.id}"]
        holder = self.found.holders.get(card.id)
        self._there(where, "user", "users", card.user)
        if card.user is not None and holder is not None and self.found.members[holder].user != card.user:
            other = self.found.members[holder].user
            self._add(where, "user", f"found {shown(card.user)}, expected {shown(other)}, whose member {holder} has it")

    def door(self, door: DoorAccess) -> None:
        """Check its schedule, and that it and its anti-passback exit are configured."""
        where = self.found.where[f"doors.{door.id}"]
        self._configured(where, "id", door.id)
        self._schedule(where, door.schedule, ScheduleKind.UNLOCK)
        if door.anti_passback is not None:
            self._configured(where, "anti_passback.exit", door.anti_passback.exit)
            if door.anti_passback.exit == door.id:
                self._add(where, "anti_passback.exit", "found the door itself, expected another")

    def camera(self, camera: Camera) -> None:
        """Check the doors it looks at."""
        for door in sorted(camera.doors):
            self._configured(self.found.where[f"cameras.{camera.id}"], "doors", door)

    def group(self, group: Group) -> None:
        """Check its doors, schedule and floors."""
        where = self.found.where[f"groups.{group.id}"]
        for door in sorted(group.doors):
            self._configured(where, "doors", door)
        self._schedule(where, group.schedule, ScheduleKind.ACCESS)
        for index, (elevator, floors) in enumerate(group.stops.items()):
            at = dotted(where, "stops", index)
            if self._there(at, "elevator", "elevators", elevator):
                known = self.found.elevators[elevator].floors
                for floor in sorted(floors - known.keys()):
                    self._add(at, "floors", f"found {shown(floor)}, {meant(floor, known)}")
