"""A set of sequence numbers, kept as ranges and taken from the lowest on.

One rule: nothing that was added is lost. Of too many ranges the nearest two are merged, with the numbers in between.
"""

from __future__ import annotations

from bisect import bisect_left


class Ranges:
    """A set of whole numbers, kept as few ranges."""

    def __init__(self, most: int) -> None:
        """At most `most` ranges are kept."""
        self._most = most
        self._ranges: list[tuple[int, int]] = []
        """First and last number of each, in order, never adjacent."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._ranges)

    @property
    def first(self) -> int:
        """The lowest number; IndexError when there is none."""
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
        """Take the lowest range: first and last; IndexError when there is none."""
        return self._ranges.pop(0)

    def clear(self) -> None:
        """Remove all."""
        self._ranges.clear()
