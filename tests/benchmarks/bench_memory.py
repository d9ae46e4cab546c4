"""Memory and idle wake-ups of a daemon with four doors on GPIO lines, against the six given packages imported.

Run: python -m tests.benchmarks.bench_memory [--idle-s 20]
To reach: 1.25 times the memory (resident, as /proc says it), and 5 wake-ups a second.
"""
# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.bench_start import ROOT, config
from tests.support.doord import Doord
from tests.support.gpio import shim_chip

REFERENCE: Final = "import gpiozero, gpiod, serial, paho.mqtt.client, sqlite_utils, pydantic\npydantic.BaseModel"
SETTLE_S: Final = 3.0


def resident_kib(pid: int | str) -> int:
    """What is resident, but for the chip in a file: on a Raspberry Pi it is a device, and maps nothing."""
    kib, counts = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-", line):
            counts = "gpiochip" not in line
        elif line.startswith("Rss:"):
            kib += counts * int(line.split()[1])
    return kib


def switches(pid: int) -> int:
    """Context switches of all threads so far: each wake-up is one at least."""
    lines = [line for task in Path(f"/proc/{pid}/task").iterdir() for line in (task / "status").read_text().split("\n")]
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def reference_kib() -> int:
    """The six packages in a process of their own."""
    code = f"{REFERENCE}\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        kib = resident_kib(process.pid)
        process.communicate(b"\n")
        return kib


def main() -> int:
    """Print both; 1 when something is above what is to be reached."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle-s", type=float, default=20.0)
    idle_s = parser.parse_args().idle_s
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: nothing is compiled anew at each start
    subprocess.run([sys.executable, "-m", "compileall", "-q", "edge", "drivers"], cwd=ROOT, check=True)
    reference = reference_kib()
    with (
        tempfile.TemporaryDirectory() as folder,
        shim_chip(Path(folder)) as chip,
        Doord(config(Path(folder)), chip.environment()) as doord,
    ):
        assert doord.process is not None
        pid = doord.process.pid
        time.sleep(SETTLE_S)
        before = switches(pid)
        time.sleep(idle_s)
        wakes, ours = (switches(pid) - before) / idle_s, resident_kib(pid)
    print(f"six packages: {reference} KiB; doord: {ours} KiB, {ours / reference:.2f} times (to reach: 1.25)")
    print(f"idle: {wakes:.2f} context switches a second (to reach: 5)")
    return int(ours > 1.25 * reference or wakes > 5)


if __name__ == "__main__":
    sys.exit(main())
