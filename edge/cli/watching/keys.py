"""Keys of a terminal, by name: a letter is itself."""

from __future__ import annotations

import re
from typing import Final

NAMED: Final = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[C": "right", "\x1bOC": "right",
    "\x1b[D": "left", "\x1bOD": "left", "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home",
    "\x1b[1~": "home", "\x1bOH": "home", "\x1b[F": "end", "\x1b[4~": "end", "\x1bOF": "end", "\r": "enter",
    "\n": "enter", "\x1b": "escape", "\x7f": "backspace", "\b": "backspace",
}  # fmt: skip
SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)?|.", re.DOTALL)


def keys(typed: str) -> list[str]:
    """The keys of what was typed. Unknown sequences and control characters are left out."""
    found = (NAMED.get(one, one) for one in SEQUENCE.findall(typed))
    return [key for key in found if key.isprintable()]
