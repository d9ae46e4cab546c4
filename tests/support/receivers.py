"""Receivers for deliveries: one in memory that does as told, and HTTP servers on the loopback."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.delivery.errors import DeliveryError
from edge.model.cloudevents import Identity

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

    from edge.model.messages import Record


class Doubled:
    """A receiver in memory. `fails` says for each try what is wrong with it."""

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch
        self.got: list[int] = []
        self.tries: list[float] = []
        self.fails: Callable[[int], DeliveryError | None] = lambda _try: None
        self.wanted: Callable[[Record], bool] = lambda _record: True
        self.takes_s = 0.0
        self.closed = False
        self._news = asyncio.Event()

    def wants(self, record: Record) -> bool:
        return self.wanted(record)

    async def send(self, records: Sequence[Record]) -> None:
        assert 1 <= len(records) <= self.batch
        self.tries.append(asyncio.get_running_loop().time())
        self._news.set()
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        if (error := self.fails(len(self.tries))) is not None:
            raise error
        self.got += [record.sequence for record in records]
        self._news.set()

    async def close(self) -> None:
        self.closed = True

    async def until(self, condition: Callable[[], bool], within_s: float = 1e7) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()


def down(_try: int) -> DeliveryError:
    return DeliveryError("it is down")


@dataclass
class Request:
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class HttpServer:
    """Answers every request with `answer`; or with nothing, until `let_go`, when it is None."""

    port: int = 0
    answer: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/hook?site=hq"

    async def until(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.requests) < count:
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line.strip())
            }
            body = await reader.readexactly(int(headers["content-length"]))
            method, target, version = head[0].split(" ")
            assert method in {"POST", "PUT"}
            assert version == "HTTP/1.1"
            self.requests.append(Request(target, headers, body))
            self._news.set()
            if self.answer is None:
                await self.let_go.wait()
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_server(context: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    held = HttpServer()
    server = await asyncio.start_server(held.serve, "127.0.0.1", 0, ssl=context)
    held.port = server.sockets[0].getsockname()[1]
    async with server:
        yield held
        held.let_go.set()


class Here:
    """The daemon's part of a webhook."""

    def identity(self) -> Identity:
        return Identity("lab", "test", "epoch-1")

    def is_late(self, record: Record) -> bool:
        return record.sequence % 2 == 0
