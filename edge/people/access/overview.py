"""The groups and schedules of a directory: what belongs to each, whether it holds now, when that changes.

One rule: of an untrusted clock no change is foretold.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.access.credentials import runs
from edge.directory.document.writing import entry
from edge.model.schedule import next_change
from edge.people.words import ALWAYS, schedule_words

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import tzinfo

    from edge.access.credentials import Now
    from edge.directory.directory import Directory
    from edge.model.messages import Json

SLICE: Final = 2_000
"""Members between two yields."""


def schedules(directory: Directory, now: Now, zone: tzinfo) -> Generator[None, None, list[Json]]:
    """Every schedule as the document has it, with what goes by it; a slice for each: the calendar takes its time."""
    found: list[Json] = []
    for one in directory.schedules.values():
        change = next_change(one, now.moment.at) if now.moment.trusted else None
        found.append(
            {
                **entry("schedules", one),
                "words": schedule_words(one, now.moment.at.astimezone(zone).date()),
                "doors": [door.id for door in directory.doors.values() if door.schedule == one.id],
                "groups": [group.id for group in directory.groups.values() if group.schedule == one.id],
                "now": runs(directory, one.id, now),
                "next_change": None if change is None else change.isoformat(),
            }
        )
        yield
    return found


def groups(directory: Directory, now: Now, zone: tzinfo) -> Generator[None, None, list[Json]]:
    """Every group with its doors and floors, when it may pass, and how many members it has."""
    members: Counter[str] = Counter()
    for count, member in enumerate(directory.members.values(), 1):
        members.update(member.groups)
        if count % SLICE == 0:
            yield
    today = now.moment.at.astimezone(zone).date()
    return [
        {
            "id": one.id,
            "name": one.name,
            "doors": [*sorted(one.doors)],
            "elevators": {elevator: [*sorted(floors)] for elevator, floors in one.stops.items()},
            "schedule": one.schedule,
            "when": ALWAYS if one.schedule is None else schedule_words(directory.schedules[one.schedule], today),
            "members": members[one.id],
        }
        for one in directory.groups.values()
    ]
