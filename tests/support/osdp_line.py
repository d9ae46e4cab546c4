"""A line between a panel and readers in virtual time: bytes take their time and may be damaged on the way."""

from __future__ import annotations

import heapq
import itertools
import random
from typing import TYPE_CHECKING, Any

from drivers.osdp.device import Device
from drivers.osdp.frames import LARGEST
from drivers.osdp.panel import Panel
from drivers.osdp.profile import Heard, Offline, Online, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drivers.osdp.profile import Happening
    from drivers.osdp.switches import Switch
    from tests.support.osdp_pd import Reader

MS = 1_000_000
S = 1_000_000_000
KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")


def untouched(_direction: str, _now_ns: int, byte: int) -> bytes:
    return bytes((byte,))


def noise(rate: float, seed: int) -> Callable[[str, int, int], bytes]:
    """Each byte has this chance of one flipped bit."""
    dice = random.Random(seed)

    def wire(_direction: str, _now_ns: int, byte: int) -> bytes:
        return bytes((byte ^ 1 << dice.randrange(8) if dice.random() < rate else byte,))

    return wire


def loss(rate: float, seed: int) -> Callable[[str, int, int], bytes]:
    """Each byte has this chance to vanish."""
    dice = random.Random(seed)
    return lambda _direction, _now_ns, byte: b"" if dice.random() < rate else bytes((byte,))


def device(
    address: int = 1, *, switches: Mapping[str, Switch] | None = None, now_ns: int = 0, seed: int = 1, **more: Any
) -> Device:
    """The panel's side of a reader, with a key unless told otherwise."""
    more.setdefault("key", KEY)
    return Device(Profile(address, **more), switches or {}, random.Random(seed).randbytes, now_ns)


class Line:
    """A panel, readers and the wire between them."""

    def __init__(
        self,
        devices: Iterable[Device],
        readers: Iterable[Reader],
        *,
        baud: int = 9600,
        turnaround_ns: int = 3 * MS,
        wire: Callable[[str, int, int], bytes] = untouched,
    ) -> None:
        self.now_ns = 0
        self.panel = Panel([*devices], baud)
        self.readers = [*readers]
        self.wire = wire
        self.cut: set[int] = set()
        self.turnaround_ns = turnaround_ns
        self.happenings: list[tuple[int, Happening]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.replies: list[tuple[int, int, bytes]] = []
        self._byte_ns = 10 * S // baud
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._silence = dict.fromkeys((reader.address for reader in self.readers), 0)
        self._turn = 0
        self._at(0, self._advance)

    def at(self, when_ns: int, call: Callable[[], object]) -> None:
        """Do something then; the panel looks up afterwards."""

        def due() -> None:
            call()
            self._advance()

        self._at(when_ns, due)

    def run(self, for_ns: int) -> None:
        end_ns = self.now_ns + for_ns
        while self._heap and self._heap[0][0] <= end_ns:
            self.now_ns, _, call = heapq.heappop(self._heap)
            call()
        self.now_ns = end_ns

    def until(self, condition: Callable[[], object], patience_ns: int = 60 * S) -> int:
        """Run until it holds; returns the time."""
        end_ns = self.now_ns + patience_ns
        while not condition():
            assert self._heap[0][0] <= end_ns, "it never happens"
            self.now_ns, _, call = heapq.heappop(self._heap)
            call()
        return self.now_ns

    def heard(self, kind: type[Any]) -> list[Any]:
        return [h.message for _, h in self.happenings if isinstance(h, Heard) and isinstance(h.message, kind)]

    def states(self) -> list[str]:
        names = {Online: "online", Offline: "offline"}
        return [names[type(h)] for _, h in self.happenings if type(h) in names]

    # --- machinery -----------------------------------------------------------------------------------

    def _at(self, when_ns: int, call: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when_ns, next(self._order), call))

    def _advance(self, received: bytes = b"") -> None:
        self._turn += 1
        turn, mine = self.panel.advance(self.now_ns, received), self._turn
        self.happenings += [(self.now_ns, h) for h in self.panel.happenings()]
        if turn.send:
            self.sent.append((self.now_ns, turn.send))
            assert len(turn.send) <= LARGEST + 1
            for at, byte in enumerate(turn.send, start=1):
                self._at(self.now_ns + at * self._byte_ns, lambda byte=byte: self._to_readers(byte))  # type: ignore[misc]  # a bound default
        self._at(max(self.now_ns, turn.wake_ns), lambda: self._advance() if mine == self._turn else None)

    def _to_readers(self, byte: int) -> None:
        data = self.wire("out", self.now_ns, byte)
        for reader in self.readers:
            if reader.address in self.cut:
                continue
            if self.now_ns - self._silence[reader.address] > 20 * MS:
                reader.quiet()
            self._silence[reader.address] = self.now_ns
            answer = reader.receive(data, self.now_ns)
            if answer:
                self.replies.append((self.now_ns, reader.address, answer))
                for at, back in enumerate(answer, start=1):
                    when_ns = self.now_ns + self.turnaround_ns + at * self._byte_ns
                    self._at(when_ns, lambda back=back, reader=reader: self._to_panel(back, reader))  # type: ignore[misc]  # bound defaults

    def _to_panel(self, byte: int, reader: Reader) -> None:
        if reader.address in self.cut:
            return
        data = self.wire("in", self.now_ns, byte)
        for other in self.readers:
            if other is not reader and other.address not in self.cut:
                other.receive(data, self.now_ns)  # two wires: everybody hears everybody
        if data:
            self._advance(data)
