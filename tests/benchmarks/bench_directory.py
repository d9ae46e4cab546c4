"""Directories of 10^2 to 10^6 cards: building, the longest slice, one look for a card, one decision, a difference.

    python -m tests.benchmarks.bench_directory [--largest 1000000] [--looks 20000]

Processor time, so that neighbours do not count. Printed as ratios to the smallest size, per card where
the work is per card: 1.0 is flat. The longest slice is what a door has to wait for at most when a
directory is built on its thread: a dict that grows, or text that goes.

    python -m tests.benchmarks.bench_directory --keeper 100000

The keeper instead, by the wall: until a directory of so many cards is in force and stored, until a card is barred
while its changes are being recorded (the slowest of some edits), until each of them is recorded, until one person is
added to it or removed from it, until it is taken up again; and how late the loop, which serves doors, ever was.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edge.access.credentials import Presented
from edge.access.decisions import Granted, decide
from edge.daemon.doord import TURN_S
from edge.directory.cards import Format, encode, layout
from edge.directory.changes import difference
from edge.directory.directory import Directory
from edge.directory.document.reading import reading
from edge.model.messages import SYSTEM, CardRead
from tests.benchmarks.rows import Row, told
from tests.support.directories import BERLIN, SOURCE, large
from tests.support.live_directories import CLERK, kept
from tests.support.people import door, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.live_directories import Kept

ROUNDS = 5
EDITS = 20


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


class Forgetful(list[Any]):
    """A list of records that holds none: half a million of them would be what is measured."""

    def __iadd__(self, _records: object) -> Self:
        return self


class Stalls:
    """How late a timer that is due every millisecond comes, in seconds."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def watch(self) -> None:
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            self.late.append(time.perf_counter() - due)

    def told(self) -> str:
        late, self.late[:] = sorted(self.late), []
        return f"loop late {late[round(0.99 * (len(late) - 1))] * 1e3:6.1f} ms (99 %), {late[-1] * 1e3:6.1f} ms at most"


async def keep(size: int) -> None:
    """One directory through the keeper, and again after a restart."""
    document, stalls = large(size), Stalls()
    watching = asyncio.create_task(stalls.watch())

    def step(what: str, since: float) -> None:
        say([what.ljust(11), f"{time.perf_counter() - since:8.3f} s ", stalls.told(), f" {resident_mib():5d} MiB"])

    with tempfile.TemporaryDirectory() as folder:
        async with kept(Path(folder)) as one:
            one.log.records = Forgetful()
            start = time.perf_counter()
            await one.keeper.apply(document, SOURCE, CLERK)
            step("in force", start)
            slowest = await edits(one, stalls, [lost(number * 7) for number in range(EDITS)], recorded=False)
            assert one.keeper.facts()["state"] == "recording", "there are too few cards to edit beside it"
            step("edit beside", time.perf_counter() - slowest)
            while one.keeper.facts()["state"] != "ready":  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.05)
            step("recorded", start)
            for what, changes in (("edit", person), ("removal", nobody)):
                slowest = await edits(one, stalls, [changes(size + number) for number in range(EDITS)])
                step(what, time.perf_counter() - slowest)
        async with kept(Path(folder), started=False) as one:
            start = time.perf_counter()
            await one.keeper.start()
            step("restart", start)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def edits(one: Kept, stalls: Stalls, every: list[list[dict[str, Any]]], *, recorded: bool = True) -> float:
    """The slowest, in seconds, from when it is asked for until it is stored and in force.

    The next one comes when all is `recorded`, or a little later.
    """
    await asyncio.sleep(1)  # what came before is let go of
    stalls.late.clear()
    slowest = 0.0
    for changes in every:
        start = time.perf_counter()
        await one.keeper.edit(changes, None, SOURCE, CLERK)
        slowest = max(slowest, time.perf_counter() - start)
        await (one.ready() if recorded else asyncio.sleep(0.1))
    return slowest


def lost(number: int) -> list[dict[str, Any]]:
    card = {"id": f"c{number}", "format": "wiegand37", "facility": number >> 16, "number": number & 0xFFFF}
    return [{"put": "card", "entry": card | {"state": "inactive"}}]


def person(number: int) -> list[dict[str, Any]]:
    card = {"id": f"c{number}", "format": "wiegand37", "facility": number >> 16, "number": number & 0xFFFF}
    return [
        {"put": "user", "entry": {"id": f"u{number}", "name": "Grace Hopper"}},
        {"put": "card", "entry": card},
        {"put": "member", "entry": {"id": f"m{number}", "user": f"u{number}", "cards": [f"c{number}"]}},
    ]


def nobody(number: int) -> list[dict[str, Any]]:
    return [{"remove": kind, "id": f"{kind[0]}{number}"} for kind in ("user", "card", "member")]


def resident_mib() -> int:
    """Of this process, documents of the benchmark included (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20


def say(cells: list[str]) -> None:
    sys.stdout.write(" ".join(cells) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=20_000)
    parser.add_argument("--keeper", type=int, metavar="CARDS")
    chosen = parser.parse_args()
    if chosen.keeper:
        sys.setswitchinterval(TURN_S)
        asyncio.run(keep(chosen.keeper))
        return
    names = ("build a card", "longest slice", "99 % of slices", "card known", "card unknown", "decision", "difference")
    say(["cards".rjust(9), *(name.rjust(22) for name in names)])
    first = found = measure(100, chosen.looks)
    size = 100
    while size <= chosen.largest:
        found = measure(size, chosen.looks) if size > 100 else first
        cells = (f"{one * 1e6:12.1f} us {one / base:5.2f}x" for one, base in zip(found, first, strict=True))
        say([f"{size:9d}", *(cell.rjust(22) for cell in cells)])
        size *= 10
    largest = f"{size // 10:,} cards"
    told(
        Row(9, f"a decision, {largest}", found[5] / first[5], "x", 1.3, "100 cards"),
        Row(9, f"longest slice of building {largest}", found[1] * 1e3, "ms", 5, ""),
    )


if __name__ == "__main__":
    main()
