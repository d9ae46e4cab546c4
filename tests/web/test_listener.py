"""Where browsers connect: so many at a time, gone before TLS costs anything, and who takes nothing goes too."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import uvicorn

from edge.web import listener, server
from edge.web.certificate import certificate
from edge.web.listener import MOST_CONNECTIONS, MOST_OF_AN_ADDRESS, SEND_BUFFER, Listener, network
from edge.web.protocol import STALLED_S, BoundedProtocol
from edge.web.server import WebServer
from tests.support.doord import ROOT
from tests.support.waiting import PATIENCE_S
from tests.support.web import Doorweb, write_config
from tests.web.test_server import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def port() -> Iterator[Listener]:
    with Listener("127.0.0.1", 0, most_of_one=2) as made:
        made.listen()
        yield made


def come(port: Listener, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(port.getsockname(), PATIENCE_S, (source, 0))


def test_an_address_has_so_many_connections_and_others_have_theirs(port: Listener) -> None:
    with contextlib.ExitStack() as both:
        held = []
        for source in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
            both.enter_context(come(port, source))
            held.append(both.enter_context(port.accept()[0]))
        one_more = both.enter_context(come(port))
        with pytest.raises(ConnectionAbortedError):
            port.accept()
        assert one_more.recv(1) == b""
        held[0].close()
        both.enter_context(come(port))
        assert both.enter_context(port.accept()[0]).fileno() >= 0, "a place that was given back is had again"


def test_all_addresses_together_have_so_many(port: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 3)
    with contextlib.ExitStack() as both:
        for number in range(3):
            both.enter_context(come(port, f"127.0.0.{number + 1}"))
            both.enter_context(port.accept()[0])
        both.enter_context(come(port, "127.0.0.9"))
        with pytest.raises(ConnectionAbortedError):
            port.accept()


def test_who_takes_nothing_makes_the_kernel_keep_little(port: Listener) -> None:
    with come(port) as reader, port.accept()[0] as line:
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER
        assert reader


def test_tls_ends_no_answer_that_the_watch_has_not_given_up() -> None:
    assert server.GOODBYE_WITHIN_S > 2 * STALLED_S


@pytest.mark.parametrize(
    ("host", "shared"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_whoever_has_a_network_has_the_share_of_one(host: str, shared: str) -> None:
    assert network(host) == shared


def test_where_it_cannot_listen_is_an_error_and_keeps_no_socket(port: Listener) -> None:
    with pytest.raises(OSError, match="in use"):
        Listener(*port.getsockname())


def test_silent_connections_cost_no_memory_and_nobody_else_his_place(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Doorweb(write_config(tmp_path)) as page, contextlib.ExitStack() as all_:
        there = ("127.0.0.1", page.port)
        silent = [
            all_.enter_context(socket.create_connection(there, PATIENCE_S)) for _ in range(MOST_OF_AN_ADDRESS + 60)
        ]
        for one in silent[MOST_OF_AN_ADDRESS:]:
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
        with (
            socket.create_connection(there, PATIENCE_S, ("127.0.0.2", 0)) as raw,
            context.wrap_socket(raw, server_hostname="x") as line,
        ):
            line.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(12) == b"HTTP/1.1 200"


def test_who_never_ends_a_handshake_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio itself would wait a minute for him."""
    monkeypatch.setattr(server, "HANDSHAKE_WITHIN_S", 0.05)

    async def run() -> None:
        config = uvicorn.Config(lambda: None, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
        config.load()
        config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        config.ssl.load_cert_chain(certificate(tmp_path, "127.0.0.1", NOW, vouched=True))
        port = Listener("127.0.0.1", 0)
        made = WebServer(config, port)
        made.lifespan = config.lifespan_class(config)
        await made.startup()
        reader, writer = await asyncio.open_connection(*port.getsockname())
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        writer.close()
        await made.shutdown()

    asyncio.run(run())


def test_the_unit_leaves_files_for_all_of_them() -> None:
    found = re.search(r"^LimitNOFILE=(\d+)$", (ROOT / "systemd" / "doorweb.service").read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) >= 2 * MOST_CONNECTIONS


def test_an_answer_does_not_wait_for_the_one_before_to_be_acknowledged(port: Listener) -> None:
    """Nagle's algorithm and a browser's delayed acknowledgement take 40 ms; asyncio turns it off for TCP only."""

    async def main() -> None:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def met(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            line = writer.get_extra_info("socket")
            found.set_result(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(met, sock=port):
            _, writer = await asyncio.open_connection(*port.getsockname())
            assert await found == 1
            writer.close()

    asyncio.run(main())
