"""`doorctl access`, `groups` and `schedules`: who may pass where and when, and why somebody may not."""

from __future__ import annotations

import io
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from edge.cli.tables import say_table
from edge.cli.text import say, say_json
from edge.client.connection import Client
from edge.reports.file import write_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    Row = Mapping[str, Any]

PAGE: Final = 500
WITH: Final = {"card": "card", "card_and_pin": "card and PIN", "card_or_pin": "card or PIN", "pin": "PIN"}
COLUMNS: Final = (
    "person_id", "person", "door_id", "door", "floors", "group_id", "group", "when", "with", "valid_from",
    "valid_until", "now",
)  # fmt: skip


def access(arguments: argparse.Namespace) -> int:
    """Who may pass, or whether somebody may. 1 when they may not."""
    asked = {"of": arguments.what, "door": arguments.door, "group": arguments.group, "at": arguments.at}
    body = {key: value for key, value in asked.items() if value is not None}
    if not {"of", "group"} & body.keys():
        raise ValueError("access: expected a door, a person or a group")
    with Client(arguments.socket) as client:
        first = client.ask("access", **body, limit=PAGE)
        if first["kind"] == "decision":
            return _decision(arguments, first)
        rows = _all_rows(client, body, first)
        if arguments.csv:
            _csv(rows)
        elif arguments.json:
            say_json({**first, "rows": [*rows], "next": None})
        else:
            _list(first, [*rows], then=arguments.at is not None)
    return 0


def _all_rows(client: Client, body: Mapping[str, Any], page: Row) -> Iterator[Row]:
    while True:
        yield from page["rows"]
        if page["next"] is None:
            return
        page = client.ask("access", **body, after=page["next"], limit=PAGE)


def _decision(arguments: argparse.Namespace, found: Row) -> int:
    if arguments.csv:
        raise ValueError("access: --csv is for lists; it goes with one door, person or group")
    if arguments.json:
        say_json(found)
    else:
        say(found["sentence"])
        if len(found["attempts"]) > 1:
            for attempt in found["attempts"]:
                say(f"  {attempt['shown']}: {attempt['code'] or 'granted'}")
        _note(found)
    return 0 if found["allowed"] else 1


def _list(about: Row, rows: list[Row], *, then: bool) -> None:
    """`then`: another moment was asked about, at which all of them hold."""
    say(f"{about['of']['name']} ({about['of']['id']}), {on_site(about['at'])}")
    _note(about)
    if about["doors"] is not None:
        doors = ", ".join(f"{door['name']} ({WITH[door['ask']]})" for door in about["doors"])
        say(f"doors: {doors or 'none'}")
    if not rows:
        say({"door": "nobody may pass", "person": "may pass nowhere"}.get(about["kind"], "nobody may pass by it"))
        return
    say()
    parts = {
        "PERSON": [_named(row["person"]) for row in rows] if about["kind"] != "person" else None,
        "DOOR": [_door(row) for row in rows] if about["kind"] == "person" else None,
        "FLOORS": [_floors(row) or "-" for row in rows] if any(row["floors"] for row in rows) else None,
        "GROUP": [row["group"]["name"] for row in rows] if about["kind"] != "group" else None,
        "WHEN": [row["when"] for row in rows],
        "WITH": [WITH[row["ask"]] for row in rows] if about["kind"] != "group" else None,
        "VALID": [_valid(row, about["at"]) for row in rows],
        "NOW": None if then else ["yes" if row["now"] else "no" for row in rows],
    }
    columns = {head: cells for head, cells in parts.items() if cells is not None}
    say_table(zip(*columns.values(), strict=True), [*columns])


def _csv(rows: Iterator[Row]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    write_table(sys.stdout, COLUMNS, map(_cells, rows))


def _cells(row: Row) -> tuple[Any, ...]:
    door = row["door"] or {"id": "", "name": ""}
    return (
        row["person"]["id"],
        row["person"]["name"],
        door["id"],
        door["name"],
        _floors(row),
        row["group"]["id"],
        row["group"]["name"],
        row["when"],
        WITH.get(row["ask"], ""),
        row["valid_from"],
        row["valid_until"],
        "yes" if row["now"] else "no",
    )


def _named(one: Row) -> str:
    return f"{one['name']} ({one['id']})"


def _door(row: Row) -> str:
    return _named(row["door"])


def _floors(row: Row) -> str:
    return ", ".join(floor["name"] for floor in row["floors"] or ())


def _valid(row: Row, at: str) -> str:
    """From when, if that is still to come, and until when."""
    coming = row["valid_from"] and datetime.fromisoformat(row["valid_from"]) > datetime.fromisoformat(at)
    parts = [f"from {on_site(row['valid_from'])}"] if coming else []
    parts += [f"until {on_site(row['valid_until'])}"] if row["valid_until"] else []
    return " ".join(parts) or "-"


def _note(found: Row) -> None:
    if found["note"]:
        say(found["note"])


def on_site(iso: str) -> str:
    """A time of these answers, which have the site's offset: as the clock on the wall shows it there."""
    return iso[:16].replace("T", " ")


def groups(arguments: argparse.Namespace) -> int:
    """What groups there are."""
    with Client(arguments.socket) as client:
        found = client.ask("groups")
    if arguments.json:
        say_json(found)
        return 0
    _note(found)
    if not found["groups"]:
        say("there is no group yet")
        return 0
    rows = [
        (
            one["id"],
            one["name"],
            one["members"],
            one["when"],
            ", ".join([*one["doors"], *(f"{lift}/{f}" for lift, floors in one["elevators"].items() for f in floors)])
            or "-",
        )
        for one in found["groups"]
    ]
    say_table(rows, ("ID", "NAME", "MEMBERS", "WHEN", "DOORS AND FLOORS"))
    return 0


def schedules(arguments: argparse.Namespace) -> int:
    """What schedules there are, or one of them."""
    body = {} if arguments.schedule is None else {"schedule": arguments.schedule}
    with Client(arguments.socket) as client:
        found = client.ask("schedules", **body)
    if arguments.json:
        say_json(found)
        return 0
    _note(found)
    if arguments.schedule is not None:
        for one in found["schedules"]:
            _schedule(one)
    elif not found["schedules"]:
        say("there is no schedule yet")
    else:
        rows = [
            (
                one["id"],
                one["name"],
                one["kind"],
                one["words"],
                "yes" if one["now"] else "no",
                on_site(one["next_change"]) if one["next_change"] else "-",
                ", ".join([*one["doors"], *one["groups"]]) or "-",
            )
            for one in found["schedules"]
        ]
        say_table(rows, ("ID", "NAME", "KIND", "WHEN", "NOW", "CHANGES", "DOORS OR GROUPS"))
    return 0


def _schedule(one: Row) -> None:
    """Everything about one."""
    unlocks = one["kind"] == "unlock"
    say(f"{_named(one)}, {'doors stand unlocked' if unlocks else 'groups may pass'} while it is active")
    change = f"{on_site(one['next_change'])}" if one["next_change"] else None
    state = "active" if one["now"] else "not active"
    facts = {
        "now": [
            state + (f" until {change}" if change and one["now"] else f", the next time {change}" if change else "")
        ],
        "week": [one["words"].partition(" (")[0]],
        "exceptions": [_exception(exception) for exception in one["exceptions"]],
        "openings": [f"{on_site(opening['from'])} to {on_site(opening['to'])}" for opening in one["openings"]],
        "doors": [f"{door}: {_change(one, change)}" for door in one["doors"]],
        "groups": one["groups"],
    }
    for title, lines in facts.items():
        for number, line in enumerate(lines):
            say(f"  {'' if number else title:<10} {line}")


def _exception(one: Row) -> str:
    days = f"{one['date']} to {one['until']}" if one.get("until") else one["date"]
    hours = ", ".join(f"{window['from']}-{window['to']}" for window in one.get("windows", ()))
    return f"{days}: {hours or 'closed'}"


def _change(one: Row, change: str | None) -> str:
    """What the schedule does next with its doors."""
    if change is None:
        return "no change in sight"
    if one["now"]:
        return f"locks {change}"
    return f"unlocks {change}" + (", when the first has come" if one["first_to_arrive"] else "")
