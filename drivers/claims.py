"""Claims the lines of each point of a driver by itself. Lines that are not free are a fault of that point alone.

One rule: of one point all lines are claimed or none, and other points do not suffer from it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from edge.model.messages import NS_PER_S, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

AGAIN_NS: Final = 2 * NS_PER_S
"""Time between two tries to claim lines that another program holds."""


class Claims:
    """Which points of one driver could not be claimed, and why."""

    def __init__(self, claim: Callable[[str], None], now_ns: Callable[[], int]) -> None:
        """`claim` claims the lines of a point; when it raises OSError it has claimed none."""
        self.missing: dict[str, str] = {}
        """Points that could not be claimed -> why."""
        self._claim = claim
        self._now_ns = now_ns
        self._tried_ns = 0

    def every(self, points: Iterable[str]) -> None:
        """Begin anew: claim these points, in this order. Raises the first OSError when none of them can be claimed."""
        self.missing, self._tried_ns = {}, self._now_ns()
        failures = [self.one(point) for point in points]
        if failures and failures[0] is not None and None not in failures:
            raise failures[0]

    def one(self, point: str) -> OSError | None:
        """Claim the lines of one point. Returns the error if that failed."""
        try:
            self._claim(point)
        except OSError as error:
            self.missing[point] = error.strerror or str(error)
            return error
        self.missing.pop(point, None)
        return None

    def again(self) -> Iterator[str]:
        """Try missing points again, if it is time; yields each that has been claimed now.

        Raises OSError when the device itself has gone.
        """
        if self._now_ns() - self._tried_ns < AGAIN_NS:
            return
        self._tried_ns = self._now_ns()
        for point in [*self.missing]:
            error = self.one(point)
            if error is None:
                yield point
            elif error.errno == errno.ENODEV:  # perhaps nothing else checks the device
                raise error

    def lost(self) -> list[Lost]:
        """The fault of each point that is missing."""
        return [Lost(frozenset({point}), why, self._now_ns()) for point, why in self.missing.items()]
