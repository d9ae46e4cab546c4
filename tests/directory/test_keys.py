"""Every key of every entry goes all the way: read, kept in what is written, and told when it changes."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from edge.directory.changes import difference
from edge.directory.document.keys import Audit
from edge.directory.document.tables import KEYS, READER_KEYS, READERS, SECTIONS
from edge.directory.document.writing import entry, written
from edge.model.messages import Actor
from tests.support.directories import cheap, made

if TYPE_CHECKING:
    from edge.directory.document.keys import Key

OTTO = Actor("operator", "uid:1000", "otto")
WINDOW = {"days": ["mon"], "from": "08:00", "to": "18:00"}
BASE: dict[str, Any] = {
    "version": 1,
    "users": [{"id": "ada", "name": "Ada"}, {"id": "bob", "name": "Bob"}],
    "members": [
        {"id": "ada", "user": "ada", "cards": ["fob"], "groups": ["staff"], "pin_hash": cheap("2580")},
        {"id": "bob", "user": "bob"},
    ],
    "cards": [
        {"id": "fob", "format": "wiegand26", "facility": 12, "number": 3},
        {"id": "raw", "format": "raw", "number": "12f0", "bits": 12},
        {"id": "bytes", "format": "raw", "number": "0102"},
    ],
    "groups": [{"id": "staff", "name": "Staff", "doors": ["front"], "schedule": "hours"}, {"id": "all", "name": "All"}],
    "schedules": [
        {"id": "hours", "name": "Hours", "kind": "access", "weekly": [WINDOW]},
        {"id": "open", "name": "Open", "kind": "unlock", "weekly": [WINDOW]},
        {"id": "spare", "name": "Spare", "kind": "access"},
    ],
    "doors": [{"id": "front", "schedule": "open"}, {"id": "back"}],
    "elevators": [{"id": "lift", "name": "Lift", "floors": [{"id": "0", "name": "Ground"}]}],
    "cameras": [{"id": "lobby", "name": "Lobby"}],
    "integrations": [{"id": "pager", "name": "Pager", "kind": "webhook", "url": "https://a.example", "secret": "x"}],
}
READER: dict[str, tuple[str, Any]] = {
    "ask": ("front", "card_and_pin"),
    "pin_within_s": ("front", 20.0),
    "wrong_pins": ("front", 4),
    "wrong_pins_within_s": ("front", 30.0),
    "locked_out_s": ("front", 90.0),
    "wrong_pins_an_hour": ("front", 10),
    "unknown_cards": ("front", 10),
}
CHANGED: dict[str, dict[str, tuple[str, Any]]] = {
    "users": {"name": ("ada", "Ada King"), "email": ("ada", "ada@example.org")},
    "members": {
        "user": ("bob", "ada"),
        "enabled": ("ada", False),
        "valid_from": ("ada", "2026-11-23T08:00"),
        "valid_until": ("ada", "2026-11-23T18:00"),
        "cards": ("ada", ["fob", "raw"]),
        "backup_cards": ("ada", ["raw"]),
        "disabled_cards": ("ada", ["fob"]),
        "pin": ("bob", "4711"),
        "pin_hash": ("ada", cheap("1234")),
        "pin_alone": ("ada", True),
        "extended_unlock": ("ada", True),
        "visitor": ("ada", True),
        "groups": ("ada", ["all"]),
    },
    "cards": {
        "format": ("fob", "wiegand34"),
        "facility": ("fob", 13),
        "number": ("fob", 4),
        "reversed": ("bytes", True),
        "bits": ("raw", 16),
        "state": ("fob", "inactive"),
        "user": ("fob", "ada"),
    },
    "groups": {
        "name": ("staff", "Everybody"),
        "doors": ("staff", ["front", "back"]),
        "stops": ("staff", [{"elevator": "lift", "floors": ["0"]}]),
        "schedule": ("staff", "spare"),
    },
    "schedules": {
        "name": ("hours", "Office hours"),
        "kind": ("spare", "unlock"),
        "weekly": ("hours", []),
        "exceptions": ("hours", [{"date": "2026-12-25"}]),
        "openings": ("hours", [{"from": "2026-11-28T08:00", "to": "2026-11-28T12:00"}]),
        "first_to_arrive": ("open", True),
        "early_s": ("hours", 60.0),
    },
    "doors": {
        **READER,
        "schedule": ("front", None),
        "extended_unlock_s": ("front", 30.0),
        "anti_passback": ("front", {"exit": "back", "mode": "hard"}),
    },
    "elevators": {
        **{key: ("lift", value) for key, (_, value) in READER.items()},
        "name": ("lift", "Goods lift"),
        "permit_s": ("lift", 20.0),
        "extended_permit_s": ("lift", 30.0),
        "floors": ("lift", [{"id": "0", "name": "Ground"}, {"id": "1", "name": "First"}]),
    },
    "cameras": {"name": ("lobby", "Entrance"), "doors": ("lobby", ["front"])},
    "integrations": {
        "name": ("pager", "Pagers"),
        "kind": ("pager", None),
        "url": ("pager", "https://b.example"),
        "types": ("pager", ["lock.*"]),
        "secret": ("pager", "y"),
        "format": ("pager", "slack"),
    },
}
TOGETHER: dict[tuple[str, str], dict[str, Any]] = {
    ("integrations", "kind"): {"url": None, "secret": None},
    ("members", "visitor"): {"valid_until": "2026-11-23T18:00"},
}
"""What has to change with a key."""
NOT_TOLD = {("schedules", "kind")}
"""A schedule that somebody goes by cannot change it, and nobody is told of a schedule that nobody goes by."""
EVERY_KEY = [(s, name) for s, (table, _) in SECTIONS.items() for name in table.model_fields if name != "id"]


def described(section: str, name: str) -> Key:
    keys = KEYS[section].all + (READER_KEYS.all if section in READERS else ())
    return next(key for key in keys if key.name == name)


def changed(section: str, name: str) -> dict[str, Any]:
    assert name in CHANGED[section], f"say in CHANGED how {section}.{name} changes"
    entry_id, value = CHANGED[section][name]
    document = deepcopy(BASE)
    document["version"] = 2
    own = next(one for one in document[section] if one["id"] == entry_id)
    own |= {name: value, **TOGETHER.get((section, name), {})}
    document[section] = [{k: v for k, v in one.items() if v is not None} for one in document[section]]
    return document


@pytest.mark.parametrize(("section", "name"), EVERY_KEY)
def test_a_key_is_read_and_written(section: str, name: str) -> None:
    old, new = made(BASE), made(changed(section, name))
    entry_id = CHANGED[section][name][0]
    before, after = getattr(old, section)[entry_id], getattr(new, section)[entry_id]
    assert before != after, f"reading forgets {section}.{name}"
    again = made(json.loads("".join(written(new))))
    assert getattr(again, section) == getattr(new, section), f"writing forgets {section}.{name}"
    key = described(section, name)
    assert (name in entry(section, after)) is key.stored
    if key.stored:
        assert entry(section, before)[name] != entry(section, after)[name]


@pytest.mark.parametrize(("section", "name"), EVERY_KEY)
def test_a_change_of_a_key_is_told(section: str, name: str) -> None:
    key, new = described(section, name), made(changed(section, name))
    events = difference(made(BASE), new, OTTO, 1)
    assert bool(events) is ((section, name) not in NOT_TOLD), f"the history forgets {section}.{name}"
    told = [detail for event in events for detail in event.details]
    if key.stored and key.audit is not Audit.OWN and section != "schedules":
        assert any(detail.split(".")[0] in {key.told_as or name, name.removesuffix("s")} for detail in told)
    if section == "schedules" and key.audit is not Audit.OWN:
        assert f"schedule.{name}" in told


@pytest.mark.parametrize(
    ("section", "name"),
    [(section, name) for section, name in EVERY_KEY if not SECTIONS[section][0].model_fields[name].repr],
)
def test_a_secret_changes_without_being_told(section: str, name: str) -> None:
    """A field without `repr` is a secret: its `Key` has to say so, or it stands in the history."""
    key = described(section, name)
    assert not key.stored or key.audit is Audit.SECRET
    document = changed(section, name)
    history = [dict(event.details) for event in difference(made(BASE), made(document), OTTO, 1)]
    assert history in ([{"pin": "changed"}], [{"pin": [False, True]}])
    assert str(CHANGED[section][name][1]) not in str(history)
    reread = made({**document, "version": 3})
    assert CHANGED[section][name][1] not in repr(getattr(reread, section))


def test_every_change_is_about_a_key_that_exists() -> None:
    assert {(section, name) for section, names in CHANGED.items() for name in names} == set(EVERY_KEY)
