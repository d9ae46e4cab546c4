"""A reader of our own, by the standard: it repeats its last answer when it is asked the same again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivers.osdp import secure
from drivers.osdp.frames import Frame, Parser
from drivers.osdp.messages import CommandCode, NakReason, ReplyCode

if TYPE_CHECKING:
    from collections.abc import Callable

S = 1_000_000_000
ALL = bytes((1, 1, 4, 2, 4, 4, 3, 1, 1, 4, 1, 1, 5, 1, 1, 8, 1, 0, 9, 1, 1))
IDENTITY = bytes((0xCA, 0xFE, 0xBA, 7, 2)) + (4711).to_bytes(4, "little") + bytes((1, 2, 3))


@dataclass
class Relay:
    """An output with its permanent state and what is timed on top of it."""

    permanent: bool = False
    timed: bool | None = None
    until_ns: int = 0

    def on(self, now_ns: int) -> bool:
        return self.timed if self.timed is not None and now_ns < self.until_ns else self.permanent

    def order(self, code: int, tenths: int, now_ns: int) -> None:
        if code in {1, 2}:
            self.timed = None
        if code in {1, 2, 3, 4}:
            self.permanent = code in {2, 4}
        if code in {5, 6}:
            self.timed, self.until_ns = code == 5, now_ns + tenths * S // 10


@dataclass
class Reader:
    """One peripheral device; bytes in, bytes out, the time handed in."""

    address: int
    key: bytes | None = None
    install: bool = False
    enforce: bool = False
    capabilities: bytes = ALL
    refuses: dict[int, int] = field(default_factory=dict)
    """Command code -> reason it is refused with."""
    busy: int = 0
    """How many questions are answered with BUSY."""
    forgets: bool = False
    """Like some readers: a repeated question is taken for a new one, and a damaged one ends the session."""

    crc: bool = True
    """False: an older reader, which knows the one-byte checksum only."""

    def __post_init__(self) -> None:
        self.events: deque[tuple[int, bytes]] = deque()
        self.relays = [Relay() for _ in range(4)]
        self.inputs = bytearray(4)
        self.tamper = False
        self.heard: list[tuple[int, int, bytes, bytes]] = []
        """(time, code, data, security block) of each new question."""
        self.parser = Parser()
        self.sequence = -1
        self.last = b""
        self.asked = b""
        self.session: secure.SecureSession | None = None
        self.keys: secure.SessionKeys | None = None
        self.last_ns = 0
        self.randoms = 0

    def card(self, number: int, bits: int = 26) -> None:
        size = (bits + 7) // 8
        content = (number << (size * 8 - bits)).to_bytes(size, "big")
        self.events.append((ReplyCode.RAW, bytes((0, 1)) + bits.to_bytes(2, "little") + content))

    def reset(self) -> None:
        """Power off and on."""
        self.parser, self.sequence, self.last, self.session, self.keys = Parser(), -1, b"", None, None
        self.relays = [Relay() for _ in range(4)]

    def receive(self, data: bytes, now_ns: int) -> bytes:
        damaged = self.parser.damaged
        frames = self.parser.feed(data)
        if self.forgets and self.parser.damaged > damaged:
            self.session = None
        answer = b""
        for frame in frames:
            if not frame.reply and frame.address == self.address:
                answer = self.answer(frame, now_ns)
        return answer

    def quiet(self) -> None:
        """The line has been still for longer than a pause within a frame."""
        damaged = self.parser.damaged
        self.parser.flush()
        if self.forgets and self.parser.damaged > damaged:
            self.session = None

    def answer(self, frame: Frame, now_ns: int) -> bytes:
        raw = frame.encode()
        if frame.crc and not self.crc:
            return self.plain(frame.sequence, ReplyCode.NAK, bytes((NakReason.CHECK,)))
        if self.session is not None and now_ns - self.last_ns > 8 * S:
            self.session = None
        if frame.sequence == self.sequence and raw == self.asked and frame.sequence and not self.forgets:
            return self.last
        expected = {0, self.sequence % 3 + 1 if self.sequence >= 0 else 0}
        if self.forgets and frame.sequence:
            expected.add(self.sequence)
        if frame.sequence == 0:
            self.session = None
        elif frame.sequence not in expected:
            return self.plain(max(self.sequence, 0), ReplyCode.NAK, bytes((NakReason.SEQUENCE,)))
        if self.busy:
            self.busy -= 1
            return self.plain(0, ReplyCode.BUSY)
        self.sequence, self.asked, self.last_ns = frame.sequence, raw, now_ns
        self.last = self.work(frame, now_ns)
        return self.last

    def plain(self, sequence: int, code: int, data: bytes = b"", security: bytes = b"") -> bytes:
        return Frame(self.address, True, sequence, code, data, security, crc=self.crc).encode()

    def work(self, frame: Frame, now_ns: int) -> bytes:
        data, kind = frame.data, frame.security[:1]
        sealed = kind >= bytes((secure.COMMAND,))
        if sealed:
            try:
                opened = None if self.session is None else self.session.open(frame)
            except secure.SecureError:
                opened = None
            if opened is None:
                self.session = None
                return self.plain(frame.sequence, ReplyCode.NAK, bytes((NakReason.NEEDS_SECURITY,)))
            data = opened
        self.heard.append((now_ns, frame.code, data, frame.security))
        handshake = {CommandCode.ID, CommandCode.CAP, CommandCode.CHLNG, CommandCode.SCRYPT}
        if self.enforce and not sealed and frame.code not in handshake:
            return self.plain(frame.sequence, ReplyCode.NAK, bytes((NakReason.NEEDS_SECURITY,)))
        if frame.code in self.refuses:
            code, reply = int(ReplyCode.NAK), bytes((self.refuses[frame.code],))
        elif frame.code in {CommandCode.CHLNG, CommandCode.SCRYPT}:
            return self.handshake(frame)
        else:
            code, reply = self.do(frame.code, data, now_ns)
        if self.session is not None and sealed:
            answer = self.session.seal(self.address, frame.sequence, code, reply).encode()
            if frame.code == CommandCode.KEYSET and code == ReplyCode.ACK:
                self.session, self.install = None, False
            return answer
        return self.plain(frame.sequence, code, reply)

    def handshake(self, frame: Frame) -> bytes:
        default = frame.security[1:2] == b"\0"
        if frame.code == CommandCode.CHLNG:
            key = (secure.DEFAULT_KEY if self.install else None) if default else (self.key or bytes(16))
            if key is None:
                return self.plain(frame.sequence, ReplyCode.NAK, bytes((NakReason.NO_SECURITY,)))
            self.randoms += 1
            random = self.randoms.to_bytes(8, "big")
            self.keys = secure.SessionKeys.derive(key, frame.data, random)
            block = bytes((secure.CHALLENGED, not default))
            return self.plain(frame.sequence, ReplyCode.CCRYPT, bytes(8) + random + self.keys.device_cryptogram, block)
        if self.keys is None or frame.data != self.keys.panel_cryptogram:
            return self.plain(frame.sequence, ReplyCode.NAK, bytes((NakReason.NO_SECURITY,)))
        self.session = secure.SecureSession(self.keys, device=True)
        return self.plain(frame.sequence, ReplyCode.RMAC_I, self.keys.first_mac, bytes((secure.FIRST_MAC, 1)))

    def do(self, code: int, data: bytes, now_ns: int) -> tuple[int, bytes]:
        answers: dict[int, Callable[[], tuple[int, bytes]]] = {
            CommandCode.POLL: lambda: self.events.popleft() if self.events else (ReplyCode.ACK, b""),
            CommandCode.ID: lambda: (ReplyCode.PDID, IDENTITY),
            CommandCode.CAP: lambda: (ReplyCode.PDCAP, self.capabilities),
            CommandCode.LSTAT: lambda: (ReplyCode.LSTATR, bytes((self.tamper, 0))),
            CommandCode.ISTAT: lambda: (ReplyCode.ISTATR, bytes(self.inputs)),
            CommandCode.OSTAT: lambda: (ReplyCode.OSTATR, bytes(relay.on(now_ns) for relay in self.relays)),
        }
        if code in answers:
            return answers[code]()
        if code == CommandCode.OUT:
            self.relays[data[0]].order(data[1], int.from_bytes(data[2:4], "little"), now_ns)
        elif code == CommandCode.KEYSET:
            self.key = data[2:18]
        return ReplyCode.ACK, b""
