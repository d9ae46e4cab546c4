"""`doorctl visitor`: somebody may pass some doors for a few hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.asking import new_pin
from edge.cli.desk.people import MADE, told
from edge.cli.text import say, until_words
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse


def enter(arguments: argparse.Namespace) -> int:
    """Enter a visitor. 1 when it was refused."""
    given = {"name": arguments.name, "doors": arguments.door, "until": arguments.until, "card": arguments.card}
    body: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if arguments.pin:
        body["pin"] = new_pin() or MADE
    with Client(arguments.socket) as client:
        answer = client.ask("visitor", **body)
    doors = ", ".join(door["name"] for door in answer["doors"])
    until = until_words(answer["valid_until"], answer["time_zone"])
    code = told(arguments, answer, f"{answer['name']} is a visitor {until} at {doors}: {answer['id']}")
    if not arguments.json and answer.get("pin"):
        say(f"PIN {answer['pin']}: it is shown only now")
    return code
