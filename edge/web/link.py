"""The page's end of doord's control socket: requests, and one live stream for all browsers.

One rule: however many browsers there are, the number of connections to doord is bounded, and a command never
waits for a search.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from edge.client.connection import ANSWER_WITHIN_S, RequestRefused, Unreachable, sentence

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

LOG: Final = logging.getLogger(__name__)
MOST_SHORT: Final = 3
"""Connections for short requests; doord allows the page twelve in all."""
MOST_LONG: Final = 3
LONG: Final = frozenset(
    {"access", "directory_export", "directory_import", "events", "groups"}
    | {"passages", "people", "person", "picture", "proposals", "schedules"}
)
"""Requests that read the log or a file, or look at everybody in the directory; they have connections of their own."""
LASTING: Final = {"directory_import": 600.0, "apply_import": 60.0}
"""Seconds for requests that take longer than others: an import hashes up to a thousand PINs."""
PLACE_WITHIN_S: Final = 10.0
LONGEST_ANSWER: Final = 16 << 20
"""Bytes of one line: a page of 500 records, or the status of 1024 doors, is far less."""
GONE: Final = "the controller's program is not running, or is being restarted"
AGAIN_S: Final = 1.0
FULL_S: Final = 0.02
"""Pause between two tries to connect while doord's queue of connections is full."""


class DaemonLink:
    """Sends requests to doord, and follows its live stream while somebody watches."""

    def __init__(self, path: Path) -> None:
        """Nothing is connected before the first request."""
        self.socket = path
        self._short, self._long = asyncio.Semaphore(MOST_SHORT), asyncio.Semaphore(MOST_LONG)
        self._watchers: set[asyncio.Event] = set()
        self._following: asyncio.Task[None] | None = None
        self.status: dict[str, Any] | None = None
        """The newest status while somebody watches; None before the first one, and while doord does not answer."""
        self.committed = 0
        """The highest sequence number that is known."""
        self.trouble: str | None = None
        self._told = ""

    async def ask(self, op: str, account: str | None = None, /, **body: Any) -> Any:  # noqa: ANN401 -- JSON
        """Send one request for this account; returns its result. Raises RequestRefused and Unreachable."""
        request = {"op": op, **body} | ({} if account is None else {"as": {"id": account, "name": account}})
        within_s = LASTING.get(op, ANSWER_WITHIN_S)
        places = self._long if op in LONG else self._short
        try:
            async with asyncio.timeout(PLACE_WITHIN_S):
                await places.acquire()
        except TimeoutError:
            raise Unreachable("too many ask at the same time; try again") from None
        try:
            async with asyncio.timeout(within_s), self._connected() as (reader, writer):
                await _say(writer, request)
                return (await _read(reader))["result"]
        except TimeoutError:
            raise Unreachable(f"the daemon did not answer within {within_s:.0f} s") from None
        finally:
            places.release()

    async def changes(self, beat_s: float) -> AsyncGenerator[None, None]:
        """Yield at once, and again whenever `status`, `committed` or `trouble` has changed.

        Without a change it yields every `beat_s` seconds. Changes while the caller is busy become one.
        """
        news = asyncio.Event()
        self._watchers.add(news)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        try:
            while True:
                yield
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(beat_s):
                        await news.wait()
                news.clear()
        finally:
            self._watchers.discard(news)
            if not self._watchers:
                await self.close()

    async def close(self) -> None:
        """Stop following."""
        following, self._following = self._following, None
        self.status = None
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                async with self._connected() as (reader, writer):
                    await _say(writer, {"op": "watch"})
                    while True:
                        async with asyncio.timeout(ANSWER_WITHIN_S):
                            self._take((await _read(reader))["item"])
            except TimeoutError:
                self._lost(f"the daemon said nothing for {ANSWER_WITHIN_S:.0f} s")
            except (Unreachable, RequestRefused) as error:
                self._lost(str(error))
            await asyncio.sleep(AGAIN_S)

    def _take(self, item: dict[str, Any]) -> None:
        if "status" in item:
            self.status, self.trouble = item["status"], None
            self.committed = int(item["status"]["log"]["committed"])
        elif "record" in item:
            self.committed = max(self.committed, int(item["record"]["sequence"]))
        self._tell()

    def _lost(self, trouble: str) -> None:
        self.status, self.trouble = None, trouble
        self._tell()

    def _tell(self) -> None:
        for news in self._watchers:
            news.set()

    async def _connect(self) -> socket.socket:
        """Connect, waiting while doord's queue is full, which asyncio takes for a connection. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            while True:
                try:
                    sock.connect(str(self.socket))
                except BlockingIOError:
                    await asyncio.sleep(FULL_S)
                else:
                    return sock
        except BaseException:
            sock.close()
            raise

    def _journal(self, why: str) -> None:
        """Tell the journal once what only a technician can mend."""
        if why != self._told:
            LOG.warning("%s", why)
        self._told = why

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=await self._connect(), limit=LONGEST_ANSWER)
        except OSError as error:
            self._journal(sentence(error, self.socket))
            raise Unreachable(GONE) from error
        self._told = ""
        try:
            yield reader, writer
        finally:
            writer.close()


async def _say(writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
    writer.write(json.dumps(request).encode() + b"\n")
    try:
        await writer.drain()
    except OSError:
        raise Unreachable(GONE) from None


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await reader.readline()
        answer = json.loads(line) if line else None
    except OSError:
        raise Unreachable(GONE) from None
    except ValueError:  # no JSON, or an endless line
        raise Unreachable("the program at the socket is not doord") from None
    if not isinstance(answer, dict):
        raise Unreachable(GONE)
    if not answer.get("ok"):
        raise RequestRefused(str(answer.get("code")), str(answer.get("message")))
    return answer
