"""`doorctl alerts`, `acknowledge` and `integration`: what is open, who looks after it, who takes records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.cli.text import local, say, say_json, table
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse


def alerts(arguments: argparse.Namespace) -> int:
    """The open alerts. 1 when there are any."""
    with Client(arguments.socket) as client:
        found = client.ask("alerts")
    if arguments.json:
        say_json(found)
    else:
        rows = [
            (local(one["raised"]), one["alert"], one["door"] or "-", str(one["count"]), one["message"])
            for one in found["open"]
        ]
        for line in table(rows, ("RAISED", "ALERT", "DOOR", "TIMES", "WHAT")) if rows else ["no alert is open"]:
            say(line)
        for channel, error in found["last_errors"].items():
            say(f"{channel}: {found['waiting'].get(channel, 0)} messages wait: {error}")
    return 1 if found["open"] else 0


def acknowledge(arguments: argparse.Namespace) -> int:
    """Say that somebody looks after an alert."""
    with Client(arguments.socket) as client:
        found = client.ask("acknowledge", alert=arguments.alert)
    if arguments.json:
        say_json(found)
    else:
        say(f"{found['alert']} is acknowledged")
    return 0


def integrations(arguments: argparse.Namespace) -> int:
    """To whom records are passed on. 1 when one of them is disabled."""
    with Client(arguments.socket) as client:
        found = client.ask("integrations")
    if arguments.json:
        say_json(found)
    else:
        rows = [
            (name, one["kind"], one["state"], str(one["backlog"]), one["last_error"] or "-")
            for name, one in found.items()
        ]
        header = ("INTEGRATION", "KIND", "STATE", "BACKLOG", "LAST ERROR")
        for line in table(rows, header) if rows else ["records are passed on to nobody"]:
            say(line)
    return 1 if any(one["state"] == "disabled" for one in found.values()) else 0


def enable(arguments: argparse.Namespace) -> int:
    """Take up a disabled integration again."""
    with Client(arguments.socket) as client:
        client.ask("enable_integration", integration=arguments.integration)
    if arguments.json:
        say_json({})
    else:
        say(f"{arguments.integration} is enabled")
    return 0
