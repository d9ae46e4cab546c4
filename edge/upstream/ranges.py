"""Numbers to be gone through, as ranges: the lowest first, each once however often it was added.

One rule: nothing that was added is forgotten. Of too many ranges the nearest two become one.
"""

from __future__ import annotations

from bisect import bisect_left


class Ranges:
    """A set of whole numbers, kept as few ranges."""

    def __init__(self, most: int) -> None:
        """At most so many ranges; what lies between two of too many is added, too."""
        self._most = most
        self._ranges: list[tuple[int, int]] = []
        """First and last, in order, with a hole between any two."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._ranges)

    @property
    def first(self) -> int:
        """The lowest; only where there is any."""
        return self._ranges[0][0]

    def add(self, first: int, last: int) -> None:
        """Add first to last, both included."""
        at = bisect_left(self._ranges, (first, first))
        if at and self._ranges[at - 1][1] >= first - 1:
            at -= 1
        end = at
        while end < len(self._ranges) and self._ranges[end][0] <= last + 1:
            first, last = min(first, self._ranges[end][0]), max(last, self._ranges[end][1])
            end += 1
        self._ranges[at:end] = [(first, last)]
        if len(self._ranges) > self._most:
            near = min(range(1, len(self._ranges)), key=lambda n: self._ranges[n][0] - self._ranges[n - 1][1])
            self._ranges[near - 1 : near + 1] = [(self._ranges[near - 1][0], self._ranges[near][1])]

    def take(self) -> tuple[int, int]:
        """Take the lowest range; only where there is any."""
        return self._ranges.pop(0)

    def clear(self) -> None:
        """Forget all: they are of no use any more."""
        self._ranges.clear()
