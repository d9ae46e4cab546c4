"""One Wiegand reader: its edges put in order, judged after a silence, and its cable watched.

One rule: nothing from a cable that is known to be bad is reported. Wiegand has no supervision: a wire that
is held low and a storm of edges can be noticed, a cut cable or a reader that has died cannot.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from drivers.wiegand.frames import CardFrame, DropReason, KeyFrame, understand
from drivers.wiegand.pulses import Collector
from edge.model.messages import Back, CardRead, KeysPressed, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivers.wiegand.lines import Edge
    from drivers.wiegand.points import Reader, Settings
    from drivers.wiegand.pulses import Burst
    from edge.model.messages import Json, Signal

MOST_EDGES: Final = 1024
"""Edges without a silence that are kept to be put in order. More of them are not a card, and are judged at once."""
STORM_EDGES: Final = 5000
"""Edges in a second that are a storm: more than pulses 200 us apart without a pause."""
DEAF_S: Final = 5
"""How long edges are not listened to after a storm, in seconds; after that it is checked whether it is over."""
STUCK_S: Final = 3
"""A wire is stuck when it is low in this many checks in a row, a second apart; a pulse is low for 100 us."""
STALE_NS: Final = 10_000_000_000
"""A card or key that is older than this is not used: somebody else may stand at the door by now."""
STALE: Final = "stale"
SEQUENCE_MOD: Final = 1 << 32


class ReaderLines(Protocol):
    """What a reader needs of its two lines; see `drivers.wiegand.lines.Pair`."""

    def fileno(self) -> int:
        """Readable while edges wait."""

    def read(self) -> Sequence[Edge]:
        """The edges that wait."""

    def low(self) -> Sequence[str]:
        """Which wires are low now."""

    def listen(self, *, on: bool) -> None:
        """Report edges or not."""


class OpenReader:
    """A reader while the driver is open. Its methods return signals, which the caller sends."""

    def __init__(
        self, point: str, model: Reader, settings: Settings, wires: ReaderLines, at_ns: Callable[[int], int]
    ) -> None:
        """`at_ns` gives the boot clock for the ticks of an edge."""
        self.point = point
        self.wires = wires
        self.trouble: str | None = None
        """Why everything from this reader is ignored now; None when all is well."""
        self._model = model
        self._gap_ns = settings.gap_ms * 1_000_000
        self._at_ns = at_ns
        self._collector = Collector(self._gap_ns, settings.glitch_us * 1_000)
        self._counts: Counter[str] = Counter()
        self._dropped_bits: int | None = None
        self._edges: list[Edge] = []
        self._sequence: int | None = 0
        self._this_second = 0
        self._deaf_s = 0
        self._low_s = 0

    @property
    def due_ns(self) -> int | None:
        """When `silence` should be called to end a burst; None while no burst is under way."""
        if self._edges:
            return self._at_ns(self._edges[-1].ticks) + self._gap_ns
        return self._collector.due_ns

    def fetch(self, now_ns: int) -> list[Signal]:
        """Take the edges that wait."""
        edges = self.wires.read()
        if self._deaf_s:
            return []
        self._edges += edges
        self._this_second += len(edges)
        if self._this_second > STORM_EDGES:
            return self._storm(now_ns)
        return self._judge(now_ns) if len(self._edges) > MOST_EDGES else []

    def silence(self, now_ns: int) -> list[Signal]:
        """Judge the bursts that are over at `now_ns`; all edges up to then must have been fetched."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return []
        signals = self._judge(now_ns)
        burst = self._collector.silence(now_ns)
        return signals if burst is None else [*signals, *self._understand(burst, now_ns)]

    def second(self, now_ns: int) -> list[Signal]:
        """Check the cable; called every second."""
        self._this_second = 0
        if self._deaf_s:
            self._deaf_s -= 1
            if not self._deaf_s:
                self.wires.read()  # drop the edges of the storm
                self._sequence = None
                self.wires.listen(on=True)
            return []
        low = self.wires.low()
        self._low_s = self._low_s + 1 if low else 0
        if self._low_s >= STUCK_S:
            held = " and ".join(low)
            return self._lose(f"{held} is held low: look for a short circuit, or a reader without power", now_ns)
        if self.trouble is None or low:
            return []
        self.trouble = None
        return [Back(frozenset({self.point}), now_ns)]

    def facts(self) -> dict[str, Json]:
        """How many cards and keys were read, and how many bursts were dropped, and why. No bits of any card."""
        counts: dict[str, Json] = {name: self._counts[name] for name in ("cards", "keys", *DropReason, STALE)}
        return {
            "d0": self._model.d0,
            "d1": self._model.d1,
            "trouble": self.trouble,
            **counts,
            "glitches": self._collector.glitches,
            "last_dropped_bits": self._dropped_bits,
        }

    def _judge(self, now_ns: int) -> list[Signal]:
        edges, self._edges = sorted(self._edges), []
        signals: list[Signal] = []
        for edge in edges:
            expected = edge.sequence if self._sequence is None else (self._sequence + 1) % SEQUENCE_MOD
            self._sequence = edge.sequence
            burst = self._collector.pulse(edge.wire, self._at_ns(edge.ticks), torn=edge.sequence != expected)
            signals += self._understand(burst, now_ns) if burst is not None else []
        return signals

    def _understand(self, burst: Burst, now_ns: int) -> list[Signal]:
        found = understand(burst, self._model.format, self._model.keypad)
        if isinstance(found, DropReason):
            self._counts[found] += 1
            self._dropped_bits = burst.bits
            return []
        if now_ns - burst.at_ns > STALE_NS:
            self._counts[STALE] += 1
            return []
        if self.trouble is not None:
            return []
        if isinstance(found, KeyFrame):
            self._counts["keys"] += 1
            return [KeysPressed(self.point, found.keys, burst.at_ns)]
        self._counts["cards"] += 1
        return [_card_read(self.point, found, burst)]

    def _storm(self, now_ns: int) -> list[Signal]:
        self._deaf_s = DEAF_S
        self._edges = []
        self._collector.forget()
        self.wires.listen(on=False)
        reason = f"more than {STORM_EDGES} pulses in a second on lines {self._model.d0} and {self._model.d1}: noise"
        return self._lose(f"{reason}, look for a loose cable or a missing ground", now_ns)

    def _lose(self, reason: str, now_ns: int) -> list[Signal]:
        known, self.trouble = self.trouble is not None, reason
        return [] if known else [Lost(frozenset({self.point}), reason, now_ns)]


def _card_read(point: str, card: CardFrame, burst: Burst) -> CardRead:
    return CardRead(point, card.bits, card.data, burst.at_ns)
