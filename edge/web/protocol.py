"""HTTP/1.1 as uvicorn has it, for those who take their time.

One rule: who has connected says what he wants soon, whole, each time; or the place is somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_WITHIN_S: Final = 10.0
"""From connecting, or from the first byte of a further request, to the end of its head."""


class Protocol(H11Protocol):
    """uvicorn waits for a head for ever; a hundred of those who never end it would be all the connections there are."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody is there; now he is to speak."""
        super().connection_made(transport)
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
        """The time runs while a head is awaited that has begun, or the first one."""
        waits = self.conn.their_state is h11.IDLE and (self.scope is None or self.conn.trailing_data[0])
        if not waits and self._late is not None:
            self._late.cancel()
            self._late = None
        elif waits and self._late is None:
            self._late = self.loop.call_later(HEAD_WITHIN_S, self._close)

    def _close(self) -> None:
        transport: Any = self.transport
        transport.abort()
