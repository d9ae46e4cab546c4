"""What the driver contract needs from each kind of driver: a bench to hold its wires from outside.

To let a kind join, write a `Bench` for it and enter a maker in `BENCHES` (see `SimulatedBench`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from drivers.simulated import driver as simulated
from drivers.simulated.points import POINTS, Settings
from tests.support.gpio_bench import GpioBench
from tests.support.modbus import ModbusBench, modbus_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from edge.model.messages import Signal
    from edge.model.ports import Driver

PATIENCE_S: Final = 120.0
"""Only tells a hang from a slow machine."""
INPUTS: Final = frozenset({"front.contact", "front.rex", "back.contact"})
OUTPUTS: Final[Mapping[str, bool]] = {"front.lock": False, "front.buzzer": False, "back.lock": True}
"""The points every bench has, outputs with their resting level: the back door's lock rests unlocked."""

S = TypeVar("S")


class Bench(Protocol):
    """One driver with the points above, and hands on its wires."""

    driver: Driver

    def now_ns(self) -> int:
        """The clock the driver was given."""

    def move(self, point: str, asserted: bool) -> None:
        """Make an input show this level (True: open, pressed). All show False at first."""

    def shown(self, point: str) -> list[bool]:
        """The levels an output has shown since the bench was made, in order, without repeats."""

    def unplug(self) -> None:
        """Take the hardware away."""

    def plug(self) -> None:
        """Bring it back."""


class SimulatedBench:
    """The bench of the simulated driver."""

    def __init__(self) -> None:
        lock = POINTS["lock"]
        points = {point: lock(resting="unlocked" if rest else "locked") for point, rest in OUTPUTS.items()}
        points["front.buzzer"] = POINTS["buzzer"]()
        points |= {point: POINTS[point.rpartition(".")[2]]() for point in INPUTS}
        self.driver = simulated.create("bench", Settings(), points, self.now_ns)

    def now_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def move(self, point: str, asserted: bool) -> None:
        door, _, role = point.rpartition(".")
        if role == "contact":
            self.driver.simulate(door, "open" if asserted else "close")
        else:
            self.driver.simulate(door, role, "on" if asserted else "off")

    def shown(self, point: str) -> list[bool]:
        return [level for _, level in self.driver.history(point)]

    def unplug(self) -> None:
        self.driver.unplug()

    def plug(self) -> None:
        self.driver.plug()


@contextmanager
def _simulated() -> Iterator[Bench]:
    yield SimulatedBench()


@contextmanager
def _gpio() -> Iterator[Bench]:
    yield GpioBench(INPUTS, OUTPUTS)


@contextmanager
def _modbus() -> Iterator[Bench]:
    with TemporaryDirectory() as folder, modbus_line(Path(folder), 1, 2) as line:
        yield ModbusBench(line, INPUTS, OUTPUTS)


BENCHES: Final[dict[str, Callable[[], AbstractContextManager[Bench]]]] = {
    "gpio": _gpio,
    "modbus": _modbus,
    "simulated": _simulated,
}
"""Driver kind -> a maker of its bench."""


class Seen:
    """A running driver and what it has emitted."""

    def __init__(self, driver: Driver) -> None:
        self.signals: list[Signal] = []
        self._more = asyncio.Event()
        self.run = asyncio.ensure_future(driver.run(self._take))
        self.run.add_done_callback(lambda _: self._more.set())

    def _take(self, signal: Signal) -> None:
        self.signals.append(signal)
        self._more.set()

    def of(self, kind: type[S]) -> list[S]:
        return [signal for signal in self.signals if isinstance(signal, kind)]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the signals so far make `condition` true; raises what ends the driver before."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                if self.run.done():
                    self.run.result()
                    raise AssertionError("the driver stopped by itself")
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(driver: Driver) -> AsyncIterator[Seen]:
    """The driver runs meanwhile."""
    seen = Seen(driver)
    try:
        yield seen
    finally:
        seen.run.cancel()
        await asyncio.gather(seen.run, return_exceptions=True)
