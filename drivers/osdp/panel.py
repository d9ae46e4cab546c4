"""Decides which reader on one line is asked next, and when to stop waiting for an answer.

One rule: one question at a time, and every reader gets its turn, whatever another reader does. It reads no
clock and touches no port: bytes and the time go in, bytes and the time of the next turn come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.osdp.frames import LARGEST, MARK, Frame, Parser
from drivers.osdp.profile import MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.osdp.device import Device
    from drivers.osdp.profile import Happening

GAP_NS: Final = 20 * MS
"""The longest pause inside a frame; beyond it, it will not be completed (v2.2, 5.7)."""
BITS: Final = 10
"""Bits of a byte on the line: a start bit, eight data bits, a stop bit."""
LONGEST_ANSWER: Final = 256
"""Bytes; the rest of a longer answer is not waited for."""
PROBE_SHARE: Final = 3
"""While other readers are online, probes for lost readers take one quarter of the line's time at most."""
NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do now: send these bytes (if any), and call again at `wake_ns`, or earlier when bytes come."""

    send: bytes
    wake_ns: int


@dataclass(slots=True)
class _Wait:
    """A question on the line."""

    device: Device
    sent: bytes
    sent_ns: int
    spoken_ns: int
    """When its last bit has been sent."""
    burst: bytearray
    first_ns: int = 0
    last_ns: int = 0


class Panel:
    """All readers of one line."""

    def __init__(self, devices: Sequence[Device], baud: int) -> None:
        """Devices have different addresses."""
        self.devices = {device.profile.address: device for device in devices}
        self.noise = 0
        """Bytes that came while no question was open."""
        self._byte_ns = BITS * 1_000_000_000 // baud
        self._parser = Parser()
        self._wait: _Wait | None = None
        self._free_ns = 0
        self._probe_ns = 0
        self._happenings: list[Happening] = []

    @property
    def damaged(self) -> int:
        """How often bytes began like a frame but were not one."""
        return self._parser.damaged

    def happenings(self) -> list[Happening]:
        """What has happened since the last time, in order."""
        taken, self._happenings = self._happenings, []
        return taken

    def advance(self, now_ns: int, received: bytes = b"") -> NextStep:
        """Take what came and do what is due."""
        if received:
            self._free_ns = now_ns + 2 * self._byte_ns  # time for the other side's transmitter to switch off
            if self._wait is None:
                self.noise += len(received)
            else:
                self._listen(self._wait, received, now_ns)
        if self._wait is not None and now_ns >= self._deadline_ns(self._wait):
            self._give_up(self._wait, now_ns)
        send = b""
        if self._wait is None and now_ns >= self._free_ns:
            send = self._ask(now_ns)
        self._gather()
        return NextStep(send, self._wake_ns())

    # --- listening -----------------------------------------------------------------------------

    def _listen(self, wait: _Wait, received: bytes, now_ns: int) -> None:
        wait.burst += received
        if wait.sent.startswith(wait.burst):
            return  # a transceiver that hears itself; or the beginning of an answer, which is the same
        if wait.burst.startswith(wait.sent):
            del wait.burst[: len(wait.sent)]
            received = bytes(wait.burst)
            if not received:
                return
        elif not wait.first_ns:
            received = bytes(wait.burst)
        wait.first_ns = wait.first_ns or now_ns
        wait.last_ns = now_ns
        self._offer(wait, self._parser.feed(received), now_ns)

    def _offer(self, wait: _Wait, frames: Sequence[Frame], now_ns: int) -> bool:
        took_ns = max(0, wait.first_ns - wait.spoken_ns)
        for frame in frames:
            mine = frame.reply and frame.address == wait.device.profile.address
            if mine and wait.device.answered(frame, took_ns, now_ns):
                self._done()
                return True
        if frames and not self._parser.pending:  # whole frames, but not the one: go on waiting as if nothing had come
            wait.burst.clear()
            wait.first_ns = 0
        return False

    def _deadline_ns(self, wait: _Wait) -> int:
        begin_ns = wait.spoken_ns + wait.device.patience_ns
        if not wait.first_ns:
            return begin_ns
        return min(wait.last_ns + GAP_NS + 2 * self._byte_ns, begin_ns + LONGEST_ANSWER * self._byte_ns + GAP_NS)

    def _give_up(self, wait: _Wait, now_ns: int) -> None:
        probing = wait.device.probing
        if wait.first_ns and self._offer(wait, self._parser.flush(), now_ns):
            return
        if not wait.first_ns and now_ns < self._deadline_ns(wait):
            return
        if not (wait.first_ns and wait.device.mend(bytes(wait.burst[-LARGEST:]), now_ns)):
            wait.device.failed(now_ns, damaged=bool(wait.first_ns))
        if probing:
            self._probe_ns = now_ns + PROBE_SHARE * (now_ns - wait.sent_ns)
        self._done()

    def _done(self) -> None:
        self._wait = None
        self._parser.flush()

    # --- asking ----------------------------------------------------------------------------------

    def _ask(self, now_ns: int) -> bytes:
        ready = [device for device in self.devices.values() if self._ready_ns(device) <= now_ns]
        if not ready:
            return b""
        device = min(ready, key=lambda device: (not device.urgent, self._ready_ns(device)))
        content = bytes((MARK,)) + device.ask(now_ns)
        spoken_ns = now_ns + len(content) * self._byte_ns
        self._wait = _Wait(device, content, now_ns, spoken_ns, bytearray())
        return content

    def _ready_ns(self, device: Device) -> int:
        others = any(other.online for other in self.devices.values())
        return max(device.wake_ns, self._probe_ns) if device.probing and others else device.wake_ns

    def _wake_ns(self) -> int:
        if self._wait is not None:
            return self._deadline_ns(self._wait)
        return max(self._free_ns, min(map(self._ready_ns, self.devices.values()), default=NEVER))

    def _gather(self) -> None:
        for device in self.devices.values():
            if device.happenings:
                self._happenings += device.happenings
                device.happenings = []
