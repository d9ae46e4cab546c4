"""One conversation with a mail server, with a limit on its time and on the bytes of all answers.

One rule: no server can make us wait for ever or use memory without end, before or after TLS has verified it.
"""

from __future__ import annotations

import smtplib
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from edge.delivery.errors import DeliveryError

if TYPE_CHECKING:
    import ssl
    from email.message import EmailMessage

STEP_S: Final = 15.0
"""Limit for each answer; some servers delay unknown clients on purpose."""
WITHIN_S: Final = 60.0
"""Limit for the whole conversation."""
MOST_BYTES: Final = 64 * 1024
"""Limit for all answers together."""


class EndedError(OSError):
    """The conversation took too long, or the server sent too much."""


class Conversation:
    """One message to one server. `hold` blocks, in a thread of its own; `end` may be called from another."""

    def __init__(self, host: str, port: int, *, tls: str, context: ssl.SSLContext) -> None:
        """`tls` is `starttls` or `tls`."""
        self._host, self._port, self._tls, self._context = host, port, tls, context
        self._ended = False
        self._left = MOST_BYTES
        self._link: smtplib.SMTP | None = None

    def hold(self, message: EmailMessage, username: str | None, password: str | None) -> None:
        """Send the message. Raises OSError, of which SMTPException is a subclass."""
        if self._tls == "tls":
            link: smtplib.SMTP = _TlsLink(self, self._host, self._port, timeout=STEP_S, context=self._context)
        else:
            link = _Link(self, self._host, self._port, timeout=STEP_S)
        try:
            if self._tls != "tls":
                link.starttls(context=self._context)
            if username is not None and password is not None:
                _log_in(link, username, password)
            link.send_message(message)
        finally:
            with suppress(OSError):
                link.quit()
            link.close()

    def end(self) -> None:
        """Give up: shut the connection down, so that the thread in `hold` fails."""
        self._ended = True
        link = self._link
        sock = None if link is None else link.sock
        if sock is not None:
            with suppress(OSError):  # the bare socket: TLS belongs to the other thread
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def heard(self, link: smtplib.SMTP, size: int) -> None:
        """Count `size` more bytes from the server. Raises EndedError above the limit and after `end`."""
        self._link = link
        self._left -= size
        if self._ended:
            raise EndedError("given up")
        if self._left < 0:
            raise EndedError(f"it said more than {MOST_BYTES >> 10} KiB")


class _Answers:
    """The answers that a link reads, with every line counted."""

    def __init__(self, link: smtplib.SMTP, conversation: Conversation) -> None:
        self._link, self._conversation = link, conversation
        assert link.sock is not None  # noqa: S101 -- an answer is expected only over a connection
        self._file = link.sock.makefile("rb")

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(limit)
        self._conversation.heard(self._link, len(line))
        return line

    def close(self) -> None:
        self._file.close()


class _Bounded(smtplib.SMTP):
    def __init__(self, conversation: Conversation, host: str, port: int, **more: Any) -> None:  # noqa: ANN401 -- as there
        self._conversation = conversation
        super().__init__(host, port, **more)  # reads the server's greeting already

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self._conversation.heard(self, 0)
            self.file = _Answers(self, self._conversation)
        return super().getreply()


class _Link(_Bounded):
    """Plain text until STARTTLS."""


class _TlsLink(_Bounded, smtplib.SMTP_SSL):
    """TLS from the start."""


def _log_in(link: smtplib.SMTP, username: str, password: str) -> None:
    """Raises OSError."""
    try:
        link.login(username, password)
    except ValueError:  # its text may contain a part of the password
        raise DeliveryError("the user name and the password for the mail server must be of ASCII characters") from None
