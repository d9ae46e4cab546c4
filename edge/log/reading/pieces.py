"""The parts of a log that a query has to look at, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.log.index.lookup import Candidates


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one boot and one segment that has to be looked at."""

    first: int
    last: int
    ranges: list[tuple[int, int]]
    """Of the boot clock; []: all of it."""
    sequences: list[int] | None = None
    """Only these can match; None: any."""

    @property
    def size(self) -> int:
        """How many records are looked at."""
        return self.last - self.first + 1 if self.sequences is None else len(self.sequences)

    def beyond(self, sequence: int, *, newest: bool) -> Piece:
        """The rest of it behind this sequence number."""
        return replace(self, last=sequence - 1) if newest else replace(self, first=sequence + 1)

    def within(self, look: Candidates) -> list[Piece]:
        """What the index leaves of it, in order."""
        if look.sequences is not None:
            sequences = [sequence for sequence in look.sequences if self.first <= sequence <= self.last]
            return [replace(self, sequences=sequences)] if sequences else []
        parts = ((max(first, self.first), min(last, self.last)) for first, last in look.ranges)
        return [replace(self, first=low, last=high) for low, high in parts if low <= high]
