"""The control socket against clients that are slow, rude, many or not allowed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from edge import control
from edge.control import MAX_CLIENTS, MAX_REQUEST_BYTES, WRITE_S, Control
from edge.messages import Actor
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from pathlib import Path

    from edge.messages import Json

PING = b'{"op": "ping"}\n'


class Echo:
    """Answers `ping`, breaks on `break`, and streams big items without end."""

    def __init__(self) -> None:
        self.served = 0
        self.streams = 0

    async def request(self, op: str, _body: dict[str, Any], actor: Actor) -> Json:
        if op == "break":
            raise KeyError("a bug")
        if op == "big":
            return "x" * 4_000_000
        self.served += 1
        return actor.id

    async def watch(self) -> AsyncGenerator[Json, None]:
        self.streams += 1
        try:
            while True:
                yield "x" * 100_000
                await asyncio.sleep(0)
        finally:
            self.streams -= 1


def serve(tmp_path: Path, script: Callable[[Path, Echo, Control], Coroutine[Any, Any, None]]) -> None:
    async def main(_loop: virtual.VirtualLoop) -> None:
        echo, path = Echo(), tmp_path / "doord.sock"
        served = Control(path, echo)
        await served.start()
        try:
            await script(path, echo, served)
        finally:
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
    async def script(path: Path, echo: Echo, _control: Control) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING * 3 + b"nonsense\n" + PING)
        answers = [await read(reader) for _ in range(5)]
        assert [answer["ok"] for answer in answers] == [True, True, True, False, True]
        assert echo.served == 4
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_client_that_has_said_everything_is_still_answered(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: Control) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING)
        writer.write_eof()
        assert (await read(reader))["ok"]
        assert await reader.read() == b""
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_client_that_hangs_up_at_once_leaves_nothing_behind(tmp_path: Path) -> None:
    async def script(path: Path, echo: Echo, control_: Control) -> None:
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
    async def script(path: Path, _echo: Echo, control_: Control) -> None:
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
    monkeypatch.setattr(control, "_peer", lambda _peer: None)

    async def script(path: Path, echo: Echo, _control: Control) -> None:
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


def test_one_client_too_many_is_told_and_place_is_made_again(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: Control) -> None:
        seated = [await asyncio.open_unix_connection(str(path)) for _ in range(MAX_CLIENTS)]
        for reader, writer in seated:
            writer.write(PING)
            assert (await read(reader))["ok"]
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING)
        assert (await read(reader))["code"] == "busy"
        await hang_up(writer)
        for _, one in seated:
            await hang_up(one)
        await asyncio.sleep(2)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(PING)
        assert (await read(reader))["ok"]
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: Control) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"x" * (3 * MAX_REQUEST_BYTES))
        assert (await read(reader))["code"] == "too_large"
        await hang_up(writer)

    serve(tmp_path, script)


def test_a_mistake_of_ours_is_answered_and_others_are_served(tmp_path: Path) -> None:
    async def script(path: Path, _echo: Echo, _control: Control) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"op": "break"}\n' + PING)
        assert (await read(reader))["code"] == "internal_error"
        assert (await read(reader))["ok"]
        await hang_up(writer)

    serve(tmp_path, script)


def test_who_asks_is_what_the_kernel_says() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        peer = control._peer(ours)
        assert peer is not None
        assert peer.actor.id.startswith("uid:")


def test_only_the_page_speaks_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(path: Path, named: object) -> Any:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(json.dumps({"op": "ping", "as": named}).encode() + b"\n")
        answer = await read(reader)
        await hang_up(writer)
        return answer

    async def script(path: Path, _echo: Echo, _control: Control) -> None:
        ada = {"id": "ada", "name": "Ada"}
        assert (await ask(path, ada))["result"] == "web:ada"
        for nonsense in ({"id": ""}, {"id": 7}, "ada", {"id": "a" * 101}, {"id": "a", "name": 3}):
            assert (await ask(path, nonsense))["code"] == "malformed"
        peer = control._Peer(Actor("operator", "uid:1234", "eve"), speaks_for_others=False)
        monkeypatch.setattr(control, "_peer", lambda _peer: peer)
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
    class Peer:
        def getsockopt(self, *_args: int) -> bytes:
            return control.struct.pack("3i", 1, uid, uid)

    def getpwuid(_uid: int) -> Any:
        if groups is None:
            raise KeyError(uid)
        return type("Entry", (), {"pw_name": "ada"})

    monkeypatch.setattr(control.pwd, "getpwuid", getpwuid)
    monkeypatch.setattr(control.pwd, "getpwnam", lambda _name: type("Entry", (), {"pw_uid": 99}))
    monkeypatch.setattr(control.os, "getgrouplist", lambda _name, _gid: groups)
    monkeypatch.setattr(control.grp, "getgrnam", lambda _name: type("Entry", (), {"gr_gid": 77}))
    monkeypatch.setattr(control.os, "geteuid", lambda: 9)
    peer = control._peer(Peer())  # type: ignore[arg-type]
    assert (None if peer is None else peer.speaks_for_others) is trusted
