"""`doorctl cards`, `who` and `reload`: cards that readers saw, who holds a card, and reading the directory again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from edge.cli.tables import say_fitting, say_table
from edge.cli.terminal import columns
from edge.cli.text import local, on_site, say, say_json
from edge.client.connection import Client
from edge.client.zones import zone_name, zone_of

if TYPE_CHECKING:
    import argparse

    from edge.cli.terminal import Kind

RELOAD_WITHIN_S: Final = 180.0
"""A large directory takes long, and the changes of an earlier one may have to be recorded first."""


def cards(arguments: argparse.Namespace) -> int:
    """The last cards that readers saw, the newest last, in the form in which a directory names them."""
    with Client(arguments.socket) as client:
        if arguments.forget:
            count = client.ask("forget_cards")["forgotten"]
            say_json({"forgotten": count}) if arguments.json else say(f"{count} unknown cards are forgotten")
            return 0
        seen = client.ask("cards")["cards"]
        zone = zone_of(client.ask("status")) if seen and not arguments.json else None
    if arguments.json:
        say_json(seen)
    elif zone is None:
        say("no card was shown since doord started, and no unknown one is kept")
    else:
        how_below = columns() is not None
        rows = [
            (
                local(card["at"], zone),
                card["reader"],
                _number(card),
                card["user"] or card["card"] or "-",
                _code(card) if card["user"] or how_below else f"{_code(card)}: {_give(card)}",
            )
            for card in seen
        ]
        named = zone_name(zone, datetime.now(UTC))
        say_table(rows, (f"TIME ({named})", "READER", "CARD", "WHO", "OUTCOME"), map(_kind, seen))
        if how_below and (unknown := [card for card in seen if card["user"] is None]):
            say()
            say_fitting(f"to give somebody a card: {_give(unknown[-1])}")
    return 0


def _code(card: dict[str, Any]) -> str:
    """What came of it."""
    return card["code"] or "granted"


def _kind(card: dict[str, Any]) -> Kind:
    return "warning" if card["code"] else ""


def _give(card: dict[str, Any]) -> str:
    """The command that gives it to somebody."""
    return f"doorctl people card WHO --number {_named(card)}"


def _named(card: dict[str, Any]) -> str:
    """Its number as the command line takes it."""
    written = str(card["written"] or card["card"])
    return written if card["format"] != "raw" else f'"raw {written}"'


def _number(card: dict[str, Any]) -> str:
    bad = "" if card["parity"] else f" ({card['bits']} bits, wrong parity)"
    return f"{card['format']} {card['written'] or '(a secret)'}{bad}"


def who(arguments: argparse.Namespace) -> int:
    """Who holds a card, and which doors it opens. 1 when no member has it."""
    with Client(arguments.socket) as client:
        answer = client.ask("who", card=arguments.card)
    holdings = answer["found"]
    if arguments.json:
        say_json(holdings)
    elif not holdings:
        say(f"no card in the directory matches {arguments.card}")
    else:
        for holding in holdings:
            for line in _lines(holding, answer["time_zone"]):
                say(line)
    return 0 if any(holding["member"] for holding in holdings) else 1


def _lines(holding: dict[str, Any], zone: str) -> list[str]:
    """A card, and below it the member who has it."""
    card, member = holding["card"], holding["member"]
    lines = [f"card {card['id']}: {card['format']} {card['written'] or '(a secret)'}, {card['state']}"]
    if member is None:
        return [*lines, "  nobody has it"]
    user = member["user"]
    lines.append(f"  {user['name']}" + (f" <{user['email']}>" if user["email"] else ""))
    notes = [] if member["enabled"] else ["the member is disabled"]
    notes += [] if member["card_enabled"] else ["the card is disabled"]
    notes += ["a backup card"] if member["backup"] else []
    notes += [f"valid from {on_site(member['valid_from'], zone)}"] if member["valid_from"] else []
    notes += [f"valid until {on_site(member['valid_until'], zone)}"] if member["valid_until"] else []
    notes += ["has a PIN"] if member["pin"] else []
    lines += [f"  {', '.join(notes)}"] if notes else []
    for group in member["groups"]:
        when = f", schedule {group['schedule']}" if group["schedule"] else ""
        lines.append(f"  {group['name']}: {', '.join(group['doors']) or 'no doors'}{when}")
    return lines


def reload(arguments: argparse.Namespace) -> int:
    """Read the configuration and the directory again. 1 when one of them was refused."""
    with Client(arguments.socket, RELOAD_WITHIN_S) as client:
        outcome = client.ask("reload")
    if arguments.json:
        say_json(outcome)
    else:
        for title, key in (("applied", "applied"), ("needs a restart", "needs_restart"), ("REFUSED", "errors")):
            for line in outcome[key]:
                say(f"{title}: {line}")
        if not any(outcome.values()):
            say("nothing has changed")
    return 1 if outcome["errors"] else 0
