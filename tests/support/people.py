"""A small building with people, for decisions: whoever is changed is changed in the document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.access.credentials import Now
from edge.directory.cards import Format, encode, layout
from edge.doors.progress import Moment
from edge.doors.state import Door
from edge.model.messages import CardRead, ClockQuality
from tests.support.directories import cheap, made

if TYPE_CHECKING:
    from edge.directory.directory import Directory

ADA, BOB, SPARE, LOST = 1001, 1002, 1900, 1999
MONDAY_NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
SUNDAY_NOON = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)


def document(**doors: dict[str, Any]) -> dict[str, Any]:
    """Ada (PIN 2580) and Bob (PIN 246810, works alone) may pass front; Bob on weekdays only."""
    weekdays = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}
    cards = (ADA, BOB, SPARE, LOST)
    floors = [{"id": n, "name": f"Floor {n}"} for n in "012"]
    return {
        "version": 1,
        "users": [
            {"id": "ada", "name": "Ada", "email": "ada@example.org"},
            {"id": "bob", "name": "Bob"},
        ],
        "members": [
            {"id": "ada", "user": "ada", "cards": ["c1001"], "backup_cards": ["c1900"], "disabled_cards": ["c1900"],
             "groups": ["always"], "pin_hash": cheap("2580")},
            {"id": "bob", "user": "bob", "cards": ["c1002"], "groups": ["weekdays"], "pin_hash": cheap("246810"),
             "pin_alone": True},
        ],
        "cards": [{"id": f"c{n}", "format": "wiegand26", "facility": 12, "number": n} for n in cards],
        "groups": [
            {"id": "always", "name": "Always", "doors": ["front", "back"],
             "stops": [{"elevator": "lift", "floors": ["0", "2"]}]},
            {"id": "weekdays", "name": "Weekdays", "doors": ["front"], "schedule": "weekdays",
             "stops": [{"elevator": "lift", "floors": ["0", "1"]}]},
        ],
        "schedules": [{"id": "weekdays", "name": "Weekdays", "kind": "access", "weekly": [weekdays]}],
        "doors": [{"id": door, **settings} for door, settings in doors.items()],
        "elevators": [{"id": "lift", "name": "Lift", "floors": floors}],
    }  # fmt: skip


def building(change: Any = None, **doors: dict[str, Any]) -> Directory:
    """The directory of `document`, after `change` has had it."""
    own = document(**doors)
    if change is not None:
        change(own)
    return made(own)


def card(number: int, facility: int = 12) -> CardRead:
    shape = layout(Format.WIEGAND26, facility)
    assert shape is not None
    return CardRead("front.reader", 26, (encode(shape, facility, number) << 6).to_bytes(4), 7)


def now(at: datetime = MONDAY_NOON, quality: ClockQuality = ClockQuality.SYNCED, **more: Any) -> Now:
    known = more.pop("known", None)
    return Now(Moment(at, quality, known), **more)


def door(door_id: str = "front", **facets: Any) -> Door:
    return Door(door_id, door_id, "run", **facets)
