"""A whole passage: from a card on an OSDP reader's wire to the lock's line, and to its record upstream.

Run: python -m tests.benchmarks.bench_passage [--cards 40] [--baud 9600]

A real doord: libosdp's device on an emulated cable in a secure channel, a lock on a chip in a file, a directory, and
mosquitto with a subscriber. The reference is the time that one poll and its answer take on the wire.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.directory.cards import LAYOUTS, Format, encode
from tests.benchmarks.bench_osdp import ADDRESS, EXCHANGE_BYTES, KEY
from tests.benchmarks.bench_sync import QUIET, mosquitto_sub
from tests.benchmarks.rows import Row, told
from tests.support.broker import Broker
from tests.support.doord import Doord
from tests.support.gpio import ShimChip, shim_chip
from tests.support.osdp_peripheral import Peripheral
from tests.support.osdp_relay import Cable
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

MORE_MS: Final = 5.0
"""What may come to twice the time on the wire."""
RELOCKED_S: Final = 0.8
CONFIG: Final = """
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
[mqtt]
url = "mqtt://127.0.0.1:{port}"
[driver.line]
kind = "osdp"
port = "{panel}"
baud = {baud}
[driver.gpio]
kind = "gpio"
[door.front]
unlock_s = 0.5
reader = {{ driver = "line", address = {address}, key_file = "5.key" }}
lock = {{ driver = "gpio", line = 0, unlocked = "high", resting = "locked" }}
"""


def people(cards: int) -> str:
    """As many people as cards."""
    names = [f"p{number}" for number in range(cards)]
    return json.dumps(
        {
            "version": 1,
            "users": [{"id": name, "name": name} for name in names],
            "cards": [
                {"id": name, "format": "wiegand26", "facility": 1, "number": number}
                for number, name in enumerate(names)
            ],
            "members": [{"id": name, "user": name, "cards": [name], "groups": ["staff"]} for name in names],
            "groups": [{"id": "staff", "name": "Staff", "doors": ["front"]}],
        }
    )


@contextmanager
def heard(port: int) -> Iterator[queue.Queue[float]]:
    """When records of cards arrive upstream, in seconds since 1970."""
    command = [
        mosquitto_sub(),
        "-V",
        "5",
        "-p",
        str(port),
        "-q",
        "1",
        "-t",
        "doorward/v1/lab/bench/events",
        "-F",
        "%U %p",
    ]
    times: queue.Queue[float] = queue.Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout

        def listen() -> None:
            for line in lines:
                if '"reader.access"' in line:
                    times.put(float(line.partition(" ")[0]))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield times
        finally:
            process.terminate()
            thread.join()


def passages(
    chip: ShimChip, reader: Peripheral, times: queue.Queue[float], cards: int
) -> tuple[list[float], list[float]]:
    """Milliseconds from each card to the lock, and to its record upstream."""
    lock, upstream = [], []
    for number in range(cards):
        mark, shown_ns, shown_s = chip.mark(), time.monotonic_ns(), time.time()
        reader.card(encode(LAYOUTS[Format.WIEGAND26][0], 1, number))
        driven = until(lambda mark=mark: [one.at_ns for one in chip.history(0, mark) if one.output and one.level])  # type: ignore[misc]  # called at once
        lock.append((driven[0] - shown_ns) / 1e6)
        upstream.append((times.get(timeout=60) - shown_s) * 1e3)
        time.sleep(RELOCKED_S + number * 37 % 50 / 1e3)  # at any moment of the panel's round
    return lock, upstream


def reader_state(doord: Doord) -> str:
    devices = doord.ask("status")["drivers"]["line"].get("facts", {}).get("devices", {})
    return str(devices.get(str(ADDRESS), {}).get("state"))


def p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def main() -> int:
    """Print the rows; 1 when one is not reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cards", type=int, default=40)
    parser.add_argument("--baud", type=int, default=9600)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        shim_chip(Path(name)) as chip,
        Broker(Path(name) / "broker", QUIET) as broker,
        heard(broker.port) as times,
        Cable(baud=asked.baud, whole=True) as cable,
        Peripheral(cable.readers[0], ADDRESS, key=KEY, flags="enforce") as reader,
    ):
        folder = Path(name)
        (folder / "5.key").write_text(KEY.hex())
        (folder / "directory.json").write_text(people(asked.cards))
        config = folder / "doorward.toml"
        config.write_text(CONFIG.format(port=broker.port, panel=cable.panel, baud=asked.baud, address=ADDRESS))
        with Doord(config, chip.environment()) as doord:
            until(lambda: doord.ask("status")["upstream"]["state"] == "online", "the broker")
            until(lambda: doord.ask("status")["directory"]["state"] == "ready", "the directory")
            until(lambda: reader_state(doord) == "online", "the reader")
            lock, upstream = passages(chip, reader, times, asked.cards)
    wire_ms = EXCHANGE_BYTES * 10 / asked.baud * 1e3
    against = f"{wire_ms:.0f} ms on the wire, twice and {MORE_MS:g} ms"
    limit = 2 * wire_ms + MORE_MS
    return int(
        not told(
            Row(10, "card to the lock, p95", p95(lock), "ms", round(limit, 1), against),
            Row(10, "card to its record upstream, p95", p95(upstream), "ms", round(limit, 1), against),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
