"""Wiegand readers on pairs of GPIO lines of this computer: cards and keys, a light and a beeper.

One rule: it keeps the promise of `edge.model.ports.Driver`. `pulses` decides which pulses are bits, `frames`
which bits are a card. docs/wiegand.md says why OSDP is better wherever there is a choice.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from drivers.claims import Claims
from drivers.gpio.wire import BootTime
from drivers.hand_on import hand_on
from drivers.wiegand.answer import ReaderLights
from drivers.wiegand.points import Buzzer, Reader, Settings
from drivers.wiegand.reader import OpenReader
from edge.model.messages import Back, Confirmed, ReaderDisplay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from drivers.gpio_chip import ChipFinder
    from drivers.wiegand.lines import Chip
    from edge.model.messages import Json, Signal
    from edge.model.ports import Emit

__all__ = ["WiegandDriver", "create"]

LOOK_S: Final = 1.0
"""How often every cable is checked."""


def create(name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]) -> WiegandDriver:
    """Make a driver that is not open yet; `points` by name, `front.reader`."""
    return WiegandDriver(name, settings, points, now_ns)


class WiegandDriver:
    """The promise of `edge.model.ports.Driver` for the readers on one GPIO chip."""

    def __init__(
        self, name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]
    ) -> None:
        """See `create`."""
        self.name = name
        self.points = frozenset(points)
        self._settings = settings
        self._readers = {point: model for point, model in points.items() if isinstance(model, Reader)}
        self._buzzers = {point: model for point, model in points.items() if isinstance(model, Buzzer)}
        self._answers = {point: ReaderLights(model, self._switch) for point, model in self._readers.items()}
        self._now_ns = now_ns
        self._chip: Chip | None = None
        self._finder: ChipFinder | None = None
        self._time: BootTime | None = None
        self._claims = Claims(self._claim, now_ns)
        self._open_readers: dict[str, OpenReader] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._sounding: dict[str, bool] = {}
        self._unconfirmed: set[str] = set()
        self._emit: Emit | None = None
        self._failed: asyncio.Future[None] | None = None

    # --- the promise ---------------------------------------------------------------------------

    def open(self) -> None:
        """Claim the lines of each point, sounders first: all lines of a point in one step and off, or none of them.

        A point that cannot be claimed is a fault of that point. Raises OSError when none can be, or the chip cannot.
        """
        from drivers.gpio_chip import ChipFinder  # noqa: PLC0415 -- gpiod: loaded only when used
        from drivers.wiegand.lines import Chip, KernelClock  # noqa: PLC0415 -- as above

        self._release()
        self._finder = self._finder or ChipFinder(self._settings.chip)
        self._chip = Chip(self._finder)
        self._time = BootTime(KernelClock, self._now_ns)
        self._sounding = dict.fromkeys(self._buzzers, False)
        self._unconfirmed = set()
        try:
            self._claims.every([*self._buzzers, *self._readers])
        except OSError:
            self._release()
            raise

    async def run(self, emit: Emit) -> None:
        """Report cards and keys until cancelled or the chip has gone."""
        if self._chip is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        loop, chip = asyncio.get_running_loop(), self._chip
        self._failed = loop.create_future()
        self._emit = emit
        try:
            for point in sorted(self._unconfirmed):
                self._confirm(point)
            for reader in self._open_readers.values():
                self._listen(reader)
            self._send(self._claims.lost())
            while not (await asyncio.wait({self._failed}, timeout=LOOK_S))[0]:
                self._look()
            self._failed.result()
        finally:
            self._emit = None
            if not self._failed.cancel():
                self._failed.exception()  # fetched, or asyncio would log it when a cancellation came first
            self._failed = None
            if self._chip is chip:  # not after `close`, which has released them
                self._unlisten(loop)

    def apply(self, outputs: Mapping[str, bool]) -> None:
        """Set sounders. Every output is tried before the first error is raised."""
        failure: OSError | None = None
        for point, asserted in outputs.items():
            if point in self._claims.missing and self._chip is not None:
                continue  # it is driven again when it is back
            try:
                self._switch(self._buzzers[point].line, asserted)
            except OSError as error:
                failure = failure or error
                continue
            if self._sounding[point] is not asserted:
                self._sounding[point] = asserted
                self._confirm(point)
        if failure is not None:
            raise failure

    def level(self, point: str) -> bool | None:  # noqa: ARG002 -- the promise has it
        """None: readers and sounders have no level."""
        return None

    def close(self) -> None:
        """Switch everything off and release all lines."""
        for model in self._buzzers.values():
            with suppress(OSError):
                self._switch(model.line, on=False)
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(OSError(errno.ENODEV, f"driver {self.name} has been closed"))
        self._release()

    def describe(self) -> Mapping[str, Json]:
        """The chip, and every reader: how many cards it has read, and how many bursts were thrown away, and why."""
        chip = self._chip
        facts: dict[str, Json] = {"chip": str(self._settings.chip)}
        if chip is not None:
            facts = {"chip": chip.name, "label": chip.label}
        readers: dict[str, Json] = {}
        for point, model in self._readers.items():
            reader = self._open_readers.get(point)
            why = self._claims.missing.get(point, "the chip is not open")
            closed: dict[str, Json] = {"d0": model.d0, "d1": model.d1, "trouble": why}
            readers[point] = closed if reader is None else reader.facts()
        return {**facts, "readers": readers, "missing": {**self._claims.missing}}

    # --- for people at the door ----------------------------------------------------------------

    def answer(self, point: str, *, granted: bool) -> None:
        """Show at a reader whether a card was granted: its light, or three short tones. Never raises."""
        if self._emit is not None and point in self._answers:
            self._answers[point].show(granted=granted)

    def show(self, point: str, shown: ReaderDisplay) -> None:
        """Keep the light on while the door stands unlocked; it blinks while the reader listens. Never raises."""
        if point in self._answers:
            self._answers[point].stand(on=shown is ReaderDisplay.UNLOCKED, blinking=shown is ReaderDisplay.LISTENING)

    # --- the lines -----------------------------------------------------------------------------

    def _claim(self, point: str) -> None:
        """Claim the lines of a point. Raises OSError; then none of them is claimed."""
        from drivers.wiegand.lines import Pair  # noqa: PLC0415 -- gpiod: loaded only when used

        chip, time = self._chip, self._time
        if chip is None or time is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        reader = self._readers.get(point)
        rest_levels = self._buzzers[point].rest_levels if reader is None else reader.rest_levels
        outputs = {line: not high for line, high in rest_levels.items()}
        if reader is None:
            chip.refuse_conflicts(outputs)
            chip.drive(outputs)
            return
        chip.refuse_conflicts({reader.d0, reader.d1, *outputs})
        chip.drive(outputs)
        try:
            wires = Pair(chip, reader.d0, reader.d1)
        except OSError:
            chip.let_go(outputs)
            raise
        self._open_readers[point] = OpenReader(point, reader, self._settings, wires, time.at_ns)

    def _listen(self, reader: OpenReader) -> None:
        asyncio.get_running_loop().add_reader(reader.wires.fileno(), self._readable, reader)

    def _switch(self, line: int, on: bool) -> None:
        if self._chip is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        self._chip.set(line, on=on)

    def _confirm(self, point: str) -> None:
        """Report what a sounder was set to; before there is a listener, `run` reports it."""
        if self._emit is None:
            self._unconfirmed.add(point)
            return
        self._unconfirmed.discard(point)
        self._send([Confirmed(point, self._sounding[point], self._now_ns())])

    def _readable(self, reader: OpenReader) -> None:
        try:
            self._send(reader.fetch(self._now_ns()))
        except OSError as error:
            self._fail(error)
            return
        if reader.point not in self._timers:
            self._wait(reader)

    def _wait(self, reader: OpenReader) -> None:
        """Set a timer for when silence may have lasted long enough. Edges that come meanwhile do not move it."""
        due_ns = reader.due_ns
        if due_ns is not None and self._open_readers.get(reader.point) is reader:
            delay_s = max(0, due_ns - self._now_ns()) / 1e9
            self._timers[reader.point] = asyncio.get_running_loop().call_later(delay_s, self._due, reader)

    def _due(self, reader: OpenReader) -> None:
        del self._timers[reader.point]
        try:
            now_ns = self._now_ns()  # first the time, then the edges: none that came before may be missing
            self._send(reader.fetch(now_ns))
            self._send(reader.silence(now_ns))
        except OSError as error:
            self._fail(error)
            return
        if reader.point not in self._timers:
            self._wait(reader)

    def _look(self) -> None:
        if self._time is not None:
            self._time.sync()
        for reader in [*self._open_readers.values()]:
            if self._open_readers.get(reader.point) is reader:  # the receiver of a signal may have closed us
                self._send(reader.second(self._now_ns()))
        for point in self._claims.again():
            if point in self._open_readers:
                self._listen(self._open_readers[point])
            self._send([Back(frozenset({point}), self._now_ns())])

    def _fail(self, error: OSError) -> None:
        """The chip has gone: stop listening, and let `run` raise."""
        self._unlisten(asyncio.get_running_loop())
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _unlisten(self, loop: asyncio.AbstractEventLoop) -> None:
        for reader in self._open_readers.values():
            loop.remove_reader(reader.wires.fileno())
        for timer in self._timers.values():
            timer.cancel()
        self._timers = {}
        for answer in self._answers.values():
            answer.off()

    def _release(self) -> None:
        for answers in self._answers.values():
            answers.off()
        if self._emit is not None:
            self._unlisten(asyncio.get_running_loop())
        self._open_readers = {}
        self._time = None
        chip, self._chip = self._chip, None
        if chip is not None:
            chip.close()

    # --- signals -------------------------------------------------------------------------------

    def _send(self, signals: Sequence[Signal]) -> None:
        for signal in signals:
            hand_on(self.name, self._emit, signal)
