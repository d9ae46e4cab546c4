"""A camera for tests: a small HTTP server on the loopback that gives one picture, and can misbehave.

    with Camera(user="door", password="secret") as camera:  # a thread of its own: for whatever runs elsewhere
        fetch(camera.url)
        camera.wait(1)

    async with Camera() as camera:  # in the running loop, whose time may be virtual
        camera.answer = chunked(JPEG)

What it demands is checked by the formulas of RFC 7616 and 2069 as written there, not by the product's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

JPEG: Final = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 150 + b"\xff\xd9"
PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
REALM: Final = 'IP "Camera" (4711)'
SCHEMES: Final = {
    "digest": ["SHA-256", "MD5"],
    "sha-256": ["SHA-256"],
    "md5": ["MD5"],
    "rfc2069": ["old"],
    "basic": ["basic"],
    "any": ["basic", "MD5", "SHA-256"],
}
"""What a camera offers, each as one `WWW-Authenticate`, in this order."""
PATIENCE_S: Final = 120.0
TLS: Final = b"\x16"
"""How a handshake begins."""
CLOSE: Final = "Connection: close\r\n"


def with_length(content: bytes, kind: str = "image/jpeg", status: str = "200 OK") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{CLOSE}\r\n".encode("latin-1")
        + content
    )


def chunked(content: bytes, kind: str = "image/jpeg", size: int = 1000) -> bytes:
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    body = b"".join(f"{len(part):x};a=b\r\n".encode() + part + b"\r\n" for part in parts)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n{CLOSE}\r\n"
    return head.encode() + body + b"0\r\nTrailer: 1\r\n\r\n"


def until_closed(content: bytes, kind: str = "image/jpeg") -> bytes:
    return f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + content


def stream(content: bytes, frames: int = 3) -> bytes:
    """Motion JPEG, as cameras send it."""
    part = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content + b"\r\n"
    return until_closed(part * frames, "multipart/x-mixed-replace; boundary=frame")


def html(status: str = "200 OK") -> bytes:
    return with_length(b"<html><h1>Welcome</h1></html>", "text/html; charset=utf-8", status)


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


@dataclass(frozen=True)
class Request:
    """What was asked. Names of headers are in small letters."""

    line: str
    headers: Mapping[str, str]
    let_in: bool
    """Whether the password was right, or none is wanted."""

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass
class Camera:
    """What is set may be changed at any time, and counts from the next request on."""

    picture: bytes = JPEG
    user: str | None = None
    """With None nobody is asked who he is."""
    password: str = ""
    scheme: str = "digest"
    answer: bytes | None = None
    """What those who are let in get instead of the picture, byte for byte."""
    hangs: bool = False
    """Takes the request and never answers."""
    drip_s: float | None = None
    """Seconds between any two bytes of an answer."""
    stays_open: bool = False
    """Does not close the connection after an answer."""
    forgets: int = 0
    """So many right answers to a challenge come too late for it."""
    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _forgot: bool = False
    _nonces: dict[str, str] = field(default_factory=dict)
    """Each that was given out and not used, with what it was given out for."""
    _news: threading.Condition = field(default_factory=threading.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}/cgi/snapshot.jpg?channel=1"

    @property
    def given(self) -> int:
        """How often somebody was let in."""
        return sum(request.let_in for request in self.requests)

    def wait(self, count: int) -> None:
        """Until so many requests have come. Blocks: for a camera in a thread of its own."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.requests) >= count, PATIENCE_S), f"{len(self.requests)} came"

    # --- open and closed ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        loop, ready = asyncio.new_event_loop(), threading.Event()

        def run() -> None:
            loop.run_until_complete(self.__aenter__())
            ready.set()
            loop.run_forever()
            loop.run_until_complete(self.__aexit__())
            loop.close()

        self._loop, self._thread = loop, threading.Thread(target=run, name="camera")
        self._thread.start()
        assert ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    # --- one connection -------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:  # closing; the server's own callback would complain
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if self.hangs else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        first = await reader.readexactly(1)
        if first == TLS:
            return
        line, *more = (first + await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in more if one)}
        method, target, _version = line.split(" ")
        request = Request(line, headers, self._let_in(method, target, headers.get("authorization", "")))
        with self._news:
            self.requests.append(request)
            self._news.notify_all()
        if self.hangs:
            await asyncio.Event().wait()
        answer = self._answer() if request.let_in else self._refusal()
        for part in [answer] if self.drip_s is None else (answer[at : at + 1] for at in range(len(answer))):
            writer.write(part)
            await writer.drain()
            if self.drip_s is not None:
                await asyncio.sleep(self.drip_s)
        if self.stays_open:
            await reader.read()

    def _answer(self) -> bytes:
        if self.answer is not None:
            return self.answer
        return with_length(self.picture, "image/png" if self.picture.startswith(PNG[:8]) else "image/jpeg")

    # --- who is let in --------------------------------------------------------------------------------------

    def _refusal(self) -> bytes:
        lines = "".join(f"WWW-Authenticate: {self._challenge(kind)}\r\n" for kind in SCHEMES[self.scheme])
        return f"HTTP/1.1 401 Unauthorized\r\n{lines}Content-Length: 0\r\n{CLOSE}\r\n".encode("latin-1")

    def _challenge(self, kind: str) -> str:
        realm = REALM.replace('"', '\\"')
        if kind == "basic":
            return f'Basic realm="{realm}"'
        nonce = hashlib.sha256(f"{kind} {self.connections} {self.port}".encode()).hexdigest()[:32]
        self._nonces[nonce] = kind
        plain = f'Digest realm="{realm}", nonce="{nonce}", opaque="5ccc"'
        return plain if kind == "old" else f'{plain}, algorithm={kind}, qop="auth,auth-int", stale={self._forgot}'

    def _let_in(self, method: str, target: str, authorization: str) -> bool:
        if self.user is None:
            return True
        scheme, _, rest = authorization.partition(" ")
        if scheme == "Basic":
            right = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            return "basic" in SCHEMES[self.scheme] and rest == right
        given = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest)) if scheme == "Digest" else {}
        kind = self._nonces.pop(given.get("nonce", ""), None)
        self._forgot = kind is not None and self.forgets > 0
        if self._forgot:
            self.forgets -= 1
            return False
        if kind is None or (given.get("realm"), given.get("opaque"), given.get("uri")) != (REALM, "5ccc", target):
            return False
        return given.get("username") == self.user and given.get("response") == self._right(kind, method, given)

    def _right(self, kind: str, method: str, given: dict[str, str]) -> str | None:
        """RFC 7616, 3.4.1 to 3.4.3; RFC 2069, 2.1.2."""

        def h(text: str) -> str:
            return (hashlib.sha256 if kind == "SHA-256" else hashlib.md5)(text.encode()).hexdigest()

        ha1, ha2 = h(f"{self.user}:{REALM}:{self.password}"), h(f"{method}:{given['uri']}")
        if kind == "old":
            return None if "qop" in given else h(f"{ha1}:{given['nonce']}:{ha2}")
        if (given.get("algorithm"), given.get("qop"), given.get("nc")) != (kind, "auth", "00000001"):
            return None
        return h(f"{ha1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:auth:{ha2}")
