"""Frames of OSDP: converts bytes on the line to frames and back, and repairs a damaged frame.

One rule: no bytes from the line raise an exception. Bytes that are not a frame are counted and skipped, and
the next whole frame is found whatever came before it. Source: SIA OSDP v2.2 (IEC 60839-11-5), 5.9 "packet format".
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass, replace
from typing import Final

SOM: Final = 0x53
MARK: Final = 0xFF
"""A filler that may precede a frame, so that transceivers which switch direction by themselves have settled."""
BROADCAST: Final = 0x7F
LARGEST: Final = 1440
"""Bytes of the largest frame there may be (v2.2); a longer length is damage."""
HEADER: Final = 5
_REPLY: Final = 0x80
_SEQUENCE, _CRC, _SECURITY = 0x03, 0x04, 0x08
_CRC_SEED: Final = 0x1D0F
MAC: Final = 4
"""Bytes of a message authentication code that are sent."""
FIRST_WITH_MAC: Final = 0x15
"""From this type of security block on (SCS_15) a frame carries a message authentication code."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `data` is what follows the command or reply code, still encrypted if it was."""

    address: int
    reply: bool
    sequence: int
    code: int
    data: bytes = b""
    security: bytes = b""
    """The security block without its length: its type (0x11 to 0x18) and data; empty in a plain frame."""
    mac: bytes = b""
    crc: bool = True
    """Two bytes of CRC-16; False for the one byte checksum of older devices."""

    @property
    def covered(self) -> bytes:
        """The bytes that a message authentication code covers: from the start up to the code itself."""
        block = bytes((len(self.security) + 1,)) + self.security if self.security else b""
        body = block + bytes((self.code,)) + self.data
        has_mac = bool(self.security) and self.security[0] >= FIRST_WITH_MAC
        length = HEADER + len(body) + (MAC if has_mac else 0) + (2 if self.crc else 1)
        control = self.sequence | (_CRC if self.crc else 0) | (_SECURITY if self.security else 0)
        head = bytes((SOM, self.address | (_REPLY if self.reply else 0), length & 0xFF, length >> 8, control))
        return head + body

    def encode(self) -> bytes:
        """The bytes for the line, without a mark in front."""
        content = self.covered + self.mac
        return content + _check(content, crc=self.crc)

    def with_mac(self, mac: bytes) -> Frame:
        """The same frame, authenticated."""
        return replace(self, mac=mac[:MAC])


def crc16(content: bytes) -> int:
    """CRC-16 of a frame: polynomial 0x1021, seed 0x1D0F (v2.2 annex C)."""
    return crc_hqx(content, _CRC_SEED)


def checksum(content: bytes) -> int:
    """The two's complement of the sum of all bytes, the check of devices without CRC."""
    return -sum(content) & 0xFF


def _check(content: bytes, *, crc: bool) -> bytes:
    return crc16(content).to_bytes(2, "little") if crc else bytes((checksum(content),))


def _decode(raw: bytes) -> Frame | None:
    """The frame of exactly these bytes, or None if they are not a frame."""
    crc = bool(raw[4] & _CRC)
    end = len(raw) - (2 if crc else 1)
    if end <= HEADER or _check(raw[:end], crc=crc) != raw[end:]:
        return None
    at = HEADER
    security = b""
    if raw[4] & _SECURITY:
        at += raw[HEADER]
        security = raw[HEADER + 1 : at]
        if not security or len(security) + 1 != raw[HEADER]:
            return None
    mac = b""
    if security and security[0] >= FIRST_WITH_MAC:
        end -= MAC
        mac = raw[end : end + MAC]
    if at >= end:
        return None
    reply = bool(raw[1] & _REPLY)
    return Frame(raw[1] & 0x7F, reply, raw[4] & _SEQUENCE, raw[at], raw[at + 1 : end], security, mac, crc)


class Parser:
    """Takes bytes as they come, in any portions, and returns whole frames.

    It keeps at most the bytes of one frame (`LARGEST`); bytes that cannot become a frame are dropped.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.damaged = 0
        """How often bytes began like a frame but were not one."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes. Returns the frames that they complete."""
        frames = []
        for at in range(0, len(data), LARGEST):
            self._buffer += data[at : at + LARGEST]
            frames += self._scan(last=False)
        return frames

    def flush(self) -> list[Frame]:
        """No more bytes will come for the frame that has begun: give it up, and find frames inside it."""
        return self._scan(last=True)

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and is not whole."""
        return bool(self._buffer)

    def _scan(self, *, last: bool) -> list[Frame]:
        frames = []
        buffer, at = bytes(self._buffer), 0
        while (at := buffer.find(SOM, at)) >= 0:
            length = int.from_bytes(buffer[at + 2 : at + 4], "little")
            if len(buffer) - at >= HEADER and not HEADER + 2 <= length <= LARGEST:
                self.damaged += 1
                at += 1
            elif len(buffer) - at < max(HEADER, length):
                if not last:
                    break
                self.damaged += 1
                at += 1
            elif (frame := _decode(buffer[at : at + length])) is None:
                self.damaged += 1
                at += 1
            else:
                frames.append(frame)
                at += length
        self._buffer = bytearray(buffer[at:]) if at >= 0 else bytearray()
        return frames


# --- mending -----------------------------------------------------------------------------------

_CONTRIBUTION: Final = [crc_hqx(bytes((byte,)), 0) for byte in range(256)]
_BYTE_OF: Final = {crc: byte for byte, crc in enumerate(_CONTRIBUTION)}
_TOP_OF: Final = {crc & 0xFF: byte for byte, crc in enumerate(_CONTRIBUTION)}


def mended(burst: bytes) -> list[Frame]:
    """Every frame that differs from these bytes in one byte only and whose CRC is right.

    A CRC does not prove that a mended frame is the one that was sent: use one only when its message
    authentication code is right. There are rarely more than two.
    """
    raw = burst.lstrip(bytes((MARK,)))
    if not HEADER + 3 <= len(raw) <= LARGEST:
        return []
    content, crc = raw[:-2], int.from_bytes(raw[-2:], "little")
    difference = crc16(content) ^ crc
    tries = [content] if (difference & 0xFF) == 0 or difference >> 8 == 0 else []
    for at in range(len(content) - 1, -1, -1):
        # `difference` is the effect of the wrong byte on the CRC at the end; undo one byte's step each turn.
        if (wrong := _BYTE_OF.get(difference)) is not None:
            tries.append(content[:at] + bytes((content[at] ^ wrong,)) + content[at + 1 :])
        top = _TOP_OF[difference & 0xFF]
        difference = (difference ^ _CONTRIBUTION[top]) >> 8 | top << 8
    frames = []
    for attempt in tries:
        whole = attempt + crc16(attempt).to_bytes(2, "little")
        sound = whole[0] == SOM and int.from_bytes(whole[2:4], "little") == len(whole) and whole[4] & _CRC
        if sound and (frame := _decode(whole)) is not None:
            frames.append(frame)
    return frames
