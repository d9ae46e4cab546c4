"""Event types as people ask for them: `lock.*` stands for all that begin so.

One rule: a pattern that stands for nothing is a slip of the pen.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from edge.model.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable


def matching(patterns: Iterable[str]) -> frozenset[str]:
    """The types of the catalogue that one of these patterns stands for; all of them for no pattern at all."""
    wanted = tuple(patterns) or ("*",)
    return frozenset(kind for kind in CATALOGUE if any(fnmatchcase(kind, pattern) for pattern in wanted))
