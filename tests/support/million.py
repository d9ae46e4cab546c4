"""A long log, made quickly: real rows, a real chain, three years of a house with 20 doors and 2,000 people.

    python -m tests.support.million FILE [--records 1000000] [--no-index]

The same seed makes the same log. What a search must find or must not find is named below.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.log import connections, schema
from edge.log.index import lookup, making
from edge.model.messages import NS_PER_S, Actor, Event, Subject

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

DOORS: Final = 20
PEOPLE: Final = 2_000
BOOTS: Final = 36
"""One a month."""
SPAN_US: Final = 3 * 365 * 86_400 * 1_000_000
END_US: Final = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
"""When the last record happened."""
RARE: Final = Actor("user", "u-rare", "Zoë Quist", "zoe.quist@example.org")
"""Comes three times in all: first, in the middle, last."""
NEVER: Final = "anti_passback"
GROUPS: Final = ("staff", "cleaning", "it", "board", "visitors")
_FIRST: Final = ("Ann", "Bela", "Cem", "Dora", "Émile", "Fatma", "Grażyna", "Hugo", "Ines", "Jürgen")
_LAST: Final = ("Arndt", "Bauer", "Çelik", "Dahl", "Esposito", "Fournier", "García", "Hansen", "Ivanov", "Jansen")


def person(number: int) -> Actor:
    """Somebody of the house."""
    first, last = _FIRST[number % 10], _LAST[number // 10 % 10]
    return Actor("user", f"u-{number:05}", f"{first} {last} {number // 100}", f"p{number}@example.org")


def events(records: int, seed: int = 1) -> Iterator[Event]:
    """At least so many events, dated in nanoseconds since the first."""
    dice = random.Random(seed)
    people = [person(number) for number in range(PEOPLE)]
    doors = [(f"door-{number:02}", f"Door {number} {'North' if number % 2 else 'South'}") for number in range(DOORS)]
    step_ns = SPAN_US * 1_000 // max(1, records)
    made, rare, thirds = 0, 0, (0, records // 2, records - 20)
    while made < records:
        at_ns = made * step_ns
        if rare < len(thirds) and made >= thirds[rare]:
            who, rare = RARE, rare + 1
            found = [_shown(at_ns, doors[3], who, made, "staff", None)]
        else:
            found = _scene(dice, at_ns, doors[min(int(dice.expovariate(0.2)), DOORS - 1)], dice.choice(people), made)
        yield from found
        made += len(found)


def _scene(dice: random.Random, at_ns: int, door: tuple[str, str], who: Actor, number: int) -> list[Event]:
    chance = dice.random()
    group = GROUPS[int(who.id[2:]) % len(GROUPS)]
    if chance < 0.02:
        return [_shown(at_ns, door, None, number, None, "unknown_card")]
    if chance < 0.04:
        return [_shown(at_ns, door, who, number, group, "outside_schedule")]
    if chance < 0.05:
        what = dice.choice(("user.update", "card.activate", "member.assign_card", "group.update"))
        subject = Subject(what.split(".")[0], f"o-{number}", who.name or "")
        return [Event(what, at_ns, subject, Actor("operator", "uid:1000", "kim"), details={"version": number})]
    if chance < 0.052:
        kind = dice.choice(("lock.forced_open", "lock.held_open", "controller_input.unstable"))
        return [_at(kind, at_ns, door, None, number)]
    rex = chance < 0.3
    actor, cause = (Actor("rex", "rex", "Request to exit"), "rex") if rex else (who, "user")
    passage = [] if rex else [_shown(at_ns, door, who, number, group, None)]
    passage.append(_at("lock.unlock", at_ns + 2_000_000, door, actor, number, cause))
    if dice.random() < 0.03:
        return [
            *passage,
            _at("lock.locked", at_ns + 5 * NS_PER_S, door, None, number),
            _at("lock.access_not_taken", at_ns + 5 * NS_PER_S, door, None, number),
        ]
    open_s = round(dice.uniform(1, 12), 3)
    closed = {"observed": "edge", "open_s": open_s}
    return [
        *passage,
        _at("lock.opened", at_ns + NS_PER_S, door, None, number, details={"observed": "edge"}),
        _at("lock.closed", at_ns + round(open_s * NS_PER_S), door, None, number, details=closed),
        _at("lock.locked", at_ns + round(open_s * NS_PER_S), door, None, number),
    ]


def _at(  # noqa: PLR0913, PLR0917 -- the columns of a record
    kind: str,
    at_ns: int,
    door: tuple[str, str],
    actor: Actor | None,
    number: int,
    cause: str | None = None,
    details: dict[str, object] | None = None,
) -> Event:
    subject = Subject("lock", *door)
    return Event(kind, at_ns, subject, actor, cause, correlation=f"c-{number}", door=door[0], details=details or {})  # type: ignore[arg-type]


def _shown(  # noqa: PLR0913, PLR0917 -- the columns of a record
    at_ns: int, door: tuple[str, str], who: Actor | None, number: int, group: str | None, code: str | None
) -> Event:
    details = {"credential": "card", "number": f"…{number * 7919 % 10_000:04}"}
    if group is not None and code is None:
        details |= {"group": group, "card": f"card-{who.id if who else ''}"}
    return Event(
        "reader.access",
        at_ns,
        Subject("reader", f"{door[0]}.reader", f"{door[1]} reader"),
        who,
        success=code is None,
        code=code,
        correlation=f"c-{number}",
        door=door[0],
        details=details,
    )


def make(path: Path, records: int = 1_000_000, seed: int = 1) -> None:
    """Write the log. About half a minute for a million on a desktop computer."""
    with closing(connections.connect(path)) as db:
        for pragma in schema.SETUP:
            db.execute(pragma)
        schema.migrate(connections.wrap(db))
        db.execute("PRAGMA synchronous=OFF")
        (epoch,) = db.execute("SELECT epoch FROM log").fetchone()
        db.execute("BEGIN")
        state = json.dumps({"version": "0", "site": "million", "id": "hq"})
        db.execute("INSERT INTO mode VALUES ('controller', ?)", [state])
        _fill(db, schema.genesis(epoch), records, seed)
        db.execute("COMMIT")


def _fill(db: sqlite3.Connection, prev: bytes, records: int, seed: int) -> None:
    """Write boots, one note of the clock for each, and the records, dense from 1."""
    noted, boot, boot_start_ns = prev, 0, 0
    every_ns = SPAN_US * 1_000 // BOOTS
    rows: list[tuple[object, ...]] = []
    latest_ns = 0
    for sequence, event in enumerate(events(records, seed), 1):
        if sequence > records:
            break
        if boot == 0 or event.at_ns - boot_start_ns >= every_ns:
            boot, boot_start_ns, latest_ns = boot + 1, event.at_ns, 0
            name = f"boot-{boot:04}"
            db.execute("INSERT INTO boot VALUES (?, ?, ?)", [boot, name, sequence])
            offset_us = END_US - SPAN_US + boot_start_ns // 1_000
            noted = schema.link_clock(name, 0, offset_us, "synced", noted)
            note = [boot, 0, offset_us, "synced", noted]
            db.execute("INSERT INTO clock(boot, at_ns, offset_us, quality, hash) VALUES (?, ?, ?, ?, ?)", note)
        at_ns = event.at_ns - boot_start_ns
        latest_ns = max(latest_ns, at_ns + 800_000)
        dated = Event(**{name: getattr(event, name) for name in Event.__slots__} | {"at_ns": at_ns})
        row, prev = schema.chained(dated, sequence, name, latest_ns, prev)
        rows.append((row[0], boot, *row[2:], prev))
        if len(rows) == 10_000:
            db.executemany(schema.INSERT_RECORD, rows)
            rows.clear()
    db.executemany(schema.INSERT_RECORD, rows)


def index(path: Path) -> int:
    """Make the index of a log in one go; how many segments."""
    with closing(connections.connect_read_only(path)) as db:
        (epoch,) = db.execute("SELECT epoch FROM log").fetchone()
        return making.catch_up(db, path, epoch, lambda: True)


def told(path: Path, what: str, start: float) -> None:
    size, took = path.stat().st_size, time.perf_counter() - start
    sys.stdout.write(f"{what}, {size / 2**20:.1f} MiB, {took:.1f} s\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--no-index", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    make(options.file, options.records)
    told(options.file, f"{options.records} records", start)
    if not options.no_index:
        start = time.perf_counter()
        index(options.file)
        told(lookup.place(options.file), "its index", start)


if __name__ == "__main__":
    main()
