"""A sheet or a document on its way to doord, in pieces, and what doord says would come of it in lines.

One rule: the tool and the page say it in the same words.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PIECE: Final = 48_000
LONGEST_LINE: Final = 60_000
"""Bytes of a piece in a request."""


def pieces(text: str) -> Iterator[str]:
    """Pieces that fit a request, whatever characters are in them."""
    at = 0
    while at < len(text):
        size = PIECE
        while len(json.dumps(text[at : at + size])) > LONGEST_LINE:
            size //= 2
        yield text[at : at + size]
        at += size


def changes(plan: Mapping[str, Any]) -> list[str]:
    """What would change, and what is to be known about it; the answer of `directory_import` to `plan`."""
    more = int(plan["changes"]) - len(plan["told"])
    return [*plan["told"], *([f"... and {more} more"] if more > 0 else []), *plan["notes"]]


def problems(plan: Mapping[str, Any]) -> list[str]:
    """All that is wrong, by line of the file."""
    more = [f"and {plan['more_problems']} problems more"] if plan["more_problems"] else []
    return [*plan["problems"], *more]


def counted(plan: Mapping[str, Any]) -> str:
    """How much would change."""
    if not plan["kinds"]:
        return ", ".join(f"{count} {how}" for how, count in plan["counts"].items())
    kinds = [
        f"{kind}s: " + ", ".join(f"{count} {how}" for how, count in counts.items() if count)
        for kind, counts in plan["kinds"].items()
    ]
    return "; ".join(kinds)
