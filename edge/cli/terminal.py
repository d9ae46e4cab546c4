"""What the terminal can do: how wide it is, and whether it shows colour.

One rule: what goes into a pipe or a file is neither coloured nor made to fit.
"""

from __future__ import annotations

import os
import sys
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["", "alarm", "warning", "open", "head"]
"""What a line says, which decides its colour."""
NARROWEST: Final = 20
USUAL: Final = 80
STYLES: Final[dict[Kind, str]] = {"alarm": "\x1b[1;31m", "warning": "\x1b[33m", "open": "\x1b[36m", "head": "\x1b[1m"}
CHOSEN: Final = "\x1b[7m"
PLAIN: Final = "\x1b[0m"


def columns() -> int | None:
    """How many columns there are to fit into; None: standard output is no terminal. Without shutil, slow to import."""
    if not sys.stdout.isatty():
        return None
    return max(NARROWEST, columns_of(sys.stdout.fileno()))


def columns_of(terminal: int) -> int:
    """The columns of the terminal with this file descriptor, or what COLUMNS says; 80 where nothing does."""
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        try:
            return os.get_terminal_size(terminal).columns or USUAL
        except OSError:
            return USUAL


def coloured() -> bool:
    """Whether to use colour: https://no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def painted(text: str, kind: Kind) -> str:
    """The text in the colour of its kind, if there is one and colour is wanted."""
    style = STYLES.get(kind)
    return f"{style}{text}{PLAIN}" if style and text and coloured() else text
