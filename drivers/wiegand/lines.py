"""The lines of Wiegand readers on a GPIO chip, through gpiod: edges with the kernel's own time stamps.

One rule: D0 and D1 of a reader are one request with one queue, so that lost edges of both are noticed;
and an output is off from its first moment on.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gpiod import LineSettings
from gpiod.line import Bias, Direction, Value
from gpiod.line import Edge as Detect

from drivers.gpio_chip import LineError, busy_lines, explain_line
from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import gpiod

    from drivers.gpio_chip import ChipFinder

CONSUMER: Final = "doorward"
"""What `gpioinfo` shows for a line that is ours."""
QUEUE_EDGES: Final = 512
"""Edges of one reader that the kernel keeps for us, a dozen cards; its default, 32, is less than one.
When it is full the oldest are dropped, which shows in the sequence numbers."""

_LISTENING: Final[dict[str, Any]] = {
    "direction": Direction.INPUT,
    "bias": Bias.PULL_UP,
    "edge_detection": Detect.FALLING,
}
_DEAF: Final[dict[str, Any]] = {**_LISTENING, "edge_detection": Detect.NONE}


class KernelClock:
    """The clock that stamps the edges, as `drivers.gpio.wire.BootTime` wants it."""

    @staticmethod
    def ticks() -> int:
        """Nanoseconds of CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return (later - earlier) / NS_PER_S


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A falling edge. They sort by the order in which they happened.

    The kernel queues the edges of each line in a thread of its own, so those of two lines may come the
    wrong way round; their numbers and time stamps are taken before that, in the interrupt.
    """

    ticks: int
    """Nanoseconds of CLOCK_MONOTONIC."""
    sequence: int
    """Counts the edges of both lines, from 1; one that was lost leaves a gap."""
    wire: int
    """0 or 1."""


class Pair:
    """D0 and D1 of one reader."""

    def __init__(self, chip: Chip, d0: int, d1: int) -> None:
        """Claim both, pulled up, and listen. Raises LineError."""
        self._chip = chip
        self._d0 = d0
        self._names = {d0: f"D0 (line {d0})", d1: f"D1 (line {d1})"}
        self._request = chip.request(dict.fromkeys((d0, d1), LineSettings(**_LISTENING)), QUEUE_EDGES)

    def fileno(self) -> int:
        """Readable while edges wait, or when the chip has gone."""
        return self._request.fd

    def read(self) -> list[Edge]:
        """All edges that wait; up to a full queue. Raises LineError when the chip has gone."""
        try:
            if not self._request.wait_edge_events(0):
                return []
            events = self._request.read_edge_events(QUEUE_EDGES)
        except OSError as error:
            raise self._chip.explain(error, self._d0) from error
        return [Edge(e.timestamp_ns, e.global_seqno, int(e.line_offset != self._d0)) for e in events]

    def low(self) -> list[str]:
        """Which of the two wires is low now, for people. Raises LineError when the chip has gone."""
        try:
            values = self._request.get_values()
        except OSError as error:
            raise self._chip.explain(error, self._d0) from error
        return [name for name, value in zip(self._names.values(), values, strict=True) if value is Value.INACTIVE]

    def listen(self, *, on: bool) -> None:
        """Have edges reported, or spare the processor. Raises LineError when the chip has gone."""
        settings = LineSettings(**(_LISTENING if on else _DEAF))
        try:
            self._request.reconfigure_lines(dict.fromkeys(self._names, settings))
        except OSError as error:
            raise self._chip.explain(error, self._d0) from error


class Chip:
    """One chip, and the lines of it that have been claimed."""

    def __init__(self, finder: ChipFinder) -> None:
        """Open the chip without touching a line. Raises LineError."""
        self._chip = finder.open()
        self._info = self._chip.get_info()
        self.name, self.label = self._info.name, self._info.label
        self._requests: list[gpiod.LineRequest] = []
        self._driven: dict[int, gpiod.LineRequest] = {}

    def refuse_conflicts(self, wanted: Collection[int]) -> None:
        """Raise LineError when one of these lines is held or does not exist. No line is touched."""
        try:
            held = busy_lines(self._chip, wanted)
        except OSError as error:
            raise self.explain(error, min(wanted)) from error
        for line in sorted(wanted):
            if line in held or line >= self._info.num_lines:
                raise self.explain(OSError(errno.EBUSY, ""), line)

    def drive(self, outputs: Mapping[int, bool]) -> None:
        """Claim outputs together (line -> whether high is on), all off in one step. Raises LineError."""
        off: dict[Any, LineSettings | None] = {
            line: LineSettings(direction=Direction.OUTPUT, active_low=not high, output_value=Value.INACTIVE)
            for line, high in outputs.items()
        }
        if off:
            self._driven |= dict.fromkeys(outputs, self.request(off, None))

    def let_go(self, outputs: Collection[int]) -> None:
        """Release outputs that were claimed together."""
        for request in {self._driven.pop(line) for line in outputs}:
            self._requests.remove(request)
            request.release()

    def request(self, lines: dict[Any, LineSettings | None], queue: int | None) -> gpiod.LineRequest:
        """Claim lines together. Raises LineError."""
        try:
            made = self._chip.request_lines(lines, consumer=CONSUMER, event_buffer_size=queue)
        except (OSError, ValueError) as error:
            raise self.explain(error, min(lines)) from error
        self._requests.append(made)
        return made

    def set(self, line: int, *, on: bool) -> None:
        """Switch an output. Raises LineError, also for one that was not claimed."""
        if line not in self._driven:
            raise LineError(errno.EBADF, f"line {line} of {self.name} has not been claimed")
        try:
            self._driven[line].set_value(line, Value.ACTIVE if on else Value.INACTIVE)
        except OSError as error:
            raise self.explain(error, line) from error

    def explain(self, error: Exception, line: int) -> LineError:
        """What went wrong with a line, and what to do about it, as a sentence."""
        return explain_line(self._info, error, line, lambda lines: busy_lines(self._chip, lines))

    def close(self) -> None:
        """Release every line; outputs stay as they are."""
        for request in self._requests:
            request.release()
        self._requests, self._driven = [], {}
        self._chip.close()
