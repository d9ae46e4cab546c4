"""The control socket against clients that are slow, rude, many or not allowed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from edge.client.connection import Client
from edge.model.messages import Actor
from edge.socket import peers as control_peers
from edge.socket.limits import (
    ARRIVALS_AT_ONCE,
    BYTES_AT_ONCE,
    CONNECTIONS_OF,
    OF_ONE,
    REQUESTS_AT_ONCE,
    ConnectionLimits,
)
from edge.socket.lines import MAX_REQUEST_BYTES, WRITE_S
from edge.socket.peers import Peer, PeerKind, Peers, RequestError
from edge.socket.server import BACKLOG, FIRST_S, MOST_TURNED_AWAY, ControlServer
from edge.web.link import MOST_LONG, MOST_SHORT, DaemonLink
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from pathlib import Path

    from edge.model.messages import Json

CAME: list[asyncio.StreamWriter] = []
"""Whoever came by `Casting`; they are hung up on at the end."""
PING = b'{"op": "ping"}\n'


class Echo:
    """Answers `ping`, breaks on `break`, and streams big items without end."""

    def __init__(self) -> None:
        self.served = 0
        self.streams = 0
        self.too_many: Counter[str] = Counter()

    def dropped(self, what: str) -> None:
        self.too_many[what] += 1

    async def request(self, op: str, _body: dict[str, Any], actor: Actor) -> Json:
        if op == "break":
            raise KeyError("a bug")
        if op == "big":
            return "x" * 4_000_000
        self.served += 1
        return actor.id

    def check_page(self, op: str, _body: dict[str, Any], _actor: Actor) -> None:
        if op != "ping":
            raise RequestError("not_allowed", "not for the page")

    async def watch(self) -> AsyncGenerator[Json, None]:
        self.streams += 1
        try:
            while True:
                yield "x" * 100_000
                await asyncio.sleep(0)
        finally:
            self.streams -= 1


def serve(tmp_path: Path, script: Callable[[Path, Echo, ControlServer], Coroutine[Any, Any, None]]) -> None:
    async def main(_loop: virtual.VirtualLoop) -> None:
        echo, path = Echo(), tmp_path / "doord.sock"
        served = ControlServer(path, echo)
        await served.start()
        try:
            await script(path, echo, served)
        finally:
            while CAME:
                await hang_up(CAME.pop())
            await served.close()
        assert not path.exists()
        assert echo.streams == 0

    virtual.run(main)


async def read(reader: asyncio.StreamReader) -> dict[str, Any]:
    return dict(json.loads(await reader.readline()))


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_requests_on_one_connection_are_answered_in_order(tmp_path: Path) -> None:
    async def script(path: Path, echo: Echo, _control: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING * 3 + b"nonsense\n" + PING)
        answers = [await read(reader) for _ in range(5)]
        assert [answer["ok"] for answer in answers] == [True, True, True, False, True]
        assert echo.served == 4
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_client_that_has_said_everything_is_still_answered(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING)
        writer.write_eof()
        assert (await read(reader))["ok"]
        assert await reader.read() == b""
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_client_that_hangs_up_at_once_leaves_nothing_behind(tmp_path: Path) -> None:
    async def script(path: Path, echo: Echo, control_: ControlServer) -> None:
        for request in (PING, b'{"op": "watch"}\n', b"", b'{"op"'):
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.write(request)
            await hang_up(writer)
        await asyncio.sleep(1)
        assert not control_._clients
        assert echo.streams == 0

    serve(tmp_path, script)


@pytest.mark.parametrize("op", ["watch", "big"])
def test_a_client_that_never_reads_is_let_go_and_costs_nothing_more(tmp_path: Path, op: str) -> None:
    async def script(path: Path, _echo: Echo, control_: ControlServer) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
            mute.setblocking(False)
            await loop.sock_connect(mute, str(path))
            await loop.sock_sendall(mute, json.dumps({"op": op}).encode() + b"\n")
            await asyncio.sleep(WRITE_S + 1)
            assert not control_._clients
            await asyncio.sleep(1)
            while True:  # what the kernel had taken is still there, and then the end: nobody holds the line any more
                try:
                    if not mute.recv(1 << 20):
                        break
                except ConnectionResetError:
                    break

    serve(tmp_path, script)


@pytest.mark.parametrize("waits_s", [0.0, 0.3])
def test_who_may_not_ask_can_read_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_s: float) -> None:
    monkeypatch.setattr(Peers, "of", lambda _self, _link: None)

    async def script(path: Path, echo: Echo, _control: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        await asyncio.sleep(waits_s)
        writer.write(PING)
        await writer.drain()
        answer = await read(reader)
        assert (answer["ok"], answer["code"]) == (False, "not_allowed")
        assert await reader.read() == b""
        assert echo.served == 0
        await hang_up(writer)

    serve(tmp_path, script)


EVE, ADA, ROOT = (
    Peer(1234, PeerKind.GROUP, Actor("operator", "uid:1234", "eve")),
    Peer(1235, PeerKind.GROUP, Actor("operator", "uid:1235", "ada")),
    Peer(0, PeerKind.ROOT, Actor("operator", "uid:0", "root")),
)


class Casting:
    """Decides who comes next: everybody in a test is the same user to the kernel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.next = EVE
        monkeypatch.setattr(Peers, "of", lambda _self, _link: self.next)

    async def come(self, path: Path, peer: Peer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.next = peer
        streams = await asyncio.open_unix_connection(str(path))
        CAME.append(streams[1])
        await asyncio.sleep(0.01)
        return streams


async def ping(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Any:
    streams[1].write(PING)
    answer = await read(streams[0])
    return answer.get("result") or answer.get("code")


def test_who_takes_every_place_takes_only_his_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(path: Path, echo: Echo, _control: ControlServer) -> None:
        cast = Casting(monkeypatch)
        seated = [await cast.come(path, EVE) for _ in range(OF_ONE[PeerKind.GROUP])]
        assert [await ping(one) for one in seated] == ["uid:1234"] * len(seated)
        rest = [await cast.come(path, EVE) for _ in range(MOST_TURNED_AWAY)]
        hung_up, _ = await cast.come(path, EVE)
        assert await hung_up.read() == b"", "not even time to say why"
        assert await ping(rest[0]) == "busy"
        for peer in (ADA, ROOT):
            assert await ping(await cast.come(path, peer)) == peer.actor.id
        assert echo.too_many == {"connections of eve (uid:1234)": MOST_TURNED_AWAY + 1}
        await hang_up(seated[0][1])
        await asyncio.sleep(0.01)
        assert await ping(await cast.come(path, EVE)) == "uid:1234"

    serve(tmp_path, script)


def test_the_whole_group_leaves_root_and_the_page_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(path: Path, _echo: Echo, _control: ControlServer) -> None:
        cast = Casting(monkeypatch)
        seated = []
        for number in range(CONNECTIONS_OF[PeerKind.GROUP]):
            uid = 2000 + number
            seated.append(
                await cast.come(path, Peer(uid, PeerKind.GROUP, Actor("operator", f"uid:{uid}", f"u{number}")))
            )
        assert await ping(await cast.come(path, ADA)) == "busy"
        page = Peer(99, PeerKind.PAGE, Actor("operator", "uid:99", "doorweb"))
        assert [await ping(await cast.come(path, peer)) for peer in (ROOT, page)] == ["uid:0", "uid:99"]

    serve(tmp_path, script)


def test_who_connects_without_end_is_hung_up_on_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(path: Path, echo: Echo, control_: ControlServer) -> None:
        cast = Casting(monkeypatch)
        for _ in range(ARRIVALS_AT_ONCE // BACKLOG + 2):
            storm = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(BACKLOG)]
            for one in storm:
                one.setblocking(False)
                one.connect(str(path))
            await asyncio.sleep(0.1)
            for one in storm:
                one.close()
        assert echo.too_many.total() > BACKLOG
        assert len(control_._clients) <= OF_ONE[PeerKind.GROUP] + MOST_TURNED_AWAY
        assert await ping(await cast.come(path, ADA)) == "uid:1235"

    serve(tmp_path, script)


def test_who_asks_without_end_waits_and_the_others_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(path: Path, echo: Echo, _control: ControlServer) -> None:
        loop, cast = asyncio.get_running_loop(), Casting(monkeypatch)
        reader, writer = await cast.come(path, EVE)
        writer.write(PING * (REQUESTS_AT_ONCE + 500))
        await asyncio.sleep(1)
        assert REQUESTS_AT_ONCE <= echo.served <= REQUESTS_AT_ONCE + 60
        other, at_s = await cast.come(path, ADA), loop.time()
        assert await ping(other) == "uid:1235"
        assert loop.time() - at_s < 0.1
        for _ in range(REQUESTS_AT_ONCE + 500):
            assert (await read(reader))["ok"], "nothing was dropped"
        await hang_up(writer)

    serve(tmp_path, script)


def test_the_page_never_takes_more_places_than_it_has() -> None:
    assert CONNECTIONS_OF[PeerKind.PAGE] >= MOST_SHORT + MOST_LONG + 1  # and its live stream


def test_large_requests_count_for_more() -> None:
    limits = ConnectionLimits()
    assert limits.pause_s(EVE, BYTES_AT_ONCE, 0.0) == 0.0
    assert limits.pause_s(EVE, MAX_REQUEST_BYTES, 0.0) > 0.0
    assert limits.pause_s(ADA, MAX_REQUEST_BYTES, 0.0) == 0.0


def test_who_says_nothing_loses_his_place(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, control_: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING[:-1])
        assert await reader.read() == b""
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() >= 1000 + FIRST_S
        assert not control_._clients
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"x" * (3 * MAX_REQUEST_BYTES))
        assert (await read(reader))["code"] == "too_large"
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_mistake_of_ours_is_answered_and_others_are_served(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"op": "break"}\n' + PING)
        assert (await read(reader))["code"] == "internal_error"
        assert (await read(reader))["ok"]
        await hang_up(writer)

    serve(tmp_path, script)


def test_who_asks_is_what_the_kernel_says() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        peer = Peers(lambda: 0.0).of(ours)
        assert peer is not None
        assert peer.actor.id.startswith("uid:")


def test_only_the_page_speaks_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(path: Path, named: object) -> Any:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(json.dumps({"op": "ping", "as": named}).encode() + b"\n")
        answer = await read(reader)
        await hang_up(writer)
        return answer

    async def script(path: Path, _echo: Echo, _control: ControlServer) -> None:
        ada = {"id": "ada", "name": "Ada"}
        assert (await ask(path, ada))["result"] == "web:ada"
        for nonsense in ({"id": ""}, {"id": 7}, "ada", {"id": "a" * 101}, {"id": "a", "name": 3}):
            assert (await ask(path, nonsense))["code"] == "malformed"
        monkeypatch.setattr(Peers, "of", lambda _self, _link: EVE)
        assert (await ask(path, ada))["code"] == "not_allowed"
        assert (await ask(path, None))["result"] == "uid:1234"

    serve(tmp_path, script)


@pytest.mark.parametrize(
    ("uid", "groups", "trusted"),
    [(0, [0], True), (1234, [1234, 77], False), (1234, [1234], None), (4321, None, None), (99, [99], True)],
)
def test_root_ourselves_the_page_and_the_group_may_ask(
    monkeypatch: pytest.MonkeyPatch, uid: int, groups: list[int] | None, trusted: bool | None
) -> None:
    class LockedDoor:
        def getsockopt(self, *_args: int) -> bytes:
            return control_peers.struct.pack("3i", 1, uid, uid)

    def getpwuid(_uid: int) -> Any:
        if groups is None:
            raise KeyError(uid)
        return type("Entry", (), {"pw_name": "ada"})

    monkeypatch.setattr(control_peers.pwd, "getpwuid", getpwuid)
    monkeypatch.setattr(control_peers.pwd, "getpwnam", lambda _name: type("Entry", (), {"pw_uid": 99}))
    monkeypatch.setattr(control_peers.os, "getgrouplist", lambda _name, _gid: groups)
    monkeypatch.setattr(control_peers.grp, "getgrnam", lambda _name: type("Entry", (), {"gr_gid": 77}))
    monkeypatch.setattr(control_peers.os, "geteuid", lambda: 9)
    peer = Peers(lambda: 0.0).of(LockedDoor())  # type: ignore[arg-type]
    assert (None if peer is None else peer.speaks_for_others) is trusted


def test_a_user_is_looked_up_once_in_a_while_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def looked_up(uid: int, _gid: int) -> Peer:
        asked.append(uid)
        return EVE

    monkeypatch.setattr(control_peers, "_looked_up", looked_up)
    times = iter((0.0, 1.0, control_peers.KNOWN_S, control_peers.KNOWN_S + 1))
    peers = Peers(lambda: next(times))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        for _ in range(4):
            assert peers.of(ours) is EVE
    assert len(asked) == 2


def test_who_finds_the_line_full_waits_in_it(tmp_path: Path) -> None:
    """Python's own timeout, and asyncio, take a full line for a refusal, or for a connection."""
    path = tmp_path / "doord.sock"

    def by_tool() -> Any:
        with Client(path) as client:
            return client.ask("status")

    def fill(storm: contextlib.ExitStack) -> int:
        in_line = []
        with contextlib.suppress(BlockingIOError):
            while True:
                one = storm.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                one.setblocking(False)
                one.connect(str(path))
                in_line.append(one)
        return len(in_line)

    def answer(listener: socket.socket, before: int) -> None:
        """Serve who comes after so many others."""
        for _ in range(before):
            listener.accept()[0].close()
        link, _ = listener.accept()
        with link:
            link.recv(1_000)
            link.sendall(b'{"ok": true, "result": 7}\n')

    for ask in (by_tool, lambda: asyncio.run(DaemonLink(path).ask("status"))):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, contextlib.ExitStack() as storm:
            listener.bind(str(path))
            listener.listen(1)
            thread = threading.Timer(0.1, answer, (listener, fill(storm)))
            thread.start()
            assert ask() == 7
            thread.join()
        path.unlink()
