"""What alert policies ask of the directory in force: the groups of a person, whether a schedule is active.

One rule: it answers quickly however many people there are, because it is asked for every record.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from edge.model.records import ClockQuality
from edge.model.schedule import EPOCH, active

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.directory.directory import Directory
    from edge.model.records import Record


class LiveDirectoryView:
    """`edge.settings.alert_policies.DirectoryView` in whatever directory is in force."""

    def __init__(self, directory: Callable[[], Directory]) -> None:
        """`directory` returns the one in force; it is called when a policy asks."""
        self._directory = directory
        self._looked_in: Directory | None = None
        self._groups: dict[str, tuple[str, ...]] = {}
        """User -> groups. Made once for each directory: 50,000 members take some 20 ms."""

    def groups_of(self, user: str) -> frozenset[str]:
        """See `edge.settings.alert_policies.DirectoryView`."""
        directory = self._directory()
        if self._looked_in is not directory:
            self._looked_in, self._groups = directory, {}
            for member in directory.members.values():
                self._groups[member.user] = (*self._groups.get(member.user, ()), *member.groups)
        return frozenset(self._groups.get(user, ()))

    def active(self, schedule: str, record: Record) -> bool:
        """See `edge.settings.alert_policies.DirectoryView`."""
        entry = self._directory().schedules.get(schedule)
        if entry is None or record.clock is ClockQuality.UNSYNCED:
            return True
        return active(entry, EPOCH + timedelta(microseconds=record.time_us))
