"""Memory and idle work of a daemon with four doors on GPIO lines, against the six given packages imported.

Run: python -m tests.benchmarks.bench_memory [--idle-s 20] [--records 100000]
Memory is what is resident, as /proc says it; wake-ups are context switches of all threads. The backlog waits for a
broker that does not answer; beside it stands the same without records.
"""
# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.bench_start import ROOT, config
from tests.benchmarks.bench_sync import fill
from tests.benchmarks.rows import Row, told
from tests.support.broker import free_port
from tests.support.doord import Doord
from tests.support.gpio import ShimChip, shim_chip

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


def cpu_s(pid: int) -> float:
    """Processor time of all threads so far (https://docs.kernel.org/scheduler/sched-stats.html)."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def waiting_kib(chip: ShimChip, folder: Path, records: int) -> int:
    """Memory of a doord whose broker is away, with so many records for it."""
    folder.mkdir()
    if records:
        asyncio.run(fill(folder, records))
    path = config(folder)
    path.write_text(f'{path.read_text()}\n[mqtt]\nurl = "mqtt://127.0.0.1:{free_port()}"\n')
    with Doord(path, chip.environment()) as doord:
        assert doord.process is not None
        time.sleep(SETTLE_S)
        assert doord.ask("status")["upstream"]["backlog"] >= records
        return resident_kib(doord.process.pid)


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
    parser.add_argument("--records", type=int, default=100_000)
    asked = parser.parse_args()
    idle_s = asked.idle_s
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
        before, before_s = switches(pid), cpu_s(pid)
        time.sleep(idle_s)
        wakes, busy = (switches(pid) - before) / idle_s, (cpu_s(pid) - before_s) / idle_s * 100
        ours = resident_kib(pid)
    with tempfile.TemporaryDirectory() as folder, shim_chip(Path(folder)) as chip:
        none, many = (waiting_kib(chip, Path(folder) / str(records), records) for records in (0, asked.records))
    print(f"six packages: {reference} KiB; doord: {ours} KiB")
    memory = Row(7, "memory with 4 doors", ours / reference, "x", 1.25, "the six given packages imported")
    backlog = Row(7, f"memory for a backlog of {asked.records:,}", (many - none) / 1024, "MiB", 5, "none waiting")
    idle = Row(8, "processor of an idle doord, 4 doors", busy, "%", 0.05, "")
    return int(not told(memory, backlog, idle, Row(8, "wake-ups of an idle doord, 4 doors", wakes, "/s", 2, "")))


if __name__ == "__main__":
    sys.exit(main())
