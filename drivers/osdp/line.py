"""The serial port: opened exclusively, never waited for.

One rule: a port that is gone or takes no more bytes raises OSError; nothing is tried again here.
The transceiver or the kernel switches the direction of the line (`direction`).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from drivers.serial_port import opened, write

if TYPE_CHECKING:
    from serial import Serial

PORTION: Final = 512
"""Bytes that are read in a turn of the loop: whatever they are, they are looked through within a few milliseconds."""


class Port:
    """An open serial port, eight bits, no parity, one stop bit."""

    def __init__(self, path: str, baud: int, *, direction: str = "hardware") -> None:
        """Open it. Raises OSError with a sentence that says what to do."""
        self._serial: Serial = opened(path, baud, directed=direction == "kernel")
        self._fd = self._serial.fileno()
        self._serial.reset_input_buffer()

    def fileno(self) -> int:
        """Readable when bytes have come, or when the port has gone."""
        return self._fd

    def read(self) -> bytes:
        """The bytes that have come; call it when readable. Raises OSError when the port has gone."""
        try:
            data = os.read(self._fd, PORTION)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError(errno.ENODEV, "the serial port has gone")
        return data

    def write(self, data: bytes) -> None:
        """Hand over a frame. Raises OSError when the port does not take it whole."""
        write(self._fd, data)

    def close(self) -> None:
        """Close the port; never raises."""
        try:
            self._serial.close()
        except OSError:
            return  # it had gone before
