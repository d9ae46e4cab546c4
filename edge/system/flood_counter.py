"""What is refused for being too much: said once, then counted, and the counts are told once a minute.

One rule: however much comes, what it leaves behind is one line in the journal and one record a minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOG: Final = logging.getLogger(__name__)
EVERY_S: Final = 60.0
MOST_KINDS: Final = 20
"""Kinds of things that are told apart; what is of yet another kind counts as `others`."""
OTHERS: Final = "others"


class FloodCounter:
    """Belongs to one event loop."""

    def __init__(self, tell: Callable[[Mapping[str, int]], None]) -> None:
        """`tell` gets the counts of a minute, if anything was refused in it."""
        self._tell = tell
        self._counts: Counter[str] = Counter()

    def count(self, what: str) -> None:
        """One of these was refused."""
        if not self._counts:
            LOG.warning("too many: %s; more within a minute are counted", what)
            asyncio.get_running_loop().call_later(EVERY_S, self._minute)
        known = what in self._counts or len(self._counts) < MOST_KINDS
        self._counts[what if known else OTHERS] += 1

    def _minute(self) -> None:
        counts, self._counts = self._counts, Counter()
        self._tell(counts)
