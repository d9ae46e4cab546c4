"""From an exit button's edge, and from a command, to the lock's line: idle and under full load.

Run: python -m tests.benchmarks.bench_latency [--records 100000] [--cards 100000] [--times 200]

A real doord on a chip in a file (tests/support/gpio.py), which stamps what happens to its lines. The reference is an
asyncio program that copies the button's line, or drives a line when a word comes at its socket, and nothing else. Full
load: stored records are drained to mosquitto, a directory is read, stored and recorded, and somebody clicks through the
page.
"""

# ruff: noqa: T201, PLC0415 -- a script: it prints, and the program under test loads only what it measures

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.client.connection import Client
from tests.benchmarks.bench_first_page import Visitor
from tests.benchmarks.bench_sync import QUIET, fill, somebody
from tests.benchmarks.rows import Row, told
from tests.support.broker import Broker
from tests.support.directories import large
from tests.support.doord import ROOT, Doord
from tests.support.gpio import ShimChip, shim_chip
from tests.support.waiting import until
from tests.support.web import Doorweb, write_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOORS: Final = 16
REX_LINE: Final = 20
UNLOCK_S: Final = 0.5
PAUSE_S: Final = 0.05
"""Between two doors: each has relocked when its turn comes again."""
IDLE_MS, LOADED_MS = 0.5, 2.0
HEAD = """
[controller]
id = "bench"
site = "lab"
name = "Bench"
[log]
path = "log.db"
[control]
socket = "doord.sock"
[directory]
file = "directory.json"
[web]
listen = "127.0.0.1:0"
accounts = "accounts.json"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
[driver.gpio]
kind = "gpio"
"""
DOOR = """
[door.d{n}]
debounce_ms = 0
unlock_s = {unlock_s}
lock = {{ driver = "gpio", line = {n}, unlocked = "high", resting = "locked" }}
rex = {{ driver = "gpio", line = {rex}, active = "low", pull = "up" }}
"""


# --- the reference: a process of its own ---------------------------------------------------------------


async def copying(path: str) -> None:
    """Copy the first button to the first lock, and drive it when a line comes at the socket."""
    import gpiod
    from gpiod.line import Bias, Direction, Edge, Value

    lines = {
        REX_LINE: gpiod.LineSettings(direction=Direction.INPUT, edge_detection=Edge.BOTH, bias=Bias.PULL_UP),
        0: gpiod.LineSettings(direction=Direction.OUTPUT),
    }
    request = gpiod.request_lines("/dev/gpiochip0", lines)

    def readable() -> None:
        for event in request.read_edge_events():
            pressed = event.event_type is event.Type.FALLING_EDGE
            request.set_value(0, Value.ACTIVE if pressed else Value.INACTIVE)

    async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request.set_value(0, Value.ACTIVE if line == b"unlock\n" else Value.INACTIVE)
            writer.write(b"done\n")

    asyncio.get_running_loop().add_reader(request.fd, readable)
    server = await asyncio.start_unix_server(asked, path)
    print("ready", flush=True)
    await server.serve_forever()


def reference(chip: ShimChip, folder: Path, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the button and from a command to the line."""
    path = folder / "copy.sock"
    command = [sys.executable, "-m", "tests.benchmarks.bench_latency", "--child", str(path)]
    with subprocess.Popen(command, cwd=ROOT, env=chip.environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))

            def ask(word: bytes) -> None:
                line.sendall(word)
                line.recv(100)

            pressed, commanded = [], []
            for _ in range(times):
                pressed.append(after(chip, 0, lambda: press(chip, 0)))
                time.sleep(PAUSE_S)
                commanded.append(after(chip, 0, lambda: ask(b"unlock\n")))
                ask(b"lock\n")
        process.kill()
    chip.reap()
    return pressed, commanded


# --- measuring -------------------------------------------------------------------------------------------


def press(chip: ShimChip, door: int) -> None:
    chip.drive(REX_LINE + door, high=False)


def after(chip: ShimChip, lock: int, act: Callable[[], None]) -> float:
    """Milliseconds from the act until the lock's line is driven to unlock, as the chip stamped it.

    The button is let go then.
    """
    mark, began_ns = chip.mark(), time.monotonic_ns()
    act()
    driven: list[int] = []

    def unlocked() -> bool:
        driven[:] = [one.at_ns for one in chip.history(lock, mark) if one.output and one.level]
        return bool(driven)

    until(unlocked)
    chip.drive(REX_LINE + lock, high=True)
    return (driven[0] - began_ns) / 1e6


def ours(chip: ShimChip, doord: Doord, times: int) -> tuple[list[float], list[float]]:
    """The same of a doord, one door after the other."""
    pressed, commanded = [], []
    doors = itertools.cycle(range(DOORS))
    with Client(doord.socket) as line:
        for _ in range(times):
            door = next(doors)
            pressed.append(after(chip, door, lambda door=door: press(chip, door)))  # type: ignore[misc]  # called at once
            time.sleep(PAUSE_S)
            door = next(doors)
            commanded.append(
                after(chip, door, lambda door=door: line.ask("command", command="unlock", door=f"d{door}"))  # type: ignore[misc]  # as above
            )
            time.sleep(PAUSE_S)
    return pressed, commanded


def clicking(port: int) -> None:
    """Somebody who never stops to read."""
    visitor = Visitor(port)
    while True:
        for path in ("/doors", "/events", "/health"):
            visitor.get(path)


@contextlib.contextmanager
def busy(doord: Doord, page: Doorweb, cards: int) -> Iterator[None]:
    """Everything at once, until the end of the block."""
    clicks = multiprocessing.Process(target=clicking, args=(page.port,), daemon=True)
    clicks.start()
    doord.config.with_name("directory.json").write_bytes(large(cards, version=2))
    doord.ask("reload")
    until(lambda: doord.ask("status")["upstream"]["state"] == "online", "the broker")
    try:
        yield
    finally:
        clicks.kill()
        clicks.join()


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def measure(folder: Path, times: int, records: int, cards: int) -> bool:
    """Print a row for each; whether all are reached."""
    (folder / "directory.json").write_text(json.dumps({"version": 1}))
    write_accounts(folder / "accounts.json", ann="viewer")
    asyncio.run(fill(folder, records))
    with shim_chip(folder) as chip, Broker(folder / "broker", QUIET) as broker:
        for door in range(DOORS):
            chip.drive(REX_LINE + door, high=True)
        copied = reference(chip, folder, times)
        config = folder / "doorward.toml"
        doors = "".join(DOOR.format(n=n, rex=REX_LINE + n, unlock_s=UNLOCK_S) for n in range(DOORS))
        config.write_text(HEAD.format(port=broker.port) + doors)
        with Doord(config, chip.environment()) as doord, Doorweb(config) as page:
            idle = ours(chip, doord, times)
            with somebody(broker.port), busy(doord, page, cards):
                loaded = ours(chip, doord, times)
                state = doord.ask("status")
    waiting, directory = state["upstream"]["backlog"], state["directory"]["state"]
    print(f"at the end {waiting} of {records} records waited, the directory was {directory}")
    reached = True
    for what, place in (("button", 0), ("command", 1)):
        base = p99(copied[place])
        print(f"{what}: copied {base:.2f} ms, doord {p99(idle[place]):.2f}, loaded {p99(loaded[place]):.2f}")
        for how, found, limit in (("idle", idle, IDLE_MS), ("under full load", loaded, LOADED_MS)):
            later = p99(found[place]) - base
            reached &= told(
                Row(4, f"{what} to the lock, {how}, p99", later, "ms", limit, "more than a program that only copies")
            )
    return reached


def main() -> int:
    """Print the rows; 1 when one is not reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=150)
    parser.add_argument("--child")
    asked = parser.parse_args()
    if asked.child:
        asyncio.run(copying(asked.child))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return int(not measure(Path(folder), asked.times, asked.records, asked.cards))


if __name__ == "__main__":
    sys.exit(main())
