"""What goes over a connection of the control socket: one JSON object a line, both ways, bounded in size and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Mapping

    from edge.model.messages import Json

MAX_REQUEST_BYTES: Final = 64 * 1024
WRITE_S: Final = 10.0
"""A client that reads nothing for this long is disconnected: answers must not pile up in memory."""


@contextlib.asynccontextmanager
async def streams(link: socket.socket) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Streams over a connection that is closed at the end; a client that leaves or times out is no error."""
    try:
        reader, writer = await asyncio.open_unix_connection(sock=link, limit=MAX_REQUEST_BYTES)
    except OSError:
        link.close()
        raise
    try:
        yield reader, writer
    except TimeoutError:
        writer.transport.abort()  # closing would wait for a client that does not read
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def send(writer: asyncio.StreamWriter, answer: dict[str, Json]) -> None:
    """Write one line. TimeoutError when the client does not read for `WRITE_S`."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    writer.write(text.encode(errors="backslashreplace") + b"\n")  # a lone surrogate becomes an escape of JSON
    async with asyncio.timeout(WRITE_S):
        await writer.drain()


def refusal(code: str, message: str, details: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """The answer to a request that is not served, and why."""
    return {"ok": False, "code": code, "message": message, **({"details": {**details}} if details else {})}
