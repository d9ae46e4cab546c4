"""A webhook: each record as one HTTP POST, signed and with the same bytes as upstream, or as a message for people.

One rule: only the status of the answer and its Retry-After count. After 2xx the record is taken, else it is sent
again. Redirects are not followed: their target was not checked. RFC 9110 and 9112; the signature is an HMAC
(RFC 2104) of the body with SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.http_answer import Headers, headers_of, status_of
from edge.delivery.receivers.chat import EVENTS, ChatMessage, FormattedMessage, letter
from edge.delivery.secrets import SecretError
from edge.model.catalogue import CATALOGUE
from edge.model.catalogue import message as sentence
from edge.model.cloudevents import encode, record_id
from edge.model.local_time import local
from edge.system.background import in_background

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import tzinfo

    from edge.delivery.network import Network
    from edge.delivery.secrets import Secrets
    from edge.model.messages import Record
    from edge.model.ports import Origin

TIMEOUT_S: Final = 10.0
"""Limit for one try, including name lookup and handshakes."""
REST_S: Final = 1.0
REST_BYTES: Final = 4096
"""At most so much of an answer's body is read, for so long, so that the receiver sees no reset; it is ignored."""
PLACE: Final = "{secret}"
"""Placeholder for the secret in a url: chat services have theirs there."""
LONGEST_AGAIN_S: Final = 3_600.0
"""The longest Retry-After that is followed."""
_ABOUT_THE_MESSAGE: Final = frozenset({400, 413, 414, 415, 422, 431})
"""Status codes that concern the message itself, which will never be taken (RFC 9110, 15.5)."""
_LATER: Final = frozenset({429, 503})
"""Status codes that may have a Retry-After (RFC 6585, 4; RFC 9110, 15.6.4)."""
_IN_A_URL: Final = re.compile(rb"[!-~]+")


class Poster:
    """Posts messages to one url."""

    def __init__(self, url: str, secret: str, *, network: Network, secrets: Secrets, wanted: str = EVENTS) -> None:
        """`secret` is the secret's name, `wanted` one of `edge.delivery.receivers.chat.FORMATS`.

        The secret replaces `{secret}` in the url, else it is sent as a bearer token (RFC 6750); it signs events.
        """
        self._url, self._secret_name, self._wanted = urlsplit(url), secret, wanted
        self._network, self._secrets = network, secrets
        self._secret: bytes | None = None

    async def post(self, message: ChatMessage) -> None:
        """Return when the receiver has taken the message. Raises DeliveryError."""
        try:
            if self._secret is None:
                self._secret = await self._read_secret()
            async with asyncio.timeout(TIMEOUT_S):
                status, headers = await self._exchange(self._request(letter(self._wanted, message), self._secret))
        except TimeoutError:
            raise DeliveryError(f"{self._url.hostname} did not answer within {TIMEOUT_S:.0f} s") from None
        if status // 100 != 2:  # noqa: PLR2004 -- RFC 9110, 15.3: successful
            self._secret = None  # read it again: it may have been changed on both sides
            redirected = "; redirects are not followed" if status // 100 == 3 else ""  # noqa: PLR2004 -- as above
            text = f"{self._url.hostname} answered {status} {_phrase(status)}{redirected}"
            if status in _ABOUT_THE_MESSAGE:
                raise DeliveryRefusedError(text, final=True)
            again_s = retry_after_s(headers) if status in _LATER else None
            ours = again_s is not None  # a receiver that says when to try again does not count as failing
            raise DeliveryError(text, ours=ours, final=status == HTTPStatus.GONE, again_s=again_s or 0.0)

    async def _read_secret(self) -> bytes:
        secrets: list[bytes] = []
        try:
            await in_background(lambda: secrets.append(self._secrets.read(self._secret_name)), "secret")
        except SecretError as error:
            raise DeliveryError(str(error), ours=True) from error
        return secrets[0]

    def _request(self, sent: FormattedMessage, secret: bytes) -> bytes:
        url = self._url
        target = (url.path or "/") + sent.below + (f"?{url.query}" if url.query else "")
        headers = [
            ("Host", url.netloc),
            ("Content-Type", sent.content_type),
            ("Content-Length", str(len(sent.body))),
            *sent.headers,
        ]
        in_url = PLACE in target
        if (in_url or self._wanted != EVENTS) and not _IN_A_URL.fullmatch(secret):
            raise DeliveryError(f"the secret {self._secret_name} has characters that a url cannot have", ours=True)
        if in_url:
            target = target.replace(PLACE, secret.decode("ascii"))
        elif self._wanted != EVENTS:
            headers.append(("Authorization", f"Bearer {secret.decode('ascii')}"))
        if self._wanted == EVENTS:
            headers.append(("X-Signature", signature(secret, sent.body)))
        lines = [f"{sent.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode("ascii") + sent.body

    async def _exchange(self, request: bytes) -> tuple[int, Headers]:
        tls = self._url.scheme == "https"
        host, port = self._url.hostname or "", self._url.port or (443 if tls else 80)
        reader, writer = await self._network.connect(host, port, tls=tls)
        try:
            writer.write(request)
            await writer.drain()
            status = await status_of(reader)
            if status in _LATER:
                return status, await headers_of(reader)
            with suppress(OSError):
                async with asyncio.timeout(REST_S):
                    await reader.read(REST_BYTES)
        except (OSError, ValueError, EOFError) as error:
            if isinstance(error, TimeoutError | DeliveryError):
                raise
            reason = str(error) or type(error).__name__
            raise DeliveryError(f"{host} hung up or answered something that is no HTTP: {reason}") from error
        else:
            return status, []
        finally:
            writer.transport.abort()  # closing would wait for a receiver that hangs


class Webhook:
    """A webhook, as an `edge.delivery.ports.Receiver`."""

    batch = 1

    def __init__(self, poster: Poster, types: Collection[str], origin: Origin, zone: tzinfo = UTC) -> None:
        """`types` are full event types without wildcards; `zone` is the site's."""
        self._poster, self._types, self._origin, self._zone = poster, types, origin, zone

    def wants(self, record: Record) -> bool:
        """Whether the record's type is in `types`."""
        return record.event.type in self._types

    async def send(self, records: Sequence[Record]) -> None:
        """See `edge.delivery.ports.Receiver`."""
        for record in records:
            identity = self._origin.identity()
            body = encode(record, identity, replayed=self._origin.is_late(record))
            text = f"{local(record.time_us, self._zone)}, {identity.controller} at {identity.site}"
            severity = CATALOGUE[record.event.type].severity
            named = record_id(record, identity)
            await self._poster.post(ChatMessage(named, body, sentence(record.event), text, severity))

    async def close(self) -> None:
        """Nothing to do: no connection stays open between two posts."""


def signature(secret: bytes, body: bytes) -> str:
    """The value of `X-Signature`."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


def retry_after_s(headers: Headers) -> float | None:
    """The seconds of Retry-After, at most `LONGEST_AGAIN_S`; None without it (RFC 9110, 10.2.3)."""
    by_name = dict(reversed(headers))
    value = by_name.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_AGAIN_S)
    try:  # by the receiver's own clock
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(by_name["date"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, wait.total_seconds()), LONGEST_AGAIN_S)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
