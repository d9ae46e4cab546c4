"""Simulated doors: leaf, strike, button, cable and all, for a demonstration, a lesson or a test.

One rule: the physics is honest. A leaf that is moved opens whatever its lock does, a contact that
bounces ends where its leaf is, and behind a cut cable nothing is seen and nothing can be driven.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from drivers.simulated.points import Lock, Settings
from edge.model.messages import Back, CardRead, Confirmed, KeysPressed, Level, Lost
from edge.model.roles import CONTACT, INPUTS, LOCK, OUTPUTS, REX, SIM_ACTIONS, SWITCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pydantic import BaseModel

    from edge.model.messages import Json, ReaderDisplay
    from edge.model.ports import Emit

__all__ = ["SimulatedDriver", "create"]

PRESS_S: Final = 0.5
"""How long a button is pressed."""
CHATTER_S: Final = 0.002
"""Between two edges of a bouncing contact."""
BURST_MS: Final = (1.0, 20.0, 60_000.0)
"""The shortest, the usual and the longest burst of `bounce`."""
REMEMBERED: Final = 1000
"""Levels kept of each output; the oldest are forgotten."""
CUT: Final = "cable cut"
LEAF: Final = frozenset({LOCK.name, CONTACT.name})
"""A door with one of these points has a leaf and can be opened."""
FLOOR: Final = "/"
"""In the names of points of a floor, like `lift/ground.lock` and `lift/ground.rex`: a floor has no leaf."""


def create(
    name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]
) -> SimulatedDriver:
    """Make the driver; `points` by name, `front.lock`."""
    return SimulatedDriver(name, settings, points, now_ns)


class SimulatedDriver:
    """The promise of `edge.model.ports.Driver`, and `simulate`, which moves the doors."""

    def __init__(
        self, name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]
    ) -> None:
        """All leaves are closed, no button is pressed and all cables are whole."""
        self.name = name
        self.points: frozenset[str] = frozenset()
        self._settings = settings
        self._now_ns = now_ns
        self._resting: dict[str, bool] = {}
        self._inputs: dict[str, bool] = {}
        self._outputs: dict[str, bool] = {}
        self._history: dict[str, deque[tuple[int, bool]]] = {}
        self._leaves: dict[str, bool] = {}
        self._wire(points)
        self._cut: set[str] = set()
        self._unplugged: str | None = None
        self._unconfirmed: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._answers: dict[str, str] = {}
        self._lights: dict[str, str] = {}
        self._emit: Emit | None = None
        self._fails: asyncio.Future[None] | None = None

    # --- the promise --------------------------------------------------------------------------

    def open(self) -> None:
        """Bring every output to its resting level. Raises OSError while unplugged."""
        if self._unplugged is not None:
            raise OSError(self._unplugged)
        self._rest(self._resting)

    def add(self, points: Mapping[str, BaseModel]) -> None:
        """Add doors, all closed and at rest."""
        self._wire(points)
        if self._unplugged is None:
            self._rest(points.keys() & self._resting.keys())
        if self._emit is not None:
            asyncio.get_running_loop().call_soon(self._report, points.keys())

    async def run(self, emit: Emit) -> None:
        """Report until cancelled or unplugged."""
        if self._unplugged is not None:
            raise OSError(self._unplugged)
        self._fails = asyncio.get_running_loop().create_future()
        self._emit = emit
        try:
            for door in sorted(self._cut):
                emit(Lost(self._of(door), CUT, self._now_ns()))
            self._report(set(self.points))
            for point in sorted(self._unconfirmed):
                self._confirm(point)
            await self._fails
        finally:
            self._emit = self._fails = None

    def apply(self, outputs: Mapping[str, bool]) -> None:
        """Drive outputs; those behind a cut cable do not change. Raises OSError while unplugged."""
        if self._unplugged is not None:
            raise OSError(self._unplugged)
        for point, value in outputs.items():
            if _door(point) in self._cut:
                continue
            self._drive(point, value)
            self._unconfirmed.add(point)
            if self._settings.confirm_ms and self._emit is not None:
                self._later(f"{point} confirms", self._settings.confirm_ms / 1000, self._confirm, point)
            else:
                self._confirm(point)

    def level(self, point: str) -> bool | None:
        """The level of an input now; None behind a cut cable, and for a point that is not an input."""
        if self._unplugged is not None or _door(point) in self._cut:
            return None
        return self._inputs.get(point)

    def close(self) -> None:
        """Bring every output to rest; after that nothing moves."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._unconfirmed.clear()
        self._rest(self._resting)

    def answer(self, point: str, *, granted: bool) -> None:
        """Remember the answer at a reader: `describe` shows it."""
        self._answers[point] = "granted" if granted else "refused"

    def show(self, point: str, shown: ReaderDisplay) -> None:
        """Remember the state of a door that its reader shows: `describe` shows it."""
        self._lights[point] = shown.value

    def describe(self) -> Mapping[str, Json]:
        """Where the leaves are, which cables are cut, and what each reader has shown last."""
        return {
            "readers": dict(sorted(self._answers.items())),
            "lights": dict(sorted(self._lights.items())),
            "leaves": {door: "open" if leaf else "closed" for door, leaf in sorted(self._leaves.items())},
            "cut": [*sorted(self._cut)],
        }

    # --- hands --------------------------------------------------------------------------------

    def simulate(self, door: str, action: str, argument: str | None = None) -> None:
        """Do something to a door. Raises ValueError with a sentence for people.

        `open` and `close` move the leaf. `rex` presses the button for half a second, `rex on` and
        `rex off` hold it and let it go. The other inputs, such as `tamper`, change over, or take on and off.
        `bounce MS` lets the contact chatter, `card N` or `card FACILITY:N` shows a card, `pin P` types a
        PIN with its `#`, `card N pin P` does both, `cut` and `mend` cut and repair the door's cable. The door
        `controller` has the release input for all doors; `lift` is the reader of an elevator, and `lift/ground` the
        relay and the button of one of its floors, on a cable of its own.
        """
        doors = {_door(point) for point in self.points}
        if door not in doors:
            raise ValueError(f'no door "{door}" here, there are: {", ".join(sorted(doors))}')
        if action in {"open", "close", "cut", "mend"}:
            if argument is not None:
                raise ValueError(f"{action} takes nothing after it")
            self._move(door, action)
        elif action in SWITCHES:
            self._switch(self._point(door, action), action, argument)
        elif action == "bounce":
            self._chatter(self._point(door, CONTACT.name), _burst_ns(argument))
        elif action == "card":
            card, _, pin = (argument or "").partition(" pin ")
            self._show(self._point(door, "reader"), card)
            if pin:
                self._type(self._point(door, "reader"), pin)
        elif action == "pin":
            self._type(self._point(door, "reader"), argument)
        else:
            raise ValueError(f'there is no action "{action}", there are: {", ".join(SIM_ACTIONS)}')

    def history(self, point: str) -> tuple[tuple[int, bool], ...]:
        """Each level an output has shown, with its time in boot-clock nanoseconds, oldest first."""
        return tuple(self._history[point])

    def unplug(self, reason: str = "unplugged") -> None:
        """Unplug the whole line: `run` ends with OSError, and `open` fails until `plug`."""
        self._unplugged = reason
        if self._fails is not None and not self._fails.done():
            self._fails.set_exception(OSError(reason))

    def plug(self) -> None:
        """Plug the line in again: the next `open` works."""
        self._unplugged = None

    # --- the leaf, the button, the cable ----------------------------------------------------------

    def _move(self, door: str, action: str) -> None:
        if action == "cut":
            self._sever(door)
        elif action == "mend":
            self._mend(door)
        else:
            if door not in self._leaves:
                raise ValueError(f'"{door}" has no simulated leaf')
            leaf = action == "open"
            moves = self._leaves[door] != leaf
            self._leaves[door] = leaf
            contact = f"{door}.{CONTACT.name}"
            if contact in self._inputs:
                self._show_level(contact, leaf)
                if moves and self._emit is not None:
                    self._chatter(contact, round(self._settings.bounce_ms * 1e6))

    def _switch(self, point: str, action: str, argument: str | None) -> None:
        if argument not in {None, "on", "off"}:
            raise ValueError(f'{action} takes "on", "off" or nothing after it, not "{argument}"')
        self._forget(point)
        if argument is not None:
            self._show_level(point, argument == "on")
        elif action == REX.name:
            self._show_level(point, True)
            self._later(point, PRESS_S, self._show_level, point, False)
        else:
            self._show_level(point, not self._inputs[point])

    def _chatter(self, contact: str, for_ns: int) -> None:
        """Bounce for this time, then show where the leaf is. A new burst replaces an old one."""
        self._forget(contact)
        if for_ns > 0:
            self._later(contact, CHATTER_S, self._bounce, contact, self._now_ns() + for_ns)

    def _bounce(self, contact: str, until_ns: int) -> None:
        leaf = self._leaves[_door(contact)]
        if self._now_ns() >= until_ns:
            self._show_level(contact, leaf)
        else:
            self._show_level(contact, not self._inputs[contact])
            self._later(contact, CHATTER_S, self._bounce, contact, until_ns)

    def _type(self, reader: str, argument: str | None) -> None:
        if not argument or not argument.isdecimal() or not argument.isascii():
            raise ValueError(f'pin takes digits after it, not "{argument}"')
        if self._emit is not None and _door(reader) not in self._cut:
            self._emit(KeysPressed(reader, f"{argument}#", self._now_ns()))

    def _show(self, reader: str, argument: str | None) -> None:
        bits, data = _wiegand(argument)
        if self._emit is not None and _door(reader) not in self._cut:
            self._emit(CardRead(reader, bits, data, self._now_ns()))

    def _sever(self, door: str) -> None:
        if door in self._cut:
            return
        self._cut.add(door)
        points = self._of(door)
        self._unconfirmed -= points
        self._rest(points & self._resting.keys())
        if self._emit is not None:
            self._emit(Lost(points, CUT, self._now_ns()))

    def _mend(self, door: str) -> None:
        if door not in self._cut:
            return
        self._cut.discard(door)
        if self._emit is not None:
            self._emit(Back(self._of(door), self._now_ns()))
            self._report(self._of(door))

    # --- wires --------------------------------------------------------------------------------

    def _wire(self, points: Mapping[str, BaseModel]) -> None:
        self.points |= points.keys()
        outputs = {p: isinstance(m, Lock) and m.resting == "unlocked" for p, m in points.items() if _output(p)}
        self._resting |= outputs
        self._history |= {p: deque(maxlen=REMEMBERED) for p in outputs}
        self._inputs |= {p: False for p in points if _role(p) in INPUTS}
        self._leaves |= {_door(p): False for p in points if _role(p) in LEAF and FLOOR not in p}

    def _report(self, points: Collection[str]) -> None:
        for point in sorted(points & self._inputs.keys()):
            if self._emit is not None and _door(point) not in self._cut:
                self._emit(Level(point, self._inputs[point], self._now_ns(), initial=True))

    def _show_level(self, point: str, value: bool) -> None:
        if self._inputs[point] is value:
            return
        self._inputs[point] = value
        if self._emit is not None and _door(point) not in self._cut:
            self._emit(Level(point, value, self._now_ns()))

    def _rest(self, points: Collection[str]) -> None:
        for point in sorted(points):
            self._drive(point, self._resting[point])

    def _drive(self, point: str, value: bool) -> None:
        if self._outputs.get(point) is not value:
            self._outputs[point] = value
            self._history[point].append((self._now_ns(), value))

    def _confirm(self, point: str) -> None:
        if self._emit is not None and point in self._unconfirmed:
            self._unconfirmed.discard(point)
            self._emit(Confirmed(point, self._outputs[point], self._now_ns()))

    def _later(self, key: str, delay_s: float, call: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 - passed on
        self._forget(key)
        self._timers[key] = asyncio.get_running_loop().call_later(delay_s, call, *args)

    def _forget(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _of(self, door: str) -> frozenset[str]:
        return frozenset(point for point in self.points if _door(point) == door)

    def _point(self, door: str, role: str) -> str:
        point = f"{door}.{role}"
        if point not in self.points:
            raise ValueError(f'the door "{door}" has no simulated {role}')
        return point


def _door(point: str) -> str:
    return point.rpartition(".")[0]


def _role(point: str) -> str:
    return point.rpartition(".")[2]


def _output(point: str) -> bool:
    return _role(point) in OUTPUTS


def _burst_ns(argument: str | None) -> int:
    shortest, usual, longest = BURST_MS
    try:
        burst_ms = usual if argument is None else float(argument)
    except ValueError:
        burst_ms = 0
    if not shortest <= burst_ms <= longest:
        raise ValueError(f'bounce takes {shortest:g} to {longest:g} milliseconds after it, not "{argument}"')
    return round(burst_ms * 1e6)


def _wiegand(argument: str | None) -> tuple[int, bytes]:
    """`N` or `FACILITY:N` as the 26 bits of format H10301: even parity, 8 bits, 16 bits, odd parity."""
    facility, _, number = (argument or "").rpartition(":")
    try:
        numbers = int(facility or "0"), int(number)
        payload = numbers[0].to_bytes(1, "big") + numbers[1].to_bytes(2, "big")
    except (ValueError, OverflowError):
        raise ValueError(
            f'card takes a number up to 65535 after it, or FACILITY:NUMBER with a facility up to 255, not "{argument}"'
        ) from None
    middle = int.from_bytes(payload, "big")
    even = (middle >> 12).bit_count() % 2
    odd = 1 - (middle & 0xFFF).bit_count() % 2
    return 26, ((even << 25 | middle << 1 | odd) << 6).to_bytes(4, "big")
