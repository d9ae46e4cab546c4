"""Rows of the table that `make bench` prints: what was measured, against which reference, and what is to be reached."""

# ruff: noqa: T201 -- benchmarks are scripts: they print

from __future__ import annotations

import json
import os
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE: Final = "DOORWARD_BENCH_ROWS"
"""The environment variable that names the file to which rows are added, one line of JSON each."""
NOISY: Final = 0.25
"""From this spread of the rounds on, a row says that it was noisy."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. Its `number` is the row's in docs/performance.md."""

    number: int
    what: str
    measured: float
    unit: str
    to_reach: float
    against: str
    """The reference in the same run; empty if there is none."""
    at_least: bool = False
    """More is better."""
    noise: float = 0.0
    """How far the rounds lie apart (`spread`)."""

    @property
    def reached(self) -> bool:
        """Whether the figure is as good as it is to be."""
        return self.measured >= self.to_reach if self.at_least else self.measured <= self.to_reach

    @classmethod
    def of(cls, line: str) -> Self:
        """Read a line of FILE."""
        return cls(**json.loads(line))

    def __str__(self) -> str:
        """Return the line that people read."""
        limit = f"{'at least' if self.at_least else 'at most'} {self.to_reach:g}"
        said = f"{self.number:>2}  {self.what:<46} {self.measured:9.2f} {self.unit:<5} {limit:<14} {self.against:<44}"
        doubts = [*([] if self.reached else ["SHORT"]), *(["noisy"] if self.noise > NOISY else [])]
        return f"{said}{', '.join(doubts)}".rstrip()


def told(*rows: Row) -> bool:
    """Print rows, add them to the table of `make bench` if it is being made, and say whether all are reached."""
    for row in rows:
        print(row, flush=True)
    if FILE in os.environ:
        with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(asdict(row))}\n" for row in rows)
    return all(row.reached for row in rows)


def spread(*rounds: Sequence[float]) -> float:
    """How far apart the middle half of the rounds lies, as a share of the median: of the worst of some series."""
    shares = [0.0]
    for values in rounds:
        if len(values) > 2:
            low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
            shares.append((high - low) / middle if middle else 0.0)
    return max(shares)
