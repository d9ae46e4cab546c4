"""What the GPIO driver costs, beside programs that do nothing else, on the same chip in the same run.

Run: python -m tests.benchmarks.bench_gpio [--edges 2000] [--idle-s 20]
Edge to callback: our driver; a bare asyncio program on gpiod. Idle: our driver with four doors; a sleeping loop.
"""
# ruff: noqa: T201, PLC0415 -- a script: it prints, and each program under test loads only what it measures

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.gpio import SOURCE, ShimChip, shim_chip
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.model.messages import Signal

CONTACT_LINE: Final = 8
PAUSE_S: Final = 0.003


def doors() -> dict[str, dict[str, object]]:
    """Four doors with a lock, a contact, a button and a buzzer each: sixteen lines."""
    points: dict[str, dict[str, object]] = {}
    for door in range(4):
        points[f"d{door}.lock"] = {"line": door, "unlocked": "high", "resting": "locked"}
        points[f"d{door}.buzzer"] = {"line": 4 + door}
        points[f"d{door}.contact"] = {"line": CONTACT_LINE + door}
        points[f"d{door}.rex"] = {"line": 12 + door}
    return points


# --- the programs under test, each its own process -------------------------------------------------


async def ours(seen: Callable[[int], None]) -> None:
    from drivers.gpio import driver as gpio
    from drivers.gpio.points import POINTS, Settings
    from edge.model.messages import Level

    models = {name: POINTS[name.split(".")[1]](**table) for name, table in doors().items()}
    driver = gpio.create("gpio", Settings(), models, lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def emit(signal: Signal) -> None:
        if isinstance(signal, Level) and not signal.initial:
            seen(signal.at_ns)

    driver.open()
    await driver.run(emit)


async def bare(seen: Callable[[int], None]) -> None:
    import gpiod
    from gpiod.line import Bias, Direction, Edge

    settings = gpiod.LineSettings(direction=Direction.INPUT, edge_detection=Edge.BOTH, bias=Bias.PULL_UP)
    request = gpiod.request_lines("/dev/gpiochip0", {CONTACT_LINE: settings})
    lead_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()

    def readable() -> None:
        for event in request.read_edge_events():
            seen(event.timestamp_ns + lead_ns)

    asyncio.get_running_loop().add_reader(request.fd, readable)
    await asyncio.Event().wait()


async def sleeping(_: Callable[[int], None]) -> None:
    await asyncio.Event().wait()


async def child(program: str) -> None:
    """Run a program until a line arrives, then print what it took for each edge."""
    latencies_ns: list[int] = []

    def seen(at_ns: int) -> None:
        latencies_ns.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - at_ns)

    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), end.set)
    task = asyncio.ensure_future({"ours": ours, "bare": bare, "sleeping": sleeping}[program](seen))
    await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.wait({task, asyncio.ensure_future(end.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    print(json.dumps(latencies_ns), flush=True)


# --- measuring ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    cpu_s: float
    switches: int

    @classmethod
    def of(cls, pid: int) -> Cost:
        cpu_ns = sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
        switches = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            switches += int(fields["voluntary_ctxt_switches"]) + int(fields["nonvoluntary_ctxt_switches"])
        return cls(cpu_ns / 1e9, switches)

    def since(self, before: Cost) -> Cost:
        return Cost(self.cpu_s - before.cpu_s, self.switches - before.switches)


class Program:
    def __init__(self, chip: ShimChip, name: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.bench_gpio", "--child", name]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=SOURCE.parents[2], env=chip.environment(), stdin=pipe, stdout=pipe, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def finish(self) -> list[int]:
        out, _ = self.process.communicate("end\n")
        latencies: list[int] = json.loads(out)
        return latencies


def edge_latency(chip: ShimChip, name: str, edges: int) -> dict[str, float]:
    program = Program(chip, name)
    before = Cost.of(program.pid)
    chip.drive(CONTACT_LINE, high=not chip.level(CONTACT_LINE), count=edges, pause_s=PAUSE_S)
    until(lambda: chip.waiting(CONTACT_LINE) == 0)
    cost = Cost.of(program.pid).since(before)
    latencies = sorted(program.finish())
    assert len(latencies) == edges, f"{name}: {len(latencies)} of {edges} edges"
    return {
        "p50_ms": statistics.median(latencies) / 1e6,
        "p99_ms": latencies[int(len(latencies) * 0.99)] / 1e6,
        "cpu_us": cost.cpu_s / edges * 1e6,
    }


def idle(chip: ShimChip, name: str, idle_s: float) -> dict[str, float]:
    program = Program(chip, name)
    before = Cost.of(program.pid)
    time.sleep(idle_s)  # the span that is measured
    cost = Cost.of(program.pid).since(before)
    program.finish()
    return {"cpu_percent": cost.cpu_s / idle_s * 100, "switches_per_s": cost.switches / idle_s}


def row(name: str, figures: dict[str, float]) -> None:
    print(f"  {name:<34}" + "  ".join(f"{key} {value:9.4f}" for key, value in figures.items()))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--edges", type=int, default=2000)
    options.add_argument("--idle-s", type=float, default=20.0)
    options.add_argument("--child")
    wanted: Any = options.parse_args()
    if wanted.child:
        asyncio.run(child(wanted.child))
        return
    with tempfile.TemporaryDirectory() as directory, shim_chip(Path(directory)) as chip:
        print(f"edge to callback, {wanted.edges} edges {PAUSE_S * 1000:g} ms apart, {os.cpu_count()} cores")
        mine, reference = (edge_latency(chip, name, wanted.edges) for name in ("ours", "bare"))
        row("driver (gpiozero, our factory)", mine)
        row("bare asyncio on gpiod", reference)
        row("difference", {key: mine[key] - reference[key] for key in ("p50_ms", "p99_ms")})
        row("ratio", {key: mine[key] / reference[key] for key in mine})
        print(f"idle for {wanted.idle_s:g} s, four doors on sixteen lines")
        mine, reference = (idle(chip, name, wanted.idle_s) for name in ("ours", "sleeping"))
        row("driver", mine)
        row("sleeping loop", reference)
        row("difference", {key: mine[key] - reference[key] for key in mine})


if __name__ == "__main__":
    main()
