"""`doorctl cards`, `who` and `reload`: cards at the readers, whose they are, and what is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.cli.text import local, say, say_json, table
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse

RELOAD_WITHIN_S: Final = 180.0
"""A large directory takes its time, and another one may still be recorded before it."""


def cards(arguments: argparse.Namespace) -> int:
    """The last cards that readers saw, the newest last, as a directory has them."""
    with Client(arguments.socket) as client:
        found = client.ask("cards")["cards"]
    if arguments.json:
        say_json(found)
    elif not found:
        say("no card was shown since doord started")
    else:
        rows = [
            (local(one["at"]), one["reader"], _number(one), one["user"] or one["card"] or "-", one["code"] or "granted")
            for one in found
        ]
        for line in table(rows, ("TIME", "READER", "CARD", "WHO", "OUTCOME")):
            say(line)
    return 0


def _number(one: dict[str, Any]) -> str:
    facility = "" if one["facility"] is None else f"{one['facility']}:"
    bad = "" if one["parity"] else f" ({one['bits']} bits, wrong parity)"
    return f"{one['format']} {facility}{one['number']}{bad}"


def who(arguments: argparse.Namespace) -> int:
    """Whose card it is, and where it opens. 1 when nobody here has it."""
    with Client(arguments.socket) as client:
        found = client.ask("who", card=arguments.card)["found"]
    if arguments.json:
        say_json(found)
    elif not found:
        say(f"no card is called {arguments.card}")
    else:
        for one in found:
            for line in _lines(one):
                say(line)
    return 0 if any(one["member"] for one in found) else 1


def _lines(one: dict[str, Any]) -> list[str]:
    card, member = one["card"], one["member"]
    facility = "" if card.get("facility") is None else f"{card['facility']}:"
    lines = [f"card {card['id']}: {card['format']} {facility}{card.get('number', '(a secret)')}, {card['state']}"]
    if member is None:
        return [*lines, "  nobody has it"]
    user = member["user"]
    lines.append(f"  {user['name']}" + (f" <{user['email']}>" if user["email"] else ""))
    notes = [] if member["enabled"] else ["the member is disabled"]
    notes += [] if member["card_enabled"] else ["the card is disabled"]
    notes += ["a backup card"] if member["backup"] else []
    notes += [f"valid from {local(member['valid_from'])}"] if member["valid_from"] else []
    notes += [f"valid until {local(member['valid_until'])}"] if member["valid_until"] else []
    notes += ["has a PIN"] if member["pin"] else []
    lines += [f"  {', '.join(notes)}"] if notes else []
    for group in member["groups"]:
        when = f", schedule {group['schedule']}" if group["schedule"] else ""
        lines.append(f"  {group['name']}: {', '.join(group['doors']) or 'no doors'}{when}")
    return lines


def reload(arguments: argparse.Namespace) -> int:
    """Read the configuration and the directory again. 1 when one of them was refused."""
    with Client(arguments.socket, RELOAD_WITHIN_S) as client:
        found = client.ask("reload")
    if arguments.json:
        say_json(found)
    else:
        for title, key in (("applied", "applied"), ("needs a restart", "needs_restart"), ("REFUSED", "errors")):
            for line in found[key]:
                say(f"{title}: {line}")
        if not any(found.values()):
            say("nothing has changed")
    return 1 if found["errors"] else 0
