"""What is said of a person: state, cards as they can be entered, doors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from edge.people.facts import door_facts, person_facts, state_of
from edge.people.finding import find_person
from tests.support.directories import cheap, made

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
GROUPS = [
    {"id": "staff", "name": "Staff", "doors": ["front", "back"], "schedule": "days"},
    {"id": "none", "name": "Nowhere"},
]
SCHEDULES = [{"id": "days", "name": "Days", "kind": "access"}]


@pytest.mark.parametrize(
    ("member", "known", "state"),
    [
        ({"groups": ["staff"]}, NOON, "active"),
        ({"groups": ["staff"], "enabled": False}, NOON, "off"),
        ({"groups": ["none"]}, NOON, "no access"),
        ({}, NOON, "no access"),
        ({"groups": ["staff"], "valid_until": "2026-11-30T12:00Z"}, NOON, "expired"),
        ({"groups": ["staff"], "valid_until": "2026-11-30T12:01Z"}, NOON, "active"),
        ({"groups": ["staff"], "valid_from": "2026-11-30T12:00Z"}, NOON, "active"),
        ({"groups": ["staff"], "valid_from": "2026-11-30T12:01Z"}, NOON, "not yet"),
        ({"groups": ["staff"], "valid_from": "2026-11-30T12:00Z"}, None, "not yet"),
        ({"groups": ["staff"], "valid_until": "2026-11-30T12:00Z"}, None, "active"),
    ],
)
def test_the_state_is_what_a_reader_would_say(member: dict[str, Any], known: datetime | None, state: str) -> None:
    directory = made(
        {
            "version": 1,
            "users": [{"id": "ada", "name": "Ada"}],
            "members": [{"id": "ada", "user": "ada", **member}],
            "groups": GROUPS,
            "schedules": SCHEDULES,
        }
    )
    assert state_of(directory, directory.members["ada"], known) == state
    assert state_of(directory, None, known) == "no access"


def test_a_person_is_told_with_cards_and_doors_and_without_secrets() -> None:
    cards = [
        {"id": "c1", "format": "wiegand26", "facility": 12, "number": 42, "state": "inactive"},
        {"id": "c2", "format": "raw", "number": "04a3b2c1"},
        {"id": "c3", "format": "token", "number": "00112233445566778899aabbccddeeff"},
    ]
    member = {"id": "m", "user": "ada", "cards": ["c1", "c2"], "backup_cards": ["c3"], "disabled_cards": ["c2"]}
    directory = made(
        {
            "version": 1,
            "users": [{"id": "ada", "name": "Ada", "email": "ada@example.org"}],
            "members": [member | {"groups": ["staff"], "pin_hash": cheap("123456"), "extended_unlock": True}],
            "cards": cards,
            "groups": GROUPS,
            "schedules": SCHEDULES,
        }
    )
    ada = find_person(directory, "ada")
    seen = {"at": "2026-11-30T11:00:00Z", "door": "front", "name": "Front", "code": None}
    facts = person_facts(directory, ada, NOON, seen)
    assert facts == {
        "id": "m", "user": "ada", "name": "Ada", "email": "ada@example.org", "state": "active",
        "valid_from": None, "valid_until": None, "visitor": False, "groups": [{"id": "staff", "name": "Staff"}],
        "cards": [
            {"id": "c1", "format": "wiegand26", "number": "12:42", "shown": "…0042", "lost": True, "enabled": True,
             "backup": False},
            {"id": "c2", "format": "raw", "number": "04a3b2c1", "shown": "…b2c1", "lost": False, "enabled": False,
             "backup": False},
            {"id": "c3", "format": "token", "number": None, "shown": "…", "lost": False, "enabled": True,
             "backup": True},
        ],
        "pin": True, "extended_unlock": True, "last_seen": seen,
    }  # fmt: skip
    assert door_facts(directory, ada.member, {"front": "Front door"}) == [
        {"door": "back", "name": "back", "group": "staff", "schedule": "days"},
        {"door": "front", "name": "Front door", "group": "staff", "schedule": "days"},
    ]
