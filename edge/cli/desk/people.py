"""`doorctl people`: who there is; people are added, changed, barred and removed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from edge.cli.asking import new_pin, sure
from edge.cli.tables import say_table
from edge.cli.text import on_site, say, say_json, until_words
from edge.client.connection import Client
from edge.model.printable import spelt

if TYPE_CHECKING:
    import argparse

PAGE: Final = 500
MADE: Final = "make"
"""As `pin`: doord makes one."""
DONE: Final = {
    "add": "is added: {id}",
    "change": "is changed",
    "off": "is refused everywhere from now on",
    "on": "may pass again",
    "remove": "is removed",
}


def listed(arguments: argparse.Namespace) -> int:
    """The people whose names, e-mail addresses, ids or cards fit."""
    asked: dict[str, Any] = {"text": " ".join(arguments.text)}
    with Client(arguments.socket) as client:
        found = client.ask("people", **asked, limit=min(PAGE, arguments.limit))
        people = found["people"]
        while found["next"] and len(people) < arguments.limit:
            found = client.ask("people", **asked, after=found["next"], limit=min(PAGE, arguments.limit - len(people)))
            people += found["people"]
    if arguments.json:
        say_json({**found, "people": people})
        return 0
    if not people:
        say("nobody here is called so" if asked["text"] else "there is nobody yet: doorctl people add NAME")
        return 0
    rows = [
        (
            one["name"],
            one["id"],
            ", ".join(group["id"] for group in one["groups"]) or "-",
            ", ".join(_shown(card) for card in one["cards"]) or "-",
            _seen(one["last_seen"], found["time_zone"]),
            _state(one, found["time_zone"]),
        )
        for one in people
    ]
    say_table(rows, ("NAME", "ID", "GROUPS", "CARDS", "LAST SEEN", "STATE"))
    if found["next"]:
        say(f"{len(people)} of {found['total']} people: --limit {found['total']} shows all")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """One person."""
    with Client(arguments.socket) as client:
        found = client.ask("person", who=arguments.who)
    if arguments.json:
        say_json(found)
        return 0
    person = found["person"]
    say(f"{person['name']} ({person['id']}), {person['state']}")
    for title, lines in _facts(person, found["time_zone"]):
        for number, line in enumerate(lines or ["-"]):
            say(f"  {'' if number else title:<10} {line}")
    return 0


def act(arguments: argparse.Namespace) -> int:
    """Add, change, bar or let in again. 1 when it was refused."""
    body = {"action": arguments.action} | ({} if arguments.who is None else {"who": arguments.who})
    if arguments.action in {"add", "change"}:
        body |= _wanted(arguments)
        if arguments.action == "change" and len(body) == 2:  # noqa: PLR2004 -- action and who
            raise ValueError(
                "nothing is to be changed: --group, --no-group, --card, --until ... (people change --help)"
            )
    return _changed(arguments, body)


def remove(arguments: argparse.Namespace) -> int:
    """Remove a person, after a yes."""
    with Client(arguments.socket) as client:
        person = client.ask("person", who=arguments.who)["person"]
    cards = len(person["cards"])
    taken = "" if arguments.keep_cards or not cards else f" and {cards} card{'s' * (cards > 1)}"
    if not arguments.yes and not sure(f"remove {person['name']} ({person['id']}){taken}"):
        return 1
    body = {"action": "remove", "who": person["id"], "by_id": True}
    return _changed(arguments, body | ({"keep_cards": True} if arguments.keep_cards else {}))


def told(arguments: argparse.Namespace, answer: dict[str, Any], done: str) -> int:
    """What came of a change, with `done` when it was done. 1 when it was refused."""
    if arguments.json:
        say_json(answer)
    elif answer["done"]:
        say(done)
        for note in answer["notes"]:
            say(note)
    else:
        problems = answer["outcomes"].get("problems") or [answer["message"]]
        sys.stderr.writelines(f"doorctl: {spelt(line)}\n" for line in problems)
    return 0 if answer["done"] else 1


def _wanted(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {key: getattr(arguments, key) for key in ("name", "email", "card", "valid_from", "valid_until")}
    given |= {"groups_add": arguments.group or None, "groups_remove": getattr(arguments, "no_group", None) or None}
    wanted = {key: value for key, value in given.items() if value is not None}
    if getattr(arguments, "no_pin", False):
        wanted["pin"] = None
    elif arguments.pin:
        wanted["pin"] = new_pin() or MADE
    return wanted


def _changed(arguments: argparse.Namespace, body: dict[str, Any]) -> int:
    with Client(arguments.socket) as client:
        answer = client.ask("change_person", **body)
    code = told(arguments, answer, f"{answer['name']} {DONE[body['action']].format(**answer)}")
    if arguments.json or code:
        return code
    if valid := _valid(answer, answer["time_zone"]):
        say(f"valid {valid}")
    if answer.get("pin"):
        say(f"PIN {answer['pin']}: it is shown only now")
    return code


def _facts(person: dict[str, Any], zone: str) -> list[tuple[str, list[str]]]:
    doors = [
        f"{door['name']} ({door['door']}): {door['group']}, {door['schedule'] or 'always'}" for door in person["doors"]
    ]
    extra = ["is a visitor"] * person["visitor"] + ["has a PIN"] * person["pin"]
    extra += ["doors stay unlocked longer"] * person["extended_unlock"]
    return [
        ("e-mail", [person["email"] or "-"]),
        ("groups", [f"{group['name']} ({group['id']})" for group in person["groups"]]),
        ("cards", [_card(card) for card in person["cards"]]),
        ("doors", doors),
        ("valid", [_valid(person, zone) or "always"]),
        ("last seen", [_seen(person["last_seen"], zone)]),
        *([("also", [", ".join(extra)])] if extra else []),
    ]


def _card(card: dict[str, Any]) -> str:
    number = "(a secret)" if card["number"] is None else card["number"]
    notes = ["lost"] * card["lost"] + ["disabled"] * (not card["enabled"]) + ["a backup card"] * card["backup"]
    return ", ".join([f"{card['format']} {number}", *notes])


def _state(person: dict[str, Any], zone: str) -> str:
    """The state; of a visitor who may pass, until when."""
    if person["visitor"] and person["state"] == "active":
        return until_words(person["valid_until"], zone)
    return str(person["state"])


def _shown(card: dict[str, Any]) -> str:
    return str(card["shown"]) + (" (lost)" if card["lost"] else "" if card["enabled"] else " (disabled)")


def _valid(of: dict[str, Any], zone: str) -> str:
    times = (("from", of.get("valid_from")), ("until", of.get("valid_until")))
    return " ".join(f"{word} {on_site(at, zone)}" for word, at in times if at)


def _seen(seen: dict[str, Any] | None, zone: str) -> str:
    if seen is None:
        return "-"
    return f"{on_site(seen['at'], zone)} {seen['door']}" + (f" {seen['code']}" if seen["code"] else "")
