"""Webhooks against real servers on the loopback: what is sent, what counts as taken, and where nothing is sent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from dataclasses import replace
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.delivery.address import AllowedAddresses, is_own
from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.network import NameLookups, Network
from edge.delivery.receivers import posting
from edge.delivery.receivers.chat import ChatMessage, letter
from edge.delivery.receivers.posting import LONGEST_AGAIN_S
from edge.delivery.receivers.webhook import Poster, Webhook
from edge.delivery.secrets import SecretError, Secrets
from edge.model.catalogue import Severity
from edge.model.cloudevents import cloudevent, to_bytes
from tests.support.certificates import Authority
from tests.support.journal import FakeJournal
from tests.support.receivers import Here, http_server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from tests.support.receivers import HttpServer

EMPTY = ChatMessage("1", b"{}")
BY_DATE = b"Mon, 30 Nov 2026 02:01:30 GMT"
KEY = b"sixteen bytes and a bit more"
HOME = AllowedAddresses(allow_private=True)


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pager").write_bytes(KEY + b"\n")
    return Secrets(tmp_path)


def poster(url: str, secrets: Secrets, network: Network | None = None) -> Poster:
    return Poster(url, "pager", network=network or Network(HOME), secrets=secrets)


def with_server(main: Callable[[HttpServer], Coroutine[Any, Any, None]], context: ssl.SSLContext | None = None) -> None:
    async def run() -> None:
        async with http_server(context) as server:
            await main(server)

    asyncio.run(run())


def hmac_by_hand(key: bytes, body: bytes) -> str:
    """RFC 2104, 2, in so many words."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + body).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).hexdigest()


# --- what is sent -------------------------------------------------------------------------------------------


def test_a_record_is_posted_as_on_the_wire_and_signed(secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        log, here = FakeJournal(), Here()
        first, second = log.write(["lock.opened", "lock.forced_open"])
        hook = Webhook(poster(server.url(), secrets), {"lock.opened", "lock.forced_open"}, here)
        assert hook.wants(first)
        await hook.send([first])
        await hook.send([second])
        for record, request in zip((first, second), server.requests, strict=True):
            late = here.is_late(record)
            assert request.body == to_bytes(cloudevent(record, here.identity(), replayed=late))
            assert request.headers["x-signature"] == f"sha256={hmac_by_hand(KEY, request.body)}"
            assert request.headers["x-event-id"] == request.event["id"] == f"epoch-1-{record.sequence}"
            assert request.headers["content-type"] == "application/cloudevents+json"
            assert request.headers["host"] == f"127.0.0.1:{server.port}"
            assert request.target == "/hook?site=hq"
        assert server.connections == 2

    with_server(main)


def test_only_the_types_that_are_asked_for_are_wanted(secrets: Secrets) -> None:
    opened, forced = FakeJournal().write(["lock.opened", "lock.forced_open"])
    hook = Webhook(poster("http://127.0.0.1/", secrets), {"lock.forced_open"}, Here())
    assert not hook.wants(opened)
    assert hook.wants(forced)


# --- what counts as taken -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 202 Accepted\r\n\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000,
    ],
    ids=["200", "202", "no reason", "interim", "huge body"],
)
def test_2xx_is_taken(answer: bytes, secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = answer
        await poster(server.url(), secrets).post(EMPTY)
        assert len(server.requests) == 1

    with_server(main)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 500 Oops\r\n\r\n", "500 Internal Server Error"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "404"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", "301 Moved Permanently; redirects are not"),
        (b"HTTP/1.1 299\r\r\n\r\n", "no HTTP"),
        (b"HTTP/2 200 OK\r\n\r\n", "no HTTP"),
        (b"220 mail ready\r\n", "no HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "only interim"),
        (b"HTTP/1.1 100 Continue\r\n" + b"a: b\r\n" * 500, "headers"),
        (b"", "without an answer"),
        (b"HTTP/1.1 20", "no HTTP"),
    ],
)
def test_everything_else_is_not(answer: bytes, said: str, secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = answer
        with pytest.raises(DeliveryError, match=said) as error:
            await poster(server.url(), secrets).post(EMPTY)
        assert not error.value.ours
        assert not error.value.final
        assert len(server.requests) == 1, "a redirect was not followed"

    with_server(main)


def test_gone_is_final(secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = b"HTTP/1.1 410 Gone\r\n\r\n"
        with pytest.raises(DeliveryError) as error:
            await poster(server.url(), secrets).post(EMPTY)
        assert error.value.final

    with_server(main)


@pytest.mark.parametrize(
    ("answer", "again_s"),
    [
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: 20\r\n\r\n", 20.0),
        (b"HTTP/1.1 503 Busy\r\nx: y\r\nretry-after: 7\r\n\r\n", 7.0),
        (b"HTTP/1.1 503 x\r\nDate: Mon, 30 Nov 2026 02:00:00 GMT\r\nRetry-After: " + BY_DATE + b"\r\n\r\n", 90.0),
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: 999999999999999999999\r\n\r\n", LONGEST_AGAIN_S),
    ],
)
def test_who_says_when_to_come_again_is_left_alone_until_then(answer: bytes, again_s: float, secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = answer
        with pytest.raises(DeliveryError) as error:
            await poster(server.url(), secrets).post(EMPTY)
        assert error.value.again_s == again_s
        assert error.value.ours, "it is well: that counts for no disabling"

    with_server(main)


@pytest.mark.parametrize("value", [b"soon", b"-1", b"\xb2", BY_DATE, b""])
def test_a_retry_after_that_says_nothing_is_a_failure_like_another(value: bytes, secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = b"HTTP/1.1 503 Busy\r\nRetry-After: " + value + b"\r\n\r\n"
        with pytest.raises(DeliveryError, match="503") as error:
            await poster(server.url(), secrets).post(EMPTY)
        assert (error.value.again_s, error.value.ours) == (0.0, False)

    with_server(main)


def test_a_message_that_is_not_understood_is_refused_for_its_own_sake(secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        server.answer = b"HTTP/1.1 400 no_text\r\n\r\n"
        with pytest.raises(DeliveryRefusedError, match="400"):
            await poster(server.url(), secrets).post(EMPTY)

    with_server(main)


# --- messages for people ------------------------------------------------------------------------------------

ALARM = ChatMessage("e-7", b"{}", "Front <!channel> @here\x1b[2J forced open", "at night\nsecond line", Severity.ALARM)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("slack", {"text": "Front &lt;!channel&gt; @\u200bhere [2J forced open\nat night\nsecond line"}),
        (
            "discord",
            {
                "content": "Front <!channel> @here [2J forced open\nat night\nsecond line",
                "allowed_mentions": {"parse": []},
            },
        ),
        ("matrix", {"msgtype": "m.text", "body": "Front <!channel> @here [2J forced open\nat night\nsecond line"}),
    ],
)
def test_a_chat_gets_what_it_understands_and_nobody_is_called(
    wanted: str, expected: dict[str, Any], secrets: Secrets
) -> None:
    async def main(server: HttpServer) -> None:
        await Poster(server.url(), "pager", network=Network(HOME), secrets=secrets, wanted=wanted).post(ALARM)
        [request] = server.requests
        assert request.event == expected
        assert request.headers["content-type"] == "application/json"
        assert "x-signature" not in request.headers

    (secrets._places[0] / "pager").write_bytes(b"a-token-of-a-chat")
    with_server(main)


def test_teams_gets_a_card() -> None:
    content = json.loads(letter("teams", ALARM).body)["attachments"][0]["content"]
    assert content["type"] == "AdaptiveCard"
    assert [block["text"] for block in content["body"]] == [
        "Front <!channel> @here [2J forced open",
        "at night\n\nsecond line",
    ]


def test_ntfy_rings_for_an_alarm_and_a_title_makes_no_header() -> None:
    evil = replace(ALARM, title="Gr\u00fc\u00df\r\nX-Evil: 1", severity=Severity.INFO)
    assert dict(letter("ntfy", ALARM).headers)["Priority"] == "5"
    headers = dict(letter("ntfy", evil).headers)
    assert headers["Priority"] == "3"
    assert headers["Title"].isascii()
    assert headers["Title"].isprintable()
    assert str(make_header(decode_header(headers["Title"]))) == "Gr\u00fc\u00df  X-Evil: 1"
    assert letter("ntfy", evil).body.decode() == "at night\nsecond line"


def test_a_notification_has_an_emoji_by_severity_and_opens_a_link_where_there_is_one() -> None:
    for severity, tag in (("alarm", "rotating_light"), ("warning", "warning"), ("info", "information_source")):
        headers = dict(letter("ntfy", replace(ALARM, severity=Severity(severity))).headers)
        assert headers["Tags"] == tag
        assert "Click" not in headers
    assert (
        dict(letter("ntfy", replace(ALARM, link="https://d.example.org/")).headers)["Click"] == "https://d.example.org/"
    )


def test_a_long_notification_is_cut_between_characters() -> None:
    body = letter("ntfy", replace(ALARM, text="x" + "\U0001f6aa" * 1_400)).body
    assert len(body) == 3_997
    assert body.decode().endswith("\U0001f6aa")


def test_a_secret_stands_in_the_url_or_goes_as_a_token(secrets: Secrets) -> None:
    (secrets._places[0] / "pager").write_bytes(b"T000/B000/abcdefghijkl\n")

    async def main(server: HttpServer) -> None:
        url = f"http://127.0.0.1:{server.port}/services/{{secret}}?wait=true"
        await Poster(url, "pager", network=Network(HOME), secrets=secrets, wanted="slack").post(ALARM)
        await Poster(server.url(), "pager", network=Network(HOME), secrets=secrets, wanted="matrix").post(ALARM)
        assert server.requests[0].target == "/services/T000/B000/abcdefghijkl?wait=true"
        assert "authorization" not in server.requests[0].headers
        assert server.requests[1].target == "/hook/e-7?site=hq"
        assert server.requests[1].headers["authorization"] == "Bearer T000/B000/abcdefghijkl"

    with_server(main)


@pytest.mark.parametrize("secret", [b"sixteen bytes and a bit", b"sixteen-bytes\r\nX: 1", b"sixteen-bytes-\xc3\xbc"])
def test_a_secret_that_no_url_can_have_is_said_and_not_shown(secrets: Secrets, secret: bytes) -> None:
    (secrets._places[0] / "pager").write_bytes(secret)

    async def main(server: HttpServer) -> None:
        for url in (f"http://127.0.0.1:{server.port}/{{secret}}", server.url()):
            with pytest.raises(DeliveryError, match="the secret pager has characters that a url cannot have") as error:
                await Poster(url, "pager", network=Network(HOME), secrets=secrets, wanted="slack").post(ALARM)
            assert error.value.ours
            assert "sixteen" not in str(error.value)
        assert not server.requests

    with_server(main)


def test_a_record_is_told_with_the_sites_time(secrets: Secrets) -> None:
    (secrets._places[0] / "pager").write_bytes(b"a-token-of-a-chat")

    async def main(server: HttpServer) -> None:
        one = Poster(server.url(), "pager", network=Network(HOME), secrets=secrets, wanted="discord")
        record = replace(FakeJournal().write(["lock.forced_open"])[0], time_us=1_795_384_623_000_000)
        await Webhook(one, {"lock.forced_open"}, Here(), ZoneInfo("Europe/Berlin")).send([record])
        title, text = server.requests[0].event["content"].split("\n")
        assert title.endswith("forced open")
        assert text == "2026-11-22 22:57:03 CET, test at lab"

    with_server(main)


def test_a_receiver_that_never_answers_is_given_up(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.05)

    async def main(server: HttpServer) -> None:
        server.answer = None
        with pytest.raises(DeliveryError, match="did not answer"):
            await poster(server.url(), secrets).post(EMPTY)

    with_server(main)


def test_a_receiver_that_is_not_there(secrets: Secrets) -> None:
    async def main() -> None:
        async with http_server() as server:
            url = server.url()
        with pytest.raises(DeliveryError, match="cannot be reached") as error:
            await poster(url, secrets).post(EMPTY)
        assert not error.value.ours

    asyncio.run(main())


def test_proxies_of_the_environment_are_not_asked(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def main(server: HttpServer) -> None:
        await poster(server.url(), secrets).post(EMPTY)
        assert len(server.requests) == 1

    with_server(main)


# --- TLS ----------------------------------------------------------------------------------------------------


def serving(authority: Authority, address: str) -> ssl.SSLContext:
    certificate, key = authority.issue(f"server-{address}", address=address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_certificates_are_verified(tmp_path: Path, secrets: Secrets) -> None:
    authority = Authority(tmp_path / "ca")

    async def main(server: HttpServer) -> None:
        known = Network(HOME, ca_file=authority.ca)
        await poster(server.url("https"), secrets, known).post(EMPTY)
        assert len(server.requests) == 1
        with pytest.raises(DeliveryError, match=r"self-signed|issuer"):
            await poster(server.url("https"), secrets, Network(HOME)).post(EMPTY)
        elsewhere = Network(HOME, ca_file=authority.ca, resolve=to("127.0.0.1"))
        with pytest.raises(DeliveryError, match=r"[Hh]ostname mismatch"):
            await poster(server.url("https", "hooks.example.org"), secrets, elsewhere).post(EMPTY)
        assert len(server.requests) == 1

    with_server(main, serving(authority, "127.0.0.1"))


def test_authorities_that_cannot_be_read_are_our_own_fault(tmp_path: Path, secrets: Secrets) -> None:
    async def main() -> None:
        network = Network(HOME, ca_file=tmp_path / "none.pem")
        with pytest.raises(DeliveryError, match="authorities") as error:
            await poster("https://127.0.0.1:1/", secrets, network).post(EMPTY)
        assert error.value.ours

    asyncio.run(main())


# --- where nothing is sent ----------------------------------------------------------------------------------


def to(*addresses: str) -> Any:
    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(0)
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",  # 127.0.0.1 in decimal
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
    ],
)
def test_this_computer_is_refused_in_every_spelling(host: str, secrets: Secrets) -> None:
    """Looked up by the system, as in earnest."""

    async def main(server: HttpServer) -> None:
        with pytest.raises(DeliveryError, match=r"not on the Internet|a single computer|is not found"):
            await poster(server.url(host=host), secrets, Network()).post(EMPTY)
        assert server.connections == 0

    with_server(main)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "127.8.8.8",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "224.0.0.251",
        "0.1.2.3",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "::",
        "::1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "::10.1.2.3",
        "64:ff9b::10.1.2.3",
        "64:ff9b:1::10.1.2.3",
        "2002:0a01:0203::1",
        "2001:0:4136:e378:8000:63bf:f5fe:fdfc",
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_on_the_internet_are_refused(address: str) -> None:
    assert AllowedAddresses().refusal(address)
    assert AllowedAddresses().refusal_of_any(["93.184.215.14", address]), "one among good ones is enough"


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"])
def test_addresses_on_the_internet_are_not(address: str) -> None:
    assert AllowedAddresses().refusal(address) is None
    assert not is_own(address)


def test_a_network_can_be_listed() -> None:
    import ipaddress  # noqa: PLC0415 -- here only

    reach = AllowedAddresses(networks=(ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")))
    assert reach.refusal("10.1.2.3") is None
    assert reach.refusal("::ffff:10.1.2.3") is None
    assert reach.refusal("fd12::1") is None
    assert reach.refusal("10.2.0.1")
    assert reach.refusal("127.0.0.1")


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "::", "ff02::1"])
def test_what_is_no_computer_is_refused_even_so(address: str) -> None:
    assert HOME.refusal(address)


def test_a_name_that_leads_home_is_refused(secrets: Secrets) -> None:
    async def main(server: HttpServer) -> None:
        for found in (["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"]):
            network = Network(resolve=to(*found))
            with pytest.raises(DeliveryError, match="allow_private"):
                await poster(server.url(host="hooks.example.org"), secrets, network).post(EMPTY)
        assert server.connections == 0

    with_server(main)


def test_a_name_server_that_is_silent_is_no_fault_of_the_receivers(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.delivery.network.NAMES_S", 0.01)

    async def silent(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def main() -> None:
        with pytest.raises(DeliveryError, match="no name server answered") as refused:
            await poster("https://hooks.example.org/", secrets, Network(resolve=silent)).post(EMPTY)
        assert refused.value.ours

    asyncio.run(main())


def test_a_name_is_looked_up_once_for_a_try(secrets: Secrets) -> None:
    """A name that says another address at the second look (DNS rebinding) is not looked at a second time."""
    looked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        await asyncio.sleep(0)
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["127.0.0.2"]

    async def main(server: HttpServer) -> None:
        network = Network(HOME, resolve=rebinding)
        await poster(server.url(host="hooks.example.org"), secrets, network).post(EMPTY)
        assert looked == ["hooks.example.org"]
        assert server.requests[0].headers["host"].startswith("hooks.example.org:")

    with_server(main)


def test_nothing_goes_over_the_internet_in_clear(secrets: Secrets) -> None:
    async def main() -> None:
        for found in (["93.184.215.14"], ["10.0.0.1", "93.184.215.14"]):
            network = Network(HOME, resolve=to(*found))
            with pytest.raises(DeliveryError, match="https"):
                await poster("http://hooks.example.org/", secrets, network).post(EMPTY)

    asyncio.run(main())


def test_names_that_are_none_are_refused(secrets: Secrets) -> None:
    async def main() -> None:
        for host in ("a" * 70 + ".example.org", "nobody.invalid"):
            with pytest.raises(DeliveryError):
                await poster(f"https://{host}/", secrets).post(EMPTY)

    asyncio.run(main())


def test_a_name_is_looked_up_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading  # noqa: PLC0415 -- here only

    go, looked = threading.Event(), []

    def slow(host: str, _port: int) -> list[str]:
        looked.append(host)
        assert go.wait(60)
        return ["127.0.0.1"]

    monkeypatch.setattr("edge.delivery.network.addresses", slow)

    async def main() -> None:
        names = NameLookups()
        asking = [asyncio.create_task(names("hooks.example.org", 443)) for _ in range(5)]
        await asyncio.sleep(0)
        asking[0].cancel()
        go.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert found[1:] == [["127.0.0.1"]] * 4
        assert len(looked) == 1

    asyncio.run(main())


# --- secrets ------------------------------------------------------------------------------------------------


def test_a_credential_goes_before_a_file(tmp_path: Path, secrets: Secrets) -> None:
    assert secrets.read("pager") == KEY
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    both = Secrets(tmp_path, credentials)
    assert both.read("pager") == KEY
    (credentials / "pager").write_bytes(b"another one of sixteen bytes")
    assert both.read("pager") == b"another one of sixteen bytes"


@pytest.mark.parametrize("name", ["", "../pager", "Pager", "a/b", "pager.txt", "nobody", "x" * 64])
def test_a_secret_that_is_not_there(name: str, secrets: Secrets) -> None:
    with pytest.raises(SecretError, match="secret"):
        secrets.read(name)


@pytest.mark.parametrize("content", [b"", b"short\n", b"x" * 5000])
def test_a_secret_of_no_use(content: bytes, tmp_path: Path, secrets: Secrets) -> None:
    (tmp_path / "secrets" / "poor").write_bytes(content)
    with pytest.raises(SecretError, match="bytes"):
        secrets.read("poor")


def test_a_secret_that_is_missing_is_our_own_fault_and_is_read_when_it_comes(tmp_path: Path) -> None:
    async def main(server: HttpServer) -> None:
        one = poster(server.url(), Secrets(tmp_path))
        with pytest.raises(DeliveryError, match="no secret pager") as error:
            await one.post(EMPTY)
        assert error.value.ours
        assert server.connections == 0
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "pager").write_bytes(KEY)
        await one.post(EMPTY)
        server.answer = b"HTTP/1.1 401 Unauthorized\r\n\r\n"
        with pytest.raises(DeliveryError):
            await one.post(EMPTY)
        (tmp_path / "secrets" / "pager").write_bytes(KEY[::-1])
        server.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        await one.post(EMPTY)
        assert server.requests[-1].headers["x-signature"] == f"sha256={hmac_by_hand(KEY[::-1], b'{}')}"

    with_server(main)
