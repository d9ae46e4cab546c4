"""One HTTP request to a receiver, and what its answer means.

One rule: only the status of the answer and its Retry-After count. After 2xx the message is taken. Redirects are not
followed: their target was not checked. RFC 9110 and 9112.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.http_answer import Headers, headers_of, status_of

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from edge.delivery.network import Network
    from edge.delivery.receivers.chat import FormattedMessage

TIMEOUT_S: Final = 10.0
"""Limit for one try, including name lookup and handshakes."""
REST_S: Final = 1.0
REST_BYTES: Final = 4096
"""At most so much of an answer's body is read, for so long, so that the receiver sees no reset; it is ignored."""
LONGEST_AGAIN_S: Final = 3_600.0
"""The longest Retry-After that is followed."""
_ABOUT_THE_MESSAGE: Final = frozenset({400, 413, 414, 415, 422, 431})
"""Status codes that concern the message itself, which will never be taken (RFC 9110, 15.5)."""
_LATER: Final = frozenset({429, 503})
"""Status codes that may have a Retry-After (RFC 6585, 4; RFC 9110, 15.6.4)."""


def request(url: SplitResult, target: str, message: FormattedMessage, *headers: tuple[str, str]) -> bytes:
    """The bytes of a request. `target` is path and query; `headers` follow those of the message."""
    first = [
        ("Host", url.netloc),
        ("Content-Type", message.content_type),
        ("Content-Length", str(len(message.body))),
    ]
    lines = [f"{name}: {value}" for name, value in (*first, *message.headers, *headers)]
    start = f"{message.method} {target} HTTP/1.1"
    return "\r\n".join([start, *lines, "Connection: close\r\n\r\n"]).encode("ascii") + message.body


async def post(network: Network, url: SplitResult, content: bytes) -> None:
    """Send a request and return when the receiver has taken it. Raises DeliveryError.

    DeliveryRefusedError when the status concerns this message only.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status, headers = await _exchange(network, url, content)
    except TimeoutError:
        raise DeliveryError(f"{url.hostname} did not answer within {TIMEOUT_S:.0f} s") from None
    if status // 100 == 2:  # noqa: PLR2004 -- RFC 9110, 15.3: successful
        return
    redirected = "; redirects are not followed" if status // 100 == 3 else ""  # noqa: PLR2004 -- as above
    text = f"{url.hostname} answered {status} {_phrase(status)}{redirected}"
    if status in _ABOUT_THE_MESSAGE:
        raise DeliveryRefusedError(text, final=True)
    again_s = retry_after_s(headers) if status in _LATER else None
    ours = again_s is not None  # a receiver that says when to try again does not count as failing
    raise DeliveryError(text, ours=ours, final=status == HTTPStatus.GONE, again_s=again_s or 0.0)


async def _exchange(network: Network, url: SplitResult, content: bytes) -> tuple[int, Headers]:
    tls = url.scheme == "https"
    host, port = url.hostname or "", url.port or (443 if tls else 80)
    reader, writer = await network.connect(host, port, tls=tls)
    try:
        writer.write(content)
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
