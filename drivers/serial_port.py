"""What the drivers of RS-485 lines share: a serial port is named, opened exclusively, written to without waiting.

One rule: every failure is an OSError whose sentence says what to do; nothing is tried again here.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field

if TYPE_CHECKING:
    from serial import Serial


def _a_path(value: str) -> str:
    if not value.startswith("/") or not value.isprintable():
        raise ValueError("expected the path of a serial port, like /dev/serial0")
    return value


PortPath: TypeAlias = Annotated[
    str, Field(min_length=1, description='the path of a serial port, like "/dev/serial0"'), AfterValidator(_a_path)
]


def one_of(*bauds: int) -> AfterValidator:
    """Check that a speed is one of these."""

    def known(value: int) -> int:
        if value not in bauds:
            raise ValueError(f"found {value}, expected one of {', '.join(map(str, bauds))}")
        return value

    return AfterValidator(known)


def opened(
    path: str,
    baud: int,
    *,
    directed: bool = False,
    **line: Any,  # noqa: ANN401 -- parity and stop bits, as pyserial has them
) -> Serial:
    """Open a port that never waits; `directed`: the kernel switches the transceiver with RTS. Raises OSError."""
    from serial import Serial, SerialException  # noqa: PLC0415 -- loaded only when used
    from serial.rs485 import RS485Settings  # noqa: PLC0415 -- as above

    try:
        port: Serial = Serial(path, baud, timeout=0, write_timeout=0, exclusive=True, **line)
        if directed:
            port.rs485_mode = RS485Settings()
    except (SerialException, ValueError) as error:
        code = error.errno if isinstance(error, OSError) and error.errno else errno.EIO
        raise OSError(code, _advice(path, code, str(error))) from error
    return port


def write(port: int, frame: bytes) -> None:
    """Hand over a frame. Raises OSError when the port does not take it whole."""
    try:
        taken = os.write(port, frame)
    except BlockingIOError:
        taken = 0
    if taken != len(frame):
        raise OSError(errno.EIO, "the serial port takes no more bytes")


def _advice(path: str, code: int, said: str) -> str:
    if code in {errno.EACCES, errno.EPERM}:
        return f"{path} may not be opened: put the user into the group dialout"
    if code in {errno.EAGAIN, errno.EBUSY}:
        return f"{path} is used by another program: a login console (remove console=serial0 from cmdline.txt)?"
    if code == errno.ENOENT:
        return f"{path} does not exist: is the adapter plugged in, and the serial port enabled (enable_uart=1)?"
    return f"{path} cannot be used: {said}"
