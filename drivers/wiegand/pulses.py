"""Makes bursts of bits from pulses on two wires: a burst is what comes between two silences of a Wiegand line.

One rule: time is handed in and nothing is guessed. A burst in which a pulse may be missing or may have
come on the wrong wire is given up as a whole.
The usual figures, which every reader's data sheet repeats after the SIA's AC-01 (1996): a pulse pulls one wire
low for 20 to 100 us, pulses are 0.2 to 20 ms apart, a pulse on D0 is a 0 and one on D1 a 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST_BITS: Final = 256
"""A burst keeps no more bits than this, and with more it is not a card; the longest cards in use have 200."""


class Fault(StrEnum):
    """Why a burst cannot be trusted."""

    COLLISION = "collision"
    """Both wires fell at once: crosstalk, or the interrupt came too late to know which was first."""
    TOO_LONG = "too_long"
    """More bits than any card has: noise, or a gap that is too wide for this reader."""
    TORN = "torn"
    """The kernel dropped edges because they were not fetched in time."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The bits that came between two silences."""

    bits: int
    value: int = field(repr=False)
    """The bits as a number, the first the most significant."""
    at_ns: int
    """When the last pulse began."""
    fault: Fault | None = None


class Collector:
    """One reader's two wires. Feed it falling edges in their order, and ask when silence has lasted."""

    def __init__(self, gap_ns: int, glitch_ns: int) -> None:
        """Silence of `gap_ns` ends a burst; edges closer than `glitch_ns` are not two pulses."""
        self.glitches = 0
        """Edges that were left out because their own wire had just fallen."""
        self._gap_ns = gap_ns
        self._glitch_ns = glitch_ns
        self._bits = 0
        self._value = 0
        self._last: tuple[int, int] | None = None  # the latest pulse: its wire and time
        self._fault: Fault | None = None

    @property
    def due_ns(self) -> int | None:
        """When the burst that is under way will be over if no more pulses come; None without one."""
        return None if self._last is None else self._last[1] + self._gap_ns

    def pulse(self, wire: int, at_ns: int, *, torn: bool = False) -> Burst | None:
        """Take a falling edge of D0 (0) or D1 (1). Returns the burst before it, if that is over now.

        `torn`: edges before it were lost, of the burst before or of its own. So neither of them counts.
        """
        if torn:
            self._fault = self._fault or Fault.TORN
        over = self.silence(at_ns)
        if torn:
            self._fault = self._fault or Fault.TORN
        if self._last is not None and at_ns - self._last[1] < self._glitch_ns:
            if wire == self._last[0]:
                self.glitches += 1  # ringing of the pulse that is already counted
                return over
            self._fault = self._fault or Fault.COLLISION
        self._last = wire, at_ns
        if self._bits == MOST_BITS:
            self._fault = self._fault or Fault.TOO_LONG
        else:
            self._bits += 1
            self._value = self._value << 1 | wire
        return over

    def silence(self, now_ns: int) -> Burst | None:
        """Return the burst that is over at `now_ns`, if any. Everything up to then must have been fed."""
        if self._last is None or now_ns - self._last[1] < self._gap_ns:
            return None
        burst = Burst(self._bits, self._value, self._last[1], self._fault)
        self.forget()
        return burst

    def forget(self) -> None:
        """Give up the burst that is under way."""
        self._bits, self._value, self._last, self._fault = 0, 0, None, None
