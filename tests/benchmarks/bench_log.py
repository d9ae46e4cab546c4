"""The log against a bare sqlite3 loop in the same run: rate of one caller, rate of a burst, bytes written.

    python -m tests.benchmarks.bench_log [--records 2000] [--rounds 5] [--directory DIR]

The bare loop stores the same event as the same CloudEvents-sized JSON text, one transaction a row, WAL,
synchronous=FULL, defaults otherwise. Rounds alternate, medians are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from edge.log.log import Log
from edge.model.messages import Actor, Event, Subject
from edge.system.clock import Clock
from tests.benchmarks.rows import Row, spread, told

BURST = 500


def event(clock: Clock, number: int) -> Event:
    return Event(
        "lock.unlock",
        clock.now_ns(),
        Subject("lock", "front", "Front door"),
        Actor("user", "5f0c", "Ann Example", "ann@example.org"),
        cause="user",
        correlation=f"{number:016x}",
        door="front",
        details={"credential": "card 4711", "for_s": 5.0},
    )


def device_bytes(directory: Path) -> int:
    """Bytes that the kernel has sent to the device of this directory; 0 where it does not tell."""
    device = directory.stat().st_dev
    stat = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    return int(stat.read_text().split()[6]) * 512 if stat.exists() else 0


class Measured:
    """Seconds and bytes of a block, with everything flushed before and after."""

    def __init__(self, directory: Path, records: int) -> None:
        self._directory, self._records = directory, records

    def __enter__(self) -> Self:
        os.sync()
        self._bytes, self._start = device_bytes(self._directory), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.rate = self._records / (time.perf_counter() - self._start)
        os.sync()
        self.bytes = (device_bytes(self._directory) - self._bytes) / self._records


def bare(directory: Path, records: int) -> Measured:
    clock = Clock()
    db = sqlite3.connect(directory / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE event(seq INTEGER PRIMARY KEY, time INTEGER, type TEXT, body TEXT)")
    with Measured(directory, records) as measured:
        for number in range(records):
            one = event(clock, number)
            body = {
                "specversion": "1.0",
                "id": f"0123456789-{number}",
                "source": "/doorward/site/hq",
                "type": one.type,
                "subject": f"doors/{one.door}",
                "time": one.at_ns,
                "data": {
                    "class": "access",
                    "severity": "info",
                    "success": one.success,
                    "actor": {"kind": "user", "id": "5f0c", "name": "Ann Example", "email": "ann@example.org"},
                    "cause": one.cause,
                    "object": {"type": "lock", "id": "front", "name": "Front door"},
                    "correlation": one.correlation,
                    "details": dict(one.details),
                },
            }
            values = (number, one.at_ns, one.type, json.dumps(body))
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", values)
            db.execute("COMMIT")
    db.close()
    return measured


def ours(directory: Path, records: int, group: int) -> Measured:
    """`group` events handed over at a time, then all of them awaited."""

    async def run() -> Measured:
        clock = Clock()
        log = Log(directory / "log.db", "hq", clock)
        news = asyncio.Event()
        log.on_commit(lambda _records: news.set())
        log.start()
        await log.opened()
        with Measured(directory, records) as measured:
            for start in range(0, records, group):
                for number in range(start, start + group):
                    log.append([event(clock, number)])
                while log.committed < start + group:
                    news.clear()
                    await news.wait()
        await log.close()
        return measured

    return asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, default=None)
    options = parser.parse_args()
    runs: dict[str, list[Measured]] = {"bare": [], "one": [], "burst": []}
    for _ in range(options.rounds):
        for name, rounds in runs.items():
            with tempfile.TemporaryDirectory(dir=options.directory) as folder:
                place = Path(folder)
                if name == "bare":
                    rounds.append(bare(place, options.records))
                else:
                    rounds.append(ours(place, options.records, BURST if name == "burst" else 1))
    show(runs)


def show(runs: dict[str, list[Measured]]) -> None:
    rate = {name: statistics.median(one.rate for one in rounds) for name, rounds in runs.items()}
    written = {name: statistics.median(one.bytes for one in rounds) for name, rounds in runs.items()}
    lines = [f"{name:6} {rate[name]:10.0f} records/s {written[name]:10.0f} bytes/record" for name in runs]
    sys.stdout.write("\n".join(lines) + "\n")
    apart = {name: spread([one.rate for one in rounds]) for name, rounds in runs.items()}
    for name, what, to_reach in (("one", "append, one caller", 0.8), ("burst", f"append, a burst of {BURST}", 12)):
        noise, ratio = max(apart[name], apart["bare"]), rate[name] / rate["bare"]
        told(Row(2, what, ratio, "x", to_reach, "the rate of a bare sqlite3 loop", at_least=True, noise=noise))
    if written["bare"]:
        noise = spread(*([one.bytes for one in runs[name]] for name in ("one", "bare")))
        ratio = written["one"] / written["bare"]
        told(Row(3, "bytes written for a record", ratio, "x", 0.7, "the bare loop", noise=noise))


if __name__ == "__main__":
    main()
