"""A gpiozero pin factory over the kernel's GPIO character device, through gpiod.

One rule: a line is requested once, with direction, level and bias together, so it never shows
another level in between. Nothing here polls: `fileno` is readable while edges wait.
"""

from __future__ import annotations

import select
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero.compat import frozendict  # type: ignore[import-untyped]  # gpiozero has no types
from gpiozero.exc import (  # type: ignore[import-untyped]  # gpiozero has no types
    PinFixedPull,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinSetInput,
)
from gpiozero.pins import BoardInfo, HeaderInfo, PinInfo  # type: ignore[import-untyped]  # gpiozero has no types
from gpiozero.pins.pi import PiFactory, PiPin  # type: ignore[import-untyped]  # gpiozero has no types

from drivers.gpio_chip import ChipFinder, busy_lines, explain_line, open_chip

if TYPE_CHECKING:
    from collections.abc import Collection

    from drivers.gpio_chip import LineError

CONSUMER: Final = "doorward"
"""What `gpioinfo` shows for a line that is ours."""
QUEUE_EDGES: Final = 64
"""Edges of one line that the kernel keeps for us (its default is 16). When it is full the oldest
are dropped, the gap in the line's sequence numbers is counted and the level is read back."""
SEQUENCE_MOD: Final = 1 << 32
NS_PER_S: Final = 1_000_000_000

_BIAS: Final = {"floating": Bias.DISABLED, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_PULL: Final = {bias: pull for pull, bias in _BIAS.items()}
_EDGES: Final = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}


class CharDeviceFactory(PiFactory):  # type: ignore[misc]  # gpiozero has no types
    """Pins of one GPIO chip, named by their number on the chip: `17` or `"GPIO17"`.

    Works on any board: nothing asks which Raspberry Pi this is. To have `when_changed` called, wait
    until `fileno()` is readable (`loop.add_reader` for example) and call `dispatch()`.
    Ticks are nanoseconds of CLOCK_MONOTONIC, the kernel's own time stamps of the edges.
    """

    def __init__(self, chip: int | str | ChipFinder = 0) -> None:
        """`chip` is a number (0: /dev/gpiochip0), a path, a name or a label such as `pinctrl-rp1`; or a ChipFinder.

        Raises LineError when there is no such chip or it may not be opened.
        """
        super().__init__()
        self.pin_class = CharDevicePin
        self.chip = chip.open() if isinstance(chip, ChipFinder) else open_chip(chip)
        info = self.chip.get_info()
        self.name, self.label, self.lines = info.name, info.label, info.num_lines
        self._board = _board(self.name, self.lines)
        self._epoll = select.epoll()
        self._watched: dict[int, CharDevicePin] = {}

    def close(self) -> None:
        """Release every line and the chip. The kernel decides what released outputs do."""
        super().close()
        self._epoll.close()
        self.chip.close()

    def fileno(self) -> int:
        """Readable while edges wait, or when the chip has gone."""
        return self._epoll.fileno()

    def dispatch(self, timeout_s: float = 0.0) -> int:
        """Call `when_changed` for the edges that wait, all lines together in the order of time.

        Every edge that was read is delivered, whatever a callback raises; after that the exceptions of
        callbacks are raised as an ExceptionGroup. Raises OSError when the chip has gone.
        Returns the number of edges.
        """
        edges: list[tuple[int, bool, CharDevicePin]] = []
        gone: OSError | None = None
        for fd, _ in self._epoll.poll(timeout_s):
            pin = self._watched[fd]
            try:
                edges += [(at_ns, state, pin) for at_ns, state in pin.read_edges()]
            except OSError as error:
                gone = self.explain(error, pin.line)
        edges.sort(key=lambda edge: edge[0])
        raised: list[Exception] = []
        for at_ns, state, pin in edges:
            try:
                pin.changed(at_ns, state)
            except Exception as error:  # noqa: BLE001 -- one callback must not stop the other inputs
                raised.append(error)
        if gone is not None:
            raise gone
        if raised:
            raise ExceptionGroup("callbacks of GPIO lines failed", raised)
        return len(edges)

    def busy(self, lines: Collection[int]) -> dict[int, str]:
        """Which of these lines are held: line -> the name that the holder gave."""
        return busy_lines(self.chip, lines)

    def explain(self, error: Exception, line: int) -> LineError:
        """What went wrong with a line, and what to do about it, as a sentence."""
        return explain_line(self.chip.get_info(), error, line, self.busy)

    def watch(self, fd: int, pin: CharDevicePin | None) -> None:
        """Have a request's edges delivered to a pin, or (None) no longer."""
        if pin is None:
            if self._watched.pop(fd, None) is not None:
                self._epoll.unregister(fd)
        elif fd not in self._watched:
            self._epoll.register(fd, select.EPOLLIN)
            self._watched[fd] = pin

    @staticmethod
    def ticks() -> int:
        """Nanoseconds on the clock that stamps the edges."""
        return time.monotonic_ns()

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return (later - earlier) / NS_PER_S

    def _get_board_info(self) -> Any:  # noqa: ANN401 -- gpiozero has no types
        return self._board


class CharDevicePin(PiPin):  # type: ignore[misc]  # gpiozero has no types
    """One line. It is not touched before its function is set, and then in one step."""

    def __init__(self, factory: CharDeviceFactory, info: Any) -> None:  # noqa: ANN401 -- gpiozero has no types
        """Called by the factory; requests nothing."""
        super().__init__(factory, info)
        self.line: int = self._number
        self.lost_edges = 0
        """Edges the kernel dropped because they were not read in time."""
        self._request: gpiod.LineRequest | None = None
        self._settings = gpiod.LineSettings()
        self._edges = Edge.BOTH
        self._sequence = 0

    def close(self) -> None:
        """Release the line."""
        self._when_changed = None
        if self._request is not None:
            self._factory.watch(self._request.fd, None)
            self._request.release()
            self._request = None
        self._settings = gpiod.LineSettings()

    def output_with_state(self, state: Any) -> None:  # noqa: ANN401 -- gpiozero has no types
        """Become an output that shows `state` from its first moment on."""
        self._configure(
            direction=Direction.OUTPUT, output_value=_value(state), bias=Bias.AS_IS, edge_detection=Edge.NONE
        )

    def input_with_pull(self, pull: str) -> None:
        """Become an input with this pull."""
        self._configure(direction=Direction.INPUT, bias=_bias(pull))

    def read_edges(self) -> list[tuple[int, bool]]:
        """The edges that wait: nanoseconds and the level after each. Blocks when none is waiting."""
        if self._request is None:
            return []
        edges = []
        for event in self._request.read_edge_events():
            # A number that is far lower is from a counter that the kernel began anew: no edges were lost.
            gap = (event.line_seqno - self._sequence - 1) % SEQUENCE_MOD
            self.lost_edges += gap if gap < SEQUENCE_MOD // 2 else 0
            self._sequence = event.line_seqno
            edges.append((event.timestamp_ns, event.event_type is event.Type.RISING_EDGE))
        return edges

    def changed(self, at_ns: int, state: bool) -> None:
        """Deliver one edge, unless the callback has been removed meanwhile."""
        if self._when_changed is not None:
            self._call_when_changed(at_ns, state)

    def _configure(self, **settings: Any) -> None:  # noqa: ANN401 -- the fields of gpiod.LineSettings
        wanted = {**vars(self._settings), **settings}
        line_settings = gpiod.LineSettings(**wanted)
        try:
            if self._request is None:
                self._sequence = 0
                self._request = self._factory.chip.request_lines(
                    {self.line: line_settings}, consumer=CONSUMER, event_buffer_size=QUEUE_EDGES
                )
            else:
                self._request.reconfigure_lines({self.line: line_settings})
        except (OSError, ValueError, NotImplementedError) as error:
            raise self._factory.explain(error, self.line) from error
        self._settings = line_settings

    def _get_function(self) -> str:
        if self._request is not None and self._settings.direction is not Direction.AS_IS:
            return "output" if self._settings.direction is Direction.OUTPUT else "input"
        info = self._factory.chip.get_line_info(self.line)
        return "output" if info.direction is Direction.OUTPUT else "input"

    def _set_function(self, value: str) -> None:
        if value == "input":
            bias = self._settings.bias if self._settings.bias is not Bias.AS_IS else Bias.DISABLED
            self._configure(direction=Direction.INPUT, bias=bias)
        elif value == "output":
            # gpiozero's "left in the state it is found in": read without requesting the line, then kept.
            if self._request is None:
                self._configure(direction=Direction.AS_IS, bias=Bias.AS_IS)
            self.output_with_state(self._get_state())
        else:
            raise PinInvalidFunction(f"invalid function {value!r} for pin {self!r}")

    def _get_state(self) -> bool:
        if self._request is None:
            self._configure(direction=Direction.AS_IS, bias=Bias.AS_IS)
        assert self._request is not None  # noqa: S101 -- requested in the line above
        try:
            return self._request.get_value(self.line) is Value.ACTIVE
        except OSError as error:
            raise self._factory.explain(error, self.line) from error

    def _set_state(self, value: Any) -> None:  # noqa: ANN401 -- gpiozero has no types
        if self._request is None or self._settings.direction is not Direction.OUTPUT:
            raise PinSetInput(f"cannot set state of pin {self!r}")
        try:
            self._request.set_value(self.line, _value(value))
        except OSError as error:
            raise self._factory.explain(error, self.line) from error
        self._settings.output_value = _value(value)

    def _get_pull(self) -> str:
        return _PULL.get(self._settings.bias, "floating")

    def _set_pull(self, value: str) -> None:
        if self._get_function() != "input":
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        self._configure(direction=Direction.INPUT, bias=_bias(value))

    def _get_bounce(self) -> float | None:
        return self._settings.debounce_period.total_seconds() or None

    def _set_bounce(self, value: float | None) -> None:
        if value != self._get_bounce():
            self._configure(debounce_period=timedelta(seconds=value or 0))

    def _get_edges(self) -> str:
        return next(name for name, edge in _EDGES.items() if edge is self._edges)

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f"invalid edges {value!r} for pin {self!r}")
        self._edges = _EDGES[value]
        if self._when_changed is not None:
            self._configure(edge_detection=self._edges)

    def _enable_event_detect(self) -> None:
        self._configure(edge_detection=self._edges)
        assert self._request is not None  # noqa: S101 -- requested in the line above
        self._factory.watch(self._request.fd, self)

    def _disable_event_detect(self) -> None:
        if self._request is not None:
            self._factory.watch(self._request.fd, None)
            self._configure(edge_detection=Edge.NONE)


def _value(state: object) -> Value:
    return Value.ACTIVE if state else Value.INACTIVE


def _bias(pull: str) -> Bias:
    if pull not in _BIAS:
        raise PinInvalidPull(f"invalid pull {pull!r}: up, down or floating")
    return _BIAS[pull]


def _board(name: str, lines: int) -> Any:  # noqa: ANN401 -- gpiozero has no types
    """A board as gpiozero wants one: a single row of pins, each named by its number on the chip."""
    pins = frozendict(
        {
            line: PinInfo(
                number=line,
                name=f"GPIO{line}",
                names=frozenset({line, str(line), f"GPIO{line}", f"BCM{line}"}),
                pull="",
                row=line + 1,
                col=1,
                interfaces=frozendict({"gpio": f"GPIO{line}"}),
            )
            for line in range(lines)
        }
    )
    header = HeaderInfo(name=name, rows=lines, columns=1, pins=pins)
    unknown = dict.fromkeys(BoardInfo._fields, "")
    counts = dict.fromkeys(("memory", "usb", "usb3", "ethernet", "eth_speed", "csi", "dsi"), 0)
    absent = {"wifi": False, "bluetooth": False}
    return BoardInfo(**{**unknown, **counts, **absent, "model": name, "headers": frozendict({name: header})})
