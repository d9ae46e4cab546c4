"""Syslog over TLS (RFC 5425): all records go over one connection, which stays open.

One rule: RFC 5425 has no acknowledgement. A record counts as taken when the receiver's kernel has
acknowledged its last byte (TCP). A loss in the receiver after that goes unnoticed.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.delivery.errors import DeliveryError
from edge.delivery.receivers.syslog import frame

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.delivery.network import Network, Streams
    from edge.model.messages import Record
    from edge.model.ports import Origin

PORT: Final = 6514
"""RFC 5425, 4.1."""
TIMEOUT_S: Final = 10.0
LOOK_S: Final = 0.01
"""Interval between two looks whether everything is acknowledged: the kernel does not report it."""


class Syslog:
    """A syslog server, as an `edge.delivery.ports.Receiver`."""

    batch = 50

    def __init__(self, url: str, types: Collection[str], *, network: Network, origin: Origin) -> None:
        """`types` are full event types, without wildcards."""
        parts = urlsplit(url)
        self._name, self._port = parts.hostname or "", parts.port or PORT
        self._types, self._network, self._origin = types, network, origin
        self._streams: Streams | None = None

    def wants(self, record: Record) -> bool:
        """Whether the record's type is in `types`."""
        return record.event.type in self._types

    async def send(self, records: Sequence[Record]) -> None:
        """See `edge.delivery.ports.Receiver`."""
        content = b"".join(frame(record, self._origin.identity()) for record in records)
        well = False
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._write(content)
            well = True
        except TimeoutError:
            raise DeliveryError(f"{self._name} took nothing for {TIMEOUT_S:.0f} s") from None
        finally:
            if not well:  # also when cancelled: the next message must not follow half of one
                self._hang_up()

    async def _write(self, content: bytes) -> None:
        if self._streams is not None and self._streams[0].at_eof():  # it hung up while nothing was sent
            self._hang_up()
        if self._streams is None:
            self._streams = await self._network.connect(self._name, self._port, tls=True)
        reader, writer = self._streams
        try:
            writer.write(content)
            await writer.drain()
            while _unacknowledged(writer):
                await asyncio.sleep(LOOK_S)
                if reader.at_eof():
                    break
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise DeliveryError(f"{self._name} hung up: {error.strerror or error}") from error
        if reader.at_eof() or writer.transport.is_closing():
            raise DeliveryError(f"{self._name} hung up")

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def close(self) -> None:
        """See `edge.delivery.ports.Receiver`."""
        self._hang_up()


def _unacknowledged(writer: asyncio.StreamWriter) -> bool:
    """Whether bytes wait here or are unacknowledged (SIOCOUTQ, tcp(7)). OSError when the connection is gone."""
    transport = writer.transport
    if transport.get_write_buffer_size():
        return True
    sock = transport.get_extra_info("socket")  # None once TLS has lost its connection
    descriptor = -1 if sock is None else sock.fileno()
    if descriptor < 0:
        raise ConnectionResetError("the connection is closed")
    (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4))
    return bool(count)
