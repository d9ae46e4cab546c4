"""Doors on the GPIO lines of this computer: relays, contacts and buttons wired to its own pins.

One rule: an output shows its resting level from the first moment on, and whenever doord does not drive
it. Only this driver knows which level means what (`unlocked = "low"`). docs/drivers.md tells why.
"""

from __future__ import annotations

import asyncio
import errno
import traceback
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from drivers.claims import Claims
from drivers.gpio.points import Input, Output, Settings
from drivers.gpio.wire import BootTime, Wire
from drivers.hand_on import hand_on
from edge.model.messages import Back, Confirmed, Level, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import BaseModel

    from drivers.gpio_chip import ChipFinder
    from edge.model.messages import Json
    from edge.model.ports import Driver, Emit

__all__ = ["GpioDriver", "create"]

RECONCILE_S: Final = 1.0
"""How often every line is read back, edges or not: a missed edge is wrong no longer than this."""
BURST: Final = 32
"""After this many edges at once, the next are fetched `PAUSE_S` later, so that a line with a storm of edges does not
hold up the others. Other edges are not lost by that: the kernel keeps them with their times."""
PAUSE_S: Final = 0.01
STUCK_AFTER: Final = 2
"""An output counts as stuck after this many read-backs in a row that disagree."""


def create(
    name: str,
    settings: Settings,
    points: Mapping[str, BaseModel],
    now_ns: Callable[[], int],
    factory: Any = None,  # noqa: ANN401 -- a gpiozero pin factory; gpiozero has no types
) -> Driver:
    """A driver that is not open yet; another gpiozero pin factory may serve instead of our own."""
    return GpioDriver(name, settings, points, now_ns, factory)


class GpioDriver:
    """The promise of `edge.model.ports.Driver` for one GPIO chip."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        points: Mapping[str, BaseModel],
        now_ns: Callable[[], int],
        factory: Any = None,  # noqa: ANN401 -- gpiozero has no types
    ) -> None:
        """See `create`."""
        self.name = name
        self.points: frozenset[str] = frozenset()
        self._settings = settings
        self._outputs: dict[str, Output] = {}
        self._inputs: dict[str, Input] = {}
        self._now_ns = now_ns
        self._given = factory
        self._factory: Any = None
        self._finder: ChipFinder | None = None
        self._wires: dict[str, Wire] = {}
        self._claims = Claims(self._claim_line, now_ns)
        self._added: list[str] = []
        """Points that were added while the driver runs, and of which nothing was reported yet."""
        self._time: BootTime
        self._emit: Emit | None = None
        self._touched: set[Wire] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._facts: dict[str, Json] = {"chip": str(settings.chip)}
        self._holders: dict[str, Json] = {}
        """Lines that another program held when they were to be claimed -> its name."""
        self._lost_edges = 0
        self._read_backs = 0
        self._note(points)

    # --- the promise ---------------------------------------------------------------------------

    def open(self) -> None:
        """Claim the lines, outputs first, each on its own and at its resting level in one step.

        A line that cannot be claimed is a fault of its point. Raises OSError when that is so of all, or of the chip.
        """
        self._release()
        try:
            self._claim()
        except OSError:
            self._release()
            raise

    def add(self, points: Mapping[str, BaseModel]) -> None:
        """Claim more lines, outputs first; one that cannot be claimed is a fault of its point."""
        self._note(points)
        if self._factory is None:
            return
        added = [name for name in self._models() if name in points]
        # Whatever happens, driving them is no fault of the chip.
        self._claims.missing |= dict.fromkeys(added, "not claimed yet")
        self._look_for_holders(added)
        for name in added:
            self._claims.one(name)
        if self._emit is not None:
            self._added += added
            asyncio.get_running_loop().call_soon(self._report_added)

    async def run(self, emit: Emit) -> None:
        """Report levels, then edges with the kernel's time stamps, until cancelled or the chip has gone."""
        if self._factory is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        self._emit = emit
        fd = self._factory.fileno() if hasattr(self._factory, "fileno") else None
        try:
            for name in self._inputs.keys() & self._wires.keys():
                self._listen(self._wires[name])
            self._report_all()
            if fd is not None:
                loop.add_reader(fd, self._readable, fd, failed)
            while not (await asyncio.wait({failed}, timeout=RECONCILE_S))[0]:
                self._reconcile()
            failed.result()
        finally:
            self._emit, self._added = None, []
            if not failed.cancel():
                failed.exception()  # fetched, or asyncio would log it when a cancellation came first
            if fd is not None:
                loop.remove_reader(fd)
            if self._pause is not None:
                self._pause.cancel()
            self._listen_no_more()

    def _listen_no_more(self) -> None:
        for wire in self._wires.values():
            if wire.edge is not None:
                with suppress(OSError):  # the chip may have gone
                    wire.device.pin.when_changed = None

    def apply(self, outputs: Mapping[str, bool]) -> None:
        """Drive outputs. An output that reads back right is confirmed here, others by the next reconcile.

        Every output is tried before the first error is raised.
        """
        failure: OSError | None = None
        for point, asserted in outputs.items():
            wire = self._wires.get(point)
            if wire is None:
                if point not in self._claims.missing:
                    failure = failure or OSError(errno.ENODEV, f"driver {self.name} is not open")
                continue
            try:
                wire.device.value = asserted
                wire.asserted, wire.confirmed = asserted, False
                self._check_output(wire, counts=False)
            except OSError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def level(self, point: str) -> bool | None:
        """An input read now."""
        wire = self._wires.get(point)
        if wire is None or point not in self._inputs:
            return None
        with suppress(OSError):
            return wire.read()
        return None

    def close(self) -> None:
        """Drive every output to its resting level and let all lines go."""
        for point, model in self._outputs.items():
            if point in self._wires:
                with suppress(OSError):  # outputs of a chip that has gone are at rest by their wiring
                    self._wires[point].device.value = model.at_rest
        self._release()

    def describe(self) -> Mapping[str, Json]:
        """Chip, lines, programs that held lines, and how many edges were missed."""
        lines: dict[str, Json] = {point: model.line for point, model in {**self._outputs, **self._inputs}.items()}
        stuck: list[Json] = [wire.name for wire in self._wires.values() if wire.wrong >= STUCK_AFTER]
        return {
            **self._facts,
            "conflicts": {**self._holders},
            "lines": lines,
            "stuck": stuck,
            "missing": {**self._claims.missing},
            "lost_edges": self._lost_edges + self._lost_now(),
            "read_backs": self._read_backs,
        }

    # --- lines ---------------------------------------------------------------------------------

    def _note(self, points: Mapping[str, BaseModel]) -> None:
        self.points |= points.keys()
        self._outputs |= {point: model for point, model in points.items() if isinstance(model, Output)}
        self._inputs |= {point: model for point, model in points.items() if isinstance(model, Input)}

    def _claim(self) -> None:
        self._facts, self._holders = {"chip": str(self._settings.chip)}, {}
        factory = self._given
        if factory is None:
            from drivers.gpio.factory import CharDeviceFactory  # noqa: PLC0415 -- as above
            from drivers.gpio_chip import ChipFinder  # noqa: PLC0415 -- loaded only when used

            self._finder = self._finder or ChipFinder(self._settings.chip)
            factory = CharDeviceFactory(self._finder)
            self._factory = factory
            self._facts |= {"chip": factory.name, "label": factory.label}
        self._factory = factory
        self._look_for_holders(self._models())
        self._time = BootTime(factory, self._now_ns)
        self._claims.every(self._models())

    def _look_for_holders(self, names: Iterable[str]) -> None:
        if self._factory is not self._given:
            lines = [self._models()[name].line for name in names]
            held = self._factory.busy([line for line in lines if line < self._factory.lines])
            self._holders |= {str(line): holder for line, holder in held.items()}

    def _models(self) -> dict[str, Output | Input]:
        """The points in the order in which they are claimed: outputs first."""
        return {**self._outputs, **self._inputs}

    def _claim_line(self, name: str) -> None:
        """Claim the line of one point. Raises OSError."""
        from gpiozero.exc import (  # type: ignore[import-untyped]  # noqa: PLC0415 -- untyped; loaded only when used
            GPIOZeroError,
        )

        if self._factory is None:
            raise OSError(errno.ENODEV, f"driver {self.name} has been closed")
        try:
            self._wires[name] = self._wire(name)
        except (OSError, GPIOZeroError) as error:
            # The error's frames keep a device alive whose constructor failed, and with it its pin reserved.
            traceback.clear_frames(error.__traceback__)
            if isinstance(error, OSError):
                raise
            raise OSError(errno.EINVAL, str(error)) from error

    def _wire(self, name: str) -> Wire:
        from gpiozero import (  # type: ignore[import-untyped]  # noqa: PLC0415 -- untyped; loaded only when used
            InputDevice,
            OutputDevice,
        )

        factory, model = self._factory, self._models()[name]
        if factory is not self._given and model.line >= factory.lines:
            raise factory.explain(OSError(errno.EINVAL, ""), model.line)
        if isinstance(model, Output):
            device = OutputDevice(
                model.line, active_high=model.active_high, initial_value=model.at_rest, pin_factory=factory
            )
            wire = Wire(name, model, device)
            wire.asserted = model.at_rest
            return wire
        pull_up = {"up": True, "down": False, "none": None}[model.pull]
        active = True if pull_up is None else None  # gpiozero wants it; this driver interprets levels
        device = InputDevice(model.line, pull_up=pull_up, active_state=active, pin_factory=factory)
        return Wire(name, model, device)

    def _release(self) -> None:
        self._lost_edges += self._lost_now()
        for wire in self._wires.values():
            with suppress(OSError):
                wire.device.close()
        self._wires = {}
        self._touched = set()
        if self._factory is not None and self._factory is not self._given:
            self._factory.close()
        self._factory = None

    def _lost_now(self) -> int:
        return sum(getattr(wire.device.pin, "lost_edges", 0) for wire in self._wires.values())

    # --- signals -------------------------------------------------------------------------------

    def _listen(self, wire: Wire) -> None:
        if hasattr(self._factory, "fileno"):
            wire.edge = partial(self._edge, wire)
        else:
            wire.edge = partial(self._edge_from_afar, asyncio.get_running_loop(), wire)
        wire.device.pin.edges = "both"
        wire.device.pin.when_changed = wire.edge

    def _report_all(self) -> None:
        for name, wire in self._wires.items():
            self._report_first(name, wire)
        for lost in self._claims.lost():
            hand_on(self.name, self._emit, lost)

    def _report_first(self, name: str, wire: Wire) -> None:
        if name in self._outputs:
            self._check_output(wire, counts=False)
        else:
            ticks = self._factory.ticks()
            self._report(wire, wire.read(), ticks, initial=True)

    def _look_for_missing(self) -> None:
        """Try again to claim the lines that another program held."""
        for name in self._claims.again():
            if self._hear(name):
                hand_on(self.name, self._emit, Back(frozenset({name}), self._now_ns()))
                self._report_first(name, self._wires[name])

    def _report_added(self) -> None:
        added, self._added = self._added, []
        for name in added:
            if name in self._wires and self._hear(name):
                with suppress(OSError):  # the chip has gone: the next reconcile reports it
                    self._report_first(name, self._wires[name])
            elif name in self._claims.missing:
                hand_on(self.name, self._emit, Lost(frozenset({name}), self._claims.missing[name], self._now_ns()))

    def _hear(self, name: str) -> bool:
        """Listen to a line that was claimed while the driver runs; release it where that fails."""
        wire = self._wires[name]
        try:
            if name in self._inputs:
                self._listen(wire)
        except OSError as error:
            del self._wires[name]
            self._claims.missing[name] = str(error)
            with suppress(OSError):
                wire.device.close()
            return False
        return True

    def _report(self, wire: Wire, asserted: bool, ticks: Any, *, initial: bool = False) -> None:  # noqa: ANN401 -- opaque
        wire.asserted, wire.ticks = asserted, ticks
        before, wire.lost = wire.lost, getattr(wire.device.pin, "lost_edges", 0)
        level = Level(wire.name, asserted, self._time.at_ns(ticks), initial, 0 if initial else wire.lost - before)
        hand_on(self.name, self._emit, level)

    def _edge(self, wire: Wire, ticks: Any, state: Any) -> None:  # noqa: ANN401 -- opaque by gpiozero's contract
        if self._factory is None or self._factory.ticks_diff(ticks, wire.ticks) <= 0:
            return  # it happened before a reading that is already reported
        self._touched.add(wire)
        self._report(wire, bool(state) == wire.point.active_high, ticks)

    def _edge_from_afar(self, loop: asyncio.AbstractEventLoop, wire: Wire, ticks: Any, state: Any) -> None:  # noqa: ANN401 -- opaque
        """Take an edge from another gpiozero factory, which calls from a thread of its own."""
        loop.call_soon_threadsafe(self._edge_and_settle, wire, ticks, state)

    def _edge_and_settle(self, wire: Wire, ticks: Any, state: Any) -> None:  # noqa: ANN401 -- opaque
        if self._emit is not None:
            self._edge(wire, ticks, state)
            self._settle()

    def _readable(self, fd: int, failed: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._take_edges() >= BURST:
                loop.remove_reader(fd)
                self._pause = loop.call_later(PAUSE_S, loop.add_reader, fd, self._readable, fd, failed)
        except OSError as error:
            loop.remove_reader(fd)
            if not failed.done():
                failed.set_exception(error)

    def _take_edges(self) -> int:
        """Returns the number of edges."""
        count: int = self._factory.dispatch() if hasattr(self._factory, "dispatch") else 0
        self._settle()
        return count

    def _settle(self) -> None:
        """Read the lines after a burst: the last edge may have been lost."""
        touched, self._touched = self._touched, set()
        for wire in touched:
            self._read_back(wire)

    def _read_back(self, wire: Wire) -> None:
        if wire.read() == wire.asserted:
            return
        if hasattr(self._factory, "dispatch"):
            self._factory.dispatch()  # most likely its edge has come meanwhile, with its true time
        ticks = self._factory.ticks()
        asserted = wire.read()
        if asserted != wire.asserted:
            self._read_backs += 1
            self._report(wire, asserted, ticks)

    def _reconcile(self) -> None:
        if self._factory is None:
            raise OSError(errno.ENODEV, f"driver {self.name} has been closed")
        self._time.sync()
        self._take_edges()
        self._report_added()
        self._look_for_missing()
        for name, wire in self._wires.items():
            if name in self._inputs:
                self._read_back(wire)
            else:
                self._check_output(wire, counts=True)

    def _check_output(self, wire: Wire, *, counts: bool) -> None:
        """Confirm an output whose level is as driven. An output that keeps another level is lost."""
        at_ns = self._now_ns()
        if wire.read() == wire.asserted:
            if wire.wrong >= STUCK_AFTER:
                if not counts:
                    return  # the next reconcile does it, so that `Back` never comes from within `apply`
                hand_on(self.name, self._emit, Back(frozenset({wire.name}), at_ns))
            wire.wrong = 0
            if not wire.confirmed and self._emit is not None:
                wire.confirmed = True
                hand_on(self.name, self._emit, Confirmed(wire.name, bool(wire.asserted), at_ns))
        elif counts:
            wire.wrong += 1
            wire.confirmed = False
            if wire.wrong == STUCK_AFTER:
                level = "high" if wire.asserted == wire.point.active_high else "low"
                reason = f"line {wire.point.line} is driven {level} and does not follow: look for a short circuit"
                hand_on(self.name, self._emit, Lost(frozenset({wire.name}), reason, at_ns))
