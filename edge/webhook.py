"""A webhook: each record as one signed HTTP POST, exactly the bytes that go upstream.

One rule: only the status of the answer counts. 2xx is taken; all else is sent again; a redirect is
not followed, for nobody has judged where it leads. RFC 9110 and 9112; the signature is an HMAC
(RFC 2104) of the body with SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from edge.aside import aside
from edge.delivery_errors import DeliveryError
from edge.delivery_secrets import SecretError
from edge.wire import CONTENT_TYPE, encode

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.delivery_net import Network
    from edge.delivery_secrets import Secrets
    from edge.messages import Record
    from edge.wire import Identity

TIMEOUT_S: Final = 10.0
"""For one try, the name and the handshake included."""
REST_S: Final = 1.0
REST_BYTES: Final = 4096
"""So much of an answer's body is read, for so long, for the sake of good manners; it means nothing."""
MOST_HEADERS: Final = 100
MOST_INTERIM: Final = 5
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?\r?\n", re.DOTALL)


class Host(Protocol):
    """What the daemon lends."""

    def identity(self) -> Identity:
        """Who we are."""

    def is_late(self, record: Record) -> bool:
        """Whether the record happened more than 10 s ago, or before this boot."""


class Poster:
    """Posts signed bodies to one url."""

    def __init__(self, url: str, secret: str, *, network: Network, secrets: Secrets) -> None:
        """`secret` is the name of one."""
        self._url, self._secret_name = urlsplit(url), secret
        self._network, self._secrets = network, secrets
        self._secret: bytes | None = None

    async def post(self, event_id: str, body: bytes) -> None:
        """Returns when the receiver has taken it. Raises DeliveryError."""
        try:
            if self._secret is None:
                self._secret = await self._read_secret()
            async with asyncio.timeout(TIMEOUT_S):
                status = await self._exchange(self._request(event_id, body, self._secret))
        except TimeoutError:
            raise DeliveryError(f"{self._url.hostname} did not answer within {TIMEOUT_S:.0f} s") from None
        if status // 100 != 2:  # noqa: PLR2004 -- RFC 9110, 15.3: successful
            self._secret = None  # it may have been changed on both sides
            redirected = "; redirects are not followed" if status // 100 == 3 else ""  # noqa: PLR2004 -- as above
            text = f"{self._url.hostname} answered {status} {_phrase(status)}{redirected}"
            raise DeliveryError(text, final=status == HTTPStatus.GONE)

    async def _read_secret(self) -> bytes:
        found: list[bytes] = []
        try:
            await aside(lambda: found.append(self._secrets.read(self._secret_name)), "secret")
        except SecretError as error:
            raise DeliveryError(str(error), ours=True) from error
        return found[0]

    def _request(self, event_id: str, body: bytes, secret: bytes) -> bytes:
        url = self._url
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        head = (
            f"POST {target} HTTP/1.1\r\n"
            f"Host: {url.netloc}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"X-Event-Id: {event_id}\r\n"
            f"X-Signature: {signature(secret, body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode("ascii") + body

    async def _exchange(self, request: bytes) -> int:
        tls = self._url.scheme == "https"
        host, port = self._url.hostname or "", self._url.port or (443 if tls else 80)
        reader, writer = await self._network.connect(host, port, tls=tls)
        try:
            writer.write(request)
            await writer.drain()
            status = await _status(reader)
            with suppress(OSError):
                async with asyncio.timeout(REST_S):
                    await reader.read(REST_BYTES)
        except (OSError, ValueError, EOFError) as error:
            if isinstance(error, TimeoutError | DeliveryError):
                raise
            reason = str(error) or type(error).__name__
            raise DeliveryError(f"{host} hung up or answered something that is no HTTP: {reason}") from error
        else:
            return status
        finally:
            writer.transport.abort()  # closing would wait for a receiver that does not


class Webhook:
    """One sink: see `edge.delivery_ports.Receiver`."""

    batch = 1

    def __init__(self, poster: Poster, types: Collection[str], host: Host) -> None:
        """`types` are exact ones."""
        self._poster, self._types, self._host = poster, types, host

    def wants(self, record: Record) -> bool:
        """Whether its type is one of ours."""
        return record.event.type in self._types

    async def send(self, records: Sequence[Record]) -> None:
        """See `edge.delivery_ports.Receiver`."""
        for record in records:
            identity = self._host.identity()
            body = encode(record, identity, replayed=self._host.is_late(record))
            await self._poster.post(f"{identity.epoch}-{record.sequence}", body)

    async def close(self) -> None:
        """Nothing stays open between two posts."""


def signature(secret: bytes, body: bytes) -> str:
    """What stands in `X-Signature`."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


async def _status(reader: asyncio.StreamReader) -> int:
    """The final status. Raises ValueError for what is no HTTP, OSError and EOFError for what ends too soon."""
    for _ in range(MOST_INTERIM):
        line = await reader.readline()
        if not line:
            raise EOFError("the connection was closed without an answer")
        found = _STATUS.fullmatch(line)
        if found is None:
            raise ValueError(f"{line[:40]!r}")
        status = int(found[1])
        if status >= HTTPStatus.OK:
            return status
        await _skip_headers(reader)
    raise ValueError("only interim answers")


async def _skip_headers(reader: asyncio.StreamReader) -> None:
    for _ in range(MOST_HEADERS):
        if (await reader.readline()).strip() == b"":
            return
    raise ValueError(f"more than {MOST_HEADERS} headers")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
