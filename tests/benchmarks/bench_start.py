"""From exec to every lock at its resting level, against `python -c 'import asyncio, gpiozero'` (to reach: 2 times).

Run: python -m tests.benchmarks.bench_start [ROUNDS]

Four doors on GPIO lines of a chip in a file (tests/support/gpio.py): the same driver, library and system calls as
on a Raspberry Pi. Runs alternate, each is a process of its own; the medians are compared.
"""

# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.rows import Row, spread, told
from tests.support.gpio import ShimChip, shim_chip

ROOT: Final = Path(__file__).parents[2]

REFERENCE = "import asyncio, gpiozero"
DOORS = 4
TO_REACH = 2.0
HEAD = """
[controller]
id = "bench"
site = "lab"
name = "Bench"
[log]
path = "log.db"
[control]
socket = "doord.sock"
[driver.gpio]
kind = "gpio"
"""
DOOR = """
[door.d{n}]
lock = {{ driver = "gpio", line = {lock}, unlocked = "high", resting = "locked" }}
contact = {{ driver = "gpio", line = {contact}, closed = "low", pull = "up" }}
rex = {{ driver = "gpio", line = {rex}, active = "low", pull = "up" }}
"""


def config(folder: Path) -> Path:
    """Four doors: locks on lines 0 to 3, contacts on 10 to 13, buttons on 20 to 23."""
    path = folder / "doorward.toml"
    path.write_text(HEAD + "".join(DOOR.format(n=n, lock=n, contact=10 + n, rex=20 + n) for n in range(DOORS)))
    return path


def reference_s(environment: dict[str, str]) -> float:
    """How long the reference takes to be ready, as a process of its own says it."""
    began_ns = time.monotonic_ns()
    code = f"{REFERENCE}\nimport time, os\nos.write(1, str(time.monotonic_ns()).encode())\nos._exit(0)"
    said = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout
    return (int(said) - began_ns) / 1e9


def start_s(path: Path, chip: ShimChip) -> float:
    """Until the last lock line was driven, as the chip stamped it; then the daemon is killed."""
    mark, began_ns = chip.mark(), time.monotonic_ns()
    command = [sys.executable, "-m", "edge.daemon.doord", "--config", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, env=chip.environment(), stderr=subprocess.DEVNULL)
    try:
        while True:
            rested = {m.line: m.at_ns for m in reversed(chip.history(since=mark)) if m.output and m.line < DOORS}
            if len(rested) == DOORS:
                return (max(rested.values()) - began_ns) / 1e9
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
        chip.reap()


def main() -> int:
    """Print both medians and their ratio; 1 when it is above what is to be reached."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: nothing is compiled anew at each start
    references, starts = [], []
    with tempfile.TemporaryDirectory() as folder, shim_chip(Path(folder)) as chip:
        path = config(Path(folder))
        for _ in range(rounds + 1):
            references.append(reference_s(chip.environment()))
            starts.append(start_s(path, chip))
    reference, start = statistics.median(references[1:]), statistics.median(starts[1:])  # the first fill the caches
    print(f"{REFERENCE!r}: {reference * 1e3:.0f} ms; exec to {DOORS} locks at rest: {start * 1e3:.0f} ms")
    noise, what = spread(starts[1:], references[1:]), f"exec to {DOORS} locks at rest"
    return int(not told(Row(6, what, start / reference, "x", TO_REACH, f"python -c '{REFERENCE}'", noise=noise)))


if __name__ == "__main__":
    sys.exit(main())
