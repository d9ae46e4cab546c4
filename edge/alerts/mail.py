"""Alerts by e-mail: one plain-text message for each, always over TLS.

One rule: what a record contains is data and never makes a header. A password is sent only to a server
whose certificate was verified. RFC 5321, 5322, 3207 (STARTTLS), 8314 (TLS from the start).
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from edge.alerts.state import NoticeKind, headline, last_line
from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.receivers.mail_conversation import WITHIN_S, Conversation
from edge.model.cloudevents import rfc3339
from edge.model.local_time import local
from edge.system.background import in_background
from edge.system.secret_files import secret_in
from edge.system.tls import believing, why_refused

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from edge.alerts.state import Notice
    from edge.model.cloudevents import Identity
    from edge.settings.alert_policies import AlertPolicy

LATE_S: Final = 7 * 86_400
"""If a record's time is further from the time of sending than this, the record was made with a wrong clock."""
LONGEST_SUBJECT: Final = 150
_PERMANENT: Final = 5
"""First digit of a permanent failure (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server of `[smtp]`."""

    host: str
    port: int
    sender: str
    tls: str = "starttls"
    """`starttls`, or `tls` from the start."""
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    tls_strict: bool = True


class Mailer:
    """Sends through one server, with a connection for each message, in a background thread."""

    def __init__(self, server: MailServer) -> None:
        """Nothing is connected before `send`."""
        self.server = server

    async def send(self, message: EmailMessage) -> None:
        """Return when the server has taken the message for at least one recipient.

        Raises DeliveryError; DeliveryRefusedError when it is about this message or its recipients only.
        """
        try:
            message.as_bytes()  # the email package fails for some texts: find out before connecting
        except Exception as error:
            raise DeliveryRefusedError(
                f"no e-mail can be made of it: {type(error).__name__}: {error}", final=True
            ) from error
        host = self.server.host
        try:
            await self._send(message)
        except DeliveryError:
            raise
        except smtplib.SMTPResponseException as error:
            reason = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else ""
            text = f"{host} answered {error.smtp_code} {reason}"
            if isinstance(error, smtplib.SMTPDataError):
                raise DeliveryRefusedError(text, final=error.smtp_code // 100 == _PERMANENT) from error
            raise DeliveryError(text) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(f"{to}: {code}" for to, (code, _) in error.recipients.items())
            for_good = all(code // 100 == _PERMANENT for code, _ in error.recipients.values())
            raise DeliveryRefusedError(f"{host} refused all recipients ({codes})", final=for_good) from error
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(f"{host}: {why_refused(error)}") from error
        except OSError as error:  # SMTPException is one
            raise DeliveryError(f"{host}: {error.strerror or error}") from error
        except ValueError as error:
            raise DeliveryError(f"{host}: {error}") from error

    async def _send(self, message: EmailMessage) -> None:
        server, begun = self.server, list[Conversation]()

        def hold() -> None:
            context = believing(server.ca_file, strict=server.tls_strict)
            password = None if server.password_file is None else secret_in(server.password_file)
            begun.append(Conversation(server.host, server.port, tls=server.tls, context=context))
            begun[0].hold(message, server.username, password)

        try:
            async with asyncio.timeout(WITHIN_S) as limit:
                await in_background(hold, "mail")
        except TimeoutError:
            if limit.expired():
                text = f"{server.host}: the conversation took longer than {WITHIN_S:.0f} s"
                raise DeliveryError(text) from None
            raise
        finally:  # let the thread end now, whatever the server does
            for conversation in begun:
                conversation.end()


def recipients(notice: Notice, policy: AlertPolicy) -> tuple[str, ...]:
    """The recipients that the policy names now: an address may have been corrected since; else those of the notice."""
    if notice.kind is NoticeKind.TEST:
        return notice.to
    actions = policy.escalate_to if notice.kind is NoticeKind.ESCALATED else policy.actions
    return actions.email or notice.to


def mail(  # noqa: PLR0913, PLR0917 -- all that a message tells its reader
    notice: Notice,
    policy: AlertPolicy,
    identity: Identity,
    sender: str,
    left_out: int,
    zone: tzinfo = UTC,
    now_us: int | None = None,
) -> EmailMessage:
    """The message of a notice; the same notice has the same Message-ID, however often it is sent.

    It is dated by the record; if that is more than `LATE_S` from `now_us` (microseconds since 1970), by `now_us`.
    """
    message = EmailMessage(policy=SMTP)
    plain = headline(notice).replace("=?", "= ?")  # RFC 2047: a name must not look like an encoded word
    message["From"] = sender
    message["To"] = ", ".join(recipients(notice, policy))
    message["Subject"] = f"[{policy.severity}] {plain}"[:LONGEST_SUBJECT]
    message["Date"] = format_datetime(datetime.fromtimestamp(_dated_us(notice, now_us) // 1_000_000, zone))
    message["Message-ID"] = f"<{notice.id}.{identity.epoch}@{identity.controller}.{identity.site}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices in return
    lines = [
        plain,
        "",
        f"Alert:      {notice.alert} ({policy.name})",
        f"Controller: {identity.controller} at {identity.site}",
        f"Door:       {notice.door or '-'}",
        f"Happened:   {local(notice.time_us, zone)} ({rfc3339(notice.time_us)})",
        f"Times:      {notice.count}",
    ]
    if left_out:
        lines.append(f"Left out:   {left_out} earlier messages, because too many waited")
    lines += ["", last_line(notice), ""]
    message.set_content("\n".join(lines))
    return message


def _dated_us(notice: Notice, now_us: int | None) -> int:
    near = now_us is None or abs(now_us - notice.time_us) <= LATE_S * 1_000_000
    return notice.time_us if near or now_us is None else now_us
