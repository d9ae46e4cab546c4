"""The groups and schedules of a directory: what belongs to each, whether it holds now, when that changes.

One rule: of an untrusted clock no change is foretold.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.access.credentials import runs
from edge.directory.document.writing import entry
from edge.model.schedule import next_change
from edge.people.access.places import Named, called_so
from edge.people.finding import NotFoundError
from edge.people.words import ALWAYS, listed, schedule_words

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import tzinfo

    from edge.access.credentials import Now
    from edge.directory.directory import Directory
    from edge.model.messages import Json
    from edge.model.schedule import Schedule

SLICE: Final = 2_000
"""Members between two yields."""


def schedules(
    directory: Directory, now: Now, zone: tzinfo, only: str | None = None
) -> Generator[None, None, list[Json]]:
    """Every schedule as the document has it, with what goes by it; a slice for each: the calendar takes its time.

    `only`: those that are called so; NotFoundError when there are none.
    """
    found: list[Json] = []
    for one in directory.schedules.values() if only is None else _called(directory, only):
        change = next_change(one, now.moment.at) if now.moment.trusted else None
        found.append(
            {
                **entry("schedules", one),
                "words": schedule_words(one, now.moment.at.astimezone(zone).date()),
                "doors": [door.id for door in directory.doors.values() if door.schedule == one.id],
                "groups": [group.id for group in directory.groups.values() if group.schedule == one.id],
                "now": runs(directory, one.id, now),
                "next_change": None if change is None else change.astimezone(zone).isoformat(),
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


def _called(directory: Directory, text: str) -> list[Schedule]:
    every = directory.schedules.values()
    matches = called_so([Named(one.id, one.name, one) for one in every], text)
    found = matches.exact or matches.begun
    if not found:
        expected = listed([one.id for one in every] or ["none"], "or")
        raise NotFoundError("unknown_schedule", f"no schedule {text.strip()!r}; expected one of {expected}")
    return [one.thing for one in found]
