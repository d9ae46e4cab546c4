"""Ids that are made of names, so that nobody has to invent one."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from edge.people.finding import folded

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SLUG: Final = 48
"""Leaves room for a number, and for the cards' numbers after it: an id has 64 characters."""
_OTHERS: Final = re.compile(r"[^a-z0-9]+")


def slug(name: str, otherwise: str) -> str:
    """A name as an id, such as `grace-hopper`; `otherwise` for a name without a letter of the Latin alphabet."""
    return _OTHERS.sub("-", folded(name)).strip("-")[:LONGEST_SLUG].strip("-") or otherwise


def free_id(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """`wanted`, or with the first number from 2 on that is free: `grace-hopper-2`."""
    if not is_taken(wanted):
        return wanted
    return next(own for number in count(2) if not is_taken(own := f"{wanted}-{number}"))
