"""Asking whoever sits at the terminal: for a yes, or for a PIN."""

from __future__ import annotations

import sys

from edge.cli.text import say
from edge.model.printable import spelt


def sure(action: str) -> bool:
    """Ask for confirmation on a terminal. Raises ValueError without one: a script has to use --yes."""
    if not sys.stdin.isatty():
        raise ValueError(f"{action}: nothing was done; without a terminal use --yes")
    sys.stdout.write(f"{spelt(action)}? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    say("nothing was done")
    return False


def new_pin() -> str | None:
    """The PIN that somebody types twice; None when there is no terminal, or nothing is typed. Raises ValueError."""
    if not sys.stdin.isatty():
        return None
    import getpass  # noqa: PLC0415 -- most commands ask for no PIN

    pin = getpass.getpass("PIN, 4 to 12 digits (empty: one is made): ")
    if pin and getpass.getpass("The same again: ") != pin:
        raise ValueError("the two are not the same; nothing was done")
    return pin or None
