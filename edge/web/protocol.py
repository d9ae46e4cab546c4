"""HTTP/1.1 as uvicorn has it, for those who take their time.

One rule: who has connected says what he wants soon, whole, each time, and takes what he gets; or the place is
somebody else's.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_WITHIN_S: Final = 10.0
"""From connecting, or from the first byte of a further request, to the end of its head."""
STALLED_S: Final = 20.0
"""Who took nothing from one look to the next goes; so it takes once to twice as long."""
MOST_UNSENT: Final = 64 << 10
"""Bytes that wait for a reader before more of his answer is made; asyncio's own is half a MiB over TLS."""

_TCP_INFO: Final = struct.Struct("=24xI92xQ16xI")
"""tcpi_unacked, tcpi_bytes_acked and tcpi_notsent_bytes of struct tcp_info, linux/tcp.h."""

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""struct linger: what was not taken is thrown away."""


class SentBytes(NamedTuple):
    """What has become of what was written to a connection."""

    taken: int
    """Bytes that the other side has, since it connected."""
    waiting: bool
    """Whether there is more for it."""


def sent(line: Any) -> SentBytes:  # noqa: ANN401 -- asyncio's own kind of socket
    """As the kernel sees it, below TLS and after closing too. Raises OSError."""
    unacked, taken, unsent = _TCP_INFO.unpack(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    return SentBytes(taken, bool(unacked or unsent))


class BoundedProtocol(H11Protocol):
    """uvicorn waits for a head for ever; a hundred of those who never end it would be all the connections there are."""

    _late: asyncio.TimerHandle | None = None
    _look: asyncio.TimerHandle
    _sent: SentBytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody is there; now he is to speak."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(MOST_UNSENT)
        self._hurry()
        self._look = self.loop.call_later(STALLED_S, self._watch)

    def data_received(self, data: bytes) -> None:
        """Some of what he says."""
        super().data_received(data)
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._look.cancel()
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _hurry(self) -> None:
        """The time runs while nothing is being answered, unless uvicorn's own for the quiet between requests does.

        So it runs also for the rest of a request that has its answer already, and each byte of that is no new start.
        """
        answering = self.cycle is not None and not self.cycle.response_complete
        waits = not answering and self.timeout_keep_alive_task is None
        if not waits and self._late is not None:
            self._late.cancel()
            self._late = None
        elif waits and self._late is None:
            self._late = self.loop.call_later(HEAD_WITHIN_S, self._close)

    def _watch(self) -> None:
        """Look whether he takes what is sent to him: asyncio would wait for ever, and uvicorn with it."""
        line, before = self.transport.get_extra_info("socket"), self._sent
        try:
            self._sent = None if line is None else sent(line)
        except OSError:
            self._sent = None
        if self._sent is None:
            self._close()
        elif self._sent.waiting and self._sent == before:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)  # or the kernel goes on where we end
            self._close()
        else:
            self._look = self.loop.call_later(STALLED_S, self._watch)

    def _close(self) -> None:
        transport: Any = self.transport
        transport.abort()
