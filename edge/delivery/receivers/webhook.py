"""A webhook: each record as one HTTP POST, signed and with the same bytes as upstream, or as a message for people.

One rule: what `posting` did not see taken is sent again. The signature is an HMAC (RFC 2104) of the body with SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.delivery.errors import DeliveryError
from edge.delivery.receivers.chat import EVENTS, ChatMessage, FormattedMessage, letter
from edge.delivery.receivers.posting import post, request
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

PLACE: Final = "{secret}"
"""Placeholder for the secret in a url: chat services have theirs there."""
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
        if self._secret is None:
            self._secret = await self._read_secret()
        content = self._request(letter(self._wanted, message), self._secret)
        try:
            await post(self._network, self._url, content)
        except DeliveryError:
            self._secret = None  # read it again: it may have been changed on both sides
            raise

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
        in_url = PLACE in target
        if (in_url or self._wanted != EVENTS) and not _IN_A_URL.fullmatch(secret):
            raise DeliveryError(f"the secret {self._secret_name} has characters that a url cannot have", ours=True)
        if in_url:
            target = target.replace(PLACE, secret.decode("ascii"))
        headers: list[tuple[str, str]] = []
        if self._wanted == EVENTS:
            headers.append(("X-Signature", signature(secret, sent.body)))
        elif not in_url:
            headers.append(("Authorization", f"Bearer {secret.decode('ascii')}"))
        return request(url, target, sent, *headers)


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
