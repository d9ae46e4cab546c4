"""Directories of 10^2 to 10^6 cards: building, the longest slice, one look for a card, one decision, a difference.

    python -m tests.benchmarks.bench_directory [--largest 1000000] [--looks 20000]

Processor time, so that neighbours do not count. Printed as ratios to the smallest size, per card where
the work is per card: 1.0 is flat. The longest slice is what a door has to wait for at most when a
directory is built on its thread: a dict that grows, or text that goes.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from typing import TYPE_CHECKING

from edge.access import Granted, decide
from edge.cards import Format, encode, layout
from edge.credentials import Presented
from edge.directory import Directory
from edge.directory_changes import difference
from edge.directory_reading import reading
from edge.messages import SYSTEM, CardRead
from tests.support.directories import BERLIN, SOURCE, large
from tests.support.people import door, now

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5


def card(number: int) -> CardRead:
    shape = layout(Format.WIEGAND37, number >> 16)
    assert shape is not None
    value = encode(shape, number >> 16, number & 0xFFFF)
    return CardRead("front.reader", 37, (value << 3).to_bytes(5), 0)


def built(document: bytes) -> tuple[Directory, float, float, float]:
    """A directory, the seconds it took, its longest slice, and the one that 99 % do not exceed."""
    steps = reading(document, SOURCE, BERLIN, doors=["front", "back"])
    slices: list[float] = []
    while True:
        if len(slices) % 10 == 0:
            gc.freeze()  # as whoever builds a directory beside doors has to
        start = time.thread_time()
        try:
            next(steps)
        except StopIteration as done:
            slices.append(time.thread_time() - start)
            slices.sort()
            return done.value, sum(slices), slices[-1], slices[round(0.99 * (len(slices) - 1))]
        slices.append(time.thread_time() - start)


def per_look(look: Callable[[CardRead], object], reads: list[CardRead]) -> float:
    """Seconds for one look: the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for read in reads:
            look(read)
        rounds.append((time.thread_time() - start) / len(reads))
    return statistics.median(rounds)


def measure(size: int, looks: int) -> tuple[float, ...]:
    document = large(size)
    gc.unfreeze()
    gc.collect()
    directory, seconds, longest, usual = built(document)
    known = [card(n * 7919 % size) for n in range(looks)]
    unknown = [card(size + n) for n in range(looks)]
    place, current = door(), now()

    def decision(read: CardRead) -> None:
        assert isinstance(decide(directory, place, Presented(read), current), Granted)

    hit, miss, whole = per_look(directory.card, known), per_look(directory.card, unknown), per_look(decision, known)
    start = time.thread_time()
    told = len(difference(Directory(), directory, SYSTEM, 0))
    assert told == 5 * size + 100
    return seconds / size, longest, usual, hit, miss, whole, (time.thread_time() - start) / size


def say(cells: list[str]) -> None:
    sys.stdout.write(" ".join(cells) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=20_000)
    chosen = parser.parse_args()
    names = ("build a card", "longest slice", "99 % of slices", "card known", "card unknown", "decision", "difference")
    say(["cards".rjust(9), *(name.rjust(22) for name in names)])
    first: tuple[float, ...] | None = None
    size = 100
    while size <= chosen.largest:
        found = measure(size, chosen.looks)
        first = first or found
        cells = (f"{one * 1e6:12.1f} us {one / base:5.2f}x" for one, base in zip(found, first, strict=True))
        say([f"{size:9d}", *(cell.rjust(22) for cell in cells)])
        size *= 10


if __name__ == "__main__":
    main()
