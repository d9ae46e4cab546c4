"""Our OSDP panel beside libosdp's own, opposite libosdp's device, on the same emulated cable in the same run.

Run: python -m tests.benchmarks.bench_osdp [--cards 60] [--noisy 38] [--baud 9600]
Card to decision is from showing the card to the device until the panel's program has it. On the cable a frame
takes the time it takes at 9600 baud. "libosdp 20 ms" is the package as it comes; "5 ms" is refreshed more often.
"""
# ruff: noqa: T201, PLC0415 -- a script: it prints, and each program under test loads only what it measures

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from tests.support.osdp_peripheral import Peripheral, wire
from tests.support.osdp_relay import Cable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
KEY: Final = bytes(range(1, 17))
ADDRESS: Final = 5
PANELS: Final = ("ours", "libosdp 20 ms", "libosdp 5 ms")
EXCHANGE_BYTES: Final = 15 + 30
"""A secured poll with its mark, and the answer with a card of 26 bits."""
PATIENCE_S: Final = 12.0


# --- the programs under test -------------------------------------------------------------------------


def say(**what: Any) -> None:
    print(json.dumps({**what, "at_ns": time.monotonic_ns()}), flush=True)


async def ours(port: str, baud: int, folder: str) -> None:
    from drivers.osdp import driver as osdp
    from drivers.osdp.points import POINTS, Settings
    from edge.model.messages import CardRead

    table = {"address": ADDRESS, "key_file": "key"}
    reader = POINTS["reader"].model_validate(table, context={"folder": Path(folder)})
    driver = osdp.create("line", Settings(port=port, baud=baud), {"front.reader": reader}, time.monotonic_ns)
    driver.open()
    online = [False]

    def take(signal: object) -> None:
        if isinstance(signal, CardRead):
            say(card=int.from_bytes(signal.data, "big") >> 6)

    async def watch() -> None:
        while True:
            described: Any = driver.describe()
            now = described["devices"][str(ADDRESS)]["state"] == "online"
            if now != online[0]:
                online[0] = now
                say(online=now)
            await asyncio.sleep(0.1)

    await asyncio.gather(driver.run(take), watch())


def theirs(port: str, baud: int, refresh_s: float | None) -> None:
    from osdp import ControlPanel, LibFlag, LogLevel, PDInfo

    def event(_device: int, happened: dict[str, Any]) -> int:
        if happened.get("event") == 1:
            say(card=int.from_bytes(happened["data"], "big") >> 6)
        return 0

    info = PDInfo(ADDRESS, wire(port, baud), scbk=KEY, flags=[LibFlag.EnforceSecure])
    panel = ControlPanel([info], log_level=LogLevel.Emergency, event_handler=event)
    if refresh_s is None:
        panel.start()
    else:
        panel.lock = threading.Lock()

        def refresh() -> None:
            while True:
                with panel.lock:
                    panel.ctx.refresh()
                time.sleep(refresh_s)

        threading.Thread(target=refresh, daemon=True).start()
    online = False
    while True:
        now = panel.is_sc_active(ADDRESS)
        if now != online:
            online = now
            say(online=now)
        time.sleep(0.1)


# --- the bench ---------------------------------------------------------------------------------------


class Program:
    """One panel in a process of its own, and what it has said."""

    def __init__(self, name: str, port: str, baud: int, folder: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.bench_osdp", "--child", name, port, str(baud), folder]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.process.stdout, selectors.EVENT_READ)
        self._rest = b""
        self.cards: dict[int, int] = {}
        self.online = False
        self.online_ns = 0

    def listen(self, for_s: float) -> None:
        assert self.process.stdout is not None
        if self._selector.select(for_s):
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, "the panel's program has ended"
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in map(json.loads, lines):
                if "card" in line:
                    self.cards.setdefault(line["card"], line["at_ns"])
                else:
                    self.online, self.online_ns = line["online"], line["at_ns"]

    def until(self, condition: Any, for_s: float = PATIENCE_S) -> bool:
        end_s = time.monotonic() + for_s
        while not condition() and time.monotonic() < end_s:
            self.listen(0.01)
        return bool(condition())

    def cpu_s(self) -> float:
        return (
            sum(
                int((task / "schedstat").read_text().split()[0])
                for task in Path(f"/proc/{self.process.pid}/task").iterdir()
            )
            / 1e9
        )


@contextmanager
def bench(name: str, baud: int | None, seed: int = 1) -> Iterator[tuple[Cable, Peripheral, Program]]:
    with TemporaryDirectory() as folder, Cable(baud=baud, whole=True, seed=seed) as cable:
        (Path(folder) / "key").write_text(KEY.hex())
        with Peripheral(cable.readers[0], ADDRESS, key=KEY, flags="enforce") as device:
            panel = Program(name, cable.panel, baud or 115200, folder)
            try:
                assert panel.until(lambda: panel.online), f"{name} never came online"
                yield cable, device, panel
            finally:
                panel.process.kill()
                panel.process.communicate()


def latency(name: str, baud: int, cards: int) -> str:
    with bench(name, baud) as (_, device, panel):
        panel.listen(0.5)
        taken_ms = []
        for number in range(1, cards + 1):
            shown_ns = time.monotonic_ns()
            device.card(number)
            if panel.until(lambda number=number: number in panel.cards, 5):
                taken_ms.append((panel.cards[number] - shown_ns) / 1e6)
            time.sleep(0.05 + number * 37 % 50 / 1000)  # at any moment of the panel's round
        before_s, begin_s = panel.cpu_s(), time.monotonic()
        time.sleep(3)
        cpu = (panel.cpu_s() - before_s) / (time.monotonic() - begin_s)
    p95 = sorted(taken_ms)[int(len(taken_ms) * 0.95)]
    exchange_ms = EXCHANGE_BYTES * 10 / baud * 1000
    return (
        f"{len(taken_ms):3} of {cards}   p50 {statistics.median(taken_ms):6.1f} ms   p95 {p95:6.1f} ms   "
        f"p95 / serial time {p95 / exchange_ms:4.1f}   idle {cpu * 100:4.1f} % of a core"
    )


def noisy(name: str, rate: float, cards: int) -> str:
    with bench(name, None, seed=7) as (cable, device, panel):
        cable.noise = rate
        for number in range(1, cards + 1):
            device.card(number)
            panel.listen(0)
            time.sleep(0.25)
        panel.until(lambda: len(panel.cards) == cards, 2)
        return f"{len(panel.cards):3} of {cards}"


def damaged(name: str, kind: str) -> str:
    with bench(name, None) as (cable, device, panel):
        panel.listen(1)
        cable.damage.add(kind)
        panel.until(lambda: not cable.damage, 5)
        shown_ns = time.monotonic_ns()
        device.card(1)
        if panel.until(lambda: 1 in panel.cards):
            return f"{(panel.cards[1] - shown_ns) / 1e6:7.0f} ms"
        return f"not within {PATIENCE_S:g} s"


def cut(name: str) -> str:
    with bench(name, None) as (cable, device, panel):
        panel.listen(0.5)
        cable.cut = True
        panel.until(lambda: not panel.online)
        time.sleep(3)
        cable.cut = False
        mended_ns = time.monotonic_ns()
        device.card(1)
        if panel.until(lambda: 1 in panel.cards):
            return f"{(panel.cards[1] - mended_ns) / 1e6:7.0f} ms"
        return f"not within {PATIENCE_S:g} s"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cards", type=int, default=60)
    options.add_argument("--noisy", type=int, default=38)
    options.add_argument("--baud", type=int, default=9600)
    options.add_argument("--child", nargs=4)
    wanted: Any = options.parse_args()
    if wanted.child:
        name, port, baud, folder = wanted.child
        if name == "ours":
            asyncio.run(ours(port, int(baud), folder))
        else:
            theirs(port, int(baud), None if "20" in name else 0.005)
        return
    print(f"card to decision at {wanted.baud} baud, secure channel")
    for name in PANELS:
        print(f"  {name:<16}{latency(name, wanted.baud, wanted.cards)}", flush=True)
    for rate in (0.0005, 0.003):
        print(f"cards that arrive with {rate:.2%} of all bytes damaged")
        for name in PANELS[:2]:
            print(f"  {name:<16}{noisy(name, rate, wanted.noisy)}", flush=True)
    for kind in ("command", "reply"):
        print(f"a card shown right after one {kind} was damaged by a bit arrives after")
        for name in PANELS[:2]:
            print(f"  {name:<16}{damaged(name, kind)}", flush=True)
    print("a card shown when a cable comes back that was cut until the reader was lost arrives after")
    for name in PANELS[:2]:
        print(f"  {name:<16}{cut(name)}", flush=True)


if __name__ == "__main__":
    main()
