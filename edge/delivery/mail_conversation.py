"""One conversation with a mail server, bounded as a whole: a time, and so many bytes of what it says.

One rule: no server can make us wait or remember for ever, whatever it says before or after it is known.
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
"""For each answer of the server; some let strangers wait on purpose."""
WITHIN_S: Final = 60.0
"""For all of it."""
MOST_BYTES: Final = 64 * 1024
"""Of all answers together."""


class EndedError(OSError):
    """It took too long, or the server said too much."""


class Conversation:
    """One message to one server. `hold` blocks, in a thread of its own; `end` may be called from another."""

    def __init__(self, host: str, port: int, *, tls: str, context: ssl.SSLContext) -> None:
        """`tls` is `starttls` or `tls`."""
        self._host, self._port, self._tls, self._context = host, port, tls, context
        self._ended = False
        self._left = MOST_BYTES
        self._link: smtplib.SMTP | None = None

    def hold(self, message: EmailMessage, username: str | None, password: str | None) -> None:
        """Send it. Raises OSError; SMTPException is one."""
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
        """Nobody waits for it any more: whatever it is at fails."""
        self._ended = True
        link = self._link
        sock = None if link is None else link.sock
        if sock is not None:
            with suppress(OSError):  # past the TLS, which belongs to the other thread
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def heard(self, link: smtplib.SMTP, size: int) -> None:
        """The server has said so many bytes more. Raises EndedError."""
        self._link = link
        self._left -= size
        if self._ended:
            raise EndedError("given up")
        if self._left < 0:
            raise EndedError(f"it said more than {MOST_BYTES >> 10} KiB")


class _Answers:
    """What a link reads, with every line counted."""

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
        super().__init__(host, port, **more)  # speaks with the server already

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self._conversation.heard(self, 0)
            self.file = _Answers(self, self._conversation)
        return super().getreply()


class _Link(_Bounded):
    """In clear until STARTTLS."""


class _TlsLink(_Bounded, smtplib.SMTP_SSL):
    """TLS from the start."""


def _log_in(link: smtplib.SMTP, username: str, password: str) -> None:
    """Raises OSError."""
    try:
        link.login(username, password)
    except ValueError:  # its text may hold a piece of the password
        raise DeliveryError("the user name and the password for the mail server must be of ASCII characters") from None
