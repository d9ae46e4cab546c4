"""Questions and answers of Modbus RTU: the bytes to send, and which of the bytes received are the answer.

One rule: an answer has the unit, function, length and CRC that the question asks for; everything else on the line
is noise. RTU does not number messages, so all of these have to match (Modbus over Serial Line 1.02, 2.5.1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteSingleRegisterRequest,
)

FLASH_ON: Final = 0x0200
FLASH_OFF: Final = 0x0400
MOST_TENTHS: Final = 0x7FFF
"""Waveshare Modbus RTU Relay, development protocol V2 (www.waveshare.com/wiki/Modbus_RTU_Relay): function 5 to the
address 0x0200 + relay switches it on, to 0x0400 + relay off, for the value times 100 ms; then it falls back."""
SHORTEST: Final = 5
"""Bytes of an answer that refuses: unit, function, reason, CRC."""
REFUSAL: Final = 0x80
REASONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
"""Modbus Application Protocol 1.1b3, chapter 7."""


@dataclass(frozen=True, slots=True)
class Read:
    """Ask for `count` entries of a table from `first` on; the answer is a tuple of bits or of registers."""

    unit: int
    table: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class SetCoil:
    """Switch a coil. `tenths`: only for this many tenths of a second; then the board switches it back."""

    unit: int
    coil: int
    on: bool
    tenths: int | None = None


@dataclass(frozen=True, slots=True)
class SetRegister:
    """Write a holding register."""

    unit: int
    register: int
    value: int


Question: TypeAlias = Read | SetCoil | SetRegister
Values: TypeAlias = tuple[int, ...]


class ExceptionReply(Exception):  # noqa: N818 -- it is an answer, and says what the board did
    """The board answered with an exception: it refuses."""

    def __init__(self, code: int) -> None:
        """`code` is Modbus's exception code."""
        super().__init__(f"refuses: {REASONS.get(code, 'for a reason of its own')} ({code})")
        self.code = code


class _Flash(WriteSingleCoilRequest):
    def encode(self) -> bytes:
        return struct.pack(">HH", self.address, self.count)


_READS: Final = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_DECODER: Final = DecodePDU(is_server=False)
_FRAMER: Final = FramerRTU(_DECODER)


def encode(question: Question) -> bytes:
    """The frame to send."""
    unit = question.unit
    if isinstance(question, Read):
        return _FRAMER.buildFrame(_READS[question.table](dev_id=unit, address=question.first, count=question.count))
    if isinstance(question, SetRegister):
        write = WriteSingleRegisterRequest(dev_id=unit, address=question.register, registers=[question.value])
        return _FRAMER.buildFrame(write)
    if question.tenths is None:
        return _FRAMER.buildFrame(WriteSingleCoilRequest(dev_id=unit, address=question.coil, bits=[question.on]))
    address = (FLASH_ON if question.on else FLASH_OFF) + question.coil
    return _FRAMER.buildFrame(_Flash(dev_id=unit, address=address, count=min(question.tenths, MOST_TENTHS)))


class ReplyBuffer:
    """Bytes as they come, until they hold the answer to one question."""

    def __init__(self, question: Question, sent: bytes, *, echo: bool = False) -> None:
        """`sent` is the question's frame: the answer to a write has the same bytes. `echo`: it is heard as well."""
        self._question = question
        self._sent = sent
        self._from = len(sent) if echo else 0
        self._heard = bytearray()
        self.noise = 0
        """Bytes that so far belong to no answer to this question."""

    @property
    def heard(self) -> int:
        """The number of bytes that have come so far."""
        return len(self._heard)

    @property
    def echoed(self) -> bool:
        """Whether what came begins with the question itself."""
        return self._heard.startswith(self._sent)

    def take(self, data: bytes) -> Values | None:
        """Take bytes; the answer when it is whole, () to a write. Raises ExceptionReply when the board refuses."""
        self._heard += data
        for start in range(self._from if self.echoed else 0, len(self._heard) - SHORTEST + 1):
            frame = self._frame(start)
            if frame is not None:
                self.noise = len(self._heard) - len(frame)
                return self._read(frame)
        self.noise = len(self._heard)
        return None

    def _frame(self, start: int) -> bytes | None:
        """The answer that starts there, or None."""
        unit, function = self._heard[start : start + 2]
        if unit != self._sent[0] or function & ~REFUSAL != self._sent[1]:
            return None
        frame = bytes(self._heard[start : start + (SHORTEST if function & REFUSAL else self._length)])
        if not isinstance(self._question, Read) and not function & REFUSAL:
            return frame if frame == self._sent else None
        if not function & REFUSAL and frame[2] != self._length - SHORTEST:
            return None
        if len(frame) < SHORTEST or not FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
            return None
        return frame

    @property
    def _length(self) -> int:
        question = self._question
        if not isinstance(question, Read):
            return len(self._sent)
        return SHORTEST + (-(-question.count // 8) if question.table in {"coil", "discrete"} else 2 * question.count)

    def _read(self, frame: bytes) -> Values | None:
        answer = _DECODER.decode(frame[1:-2])
        if isinstance(answer, ExceptionResponse):
            raise ExceptionReply(answer.exception_code)
        if answer is None:
            return None
        if not isinstance(self._question, Read):
            return ()
        values = answer.bits or answer.registers
        return tuple(int(value) for value in values[: self._question.count])
