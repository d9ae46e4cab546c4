"""The points at one address, and what the reader's reports mean for them.

One rule: it only translates numbers of inputs and outputs to points, and the reader's states to levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.osdp import messages
from drivers.osdp.device import Device
from drivers.osdp.points import Button, Buzzer, Contact, Lock, Point, Reader, Settings, Tamper, read_key
from drivers.osdp.profile import MS, Happening, Heard, Offline, Online, Profile, Switched, Unable
from drivers.osdp.switches import Relay, Sounder
from edge.model.messages import Back, CardRead, Confirmed, InputFault, KeysPressed, Level, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from drivers.osdp.switches import Switch
    from edge.model.messages import Signal

ACTIVE: Final = 1
"""The state of an input that is active; 0 is inactive, anything above 1 is a fault of its wiring."""
TAMPERED: Final = 2
"""The state of an attached reader whose tamper switch is open."""


class OsdpUnit:
    """One address: its points, its device, and what was reported of them."""

    def __init__(self, address: int) -> None:
        """No points yet."""
        self.address = address
        self.points: dict[str, Point] = {}
        self.device: Device | None = None
        self.fault: str | None = None
        """Why the reader cannot be used at all."""
        self._reported_lost = False
        self._levels: dict[str, bool] = {}
        self._faulty: set[str] = set()
        self._head_tamper = False

    def begin(self, settings: Settings, random: Callable[[int], bytes], now_ns: int) -> Device | None:
        """Begin a new conversation; None when the settings of its points contradict each other."""
        self._levels, self._faulty, self._head_tamper = {}, set(), False
        try:
            profile = self._profile(settings)
        except ValueError as error:
            self.device, self.fault = None, str(error)
            return None
        self.device, self.fault = Device(profile, self._switches(), random, now_ns), None
        return self.device

    def known(self, now_ns: int) -> list[Signal]:
        """The signals for the start: a reader that cannot be used, or was lost before the port was, is still lost."""
        if self.fault is None and not self._reported_lost:
            return []
        self._reported_lost = True
        return [Lost(frozenset(self.points), self.fault or "no answer yet", now_ns)]

    def level(self, point: str) -> bool | None:
        """The level of an input that the reader reported last; None while it does not answer."""
        if self.device is None or not self.device.online or point in self._faulty:
            return None
        return self._levels.get(point)

    def tell(self, happening: Happening, now_ns: int) -> list[Signal]:
        """What happened on the line, as signals for the daemon."""
        every = frozenset(self.points)
        match happening:
            case Online():
                self._levels, self._faulty = {}, set()
                was_lost, self._reported_lost = self._reported_lost, False
                return [Back(every, now_ns)] if was_lost else []
            case Offline():
                was_lost, self._reported_lost = self._reported_lost, True
                return [] if was_lost else [Lost(every, happening.reason, now_ns)]
            case Switched():
                model = self.points[happening.switch]
                active = isinstance(model, Lock | Buzzer) and model.on_when
                return [Confirmed(happening.switch, happening.on is active, now_ns)]
            case Unable():
                return [Lost(frozenset({happening.switch}), happening.reason, now_ns)]
            case Heard():
                return self._hear(happening.message, now_ns)

    # --- what is configured --------------------------------------------------------------------

    def _profile(self, settings: Settings) -> Profile:
        """Put one address together from its points. Raises ValueError with a sentence for people."""
        models = self.points.values()
        modes = {model.secure for model in models if model.secure is not None}
        files = {model.key_file for model in models if model.key_file is not None}
        if len(modes) > 1 or len(files) > 1:
            what = "secure" if len(modes) > 1 else "key_file"
            raise ValueError(f"the points of address {self.address} have different values of {what}")
        mode = modes.pop() if modes else settings.secure
        if mode != "off" and not files:
            raise ValueError(f'no point of address {self.address} has a key_file, which secure = "{mode}" needs')
        key = b"" if mode == "off" else read_key(files.pop())
        inputs = any(_input_of(model) is not None for model in models)
        return Profile(self.address, mode, key, settings.poll_ms * MS, inputs, local=True)

    def _switches(self) -> dict[str, Switch]:
        switches: dict[str, Switch] = {}
        for point, model in self.points.items():
            if isinstance(model, Lock | Buzzer) and model.output is not None:
                switches[point] = Relay(model.output, rest=model.rest)
            elif isinstance(model, Buzzer):
                switches[point] = Sounder(model.reader)
        return switches

    # --- what is heard -------------------------------------------------------------------------

    def _hear(self, message: messages.Message, now_ns: int) -> list[Signal]:
        match message:
            case messages.CardData(reader, bits, data, form):
                return [CardRead(point, bits, data, now_ns, form) for point in self._readers(reader)]
            case messages.KeypadData(reader, keys):
                return [KeysPressed(point, keys, now_ns) for point in self._readers(reader)] if keys else []
            case messages.InputStatus(levels):
                inputs = ((point, model, _input_of(model)) for point, model in self.points.items())
                found = (self._input(p, m, levels[n : n + 1], now_ns) for p, m, n in inputs if n is not None)
                return [signal for signals in found for signal in signals]
            case messages.ReaderStatus(levels):
                self._head_tamper = TAMPERED in levels
                return self._tamper(now_ns)
            case messages.LocalStatus():
                return self._tamper(now_ns)
            case _:
                return []  # only for diagnosis, or without meaning for a door

    def _readers(self, number: int) -> list[str]:
        return [p for p, model in self.points.items() if isinstance(model, Reader) and model.reader == number]

    def _tamper(self, now_ns: int) -> list[Signal]:
        local = self.device.report.local if self.device is not None else None
        tampered = self._head_tamper or (local is not None and local.tamper)
        own = [p for p, model in self.points.items() if isinstance(model, Tamper) and model.input is None]
        return [signal for point in own for signal in self._level(point, tampered, now_ns)]

    def _input(self, point: str, model: Point, state: bytes, now_ns: int) -> list[Signal]:
        """`state` is the reader's byte for it, empty if it has none."""
        if not state or state[0] > ACTIVE:
            if point in self._faulty:
                return []
            self._faulty.add(point)
            reason = f"the reader reports fault {state[0]}" if state else "the reader does not have this input"
            return [InputFault(point, reason, now_ns)]
        signals: list[Signal] = []
        if point in self._faulty:
            self._faulty.discard(point)
            signals.append(InputFault(point, None, now_ns))
        asserts = model.asserts if isinstance(model, Contact | Button | Tamper) else "active"
        return signals + self._level(point, (state[0] == ACTIVE) is (asserts == "active"), now_ns)

    def _level(self, point: str, asserted: bool, now_ns: int) -> list[Signal]:
        before = self._levels.get(point)
        self._levels[point] = asserted
        return [] if before is asserted else [Level(point, asserted, now_ns, initial=before is None)]


def units(points: Mapping[str, BaseModel]) -> dict[int, OsdpUnit]:
    """Sort points by address."""
    found: dict[int, OsdpUnit] = {}
    for name, model in points.items():
        if isinstance(model, Point):
            found.setdefault(model.address, OsdpUnit(model.address)).points[name] = model
    return found


def _input_of(model: Point) -> int | None:
    return model.input if isinstance(model, Contact | Button | Tamper) else None
