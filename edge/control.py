"""The Unix socket: one JSON object a line, both ways, for those whom the kernel vouches for.

One rule: who asks is what the kernel says (SO_PEERCRED); what the request says counts only from the
local page's own user.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import logging
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.messages import Actor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.messages import Json

LOG: Final = logging.getLogger(__name__)
MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_CLIENTS: Final = 32
"""More are turned away with a sentence; a technician's tool needs one."""
GROUP: Final = "doorward"
WEB_USER: Final = "doorweb"
"""The user of the local page: speaks for whoever signed in there."""
WEB: Final = "web:"
"""What the ids of those who signed in there begin with."""
LONGEST_LOGIN: Final = 100
IDLE_S: Final = 600.0
TURN_AWAY_S: Final = 1.0
"""How long one who may not ask has for his request before he is told so."""
WRITE_S: Final = 10.0
"""A reader that takes nothing for this long is let go: nobody may make the daemon remember for him."""


class RequestError(Exception):
    """A request that cannot be served; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        """As the client will read them."""
        super().__init__(message)
        self.code = code


class Service(Protocol):
    """What the daemon does for those at the socket."""

    async def request(self, op: str, body: dict[str, Any], actor: Actor) -> Json:
        """Serve one request; raises RequestError."""

    def watch(self) -> AsyncIterator[Json]:
        """The live stream of `watch`."""


class Control:
    """Serves the socket until closed."""

    def __init__(self, path: Path, service: Service) -> None:
        """`path` is made with mode 0660 and, where it exists, the group `doorward`."""
        self._path = path
        self._service = service
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind; a socket left by a dead daemon is replaced. Raises OSError when another daemon serves it."""
        refuse_if_served(self._path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o117)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(mask)
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(self._path, -1, grp.getgrnam(GROUP).gr_gid)
        self._server = await asyncio.start_unix_server(self._client, sock=listener, limit=MAX_REQUEST_BYTES)

    async def close(self) -> None:
        """Let every client go."""
        if self._server is not None:
            self._server.close()
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            self._path.unlink(missing_ok=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- asyncio runs every callback of start_unix_server in a task
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except TimeoutError:
            writer.transport.abort()  # closing would wait for a reader who does not read
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer.get_extra_info("socket"))
        if peer is None:
            text = f"only root, the daemon's own user and the group {GROUP} may ask"
            await _turn_away(reader, writer, _error("not_allowed", text))
            return
        if len(self._clients) > MAX_CLIENTS:
            text = f"{MAX_CLIENTS} clients are connected already; try again later"
            await _turn_away(reader, writer, _error("busy", text))
            return
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
            except ValueError:
                await _send(writer, _error("too_large", f"a request is one line of at most {MAX_REQUEST_BYTES} bytes"))
                return
            if not line:
                return
            if not await self._answer(line, peer, reader, writer):
                return

    async def _answer(
        self, line: bytes, peer: _Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        try:
            body = json.loads(line)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("op"), str):
            await _send(writer, _error("malformed", 'expected one JSON object a line, such as {"op": "status"}'))
            return True
        op = body.pop("op")
        if op == "watch":
            await self._stream(reader, writer)
            return False
        try:
            result = await self._service.request(op, body, _actor(peer, body))
        except RequestError as refused:
            await _send(writer, _error(refused.code, str(refused)))
        except Exception:  # our own mistake is no reason to hang up
            LOG.exception("a request %.100r failed", op)
            await _send(writer, _error("internal_error", "a mistake in doord itself; its journal has it in full"))
        else:
            await _send(writer, {"ok": True, "result": result})
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
                await _send(writer, {"ok": True, "item": item.result()})
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


async def _turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: dict[str, Json]) -> None:
    """Hear the request first: who is hung up on while he speaks may never read why."""
    with contextlib.suppress(TimeoutError, ValueError):
        async with asyncio.timeout(TURN_AWAY_S):
            await reader.readline()
    await _send(writer, answer)


async def _send(writer: asyncio.StreamWriter, answer: dict[str, Json]) -> None:
    writer.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    async with asyncio.timeout(WRITE_S):
        await writer.drain()


def _error(code: str, message: str) -> dict[str, Json]:
    return {"ok": False, "code": code, "message": message}


@dataclass(frozen=True, slots=True)
class _Peer:
    """Who the kernel says is at the other end."""

    actor: Actor
    speaks_for_others: bool
    """May name in `as` who asked: the local page's user, and whoever could be anybody anyway."""


def _actor(peer: _Peer, body: dict[str, Any]) -> Actor:
    """Who asks: the peer, or whom it speaks for (`as`: `{"id", "name"}` of an account of the local page)."""
    named = body.pop("as", None)
    if named is None:
        return peer.actor
    if not peer.speaks_for_others:
        raise RequestError("not_allowed", f"only the user {WEB_USER} may speak for others")
    login, name = (named.get("id"), named.get("name")) if isinstance(named, dict) else (None, None)
    if not isinstance(login, str) or not 0 < len(login) <= LONGEST_LOGIN or not isinstance(name, str | None):
        raise RequestError(
            "malformed", f'as: expected {{"id": 1 to {LONGEST_LOGIN} characters, "name": a text or null}}'
        )
    return Actor("operator", f"{WEB}{login}", name and name[:LONGEST_LOGIN])


def _uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _peer(peer: socket.socket) -> _Peer | None:
    """Who is at the other end, or None when they may not ask."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, gid = struct.unpack("3i", raw)
    try:
        name = pwd.getpwuid(uid).pw_name
        groups = os.getgrouplist(name, gid)
    except KeyError:
        name, groups = f"uid {uid}", [gid]
    try:
        allowed_gid = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        allowed_gid = -1
    trusted = uid in {0, os.geteuid(), _uid_of(WEB_USER)}
    if trusted or allowed_gid in groups:
        return _Peer(Actor("operator", f"uid:{uid}", name), trusted)
    return None
