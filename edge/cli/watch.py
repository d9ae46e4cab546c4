"""`doorctl watch`: the doors and the last events, live, and keys to act on them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from edge.cli.text import say_json
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse

    from edge.cli.watching.link import LiveLink
    from edge.cli.watching.view import View

TICK_S = 1.0
"""How often a countdown is drawn."""


def watch(arguments: argparse.Namespace) -> int:
    """Show the doors until q or Ctrl-C. With --json: every item of the stream, one a line."""
    if not arguments.json and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise ValueError("watch needs a terminal; in a script use: doorctl watch --json")
    if not arguments.json and os.environ.get("TERM", "dumb") == "dumb":
        raise ValueError("watch needs a terminal that can draw, and TERM says that this one cannot")
    try:
        if arguments.json:
            with Client(arguments.socket) as client:
                for item in client.stream("watch"):
                    say_json(item)
                    sys.stdout.flush()
        return _live(arguments)
    except KeyboardInterrupt:
        return 0


def _live(arguments: argparse.Namespace) -> int:
    from edge.cli.watching.fullscreen import FullScreen  # noqa: PLC0415 -- a script needs none of it
    from edge.cli.watching.keys import keys  # noqa: PLC0415 -- as above
    from edge.cli.watching.link import LiveLink  # noqa: PLC0415 -- as above
    from edge.cli.watching.screen import countdowns, screen  # noqa: PLC0415 -- as above
    from edge.cli.watching.view import View  # noqa: PLC0415 -- as above

    view = View()
    with FullScreen() as terminal:
        link = LiveLink(arguments.socket, terminal.wake_with)
        link.start()
        while True:
            terminal.draw(screen(view, *terminal.size, time.monotonic()))
            for key in keys(terminal.typed(TICK_S if countdowns(view) else None)):
                if key == "q" and not view.typing and not view.asking:
                    return 0
                if ask := view.pressed(key):
                    link.send(ask)
            _take(view, link)


def _take(view: View, link: LiveLink) -> None:
    for came in link.news():
        if came.recent is not None:
            view.records.clear()
            view.records.extend(came.recent)
        if came.item is not None:
            view.took(came.item, time.monotonic())
        if came.trouble is not None:
            view.trouble = came.trouble
        if came.answer is not None:
            view.answered(*came.answer)
