"""uvicorn's HTTP/1.1 with limits for slow clients.

One rule: a client that does not send a complete request or does not read its answer in time is disconnected, so that
it holds no connection which another client needs.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_WITHIN_S: Final = 10.0
"""Limit from connecting, or from the first byte of a further request, to the end of the request's head."""
STALLED_S: Final = 20.0
"""A client that read nothing between two looks is disconnected, so after one to two of these."""
MOST_UNSENT: Final = 64 << 10
"""Bytes that may wait for a client before more of its answer is made; asyncio's default is half a MiB over TLS."""

_TCP_INFO: Final = struct.Struct("=24xI92xQ16xI")
"""tcpi_unacked, tcpi_bytes_acked and tcpi_notsent_bytes of struct tcp_info, linux/tcp.h."""

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""struct linger (socket(7)): discard unsent bytes at close."""


class SentBytes(NamedTuple):
    """How far written bytes have been sent over a connection."""

    taken: int
    """Bytes that the client's kernel has acknowledged since it connected."""
    waiting: bool
    """Whether further bytes wait to be sent or acknowledged."""


def sent(line: Any) -> SentBytes:  # noqa: ANN401 -- asyncio's own kind of socket
    """The kernel's view of a connection, below TLS; works after closing too. Raises OSError."""
    unacked, taken, unsent = _TCP_INFO.unpack(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    return SentBytes(taken, bool(unacked or unsent))


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with deadlines: without them a hundred clients that never end a head would block the page."""

    _late: asyncio.TimerHandle | None = None
    _look: asyncio.TimerHandle
    _sent: SentBytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client has connected: its time for a request begins."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(MOST_UNSENT)
        self._hurry()
        self._look = self.loop.call_later(STALLED_S, self._watch)

    def data_received(self, data: bytes) -> None:
        """A part of a request has arrived."""
        super().data_received(data)
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._look.cancel()
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _hurry(self) -> None:
        """Run the deadline while no request is being answered and uvicorn's keep-alive timer does not run.

        So it also runs for the rest of a request that has been answered already; further bytes do not restart it.
        """
        answering = self.cycle is not None and not self.cycle.response_complete
        waits = not answering and self.timeout_keep_alive_task is None
        if not waits and self._late is not None:
            self._late.cancel()
            self._late = None
        elif waits and self._late is None:
            self._late = self.loop.call_later(HEAD_WITHIN_S, self._close)

    def _watch(self) -> None:
        """Check that the client reads what is sent to it: asyncio and uvicorn would wait for ever."""
        line, before = self.transport.get_extra_info("socket"), self._sent
        try:
            self._sent = None if line is None else sent(line)
        except OSError:
            self._sent = None
        if self._sent is None:
            self._close()
        elif self._sent.waiting and self._sent == before:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)  # else the kernel goes on sending
            self._close()
        else:
            self._look = self.loop.call_later(STALLED_S, self._watch)

    def _close(self) -> None:
        transport: Any = self.transport
        transport.abort()
