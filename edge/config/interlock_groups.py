"""Warnings about doors of one interlock group whose unlock schedules overlap (R18).

One rule: it refuses nothing; at the door, the second schedule waits.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from edge.directory.document.reading import LARGEST, DirectoryError, read
from edge.directory.store import read_file
from edge.model.problems import Problem, ProblemReport, dotted
from edge.model.schedule import overlap

if TYPE_CHECKING:
    from datetime import datetime

    from edge.directory.directory import Directory
    from edge.model.schedule import Schedule
    from edge.settings.controller import Settings

AHEAD_DAYS: Final = 60
"""Schedules are compared for so many days from now on."""


def overlap_warnings(settings: Settings, now: datetime) -> tuple[Problem, ...]:
    """A warning for each pair of doors; none without a directory file or when it cannot be read, reported elsewhere."""
    file = settings.directory.file
    if file is None or not any(door.policy.interlock for door in settings.doors.values()):
        return ()
    try:
        directory = read(read_file(file, LARGEST), file, ZoneInfo(settings.controller.time_zone), doors=settings.doors)
    except (DirectoryError, OSError):
        return ()
    report = ProblemReport(settings.file)
    for door, other in combinations(settings.doors.values(), 2):
        group, mine, theirs = door.policy.interlock, _schedule(directory, door.id), _schedule(directory, other.id)
        if group is None or group != other.policy.interlock or mine is None or theirs is None:
            continue
        at = overlap(mine, theirs, now, days=AHEAD_DAYS)
        if at is not None:
            when = at.astimezone(mine.zone)
            text = (
                f"its schedule {mine.name!r} and {theirs.name!r} of {other.id} both want an unlocked door "
                f"({when:%Y-%m-%d %H:%M}): the second waits until the first door is closed and locked"
            )
            report.add(dotted("door", door.id, "interlock"), text)
    return tuple(report.problems)


def _schedule(directory: Directory, door: str) -> Schedule | None:
    chosen = directory.access(door).schedule
    return None if chosen is None else directory.schedules.get(chosen)
