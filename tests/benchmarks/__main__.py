"""All benchmarks, and one table of their figures: `make bench`, or `make bench-quick` for a short one.

    python -m tests.benchmarks [--quick] [BENCH ...]

What each prints goes to `build/bench.log`, the table to `build/bench.json` too. One benchmark runs at a time, in a
process of its own. Ends with 1 when a benchmark failed, not when a figure falls short: this machine may be busy.
"""

# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.benchmarks.rows import FILE, Row

ROOT: Final = Path(__file__).parents[2]
OUT: Final = ROOT / "build"
EACH_S: Final = 600.0
WHOLE: Final = {
    "sync": "",
    "log": "",
    "latency": "",
    "start": "",
    "memory": "",
    "growth": "--rounds 2",
    "directory": "",
    "passage": "",
    "flood": "--seconds 5",
    "remember": "",
    "first_page": "--rounds 5",
}
QUICK: Final = {"sync": "5000", "log": "--records 500 --rounds 3", "start": "3", "memory": "--idle-s 5 --records 5000"}


def main() -> int:
    """Run them and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bench", nargs="*", help=f"some of them: {', '.join(WHOLE)}")
    parser.add_argument("--quick", action="store_true", help="short forms of those that show a slip first")
    asked = parser.parse_args()
    chosen = QUICK if asked.quick else WHOLE
    if unknown := set(asked.bench) - set(chosen):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(chosen)}")
    OUT.mkdir(exist_ok=True)
    began_s, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder, (OUT / "bench.log").open("w", encoding="utf-8") as log:
        rows = Path(folder) / "rows"
        rows.touch()
        for name in asked.bench or chosen:
            print(f"{name} ...", file=sys.stderr, flush=True)
            if not _run(name, chosen[name].split(), log, rows):
                failed.append(name)
        found = sorted(map(Row.of, rows.read_text(encoding="utf-8").splitlines()), key=lambda row: row.number)
    took_s = round(time.monotonic() - began_s)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, {took_s} s\n", *found, *(f"FAILED: {name} (build/bench.log)" for name in failed), sep="\n")
    table = {"machine": machine, "seconds": took_s, "failed": failed, "rows": [asdict(row) for row in found]}
    (OUT / "bench.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return int(bool(failed))


def _run(name: str, words: list[str], log: object, rows: Path) -> bool:
    """Whether it came to an end with rows. Its own result, 1 for a figure that falls short, is in them."""
    before = rows.stat().st_size
    command = [sys.executable, "-m", f"tests.benchmarks.bench_{name}", *words]
    try:
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, FILE: str(rows)},
            stdout=log,  # type: ignore[call-overload]  # a file
            stderr=subprocess.STDOUT,
            timeout=EACH_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return rows.stat().st_size > before


if __name__ == "__main__":
    sys.exit(main())
