"""How those parts of entries are written that are not plain values.

One rule: reading what is written here gives an equal value.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from edge.directory.document.keys import plain
from edge.model.schedule import DAY_MINUTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from edge.directory.directory import AntiPassback, Card, Floor
    from edge.directory.pins import PinHash
    from edge.model.schedule import Hours, OneOffOpening

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HASHED: Final = "sha256:"
"""What the hash of a token begins with."""


def short(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out empty values."""
    return {key: value for key, value in entry.items() if value not in (None, [], {})}


def mark(is_set: bool) -> bool | None:
    """A mark that few entries have: left out when it is not set, so that release 0.1.0 can read the others."""
    return is_set or None


def pin_hash(pin: PinHash) -> str:
    """The hash as text."""
    return pin.text


def number(card: Card) -> str | int:
    """A number; as text for tokens (the hash), and where leading zeros count."""
    if card.token:
        return HASHED + card.number
    return int(card.number) if card.bits is None else card.number


def state(active: bool) -> str:
    """The state of a card."""
    return "active" if active else "inactive"


def stops(value: Mapping[str, frozenset[str]]) -> list[dict[str, Any]]:
    """Elevator by elevator."""
    return [{"elevator": elevator, "floors": sorted(floors)} for elevator, floors in value.items()]


def stop_facts(value: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """Each floor as `elevator/floor`."""
    return {"stops": sorted(f"{elevator}/{floor}" for elevator, floors in value.items() for floor in floors)}


def floors(value: Mapping[str, Floor]) -> list[dict[str, Any]]:
    """One after the other."""
    return [{"id": floor.id, "name": floor.name} for floor in value.values()]


def floor_facts(value: Mapping[str, Floor]) -> dict[str, Any]:
    """Each floor by itself, as `floor.ID`."""
    return {f"floor.{floor.id}": {"name": floor.name} for floor in value.values()}


def anti_passback(back: AntiPassback) -> dict[str, Any]:
    """The exit door, the mode, and when an entry is forgotten."""
    mode = "hard" if back.hard else "soft"
    return short({"exit": back.exit, "mode": mode, "forget_after_s": back.forget_after_s})


def weekly(value: tuple[tuple[Hours, ...], ...]) -> list[dict[str, Any]]:
    """Days with the same hours as one part."""
    by_part = sorted((_part(part)["from"], _part(part)["to"], n) for n, day in enumerate(value) for part in day)
    return [
        {"days": [DAYS[n] for _, _, n in same], "from": start, "to": end}
        for (start, end), same in groupby(by_part, key=lambda one: one[:2])
    ]


def exceptions(value: Mapping[date, tuple[Hours, ...]]) -> list[dict[str, Any]]:
    """Days in a row with the same windows as one."""
    runs = groupby(enumerate(sorted(value)), key=lambda one: (one[1].toordinal() - one[0], value[one[1]]))
    entries = []
    for (_, parts), run in runs:
        dates: list[date] = [day for _, day in run]
        until = dates[-1].isoformat() if len(dates) > 1 else None
        entry = {"date": dates[0].isoformat(), "until": until, "windows": [_part(part) for part in parts]}
        entries.append(short(entry))
    return entries


def openings(value: tuple[OneOffOpening, ...]) -> list[dict[str, Any]]:
    """In their order."""
    return [{"from": plain(one.start), "to": plain(one.end)} for one in value]


def _part(part: Hours) -> dict[str, str]:
    end = part.end if part.end == DAY_MINUTES else part.end % DAY_MINUTES
    return {"from": _clock(part.start), "to": _clock(end)}


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
