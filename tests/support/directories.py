"""Directory documents to test with: small ones of every shape, and large ones of one shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from edge.directory.document.reading import read
from edge.directory.edits.making import editing
from edge.directory.pins import HashParameters, PinHash, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from edge.directory.directory import Directory
    from edge.directory.edits.making import Edited

SHIPPED = Path(__file__).parents[2] / "config" / "directory.json"
SOURCE = Path("directory.json")
BERLIN = ZoneInfo("Europe/Berlin")
DOORS = ("front", "back", "garage")
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CHEAP = HashParameters(b"a salt for tests", 10, 1, 1)
"""A recipe that takes microseconds: tests hash many PINs."""


def cheap(pin: str, recipe: HashParameters = CHEAP) -> str:
    return PinHash(recipe, recipe.digest(pin)).text


def made(document: dict[str, Any], **more: Any) -> Directory:
    return read(json.dumps(document).encode(), SOURCE, BERLIN, **more)


def edited(before: Directory, changes: Sequence[object], source: Path, zone: tzinfo, **more: Any) -> Edited:
    """`editing` at once."""
    steps = editing(before, changes, source, zone, **more)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            edit: Edited = done.value
            return edit


def large(cards: int, version: int = 1) -> bytes:
    """As many users and members as cards, each with one, in a hundred groups."""
    groups = [{"id": f"g{n}", "name": f"Group {n}", "doors": ["front", "back"]} for n in range(100)]
    document = {
        "version": version,
        "users": [{"id": f"u{n}", "name": f"User {n}", "email": f"u{n}@example.org"} for n in range(cards)],
        "members": [
            {"id": f"m{n}", "user": f"u{n}", "cards": [f"c{n}"], "groups": [f"g{n % 100}"]} for n in range(cards)
        ],
        "cards": [
            {"id": f"c{n}", "format": "wiegand37", "facility": n >> 16, "number": n & 0xFFFF} for n in range(cards)
        ],
        "groups": groups,
    }
    return json.dumps(document).encode()


HASHES = [cheap(pin) for pin in ("1234", "4711", "2580")]
assert all(parse(text).text == text for text in HASHES)
NAMES = st.sampled_from(["Ada", "Grace", "Hedy", "Joan", "Otis"])
CLOCKS = st.sampled_from(["00:00", "06:30", "08:00", "12:00", "22:00"])
PARTS = st.fixed_dictionaries({"from": CLOCKS, "to": CLOCKS})
TIMES = st.sampled_from(["2026-01-01T00:00+00:00", "2026-06-01T12:00+00:00"])
SECONDS = st.sampled_from([5.0, 10.0, 30.0])
ASKING = {
    "ask": st.sampled_from(["card", "card_and_pin", "card_or_pin", "pin"]),
    "pin_within_s": SECONDS,
    "wrong_pins": st.integers(1, 3),
    "unknown_cards": st.integers(0, 3),
}

INTEGRATED = st.sampled_from(
    [
        {},
        {"kind": "webhook", "url": "https://hooks.example.org/a?b=c", "secret": "pager"},
        {"kind": "webhook", "url": "http://10.1.2.3:8080", "secret": "pager", "types": ["lock.*", "reader.tamper"]},
        {"kind": "syslog", "url": "tls://logs.example.org", "types": ["lock.*"]},
    ]
)


def some(ids: Any, most: int = 5) -> st.SearchStrategy[list[str]]:
    ids = sorted(ids)
    return st.lists(st.sampled_from(ids), unique=True, max_size=most) if ids else st.just([])


def named(draw: Any, prefix: str, most: int = 3, **optional: st.SearchStrategy[Any]) -> list[dict[str, Any]]:
    """Entries with an id and a name."""
    ids = draw(some([f"{prefix}{n}" for n in range(most)]))
    return [draw(st.fixed_dictionaries({"id": st.just(i), "name": NAMES}, optional=optional)) for i in ids]


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """A document that is right, with something of everything."""
    users = named(draw, "u", 4, email=st.sampled_from(["a@example.org", "b@example.org"]))
    schedules = [_schedule(draw, one, n) for n, one in enumerate(named(draw, "s", 4))]
    by_kind = {kind: [one["id"] for one in schedules if one["kind"] == kind] for kind in ("access", "unlock")}
    floors = {"floors": st.lists(st.sampled_from("012"), unique=True, max_size=3)}
    elevators = named(draw, "e", 2, permit_s=SECONDS, **ASKING)
    for elevator in elevators:
        elevator["floors"] = [{"id": i, "name": draw(NAMES)} for i in draw(floors["floors"])]
    groups = named(draw, "g", 3, doors=some(DOORS))
    for group in groups:
        group["schedule"] = draw(st.sampled_from([None, *by_kind["access"]]))
        group["stops"] = [
            {"elevator": one["id"], "floors": draw(some(floor["id"] for floor in one["floors"]))} for one in elevators
        ]
    doors = [_door(draw, door, by_kind["unlock"]) for door in draw(some(DOORS))]
    cards = [_card(draw, card, [u["id"] for u in users]) for card in draw(some(f"c{n}" for n in range(5)))]
    cards = [*{json.dumps([c["format"], c["number"]]): c for c in cards}.values()]
    return {
        "version": draw(st.integers(1, 9)),
        "users": users,
        "members": _members(draw, users, cards, [g["id"] for g in groups]),
        "cards": cards,
        "groups": groups,
        "schedules": schedules,
        "doors": doors,
        "elevators": elevators,
        "cameras": named(draw, "k", 2, doors=some(DOORS)),
        "integrations": [one | draw(INTEGRATED) for one in named(draw, "i", 2)],
    }


def _schedule(draw: Any, one: dict[str, Any], number: int) -> dict[str, Any]:
    kind = ("access", "unlock")[number % 2]
    weekly = st.fixed_dictionaries(
        {"days": st.lists(st.sampled_from(WEEK), unique=True, min_size=1), "from": CLOCKS, "to": CLOCKS}
    )
    day = st.fixed_dictionaries(
        {"date": st.just(f"2026-12-{24 + number}")}, optional={"windows": st.lists(PARTS, max_size=2)}
    )
    opening = {"from": "2026-11-23T10:00", "to": "2026-11-24T10:00"}
    one |= {"kind": kind, "weekly": draw(st.lists(weekly, max_size=2)), "exceptions": draw(st.lists(day, max_size=1))}
    one["openings"] = draw(st.sampled_from([[], [opening]]))
    if kind == "unlock":
        one["first_to_arrive"] = draw(st.booleans())
        one["early_s"] = draw(st.sampled_from([0.0, 60.0]))
    return one


def _door(draw: Any, door: str, schedules: list[str]) -> dict[str, Any]:
    exits = st.sampled_from([one for one in DOORS if one != door])
    back = st.fixed_dictionaries(
        {"exit": exits, "mode": st.sampled_from(["soft", "hard"])}, optional={"forget_after_s": SECONDS}
    )
    return draw(  # type: ignore[no-any-return]  # a table
        st.fixed_dictionaries(
            {"id": st.just(door), "schedule": st.sampled_from([None, *schedules])},
            optional={"extended_unlock_s": SECONDS, "anti_passback": back, **ASKING},
        )
    )


def _card(draw: Any, card: str, users: list[str]) -> dict[str, Any]:
    number = draw(
        st.sampled_from(
            [
                {"format": "wiegand26", "facility": 1, "number": 12345},
                {"format": "wiegand26", "facility": 1, "number": 2345},
                {"format": "wiegand35", "facility": 7, "number": 99999},
                {"format": "wiegand37", "number": 99999},
                {"format": "raw", "number": "04a3b2c1", "bits": 32},
                {"format": "token", "number": "ab" * 16},
                {"format": "token", "number": "cd" * 16},
            ]
        )
    )
    state = draw(st.sampled_from(["active", "inactive"]))
    return {"id": card, **number, "state": state, "user": draw(st.sampled_from([None, None, *users]))}


def _members(
    draw: Any, users: list[dict[str, Any]], cards: list[dict[str, Any]], groups: list[str]
) -> list[dict[str, Any]]:
    ids = draw(some(f"m{n}" for n in range(4))) if users else []
    left = [card["id"] for card in draw(st.permutations(cards))]
    issued = {card["id"]: card["user"] for card in cards}
    alone = [*HASHES]
    members = []
    for member in ids:
        user = draw(st.sampled_from([u["id"] for u in users]))
        mine = [card for card in left if issued[card] in {None, user}][: draw(st.integers(0, 3))]
        left = [card for card in left if card not in mine]
        cut = draw(st.integers(0, len(mine)))
        one = {"id": member, "user": user, "cards": mine[:cut], "backup_cards": mine[cut:]}
        one |= draw(
            st.fixed_dictionaries(
                {"disabled_cards": some(mine), "groups": some(groups)},
                optional={
                    "enabled": st.booleans(),
                    "valid_from": TIMES,
                    "pin_hash": st.sampled_from(HASHES),
                    "extended_unlock": st.booleans(),
                },
            )
        )
        if "pin_hash" in one and one["pin_hash"] in alone and draw(st.booleans()):
            alone.remove(one["pin_hash"])
            one["pin_alone"] = True
        members.append(one)
    return members
