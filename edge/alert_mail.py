"""Alerts by e-mail: one plain message for each, over TLS or not at all.

One rule: what stands in a record is data. It never makes a header, and a password never leaves for a
server whose certificate was not verified. RFC 5321, 3207 (STARTTLS), 8314 (TLS from the start).
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Final

from edge.alerts import Kind
from edge.aside import aside
from edge.delivery_errors import DeliveryError, RefusedError
from edge.secret_files import secret_in
from edge.trust import believing, why_refused
from edge.wire import rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from edge.alert_policies import Policy
    from edge.alerts import Notice
    from edge.wire import Identity

TIMEOUT_S: Final = 10.0
"""For each step of the conversation."""
LONGEST_SUBJECT: Final = 150
_PERMANENT: Final = 5
"""RFC 5321, 4.2.1: a reply that begins so will be the same the next time."""


@dataclass(frozen=True, slots=True)
class Server:
    """What `[smtp]` says."""

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
    """Sends through one server, a connection for each message, in a thread that nobody waits for."""

    def __init__(self, server: Server) -> None:
        """Connects when there is something to send."""
        self.server = server

    async def send(self, message: EmailMessage) -> None:
        """Returns when the server has taken it for at least one recipient.

        Raises DeliveryError, and RefusedError where the server, or nobody at all, can take this message.
        """
        try:
            message.as_bytes()  # what the email package makes of some text is found out before anybody is bothered
        except Exception as error:
            raise RefusedError(f"no e-mail can be made of it: {type(error).__name__}: {error}", final=True) from error
        host = self.server.host
        try:
            await aside(lambda: self._send(message), "mail")
        except DeliveryError:
            raise
        except smtplib.SMTPResponseException as error:
            reason = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else ""
            text = f"{host} answered {error.smtp_code} {reason}"
            if isinstance(error, smtplib.SMTPDataError):
                raise RefusedError(text, final=error.smtp_code // 100 == _PERMANENT) from error
            raise DeliveryError(text) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(f"{to}: {code}" for to, (code, _) in error.recipients.items())
            for_good = all(code // 100 == _PERMANENT for code, _ in error.recipients.values())
            raise RefusedError(f"{host} takes none of the recipients ({codes})", final=for_good) from error
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(f"{host}: {why_refused(error)}") from error
        except OSError as error:  # SMTPException is one
            raise DeliveryError(f"{host}: {error.strerror or error}") from error
        except ValueError as error:
            raise DeliveryError(f"{host}: {error}") from error

    def _send(self, message: EmailMessage) -> None:
        server = self.server
        context = believing(server.ca_file, strict=server.tls_strict)
        password = None if server.password_file is None else secret_in(server.password_file)
        if server.tls == "tls":
            link: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
        else:
            link = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
        try:
            if server.tls != "tls":
                link.starttls(context=context)
            if server.username is not None and password is not None:
                _log_in(link, server.username, password)
            link.send_message(message)
        finally:
            with suppress(OSError):
                link.quit()
            link.close()


def _log_in(link: smtplib.SMTP, username: str, password: str) -> None:
    """Raises OSError."""
    try:
        link.login(username, password)
    except ValueError:  # its text may hold a piece of the password
        raise DeliveryError("the user name and the password for the mail server must be of ASCII characters") from None


def recipients(notice: Notice, policy: Policy) -> tuple[str, ...]:
    """Whom the policy names now: an address may have been put right since."""
    actions = policy.escalate_to if notice.kind is Kind.ESCALATED else policy.actions
    return actions.email or notice.to


def mail(notice: Notice, policy: Policy, identity: Identity, sender: str, left_out: int) -> EmailMessage:
    """The message of a notice; the same notice has the same Message-ID, however often it is sent."""
    message = EmailMessage(policy=SMTP)
    what = {Kind.RAISED: "", Kind.REPEATED: "Again: ", Kind.ESCALATED: "Nobody has answered: "}[notice.kind]
    plain = "".join(c if c.isprintable() else " " for c in notice.message)
    plain = plain.replace("=?", "= ?")  # RFC 2047: else a name could be taken for encoded bytes, and be none
    message["From"] = sender
    message["To"] = ", ".join(recipients(notice, policy))
    message["Subject"] = f"[{policy.severity}] {what}{plain}"[:LONGEST_SUBJECT]
    message["Message-ID"] = f"<{notice.id}.{identity.epoch}@{identity.controller}.{identity.site}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices in return
    lines = [
        f"{what}{plain}",
        "",
        f"Alert:      {notice.alert} ({policy.name})",
        f"Controller: {identity.controller} at {identity.site}",
        f"Door:       {notice.door or '-'}",
        f"Happened:   {rfc3339(notice.time_us)}",
        f"Times:      {notice.count}",
    ]
    if left_out:
        lines.append(f"Left out:   {left_out} earlier messages, for which there was no room")
    lines += ["", f"To answer it: doorctl acknowledge {notice.alert}", ""]
    message.set_content("\n".join(lines))
    return message
