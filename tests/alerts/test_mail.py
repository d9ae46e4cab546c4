"""E-mails about alerts, taken by a real server on the loopback."""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
import warnings
from contextlib import asynccontextmanager
from dataclasses import replace
from email.policy import default
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # what it is built on is old
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from edge.alerts import mail as alert_mail
from edge.alerts.mail import Mailer, MailServer, mail
from edge.alerts.state import Notice, NoticeKind
from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.model.cloudevents import Identity
from edge.settings.alert_policies import Actions, AlertPolicy
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from email.message import EmailMessage
    from pathlib import Path

HERE = Identity("lab", "test", "epoch-1")
POLICY = AlertPolicy("forced", "Forced open", frozenset({"lock.forced_open"}))
NOTICE = Notice(
    "forced-7-1",
    "forced-7",
    "forced",
    NoticeKind.RAISED,
    "front",
    7,
    1_795_384_623_000_000,
    "Front door forced open",
    1,
    ("guard@example.org", "chief@example.org"),
)
SENDER = "doors@example.org"
BERLIN = ZoneInfo("Europe/Berlin")


class Box:
    """A mail server that keeps what it takes."""

    def __init__(self) -> None:
        self.port = 0
        self.got: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answer = "250 Taken"
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802 -- as the server calls it
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        await asyncio.sleep(0)
        if address in self.refused:
            return "550 Unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- as above
        await asyncio.sleep(0)
        self.got.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return self.answer

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"correct horse", handled=False)

    def message(self) -> Any:
        return email.message_from_bytes(self.got[-1].content or b"", policy=default)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def serving(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", address="127.0.0.1"))
    return context


@asynccontextmanager
async def box(context: ssl.SSLContext | None, *, login: bool = False) -> AsyncIterator[Box]:
    """A server that wants STARTTLS, if it has a certificate."""
    held, loop = Box(), asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            held,
            hostname="mail.example.org",
            loop=loop,
            tls_context=context,
            require_starttls=context is not None,
            auth_required=login,
            authenticator=held.login,
            auth_exclude_mechanism=["LOGIN"],
        )

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    held.port = server.sockets[0].getsockname()[1]
    async with server:
        yield held


def server(held: Box, authority: Authority) -> MailServer:
    return MailServer("127.0.0.1", held.port, SENDER, ca_file=authority.ca)


def message(**changes: Any) -> EmailMessage:
    return mail(replace(NOTICE, **changes), POLICY, HERE, SENDER, changes.get("left_out", 0), BERLIN)


def test_a_message_arrives_encrypted_and_says_what_is_known(authority: Authority) -> None:
    async def main() -> None:
        async with box(serving(authority)) as held:
            await Mailer(server(held, authority)).send(message())
            assert held.encrypted == [True]
            assert held.got[0].rcpt_tos == ["guard@example.org", "chief@example.org"]
            found = held.message()
            assert found["Subject"] == "[warning] Front door forced open"
            assert found["From"] == SENDER
            assert found["Auto-Submitted"] == "auto-generated"
            text = found.get_content()
            assert "doorctl acknowledge forced-7" in text
            assert "2026-11-22 22:57:03 CET (2026-11-22T21:57:03.000000Z)" in text
            assert found.get_all("Date") == ["Sun, 22 Nov 2026 22:57:03 +0100"]
            assert len(found.get_all("Message-ID")) == 1

    asyncio.run(main())


def test_a_password_comes_from_its_file(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple")

    async def main() -> None:
        async with box(serving(authority), login=True) as held:
            own = replace(server(held, authority), username="doors", password_file=tmp_path / "password")
            await Mailer(own).send(message())
            assert held.logins == [(b"doors", b"correct horse")]
            assert len(held.got) == 1
            with pytest.raises(DeliveryError, match="535"):
                await Mailer(replace(own, password_file=tmp_path / "wrong")).send(message())
            with pytest.raises(DeliveryError, match="No such file"):
                await Mailer(replace(own, password_file=tmp_path / "none")).send(message())
            with pytest.raises(DeliveryError, match="530"):
                await Mailer(server(held, authority)).send(message())
            assert len(held.got) == 1

    asyncio.run(main())


def test_a_password_that_cannot_be_sent_is_said_and_not_shown(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("t\u00fcr-geheim-1\n")

    async def main() -> None:
        async with box(serving(authority), login=True) as held:
            own = replace(server(held, authority), username="doors", password_file=tmp_path / "password")
            with pytest.raises(DeliveryError, match="must be of ASCII characters") as refused:
                await Mailer(own).send(message())
            assert "geheim" not in str(refused.value)
            assert "fc" not in str(refused.value)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["=?utf-8?q?=FF=?=\xff\u6f22?=", "=?utf-8?b?w7x?=", "=?x?=?=\ud800"])
def test_a_name_is_never_taken_for_encoded_bytes(name: str) -> None:
    found = email.message_from_bytes(message(message=f"{name} at Front").as_bytes(), policy=default)
    assert "at Front" in found["Subject"]
    assert "= ?" in found["Subject"]


def test_an_address_that_was_put_right_counts_for_what_waits() -> None:
    right = replace(
        POLICY,
        actions=Actions(email=("guard@example.com",)),
        escalate_after_s=60,
        escalate_to=Actions(email=("boss@example.com",)),
    )
    assert mail(NOTICE, right, HERE, SENDER, 0)["To"] == "guard@example.com"
    assert mail(replace(NOTICE, kind=NoticeKind.ESCALATED), right, HERE, SENDER, 0)["To"] == "boss@example.com"
    assert mail(NOTICE, POLICY, HERE, SENDER, 0)["To"] == "guard@example.org, chief@example.org"


def test_nothing_is_said_to_a_server_without_tls(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse")

    async def main() -> None:
        async with box(None) as held:
            own = replace(server(held, authority), username="doors", password_file=tmp_path / "password")
            with pytest.raises(DeliveryError, match="STARTTLS"):
                await Mailer(own).send(message())
            assert (held.got, held.logins) == ([], [])

    asyncio.run(main())


def test_a_server_nobody_vouches_for_gets_nothing(authority: Authority) -> None:
    async def main() -> None:
        async with box(serving(authority)) as held:
            with pytest.raises(DeliveryError, match="certificate"):
                await Mailer(replace(server(held, authority), ca_file=None)).send(message())
            assert held.got == []

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the test server, which was hung up on in its handshake
        asyncio.run(main())


def test_an_authority_of_the_wrong_form_is_refused_unless_a_setting_lets_it_pass(tmp_path: Path) -> None:
    old = Authority(tmp_path / "old", form="")

    async def main() -> None:
        async with box(serving(old)) as held:
            with pytest.raises(DeliveryError, match=r"key usage extension \(refused by tls_strict\)$"):
                await Mailer(server(held, old)).send(message())
            await Mailer(replace(server(held, old), tls_strict=False)).send(message())
            assert len(held.got) == 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the test server, which was hung up on in its handshake
        asyncio.run(main())


def test_tls_from_the_start(authority: Authority) -> None:
    async def main() -> None:
        held, loop = Box(), asyncio.get_running_loop()
        listening = await loop.create_server(
            lambda: SMTP(held, hostname="mail.example.org", loop=loop), "127.0.0.1", 0, ssl=serving(authority)
        )
        held.port = listening.sockets[0].getsockname()[1]
        async with listening:
            await Mailer(replace(server(held, authority), tls="tls")).send(message())
            assert len(held.got) == 1

    asyncio.run(main())


def test_what_a_server_refuses_is_tried_again_by_whoever_asked(authority: Authority) -> None:
    async def main() -> None:
        async with box(serving(authority)) as held:
            for answer, for_good in (("451 Not now", False), ("554 Looks like spam", True)):
                held.answer = answer
                with pytest.raises(DeliveryRefusedError, match=answer) as told:
                    await Mailer(server(held, authority)).send(message())
                assert told.value.final is for_good
            held.answer, held.refused = "250 Taken", {"chief@example.org"}
            await Mailer(server(held, authority)).send(message())
            assert held.got[-1].rcpt_tos == ["guard@example.org"], "one of them is better than none"
            held.refused.add("guard@example.org")
            with pytest.raises(DeliveryRefusedError, match="refused all recipients") as refused:
                await Mailer(server(held, authority)).send(message())
            assert refused.value.final, "it will be the same the next time"
            port = held.port
        with pytest.raises(DeliveryError, match="refused") as away:
            await Mailer(MailServer("127.0.0.1", port, SENDER, ca_file=authority.ca)).send(message())
        assert not isinstance(away.value, DeliveryRefusedError), "it is not for this message's sake"

    asyncio.run(main())


def test_a_message_that_cannot_be_made_is_refused_before_anybody_is_bothered(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = message()
    monkeypatch.setattr(broken, "as_bytes", lambda: 1 // 0)

    async def main() -> None:
        async with box(serving(authority)) as held:
            with pytest.raises(DeliveryRefusedError, match="no e-mail can be made of it: ZeroDivisionError") as refused:
                await Mailer(server(held, authority)).send(broken)
            assert refused.value.final
            assert held.got == []

    asyncio.run(main())


def test_a_name_makes_no_header() -> None:
    found = message(message="Front\r\nBcc: everybody@example.org\r\n\r\nforced open")
    assert found["Bcc"] is None
    assert "\n" not in found["Subject"]


def test_the_same_message_has_the_same_id() -> None:
    assert message()["Message-ID"] == message()["Message-ID"] == "<forced-7-1.epoch-1@test.lab>"
    assert message(kind=NoticeKind.ESCALATED)["Subject"] == "[warning] Nobody has answered: Front door forced open"
    assert "Left out" not in message().get_content()
    assert "Left out:   3" in mail(NOTICE, POLICY, HERE, SENDER, 3).get_content()


def test_a_calendar_that_was_wrong_when_it_happened_dates_no_message() -> None:
    at_us = NOTICE.time_us
    for now_us, year in ((at_us + 3_600_000_000, "2026"), (at_us + 400 * 86_400_000_000, "2027"), (None, "2026")):
        assert year in mail(NOTICE, POLICY, HERE, SENDER, 0, BERLIN, now_us)["Date"]


@asynccontextmanager
async def speaking(talk: Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    """A server that only talks."""

    talking: list[asyncio.Task[None]] = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.append(task)
        try:
            await talk(writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking)


def test_a_server_that_never_ends_its_greeting_is_hung_up_on() -> None:
    said = 0

    async def talk(writer: asyncio.StreamWriter) -> None:
        nonlocal said
        while True:
            writer.write(b"220-" + b"a" * 8_000 + b"\r\n")
            await writer.drain()
            said += 8_000

    async def main() -> None:
        async with speaking(talk) as port:
            with pytest.raises(DeliveryError, match="it said more than 64 KiB"):
                await Mailer(MailServer("127.0.0.1", port, SENDER)).send(message())

    asyncio.run(main())
    assert said < 32 << 20, "what the kernel takes at most"


@pytest.mark.parametrize("line", [b"220-wait\r\n", b"2"])
def test_a_server_that_drips_is_given_up_and_its_thread_ends(monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    monkeypatch.setattr(alert_mail, "WITHIN_S", 0.3)

    async def talk(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with speaking(talk) as port:
            with pytest.raises(DeliveryError, match="took longer than"):
                await Mailer(MailServer("127.0.0.1", port, SENDER)).send(message())
            while any(thread.name == "mail" for thread in threading.enumerate()):  # noqa: ASYNC110 -- a thread tells nobody
                await asyncio.sleep(0.01)

    asyncio.run(main())
