"""A `Directory` as a document again, to be kept: PINs and tokens stand in it as hashes only.

One rule: reading what is written here gives an equal directory.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from edge.directory.document.cards import HASHED
from edge.directory.document.tables import DAYS
from edge.model.schedule import DAY_MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    from edge.directory.directory import (
        Camera,
        Card,
        Directory,
        DoorAccess,
        Elevator,
        Group,
        Integration,
        Member,
        ReaderPolicy,
        User,
    )
    from edge.model.schedule import Hours, Schedule


def written(directory: Directory) -> Iterator[str]:
    """Yield the text of the document in pieces, an entry each, one entry a line."""
    yield f'{{"version": {directory.version}'
    for section, entry in _ENTRIES.items():
        values = getattr(directory, section).values()
        yield f',\n"{section}": ['
        for index, value in enumerate(values):
            yield (",\n  " if index else "\n  ") + json.dumps(_short(entry(value)), ensure_ascii=False)
        yield "]"
    yield "}\n"


def _short(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing."""
    return {key: value for key, value in entry.items() if value not in (None, [], {})}


def user(value: User) -> dict[str, Any]:
    """A user entry."""
    return asdict(value)


def member(value: Member) -> dict[str, Any]:
    """A member entry."""
    return {
        "id": value.id,
        "user": value.user,
        "enabled": value.enabled,
        "valid_from": _when(value.valid_from),
        "valid_until": _when(value.valid_until),
        "cards": [*value.cards],
        "backup_cards": [*value.backup_cards],
        "disabled_cards": [*value.disabled_cards],
        "pin_hash": None if value.pin is None else value.pin.text,
        "pin_alone": value.pin_alone,
        "extended_unlock": value.extended_unlock,
        "groups": [*value.groups],
    }


def card(value: Card) -> dict[str, Any]:
    """A card entry."""
    number: str | int = value.number
    if value.token:
        number = HASHED + value.number
    elif value.bits is None:
        number = int(value.number)
    return {
        "id": value.id,
        "format": value.format.value,
        "facility": value.facility,
        "number": number,
        "bits": value.bits,
        "state": "active" if value.active else "inactive",
        "user": value.user,
    }


def group(value: Group) -> dict[str, Any]:
    """A group entry."""
    stops = [{"elevator": elevator, "floors": sorted(floors)} for elevator, floors in value.stops.items()]
    return {
        "id": value.id,
        "name": value.name,
        "doors": sorted(value.doors),
        "stops": stops,
        "schedule": value.schedule,
    }


def schedule(value: Schedule) -> dict[str, Any]:
    """A schedule entry."""
    by_part = sorted((_part(part)["from"], _part(part)["to"], n) for n, day in enumerate(value.weekly) for part in day)
    weekly = [
        {"days": [DAYS[n] for _, _, n in same], "from": start, "to": end}
        for (start, end), same in groupby(by_part, key=lambda one: one[:2])
    ]
    return {
        "id": value.id,
        "name": value.name,
        "kind": value.kind.value,
        "weekly": weekly,
        "exceptions": _exceptions(value),
        "openings": [{"from": _when(one.start), "to": _when(one.end)} for one in value.openings],
        "first_to_arrive": value.first_to_arrive,
        "early_s": value.early_s,
    }


def door(value: DoorAccess) -> dict[str, Any]:
    """A door entry."""
    back = value.anti_passback
    pair = None
    if back is not None:
        mode = "hard" if back.hard else "soft"
        pair = _short({"exit": back.exit, "mode": mode, "forget_after_s": back.forget_after_s})
    return {
        "id": value.id,
        **_asking(value.asking),
        "schedule": value.schedule,
        "extended_unlock_s": value.extended_unlock_s,
        "anti_passback": pair,
    }


def elevator(value: Elevator) -> dict[str, Any]:
    """An elevator entry."""
    return {
        "id": value.id,
        "name": value.name,
        **_asking(value.asking),
        "permit_s": value.permit_s,
        "extended_permit_s": value.extended_permit_s,
        "floors": [asdict(floor) for floor in value.floors.values()],
    }


def camera(value: Camera) -> dict[str, Any]:
    """A camera entry."""
    return {"id": value.id, "name": value.name, "doors": sorted(value.doors)}


def integration(value: Integration) -> dict[str, Any]:
    """An integration entry."""
    return {**asdict(value), "types": [*value.types]}


def _asking(value: ReaderPolicy) -> dict[str, Any]:
    return {**asdict(value), "ask": value.ask.value}


def _exceptions(value: Schedule) -> list[dict[str, Any]]:
    """Days in a row with the same windows as one."""
    days = sorted(value.exceptions)
    runs = groupby(enumerate(days), key=lambda one: (one[1].toordinal() - one[0], value.exceptions[one[1]]))
    found = []
    for (_, parts), run in runs:
        dates: list[date] = [day for _, day in run]
        until = dates[-1].isoformat() if len(dates) > 1 else None
        entry = {"date": dates[0].isoformat(), "until": until, "windows": [_part(part) for part in parts]}
        found.append(_short(entry))
    return found


def _part(part: Hours) -> dict[str, str]:
    end = part.end if part.end == DAY_MINUTES else part.end % DAY_MINUTES
    return {"from": _clock(part.start), "to": _clock(end)}


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _when(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="minutes")


_ENTRIES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "users": user,
    "members": member,
    "cards": card,
    "groups": group,
    "schedules": schedule,
    "doors": door,
    "elevators": elevator,
    "cameras": camera,
    "integrations": integration,
}
