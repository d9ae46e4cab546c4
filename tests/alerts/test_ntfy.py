"""Notifications against real servers on the loopback: what is sent, and what a server may do instead of taking it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.alerts.channels import Channels
from edge.alerts.ntfy import Ntfy
from edge.alerts.state import Notice, NoticeKind
from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.network import Network
from edge.delivery.receivers import posting
from edge.model.catalogue import Severity
from edge.model.cloudevents import Identity
from edge.settings.alert_policies import Actions, AlertPolicy
from edge.settings.alerts import NtfyTable
from tests.support.certificates import Authority
from tests.support.receivers import http_server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from tests.support.receivers import HttpServer

HERE = Identity("lab", "test", "epoch-1")
PAGE = "https://doors.example.org:8443"
NOTICE = Notice(
    "forced-7-1", "forced-7", "forced", NoticeKind.RAISED, "front", 7, 1_795_384_623_000_000, "Tür forced open", 2
)
POLICY = AlertPolicy(
    "forced", "Forced open", frozenset(), severity=Severity.ALARM, actions=Actions(ntfy=("doors-guard",))
)


def table(server: HttpServer, folder: Path, scheme: str = "http", **keys: Any) -> NtfyTable:
    """As the configuration would have it, with the server below a path."""
    text = {"url": f"{scheme}://127.0.0.1:{server.port}/push", **keys}
    return NtfyTable.model_validate(text, context={"folder": folder, "credentials": folder})


async def told(table: NtfyTable, notice: Notice = NOTICE) -> None:
    channels = Channels(ntfy=Ntfy(table), zone=ZoneInfo("Europe/Berlin"))
    await channels.tell("ntfy:doors-guard", notice, POLICY, HERE, 0)


def with_server(main: Callable[[HttpServer], Coroutine[Any, Any, None]], context: ssl.SSLContext | None = None) -> None:
    async def run() -> None:
        async with http_server(context) as server:
            await main(server)

    asyncio.run(run())


def test_a_phone_rings_and_a_tap_opens_the_record(tmp_path: Path) -> None:
    async def main(server: HttpServer) -> None:
        await told(table(server, tmp_path, page=PAGE))
        [sent] = server.requests
        assert sent.target == "/push/doors-guard"
        title = str(make_header(decode_header(sent.headers["title"])))
        assert title == "[alarm] Tür forced open"
        assert (sent.headers["priority"], sent.headers["tags"]) == ("5", "rotating_light")
        assert sent.headers["click"] == f"{PAGE}/events/7"
        assert "authorization" not in sent.headers
        assert sent.body.decode().splitlines() == [
            "2026-11-22 22:57:03 CET, test at lab",
            "Forced open, 2 times",
            "To answer it: doorctl acknowledge forced-7",
        ]
        await told(table(server, tmp_path))
        assert "click" not in server.requests[-1].headers

    with_server(main)


def test_a_token_or_a_password_is_read_from_its_file_whenever_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tk_first\n")
    (tmp_path / "password").write_text("zwölf: Rösser\n")

    async def main(server: HttpServer) -> None:
        by_token = table(server, tmp_path, token_file="token")
        await told(by_token)
        (tmp_path / "token").write_text("tk_second\n")
        await told(by_token)
        await told(table(server, tmp_path, username="ada", password_file="password"))
        first, second, third = (sent.headers["authorization"] for sent in server.requests)
        assert (first, second) == ("Bearer tk_first", "Bearer tk_second")
        assert base64.b64decode(third.removeprefix("Basic ")).decode() == "ada:zwölf: Rösser"

    with_server(main)


@pytest.mark.parametrize("secret", ["", "tk with spaces", "tk\nX-Evil: 1", "tk_ü"])
def test_a_token_that_makes_no_header_is_said_and_not_shown(tmp_path: Path, secret: str) -> None:
    (tmp_path / "token").write_text(secret)

    async def main(server: HttpServer) -> None:
        with pytest.raises(DeliveryError, match="token") as error:
            await told(table(server, tmp_path, token_file="token"))
        assert error.value.ours
        assert not secret or secret not in str(error.value)
        assert not server.connections

    with_server(main)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "127.0.0.1 answered 401 Unauthorized"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "127.0.0.1 answered 403 Forbidden"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/elsewhere\r\n\r\n", "redirects are not followed"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "answered 500"),
        (b"220 mail.example.org ESMTP\r\n", "no HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 5_000_000, "no HTTP"),
        (b"HTTP/1.1 429 Too Many\r\n" + b"x: y\r\n" * 5_000 + b"\r\n", "no HTTP"),
        (b"", "without an answer"),
    ],
    ids=["401", "403", "redirect", "500", "mail", "huge line", "many headers", "nothing"],
)
def test_a_server_that_does_not_take_it_is_tried_again(tmp_path: Path, answer: bytes, said: str) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = answer.replace(b"{port}", str(server.port).encode())
        with pytest.raises(DeliveryError, match=said) as error:
            await told(table(server, tmp_path))
        assert not isinstance(error.value, DeliveryRefusedError), "the next message would not get through either"
        assert len(server.requests) == 1, "nothing was sent elsewhere"

    with_server(main)


def test_a_message_that_a_server_will_never_take_holds_up_no_other(tmp_path: Path) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = b"HTTP/1.1 413 Too Large\r\n\r\n"
        with pytest.raises(DeliveryRefusedError):
            await told(table(server, tmp_path))

    with_server(main)


def test_a_server_that_has_enough_is_left_alone_as_long_as_it_says(tmp_path: Path) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 90\r\n\r\n"
        with pytest.raises(DeliveryError) as error:
            await told(table(server, tmp_path))
        assert error.value.again_s == 90

    with_server(main)


def test_a_huge_answer_costs_nothing(tmp_path: Path) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"{" * 20_000_000
        await told(table(server, tmp_path))

    with_server(main)


def test_a_server_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.05)

    async def main(server: HttpServer) -> None:
        server.answer = None
        with pytest.raises(DeliveryError, match="did not answer within"):
            await told(table(server, tmp_path))

    with_server(main)


def test_only_a_server_whose_certificate_is_verified_gets_a_token(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs", "Another CA")
    (tmp_path / "token").write_text("tk_x")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.issue("server", address="127.0.0.1"))

    async def main(server: HttpServer) -> None:
        with pytest.raises(DeliveryError, match="certificate"):
            await told(table(server, tmp_path, "https", token_file="token", ca_file=str(theirs.ca)))
        assert not server.requests
        await told(table(server, tmp_path, "https", token_file="token", ca_file=str(ours.ca)))
        assert len(server.requests) == 1

    with_server(main, context)


def test_nothing_goes_over_the_internet_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def public(_host: str, _port: int) -> list[str]:
        return ["8.8.8.8"]

    async def main(server: HttpServer) -> None:
        ntfy = Ntfy(table(server, tmp_path))
        monkeypatch.setattr(ntfy, "_network", Network(ntfy._network.reach, resolve=public))
        with pytest.raises(DeliveryError, match="unencrypted: expected https"):
            await Channels(ntfy=ntfy).tell("ntfy:doors-guard", NOTICE, POLICY, HERE, 0)

    with_server(main)


def test_what_waits_for_a_server_that_is_not_configured_any_more_says_so() -> None:
    with pytest.raises(DeliveryError, match="no way to send by ntfy:doors-guard is configured"):
        asyncio.run(Channels().tell("ntfy:doors-guard", NOTICE, POLICY, HERE, 0))
