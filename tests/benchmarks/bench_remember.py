"""From exec until a lockdown is in force again: with a log of 1 GiB, against an empty one (to reach: 100 ms later).

Run: python -m tests.benchmarks.bench_remember [MIB] [ROUNDS]

A card is shown every 100 ms from exec on; the large log is not in the page cache. It takes 1.1 GiB of
the temporary folder.
"""

# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge.client.connection import RequestRefused, Unreachable
from edge.log.log import Log, LogOptions
from edge.system.clock import Clock
from tests.benchmarks.rows import Row, spread, told
from tests.scenarios.test_people import ADA, config_of, people
from tests.support.doord import Doord
from tests.support.logs import opened

TO_REACH_S: Final = 0.1
RECORD_BYTES: Final = 16_384
GROUP: Final = 400


def prepared(folder: Path, mib: int) -> Doord:
    """A daemon that has stopped, whose front door is locked down."""
    folder.mkdir()
    people(folder)
    config = config_of(folder)
    config.write_text(config.read_text().replace('path = "log.db"', 'path = "log.db"\nmax_mib = 4096'))
    if mib:
        asyncio.run(_fill(folder / "log.db", mib))
    doord = Doord(config)
    with doord:
        while doord.ask("status")["directory"]["state"] != "ready":
            time.sleep(0.05)
        doord.ask("command", command="lock_down", door="front")
        doord.stop()
    return doord


async def _fill(path: Path, mib: int) -> None:
    log = Log(path, "test", Clock(), LogOptions(max_mib=4_096))
    log.start()
    large = replace(opened(), code="x" * RECORD_BYTES)
    for _ in range(mib * 2**20 // RECORD_BYTES // GROUP + 1):
        log.append([large] * GROUP)
        await log.durable()
    await log.close(600)


def start_s(doord: Doord) -> float:
    """Until the lockdown shows; whatever card is shown meanwhile and for a second more is refused."""
    with doord.log.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began_s, known_s, number = time.monotonic(), 0.0, 0
    doord.spawn()
    try:
        while not known_s or time.monotonic() - began_s < known_s + 1:
            time.sleep(0.01)
            try:
                if time.monotonic() - began_s >= 0.1 * number:
                    number = int((time.monotonic() - began_s) * 10) + 1
                    doord.ask("sim", door="front", action="card", argument=ADA)
                door = doord.ask("status")["doors"]["front"]
            except (Unreachable, RequestRefused):
                continue
            assert door["lock"] != "unlocked", "a card opened a door that is locked down"
            if not known_s and door["mode"] == "locked_down":
                known_s = time.monotonic() - began_s
    finally:
        doord.stop()
    return known_s


def main() -> int:
    """Print both medians and what lies between them; 1 when that is more than is to be reached."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1_024
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        small, large = prepared(Path(folder) / "small", 0), prepared(Path(folder) / "large", mib)
        print(f"log of {large.log.stat().st_size / 2**20:.0f} MiB")
        found = [(start_s(small), start_s(large)) for _ in range(rounds)]
    empty, full = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"exec to a lockdown in force: {empty * 1e3:.0f} ms with an empty log, {full * 1e3:.0f} ms with a large one")
    noise = spread(*zip(*found, strict=True))
    what, later_ms = f"a lockdown in force, log of {mib:,} MiB", (full - empty) * 1e3
    return int(not told(Row(13, what, later_ms, "ms", TO_REACH_S * 1e3, "an empty log", noise=noise)))


if __name__ == "__main__":
    sys.exit(main())
