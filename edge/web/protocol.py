"""HTTP/1.1 as uvicorn has it, for those who take their time.

One rule: who has connected says what he wants soon, whole, each time; or the place is somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_WITHIN_S: Final = 10.0
"""From connecting, or from the first byte of a further request, to the end of its head."""
MOST_UNSENT: Final = 64 << 10
"""Bytes that wait for a reader before more of his answer is made; asyncio's own is half a MiB over TLS."""


class Protocol(H11Protocol):
    """uvicorn waits for a head for ever; a hundred of those who never end it would be all the connections there are."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody is there; now he is to speak."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(MOST_UNSENT)
        self._hurry()

    def data_received(self, data: bytes) -> None:
        """Some of what he says."""
        super().data_received(data)
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
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

    def _close(self) -> None:
        transport: Any = self.transport
        transport.abort()
