"""What an event costs as the house and its history grow: doors 4 to 256, records in the log 10^4 to 10^6.

    python -m tests.benchmarks.bench_growth [--passages 2000] [--records 10000,100000,1000000] [--rounds 3]

Processor time of the whole process, so that neighbours do not count, of the best round; ratios to the
smallest size of the same run. A passage is an exit button, an opening and a closing: through
the debouncers, the rules, the simulated lock and the log, in virtual time. How cards grow, 10^2 to 10^6, is
in bench_directory.
"""
# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import argparse
import asyncio
import gc
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.log.log import Log, LogOptions
from edge.model.messages import Event, Subject
from edge.system.clock import Clock
from tests.benchmarks.rows import Row, told
from tests.support import virtual
from tests.support.house import House, write_config
from tests.support.million import index, make

if TYPE_CHECKING:
    from collections.abc import Iterable

DOORS = (4, 16, 64, 256)
BURST = 50


def passages(folder: Path, doors: int, passages: int) -> float:
    """Microseconds of processor time for each event that was recorded."""
    names = tuple(f"d{number}" for number in range(doors))
    config = write_config(folder, doors=names)
    spent: list[float] = []

    async def main(loop: virtual.VirtualLoop) -> None:
        house = House(loop, config, LogOptions(max_mib=1024))
        async with house.running():
            for warm in (True, False):
                gc.collect()
                before, start_s = len(house.records), time.process_time()
                for number in range(passages // 10 if warm else passages):
                    await walk(house, names[number % doors])
                took_s = time.process_time() - start_s
                spent.append(took_s / (len(house.records) - before))

    virtual.run(main)
    return spent[-1] * 1e6


async def walk(house: House, door: str) -> None:
    """Out by the button, through the door, and gone."""
    simulator = house.daemon.drivers.simulator(door)
    assert simulator is not None
    for action in ("rex", "open", "close"):
        simulator.simulate(door, action, None)
        await asyncio.sleep(0.5)


def appends(file: Path, count: int) -> float:
    """Microseconds of processor time for each record, appended in bursts to a log that is there."""

    async def main() -> float:
        clock, news = Clock(), asyncio.Event()
        log = Log(file, "hq", clock, LogOptions(max_mib=65_536))
        log.on_commit(lambda _records: news.set())
        log.start()
        await log.opened()
        subject = Subject("lock", "front", "Front door")
        for warm in (True, False):
            start_s, first = time.process_time(), log.committed
            for done in range(BURST, (count // 10 if warm else count) + 1, BURST):
                log.append([Event("lock.opened", clock.now_ns(), subject, door="front") for _ in range(BURST)])
                while log.committed < first + done:
                    news.clear()
                    await news.wait()
            took_s = time.process_time() - start_s
        await log.close()
        return took_s / count * 1e6

    return asyncio.run(main())


def table(what: str, rows: Iterable[tuple[int, float]]) -> None:
    """Each size beside the smallest; the largest is told."""
    print(f"{what:>12}  us each  ratio")
    found = list(rows)
    for size, cost_us in found:
        print(f"{size:12,}  {cost_us:7.0f}  {cost_us / found[0][1]:5.2f}")
    (first, base), (last, cost_us) = found[0], found[-1]
    told(Row(9, f"an event, {last:,} {what}", cost_us / base, "x", 1.3, f"{first:,} {what}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=2_000)
    parser.add_argument("--records", default="10000,100000,1000000", help="sizes of the log")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    best: dict[int, float] = {}
    for _ in range(options.rounds):
        for doors in DOORS:
            with tempfile.TemporaryDirectory() as folder:
                cost_us = passages(Path(folder), doors, options.passages)
                best[doors] = min(cost_us, best.get(doors, cost_us))
    table("doors", best.items())
    best = {}
    sizes = [int(size) for size in options.records.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            make(Path(folder) / f"{size}.db", size)
            index(Path(folder) / f"{size}.db")
        for _ in range(options.rounds):
            for size in sizes:
                file = Path(folder) / "log.db"
                shutil.copy(Path(folder) / f"{size}.db", file)
                cost_us = appends(file, 5_000)
                best[size] = min(cost_us, best.get(size, cost_us))
                for left in Path(folder).glob("log.db*"):
                    left.unlink()
    table("records", best.items())


if __name__ == "__main__":
    main()
