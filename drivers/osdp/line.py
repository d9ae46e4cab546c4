"""The serial port: opened for us alone, never waited for.

One rule: a port that is gone or takes no more bytes raises OSError; nobody here tries again.
Which end of the cable may talk is the transceiver's business, or the kernel's (`direction`).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from serial import Serial

PORTION: Final = 4096


class Port:
    """An open serial port, eight bits, no parity, one stop bit."""

    def __init__(self, path: str, baud: int, *, direction: str = "hardware") -> None:
        """Open it. Raises OSError with a sentence that says what to do."""
        from serial import Serial, SerialException  # noqa: PLC0415 -- loaded only when used
        from serial.rs485 import RS485Settings  # noqa: PLC0415 -- as above

        try:
            self._serial: Serial = Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
            if direction == "kernel":
                self._serial.rs485_mode = RS485Settings()
        except (SerialException, ValueError) as error:
            code = error.errno if isinstance(error, OSError) and error.errno else errno.EIO
            raise OSError(code, _advice(path, code, str(error))) from error
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
        try:
            taken = os.write(self._fd, data)
        except BlockingIOError:
            taken = 0
        if taken != len(data):
            raise OSError(errno.EIO, "the serial port takes no more bytes")

    def close(self) -> None:
        """Let it go; never raises."""
        try:
            self._serial.close()
        except OSError:
            return  # it had gone before


def _advice(path: str, code: int, said: str) -> str:
    if code in {errno.EACCES, errno.EPERM}:
        return f"{path} may not be opened: put the user into the group dialout"
    if code in {errno.EAGAIN, errno.EBUSY}:
        return f"{path} is used by another program: a login console (remove console=serial0 from cmdline.txt)?"
    if code == errno.ENOENT:
        return f"{path} does not exist: is the adapter plugged in, and the serial port enabled (enable_uart=1)?"
    return f"{path} cannot be used: {said}"
