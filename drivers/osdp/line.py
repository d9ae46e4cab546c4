"""The serial port: opened for us alone, never waited for.

One rule: a port that is gone or takes no more bytes raises OSError; nobody here tries again.
Which end of the cable may talk is the transceiver's business, or the kernel's (`direction`).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from drivers.serial_port import opened, write

if TYPE_CHECKING:
    from serial import Serial

PORTION: Final = 4096


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
        """What has come; call it when readable. Raises OSError when the port has gone."""
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
        """Let it go; never raises."""
        try:
            self._serial.close()
        except OSError:
            return  # it had gone before
