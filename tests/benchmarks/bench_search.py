"""Searching and exporting a log of a million records: median and p95 of the first page, and of everything.

    python -m tests.benchmarks.bench_search [--file FILE] [--records 1000000] [--rounds 15]

Every search is asked twice: with the index beside the log, and without it. Target: the first page
within 100 ms at the median. The export runs as a process and prints how far its memory grew.
"""

from __future__ import annotations

import argparse
import functools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.log.index.lookup import place
from edge.log.reading.query import LogReader, Query
from tests.support.million import END_US, NEVER, RARE, index, make, person

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS_90 = END_US - 90 * 86_400 * 1_000_000
YEAR = 365 * 86_400 * 1_000_000
DAY = 86_400 * 1_000_000
CROWD = tuple(f"nobody-{number}" for number in range(30_000))
SEARCHES = {
    "newest, all": Query(),
    "newest, 90 days": Query(since_us=DAYS_90),
    "one day, two years ago": Query(since_us=END_US - 2 * YEAR, until_us=END_US - 2 * YEAR + DAY),
    "a door, 90 days": Query(since_us=DAYS_90, doors=("door-03",)),
    "a person, all": Query(actors=("p77@example.org",)),
    "a person, 90 days": Query(since_us=DAYS_90, actors=("p77@example.org",)),
    "a person with 3 records": Query(actors=(RARE.email or "",)),
    "a person nobody knows": Query(actors=("nobody",)),
    "an alarm type, all": Query(types=("lock.forced_open",)),
    "audit, all": Query(event_class="audit"),
    "refused, all": Query(success=False),
    "granted, 90 days": Query(success=True, since_us=DAYS_90),
    "a code": Query(codes=("unknown_card",)),
    "a code that never occurred": Query(codes=(NEVER,)),
    "a group of 400, 90 days": Query(
        since_us=DAYS_90, people=tuple(person(5 * n).id for n in range(400)), groups=("staff",)
    ),
    "a group of 30,000 strangers": Query(people=CROWD, groups=("nowhere",)),
    "text, a name, all": Query(text="quist"),
    "text beyond ASCII, all": Query(text="ZOË"),
    "text, nothing in 90 days": Query(text="no such words", since_us=DAYS_90),
    "text, nothing in all": Query(text="no such words"),
    "text of digits, 90 days": Query(text="…4711", since_us=DAYS_90),
    "text of two letters, none": Query(text="~~"),
    "a passage": Query(correlation="c-500000"),
    "person, door and text": Query(actors=(person(77).id,), doors=("door-02",), text="card"),
}


def timed(rounds: int, what: Callable[[], object]) -> tuple[float, float]:
    """Median and p95, in milliseconds."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        what()
        took.append((time.perf_counter() - start) * 1e3)
    return statistics.median(took), sorted(took)[max(0, round(0.95 * len(took)) - 1)]


def everything(reader: LogReader, query: Query) -> tuple[int, int]:
    """Pages and records up to the first full page, or the end."""
    pages = records = 0
    while True:
        page = reader.page(query)
        pages, records = pages + 1, records + len(page.records)
        if page.next is None or records >= query.limit:
            return pages, records
        query = replace(query, before=page.next)


def searches(path: Path, rounds: int) -> None:
    say(f"{'search':30} {'first page':>18} {'until 500 or end':>18} {'pages':>6} {'records':>8}")
    with closing(LogReader(path)) as reader:
        for name, given in SEARCHES.items():
            query = replace(given, newest=True)
            first = timed(rounds, functools.partial(reader.page, query))
            whole = timed(rounds, functools.partial(everything, reader, query))
            pages, records = everything(reader, query)
            say(
                f"{name:30} {first[0]:8.1f} {first[1]:6.1f} ms {whole[0]:8.1f} {whole[1]:6.1f} ms {pages:6} {records:8}"
            )


def process(rounds: int, *words: str) -> tuple[float, float]:
    def run() -> None:
        subprocess.run([sys.executable, "-m", "edge.cli", *words], check=True, stdout=subprocess.DEVNULL)

    return timed(rounds, run)


GROWTH = """
import resource, sys
from edge.cli.main import main
log, out = sys.argv[1:]
main(["export", "--log", log, "--limit", "1", out])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
main(["export", "--log", log, "--since", "2000-01-01", out])
print("growth_kib", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def export(path: Path, out: Path) -> None:
    start = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", GROWTH, path, out], check=True, capture_output=True, text=True)
    took = time.perf_counter() - start
    growth = int(re.findall(r"growth_kib (-?\d+)", ran.stdout)[0])
    written = ran.stderr.splitlines()[-1]
    say(f"{written}: {took:.1f} s, {out.stat().st_size / 2**20:.0f} MiB, ru_maxrss grew by {growth / 1024:.1f} MiB")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="made when it is not there, and kept; else a temporary one")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "log.db"
        if not path.exists():
            make(path, options.records)
        place(path).unlink(missing_ok=True)
        say("--- without the index")
        searches(path, options.rounds)
        start = time.perf_counter()
        segments = index(path)
        size = place(path).stat().st_size
        say(f"--- with the index: {segments} segments, {size / 2**20:.1f} MiB, {time.perf_counter() - start:.1f} s")
        searches(path, options.rounds)
        say("--- doorctl as a process")
        rounds = max(3, options.rounds // 3)
        log = ("--log", str(path), "--since", "2000-01-01")
        for name, words in {
            "events, a person with 3 records": ("events", *log, "--user", RARE.email or ""),
            "events, the newest 50": ("events", *log, "--limit", "50"),
            "events, newest 10,000 of 90 days": ("events", "--log", str(path), "--since", "2026-08-24", "--json"),
        }.items():
            median, p95 = process(rounds, *words)
            say(f"{name:34} {median:8.0f} {p95:6.0f} ms")
        for name in ("report.csv", "report.jsonl"):
            export(path, Path(folder) / name)


if __name__ == "__main__":
    main()
