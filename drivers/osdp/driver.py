"""The OSDP driver: readers on one RS-485 line become points of doors.

One rule: it keeps the promise of `edge.model.ports.Driver` and translates. The panel decides what is sent on
the line, and the rules decide what a level means.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from drivers.hand_on import hand_on
from drivers.osdp import messages
from drivers.osdp.facts import device_facts
from drivers.osdp.line import PORTION, Port
from drivers.osdp.panel import BITS, Panel
from drivers.osdp.points import Buzzer, Lock, Reader, Settings
from drivers.osdp.units import units
from edge.model.budget import Budget
from edge.model.messages import NS_PER_S, Confirmed, ReaderDisplay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from edge.model.messages import Json
    from edge.model.ports import Emit

FAREWELL_S: Final = 1.0
"""How long bringing the relays to rest may take at the end; after that their timed states expire by themselves."""

AT_ONCE: Final = 4_096
LEAST_PER_S: Final = 8_192
"""Bytes that are read at once, and in a second: or twice what the line carries, if that is more. The rest waits in the
kernel's buffer: an adapter or a reader that says more without end takes no time from the doors."""
STANDING: Final = {
    ReaderDisplay.LOCKED: (messages.Colour.RED, 0.0),
    ReaderDisplay.UNLOCKED: (messages.Colour.GREEN, 0.0),
    ReaderDisplay.REFUSING: (messages.Colour.RED, 0.5),
    ReaderDisplay.LISTENING: (messages.Colour.GREEN, 0.2),
}
"""What the light shows between answers: its colour, and for how long it is on and off when it blinks, in seconds."""


def create(name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]) -> OsdpDriver:
    """Make the driver of one line, not open yet; `points` by name, `front.reader`."""
    return OsdpDriver(name, settings, points, now_ns)


class OsdpDriver:
    """The promise of `edge.model.ports.Driver` for one line."""

    def __init__(
        self, name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]
    ) -> None:
        """See `create`."""
        self.name = name
        self.points = frozenset(points)
        self._settings = settings
        self._now_ns = now_ns
        self._units = units(points)
        self._at = {point: unit for unit in self._units.values() for point in unit.points}
        self._port: Port | None = None
        self._panel = Panel([], settings.baud)
        self._emit: Emit | None = None
        self._running: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._budget = Budget(max(LEAST_PER_S, 2 * settings.baud / BITS), AT_ONCE)
        self._paused: asyncio.TimerHandle | None = None
        """Until nothing is read, because more came than a line carries."""
        self._settled: asyncio.Event | None = None

    # --- the promise ---------------------------------------------------------------------------

    def open(self) -> None:
        """Open the port. Relays are brought to rest when their reader first answers, not before. Raises OSError."""
        self.close()
        self._port = Port(self._settings.port, self._settings.baud, direction=self._settings.direction)
        devices = []
        for unit in self._units.values():
            device = unit.begin(self._settings, os.urandom, self._now_ns())
            devices += [device] if device is not None else []
        self._panel = Panel(devices, self._settings.baud)

    async def run(self, emit: Emit) -> None:
        """Speak with the readers until cancelled or the port has gone; then bring the relays to rest."""
        port = self._port
        if port is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        loop = asyncio.get_running_loop()
        self._running = loop.create_future()
        self._emit = emit
        try:
            self._report_known()
            self._listen(port)
            self._turn()
            await asyncio.wait({self._running})
            self._running.result()
        except asyncio.CancelledError:
            self._emit = None
            await self._farewell()
            raise
        finally:
            self._emit = None
            if self._port is port:
                self._unlisten(port)
            if self._timer is not None:
                self._timer.cancel()
            if not self._running.cancel():
                self._running.exception()  # fetched, or asyncio would log it when a cancellation came first
            self._running = None

    def apply(self, outputs: Mapping[str, bool]) -> None:
        """Set outputs, but not at readers that are lost. Raises OSError when the port is gone."""
        if self._port is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        now_ns = self._now_ns()
        for point, asserted in outputs.items():
            device = self._at[point].device
            model = self._at[point].points[point]
            if device is None or device.lost or not isinstance(model, Lock | Buzzer):
                continue
            on = asserted is model.on_when
            device.want(point, now_ns, on=on)
            if device.switches[point].told is on:
                hand_on(self.name, self._emit, Confirmed(point, asserted, now_ns))
        self._poke()

    def level(self, point: str) -> bool | None:
        """What the reader reported last, at most two seconds ago; None while it does not answer."""
        unit = self._at.get(point)
        return unit.level(point) if unit is not None and self._port is not None else None

    def close(self) -> None:
        """Close the port. `run` has brought the relays to rest; those it could not reach expire by themselves."""
        if self._running is not None and not self._running.done():
            self._running.set_exception(OSError(errno.ENODEV, f"driver {self.name} has been closed"))
        self._drop()

    def describe(self) -> Mapping[str, Json]:
        """The line and every reader: its identity, whether it is trusted, and its error counters."""
        devices: dict[str, Json] = {}
        for address, unit in sorted(self._units.items()):
            facts: dict[str, Json] = {"state": "lost", "reason": unit.fault or "the port is not open"}
            if unit.device is not None and self._port is not None:
                facts = device_facts(unit.device)
            devices[str(address)] = {**facts, "points": [*sorted(unit.points)]}
        return {
            "port": self._settings.port,
            "baud": self._settings.baud,
            "noise_bytes": self._panel.noise,
            "damaged_frames": self._panel.damaged,
            "devices": devices,
        }

    # --- for people at the door ----------------------------------------------------------------

    def answer(self, point: str, *, granted: bool) -> None:
        """Show at a reader whether a card was granted: green and one tone, or red and three. Never raises."""
        unit = self._at.get(point)
        model = unit.points[point] if unit is not None else None
        if unit is None or unit.device is None or not isinstance(model, Reader):
            return
        if granted:
            orders = (messages.light(model.reader, messages.Colour.GREEN, 2.0), messages.sound(model.reader, 0.2, 0, 1))
        else:
            blinking = messages.light(model.reader, messages.Colour.RED, 2.0, blink_s=0.2)
            orders = (blinking, messages.sound(model.reader, 0.1, 0.1, 3))
        for order in orders:
            unit.device.say(order, self._now_ns())
        self._poke()

    def show(self, point: str, shown: ReaderDisplay) -> None:
        """Show the state of the door, or that the reader listens, as STANDING says. Never raises."""
        unit = self._at.get(point)
        model = unit.points[point] if unit is not None else None
        if unit is None or unit.device is None or not isinstance(model, Reader):
            return
        colour, blink_s = STANDING[shown]
        unit.device.say(messages.standing(model.reader, colour, blink_s=blink_s), self._now_ns())
        self._poke()

    # --- the line ------------------------------------------------------------------------------

    def _report_known(self) -> None:
        """At the start, report readers that cannot be used, or that were lost before the port was: they still are."""
        for unit in self._units.values():
            for signal in unit.known(self._now_ns()):
                hand_on(self.name, self._emit, signal)

    def _listen(self, port: Port) -> None:
        self._paused = None
        asyncio.get_running_loop().add_reader(port.fileno(), self._readable, port)

    def _unlisten(self, port: Port) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(port.fileno())
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None

    def _readable(self, port: Port) -> None:
        now_s = self._now_ns() / NS_PER_S
        if wait_s := self._budget.wait_s(now_s, PORTION):
            self._unlisten(port)
            self._paused = asyncio.get_running_loop().call_later(wait_s, self._listen, port)
            return
        try:
            received = port.read()
            self._budget.spend(len(received), now_s)
            self._turn(received)
        except OSError as error:
            self._fail(error)

    def _turn(self, received: bytes = b"") -> None:
        port, running = self._port, self._running
        if port is None or running is None or running.done():
            return
        turn = self._panel.advance(self._now_ns(), received)
        if turn.send:
            try:
                port.write(turn.send)
            except OSError as error:
                self._fail(error)
                return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(0, turn.wake_ns - self._now_ns()) / 1e9
        self._timer = running.get_loop().call_later(delay_s, self._turn)
        for happening in self._panel.happenings():
            for signal in self._units[happening.address].tell(happening, self._now_ns()):
                hand_on(self.name, self._emit, signal)
        if self._settled is not None and self._rested:
            self._settled.set()

    def _poke(self) -> None:
        """Take a turn on the line soon. Not at once: this may have been called by a signal of a turn."""
        if self._running is not None:
            self._running.get_loop().call_soon(self._turn)

    def _fail(self, error: OSError) -> None:
        """The port has gone: close it, and let `run` report that."""
        if self._running is not None and not self._running.done():
            self._running.set_exception(error)
        self._drop()

    def _drop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            if self._running is not None:
                self._unlisten(port)
            port.close()

    @property
    def _rested(self) -> bool:
        devices = [unit.device for unit in self._units.values() if unit.device is not None]
        switches = [switch for device in devices if device.online for switch in device.switches.values()]
        return all(switch.told is switch.rest or not switch.able for switch in switches)

    async def _farewell(self) -> None:
        if self._rested:
            return
        self._settled = asyncio.Event()
        for unit in self._units.values():
            if unit.device is not None:
                unit.device.rest(self._now_ns())
        self._poke()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._settled.wait()
        finally:
            self._settled = None

    # --- signals -------------------------------------------------------------------------------
