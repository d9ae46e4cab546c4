"""The control socket's server: one JSON object a line, both ways, for users whom the kernel identifies.

One rule: a client that connects or asks too often, is silent or does not read costs the others nothing. What is
over a user's budget stays in the kernel's buffer; a connection above the limits is told the reason, and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import logging
import os
import socket
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.model.printable import is_whole
from edge.socket.limits import ConnectionLimits
from edge.socket.lines import MAX_REQUEST_BYTES, refusal, send, streams
from edge.socket.peers import GROUP, LONGEST_LOGIN, WEB, Peer, PeerKind, Peers, RequestError, actor
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from edge.model.messages import Actor, Json

__all__ = ["LONGEST_LOGIN", "WEB", "ControlServer", "RequestError", "refuse_if_served"]

LOG: Final = logging.getLogger(__name__)
BACKLOG: Final = 128
ARRIVALS_A_TURN: Final = 32
"""Connections that are accepted in one turn of the loop; doors have their turns in between."""
REST_S: Final = 0.005
"""No connection is accepted for this long after somebody connected too often."""
NO_FILES_S: Final = 1.0
"""No connection is accepted for this long after the system had no file descriptor left."""
MOST_TURNED_AWAY: Final = 8
"""So many refused connections at once are told the reason; further ones are just closed."""
FIRST_S: Final = 60.0
"""Limit for the first request of a connection."""
IDLE_S: Final = 600.0
"""Limit between two requests."""
TURN_AWAY_S: Final = 1.0
"""A refused client has this long for its request before it is told the reason."""


class RequestHandler(Protocol):
    """What the server needs from the daemon."""

    async def request(self, op: str, body: dict[str, Any], actor: Actor) -> Json:
        """Serve one request; raises RequestError."""

    def watch(self) -> AsyncIterator[Json]:
        """The live stream of `watch`."""

    def check_page(self, op: str, body: dict[str, Any], actor: Actor) -> None:
        """Raises RequestError for what the local page may not ask."""

    def dropped(self, what: str) -> None:
        """A connection was refused; `what` says whose, with few different values, for counting."""


class ControlServer:
    """Serves the socket until closed."""

    def __init__(self, path: Path, service: RequestHandler) -> None:
        """`path` is made with mode 0660 and, where it exists, the group `doorward`."""
        self._path = path
        self._service = service
        self._listener: socket.socket | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._turned_away = 0
        self._limits = ConnectionLimits()
        self._peers = Peers(lambda: asyncio.get_running_loop().time())

    async def start(self) -> None:
        """Bind; a socket left by a dead daemon is replaced. Raises OSError when another daemon serves it."""
        refuse_if_served(self._path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        mask = os.umask(0o117)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(mask)
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(self._path, -1, grp.getgrnam(GROUP).gr_gid)
        listener.listen(BACKLOG)
        self._listener = listener
        self._look()

    async def close(self) -> None:
        """Disconnect all clients and remove the socket."""
        if self._listener is None:
            return
        if self._rest is not None:
            self._rest.cancel()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        await asyncio.sleep(0)  # let tasks of new connections begin, so that they can be cancelled
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    # --- connections -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Accept connections from now on."""
        self._rest = None
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._arrivals, self._listener)

    def _pause(self, listener: socket.socket, for_s: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        self._rest = loop.call_later(for_s, self._look)

    def _arrivals(self, listener: socket.socket) -> None:
        too_many = False
        for _ in range(ARRIVALS_A_TURN):
            try:
                link, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                break
            except OSError as error:
                LOG.error("the control socket takes no connections for now: %s", error)  # noqa: TRY400 -- no mistake
                self._pause(listener, NO_FILES_S)
                return
            if not self._arrived(link):
                link.close()
                too_many = True
        if too_many:
            self._pause(listener, REST_S)

    def _arrived(self, link: socket.socket) -> bool:
        """Serve or refuse a new connection; False when the caller is to close it without a reason."""
        loop = asyncio.get_running_loop()
        peer = self._peers.of(link)
        if peer is None:
            text = f"only root, the daemon's own user and the group {GROUP} may ask"
            return self._turn_away(link, "strangers", refusal("not_allowed", text))
        if not self._limits.may_arrive(peer.uid, loop.time()):
            self._service.dropped(f"connections of {peer}")
            return False
        if reason := self._limits.enter(peer):
            return self._turn_away(link, f"connections of {peer}", refusal("busy", reason))
        self._spawn(self._client(link, peer))
        return True

    def _turn_away(self, link: socket.socket, whose: str, answer: dict[str, Json]) -> bool:
        self._service.dropped(whose)
        if self._turned_away >= MOST_TURNED_AWAY:
            return False
        self._turned_away += 1
        self._spawn(self._stranger(link, answer))
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="client")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        task.add_done_callback(say_why)

    async def _stranger(self, link: socket.socket, answer: dict[str, Json]) -> None:
        """Read the request first: a client whose connection closes while it writes may never read the reason."""
        try:
            async with streams(link) as (reader, writer):
                with contextlib.suppress(TimeoutError, ValueError):
                    async with asyncio.timeout(TURN_AWAY_S):
                        await reader.readline()
                await send(writer, answer)
        finally:
            self._turned_away -= 1

    async def _client(self, link: socket.socket, peer: Peer) -> None:
        try:
            async with streams(link) as (reader, writer):
                await self._serve(peer, reader, writer)
        finally:
            self._limits.leave(peer)

    # --- requests --------------------------------------------------------------------------------------

    async def _serve(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, patience_s = asyncio.get_running_loop(), FIRST_S
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    line = await reader.readline()
            except ValueError:
                await send(writer, refusal("too_large", f"a request is one line of at most {MAX_REQUEST_BYTES} bytes"))
                return
            if not line:
                return
            await asyncio.sleep(self._limits.pause_s(peer, len(line), loop.time()))
            if not await self._answer(line, peer, reader, writer):
                return
            patience_s = IDLE_S

    async def _answer(
        self, line: bytes, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        try:
            body = json.loads(line)
            body = body if is_whole(body) else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("op"), str):
            await send(writer, refusal("malformed", 'expected one JSON object a line, such as {"op": "status"}'))
            return True
        op = body.pop("op")
        if op == "watch":
            await self._stream(reader, writer)
            return False
        try:
            who = actor(peer, body)
            if peer.kind is PeerKind.PAGE:
                self._service.check_page(op, body, who)
            result = await self._service.request(op, body, who)
        except RequestError as refused:
            await send(writer, refusal(refused.code, str(refused), refused.details))
        except Exception:  # our own mistake must not end the connection
            LOG.exception("a request %.100r failed", op)
            await send(writer, refusal("internal_error", "a mistake in doord itself; its journal has it in full"))
        else:
            await send(writer, {"ok": True, "result": result})
        return True

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send items until the client hangs up or stops reading."""
        gone = asyncio.ensure_future(reader.read(1))
        stream = self._service.watch()
        try:
            while not gone.done():
                item = asyncio.ensure_future(anext(stream))
                await asyncio.wait({item, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not item.done():
                    item.cancel()
                    await asyncio.gather(item, return_exceptions=True)
                    break
                await send(writer, {"ok": True, "item": item.result()})
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            await stream.aclose()  # type: ignore[attr-defined]  # every watch is an async generator


def refuse_if_served(path: Path) -> None:
    """Raises OSError when another daemon serves this socket, or when it is no socket at all."""
    if not path.exists():
        return
    if not path.is_socket():
        raise OSError(f"{path} is there and is no socket; expected a path of its own for the control socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise OSError(f"another doord already serves {path}")
