"""The serial port and one question at a time on it: asked, waited for, answered or not.

One rule: a port that is gone raises OSError, a board that does not answer raises NoAnswer; nothing is tried again here.
It waits for answers, so it is called from the driver's thread, and from `open` before that thread exists.
"""

from __future__ import annotations

import errno
import os
import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serial import PARITY_EVEN, PARITY_NONE, PARITY_ODD

from drivers.modbus.frames import ExceptionReply, Read, ReplyBuffer, Values, encode
from drivers.serial_port import opened, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from serial import Serial

    from drivers.modbus.frames import Question
    from drivers.modbus.points import Settings

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
PORTION: Final = 512
MOST_HEARD: Final = 1024
"""Bytes after one question: when more come, the line is too noisy, and the question counts as not answered."""
FAST_BAUD: Final = 19200
FAST_SILENCE_NS: Final = 1_750_000
"""Above 19200 Bd the silence between frames is 1.75 ms (Modbus over Serial Line 1.02, 2.5.1.1)."""
PARITIES: Final = {"none": PARITY_NONE, "even": PARITY_EVEN, "odd": PARITY_ODD}


class NoAnswer(Exception):  # noqa: N818 -- says what happened
    """The board has not answered in time."""


@dataclass(slots=True)
class LineCounts:
    """What has been on the line."""

    asked: int = 0
    answered: int = 0
    silent: int = 0
    """Not a byte came."""
    garbled: int = 0
    """Bytes came, but no answer was in them: noise, a wrong CRC, a late answer of another unit."""
    refused: int = 0
    """Exception responses."""
    noise_bytes: int = 0
    echoes: bool = False
    """The adapter hears what it sends itself. Detected at reads, whose answers always differ from their questions."""


class Line:
    """An open port."""

    def __init__(self, settings: Settings, now_ns: Callable[[], int]) -> None:
        """Open the port exclusively. Raises OSError with a sentence that says what to do."""
        self.counts = LineCounts()
        self._now_ns = now_ns
        self._timeout_ns = settings.timeout_ms * NS_PER_MS
        bits = 9 + (settings.parity != "none") + settings.stop_bits
        self._byte_ns = bits * NS_PER_S // settings.baud
        self._silence_ns = FAST_SILENCE_NS if settings.baud > FAST_BAUD else 7 * self._byte_ns // 2
        self._quiet_since_ns = 0
        parity, stop_bits = PARITIES[settings.parity], settings.stop_bits
        self._serial: Serial = opened(settings.port, settings.baud, parity=parity, stopbits=stop_bits)
        self._fd = self._serial.fileno()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def ask(self, question: Question) -> Values:
        """Ask, and return the answer, () to a write. Raises NoAnswer, ExceptionReply, OSError when the port is gone."""
        frame = encode(question)
        self._discard()
        self._rest()
        write(self._fd, frame)
        self.counts.asked += 1
        hearing = ReplyBuffer(question, frame, echo=self.counts.echoes)
        deadline_ns = self._now_ns() + self._timeout_ns + len(frame) * self._byte_ns
        try:
            answer = self._await(hearing, deadline_ns)
        except ExceptionReply:
            self.counts.refused += 1
            raise
        finally:
            self._quiet_since_ns = self._now_ns()
            self.counts.noise_bytes += hearing.noise
        if isinstance(question, Read):
            self.counts.echoes = hearing.echoed
        if answer is not None:
            self.counts.answered += 1
            return answer
        if hearing.heard:
            self.counts.garbled += 1
            raise NoAnswer("answers with noise")
        self.counts.silent += 1
        raise NoAnswer("does not answer")

    def close(self) -> None:
        """Close the port; never raises."""
        try:
            self._serial.close()
        except OSError:
            return  # it had gone before

    def _await(self, hearing: ReplyBuffer, deadline_ns: int) -> Values | None:
        while hearing.heard < MOST_HEARD:
            left_ns = deadline_ns - self._now_ns()
            if left_ns <= 0:
                return None
            answer = hearing.take(self._receive(left_ns))
            if answer is not None:
                return answer
        return None

    def _receive(self, patience_ns: int) -> bytes:
        """The bytes that have come; b"" when none have. Raises OSError when the port has gone."""
        if not self._poll.poll(patience_ns / NS_PER_MS):
            return b""
        try:
            data = os.read(self._fd, PORTION)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError(errno.ENODEV, "the serial port has gone")
        return data

    def _discard(self) -> None:
        """Drop what came before the question: noise, or an answer that came too late."""
        heard = len(self._receive(0))
        while heard < MOST_HEARD and (data := self._receive(0)):
            heard += len(data)
        if heard:
            self.counts.noise_bytes += heard
            self._quiet_since_ns = self._now_ns()

    def _rest(self) -> None:
        """Wait for the silence by which boards know that a frame begins."""
        missing_ns = self._quiet_since_ns + self._silence_ns - self._now_ns()
        if missing_ns > 0:
            time.sleep(min(missing_ns, self._silence_ns) / NS_PER_S)
