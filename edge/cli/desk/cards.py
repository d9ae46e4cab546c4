"""`doorctl people card` and `doorctl card`: cards are given, lost, found and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.cli.asking import sure
from edge.cli.desk.enrolling import presented
from edge.cli.desk.people import told
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse

DONE: Final = {"lost": "is refused from now on", "found": "is taken again", "take": "is nobody's now"}


def give(arguments: argparse.Namespace) -> int:
    """Give a person the card of a number or an event, or the one that is held to a reader, after a yes.

    1 when it was refused.
    """
    if sum(way is not None for way in (arguments.number, arguments.reader, arguments.seen)) > 1:
        raise ValueError("expected one of --number, --seen and --reader")
    with Client(arguments.socket) as client:
        person = client.ask("person", who=arguments.who)["person"]
        number = arguments.number
        if arguments.seen is not None:
            (card,) = client.ask("cards", seen=arguments.seen)["cards"]
            number = f"{card['format']} {card['written']}"
    if number is None:
        number = presented(arguments, person)
    elif not arguments.yes and not sure(f"give card {number} to {person['name']} ({person['id']})"):
        number = None
    if number is None:
        return 1
    card = {"card": number} if arguments.seen is None else {"seen": arguments.seen}
    with Client(arguments.socket) as client:
        answer = client.ask("card", action="give", who=person["id"], by_id=True, **card)
    return told(arguments, answer, f"{person['name']} has {_called(answer)}")


def mark(arguments: argparse.Namespace) -> int:
    """Lost, found, or taken back. 1 when it was refused."""
    if (arguments.card is None) is (arguments.of is None):
        raise ValueError(f"card {arguments.action}: expected a card's number, or --of WHO")
    body = {"card": arguments.card} if arguments.card is not None else {"of": arguments.of}
    with Client(arguments.socket) as client:
        answer = client.ask("card", action=arguments.action, **body)
    of = f" of {answer['name']}" if answer["name"] else ""
    return told(arguments, answer, f"{_called(answer)}{of} {DONE[arguments.action]}")


def _called(answer: dict[str, object]) -> str:
    card = answer["card"]
    number = card["number"] or card["id"] if isinstance(card, dict) else ""
    return f"card {number}"
