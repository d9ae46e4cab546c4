"""Who takes his time over a request loses his place. Time is the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import h11
import pytest
import uvicorn
from uvicorn.server import ServerState

from edge.web import protocol as ours
from edge.web.protocol import HEAD_WITHIN_S, STALLED_S, BoundedProtocol, SentBytes, sent

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Transport(asyncio.Transport):
    """Goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.sent = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class Timers:
    """What `call_later` was asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.due: list[tuple[float, Callable[..., Any], asyncio.TimerHandle]] = []

    def call_later(self, delay_s: float, what: Callable[..., Any], *more: Any) -> asyncio.TimerHandle:
        handle = self._loop.call_later(3_600, what, *more)
        self.due.append((delay_s, what, handle))
        return handle

    def pass_(self, seconds: float) -> None:
        for delay_s, what, handle in [*self.due]:
            if delay_s <= seconds and not handle.cancelled():
                handle.cancel()
                what()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def connected() -> tuple[BoundedProtocol, Transport, Timers]:
    timers, transport = Timers(asyncio.get_running_loop()), Transport()
    config = uvicorn.Config(app, log_config=None, http=BoundedProtocol, ws="none")
    config.load()
    protocol = BoundedProtocol(config, ServerState(), {}, timers)  # type: ignore[arg-type]  # has what a loop has
    protocol.connection_made(transport)
    return protocol, transport, timers


async def answered(protocol: BoundedProtocol, transport: Transport, count: int = 1) -> None:
    while transport.sent.count(b"HTTP/1.1 204") < count:  # noqa: ASYNC110 -- nobody tells that uvicorn has answered
        await asyncio.sleep(0)
    while protocol.conn.their_state is not h11.IDLE:  # noqa: ASYNC110 -- as above
        await asyncio.sleep(0)


@pytest.mark.parametrize("said", [b"", b"G", HEAD[:-2]])
def test_who_never_ends_a_first_head_goes(said: bytes) -> None:
    async def run() -> None:
        protocol, transport, timers = await connected()
        for byte in said:
            protocol.data_received(bytes([byte]))  # one at a time does not help
        timers.pass_(HEAD_WITHIN_S - 1)
        assert not transport.aborted
        timers.pass_(HEAD_WITHIN_S)
        assert transport.aborted
        protocol.connection_lost(None)

    asyncio.run(run())


def test_who_never_ends_a_further_head_goes_too() -> None:
    async def run() -> None:
        protocol, transport, timers = await connected()
        protocol.data_received(HEAD)
        await answered(protocol, transport)
        timers.due.clear()  # how long somebody may keep quiet between requests is uvicorn's business
        protocol.data_received(HEAD[:5])
        timers.pass_(HEAD_WITHIN_S)
        assert transport.aborted
        protocol.connection_lost(None)

    asyncio.run(run())


def test_who_says_what_he_wants_is_left_alone() -> None:
    async def run() -> None:
        protocol, transport, timers = await connected()
        for n in range(3):
            protocol.data_received(HEAD[:9])
            protocol.data_received(HEAD[9:])
            await answered(protocol, transport, n + 1)
        keep_alive_s = protocol.timeout_keep_alive
        timers.due = [one for one in timers.due if one[0] != keep_alive_s]
        timers.pass_(HEAD_WITHIN_S)
        assert not transport.aborted
        protocol.connection_lost(None)

    asyncio.run(run())


@pytest.mark.parametrize("more", [b"1", b"12345678", b"123456789", b"123456789G"])
def test_who_says_more_after_his_answer_has_no_longer_than_a_head_has(more: bytes) -> None:
    """He was answered without his body; sent then, each byte of it took away what would have closed the connection."""

    async def run() -> None:
        protocol, transport, timers = await connected()
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        while b"HTTP/1.1 204" not in transport.sent:  # noqa: ASYNC110 -- nobody tells that uvicorn has answered
            await asyncio.sleep(0)
        assert any(not handle.cancelled() for *_, handle in timers.due), "uvicorn waits for a further request"
        for byte in more:
            protocol.data_received(bytes([byte]))  # one at a time does not help
        left = [delay_s for delay_s, _, handle in timers.due if not handle.cancelled()]
        assert sorted(left) == [HEAD_WITHIN_S, STALLED_S]
        timers.pass_(HEAD_WITHIN_S)
        assert transport.aborted
        protocol.connection_lost(None)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("looks", "goes"),
    [
        ([SentBytes(5, waiting=True), SentBytes(5, waiting=True)], True),
        ([SentBytes(5, waiting=True), SentBytes(6, waiting=True), SentBytes(6, waiting=True)], True),
        (
            [SentBytes(5, waiting=True), SentBytes(6, waiting=True), SentBytes(7, waiting=True)],
            False,
        ),  # slowly, but he takes it
        (
            [SentBytes(5, waiting=False), SentBytes(5, waiting=False), SentBytes(5, waiting=False)],
            False,
        ),  # nothing happens live
        (
            [SentBytes(5, waiting=False), SentBytes(5, waiting=True), SentBytes(9, waiting=False)],
            False,
        ),  # something just has
        ([OSError()], True),
    ],
)
def test_who_takes_nothing_of_his_answer_goes(
    looks: list[SentBytes | OSError], goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_line: object) -> SentBytes:
        assert not transport.aborted
        found = coming.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    async def run() -> None:
        nonlocal transport
        protocol, transport, timers = await connected()
        protocol.data_received(HEAD)
        transport.get_extra_info = lambda *_: line  # type: ignore[method-assign]
        while coming:
            timers.due = [one for one in timers.due if one[0] == STALLED_S]
            timers.pass_(STALLED_S)
        assert transport.aborted == goes
        protocol.connection_lost(None)

    coming, transport = [*looks], Transport()
    monkeypatch.setattr(ours, "sent", look)
    with socket.socket() as line:
        asyncio.run(run())


def test_the_kernel_tells_what_was_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as port, socket.create_connection(port.getsockname()) as reader:
        line, _ = port.accept()
        with line:
            assert sent(line) == SentBytes(0, waiting=False)
            line.setblocking(False)
            written = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    written += line.send(bytes(1 << 16))
            stuck = sent(line)
            assert stuck.waiting
            assert 0 < stuck.taken < written
            taken = 0
            while taken < written:
                taken += len(reader.recv(1 << 20))
            while (now := sent(line)).waiting:
                pass
            assert now.taken == written
        with pytest.raises(OSError, match="Bad file descriptor"):
            sent(line)
