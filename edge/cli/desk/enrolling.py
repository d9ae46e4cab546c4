"""`doorctl people card WHO` without a number: the card is held to a reader."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from edge.cli.asking import sure
from edge.cli.text import say
from edge.client.connection import Client, RequestRefused, Unreachable

if TYPE_CHECKING:
    import argparse

POLL_S: Final = 0.3


def presented(arguments: argparse.Namespace, person: dict[str, Any]) -> str | None:
    """What the card is called that came and is meant for this person; None: none came, or it is not.

    Raises ValueError without a terminal and without --yes.
    """
    if not arguments.yes and not sys.stdin.isatty():
        raise ValueError("nothing was done; without a terminal use --yes")
    with Client(arguments.socket) as client:
        card = _wait(client, arguments.reader, quiet=arguments.json)
    if card is None:
        return None
    found = f"{_called(card)}, {'unknown until now' if card['card'] is None else 'which nobody has'}."
    if arguments.yes:
        _tell(found, quiet=arguments.json)
    elif not sure(f"{found} Give it to {person['name']}"):
        return None
    return f"{card['format']} {card['number']}" if card["number"] else str(card["card"])


def _wait(client: Client, reader: str | None, *, quiet: bool) -> dict[str, Any] | None:
    """The next card that nobody has; None when none came in time. An interruption ends the listening."""
    try:
        began = client.ask("enrol", action="begin", **({} if reader is None else {"reader": reader}))
        where = "any reader" if reader is None else f"the reader of {began['name']}"
        _tell(f"Hold the card to {where} … ({began['left_s']} s)", quiet=quiet)
        held = None
        while (now := client.ask("enrol", action="state"))["state"] == "listening" and _same(now, began):
            if now["card"] and now["card"] != held:
                held = now["card"]
                _tell(f"{_called(held)}: {now['holder']} has this card", quiet=quiet)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        with contextlib.suppress(Unreachable, RequestRefused), client.again() as anew:
            anew.ask("enrol", action="end")
        raise
    if not _same(now, began):
        raise ValueError("you have begun to enrol another card elsewhere, which has ended this one")
    if now["state"] == "ended":
        sys.stderr.write("doorctl: no card came\n")
        return None
    card: dict[str, Any] = now["card"]
    return card


def _same(now: dict[str, Any], began: dict[str, Any]) -> bool:
    """Whether it is still the one that was begun: a person has one at a time."""
    return bool(now["until"] == began["until"])


def _called(card: dict[str, Any]) -> str:
    bad = "" if card["parity"] else f" ({card['bits']} bits, wrong parity)"
    return f"{card['format']} {card['number'] or card['card']}{bad} at {card['name']}"


def _tell(text: str, *, quiet: bool) -> None:
    """Say it, but not where only the outcome is wanted."""
    if not quiet:
        say(text)
        sys.stdout.flush()
