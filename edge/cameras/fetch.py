"""Fetches one picture from a camera, within a deadline: one HTTP GET, and another one with a password.

One rule: the answer may be hostile. Its length and its first bytes are checked, not its content type; it is never
decoded, and a redirect is not followed. RFC 9110 and 9112.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.cameras.auth import authorization, is_stale
from edge.delivery.address import AllowedAddresses
from edge.delivery.errors import DeliveryError
from edge.delivery.http_answer import headers_of, status_of
from edge.delivery.network import Network
from edge.model.plain_text import text_of
from edge.system.background import in_background

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S: Final = 5.0
"""Limit for everything: name lookup, handshakes, password, picture."""
LARGEST: Final = 4 << 20
"""Bytes of a picture."""
MOST_CHUNKS: Final = 16_384
"""Chunks of a picture of `LARGEST` bytes when each has 256, far less than cameras send."""
LONGEST_PASSWORD: Final = 1024
"""Bytes."""
MOST_NONCES: Final = 3
"""Challenges that are answered for one picture: a camera may say that its nonce was too old."""
MAGIC: Final = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
"""Kind -> first bytes of the file (ITU-T T.81, B.1.1.3; RFC 2083, 12.11)."""
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?\r?\n", re.DOTALL)


class CameraError(Exception):
    """Why there is no picture, for people; never contains a password."""


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where and how pictures are fetched."""

    url: str = field(repr=False)
    """May contain a password; so it is not in the repr."""
    username: str | None = None
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    """(name in lower case, value) of each."""
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def challenges(self) -> list[str]:
        return [value for key, value in self.headers if key == "www-authenticate"]

    @property
    def type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()


class Fetcher:
    """Fetches pictures of one camera."""

    def __init__(
        self,
        camera: PictureSource,
        ca_file: Path | None = None,
        network: Network | None = None,
        *,
        tls_strict: bool = True,
    ) -> None:
        """Private addresses are allowed: cameras are on the site's own network, and the installer wrote the address."""
        self._camera, self._url = camera, urlsplit(camera.url)
        self._network = network or Network(AllowedAddresses(allow_private=True), ca_file, tls_strict=tls_strict)

    async def fetch(self) -> bytes:
        """A file that begins like a JPEG or PNG. Raises CameraError."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._fetch()
        except TimeoutError:
            raise CameraError(f"no picture within {TIMEOUT_S:.0f} s") from None
        except DeliveryError as error:
            raise CameraError(str(error)) from error
        except (OSError, ValueError, EOFError) as error:
            reason = str(error) or type(error).__name__
            raise CameraError(f"it hung up or answered something that is no HTTP: {reason}") from error

    async def _fetch(self) -> bytes:
        answer, known = await self._ask(None), False
        for _ in range(MOST_NONCES):
            if answer.status != HTTPStatus.UNAUTHORIZED or (known and not is_stale(answer.challenges)):
                break
            answer, known = await self._ask(await self._authorization(answer)), True
        if answer.status == HTTPStatus.UNAUTHORIZED and is_stale(answer.challenges):
            raise CameraError("it rejects every login: it calls its newest nonces stale")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise CameraError("it refuses the user name or the password")
        if answer.status != HTTPStatus.OK:
            also = "; redirects are not followed" if answer.status // 100 == 3 else ""  # noqa: PLR2004 -- RFC 9110, 15.4
            raise CameraError(f"it answered {answer.status}{also}")
        if picture_kind(answer.body) is None:
            raise CameraError(f"it sent something that is no picture and called it {answer.type[:60]!r}")
        return answer.body

    async def _authorization(self, answer: _Answer) -> str:
        camera, url = self._camera, self._url
        if camera.username is None:
            raise CameraError("it wants a user name and a password: expected username and password_file")
        target, password = _target(url.path, url.query), await self._password()
        value = authorization(answer.challenges, target, camera.username, password, secrets.token_hex(16))
        if value is None:
            raise CameraError("it asks for the password in a way that is neither digest nor basic")
        return value

    async def _password(self) -> str:
        """The password, read anew for each use and not kept."""
        file, contents = self._camera.password_file, [b""]
        if file is None:
            return ""
        try:
            await in_background(lambda: contents.append(_read(file)), "password")
        except OSError as error:
            raise CameraError(f"{file} cannot be read: {error.strerror}") from error
        password = contents[-1].rstrip(b"\r\n")
        if not 0 < len(password) <= LONGEST_PASSWORD:
            raise CameraError(f"{file} has no password in it: expected 1 to {LONGEST_PASSWORD} bytes")
        try:
            return text_of(password)
        except ValueError as error:
            raise CameraError(f"{file}: {error}") from None

    async def _ask(self, known_as: str | None) -> _Answer:
        url = self._url
        tls = url.scheme == "https"
        lines = [
            f"GET {_target(url.path, url.query)} HTTP/1.1",
            f"Host: {url.netloc}",
            "Accept: image/jpeg, image/png",
            "Connection: close",
            *([] if known_as is None else [f"Authorization: {known_as}"]),
        ]
        reader, writer = await self._network.connect(url.hostname or "", url.port or (443 if tls else 80), tls=tls)
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
            await writer.drain()
            return await _answer(reader)
        finally:
            writer.transport.abort()  # closing would wait for a camera that hangs


def picture_kind(content: bytes) -> str | None:
    """`jpg` or `png` by the first bytes; None for anything else."""
    return next((kind for kind, start in MAGIC.items() if content.startswith(start)), None)


def _target(path: str, query: str) -> str:
    return (path or "/") + (f"?{query}" if query else "")


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LONGEST_PASSWORD + 1)


async def _answer(reader: asyncio.StreamReader) -> _Answer:
    """Read the answer, with its body only after 200. Raises ValueError, OSError, EOFError and CameraError."""
    status = await status_of(reader)
    answer = _Answer(status, await headers_of(reader), b"")
    return replace(answer, body=await _body(reader, answer)) if status == HTTPStatus.OK else answer


async def _body(reader: asyncio.StreamReader, answer: _Answer) -> bytes:
    if answer.type.startswith("multipart/"):
        raise CameraError("it sent a stream, expected one picture: cameras have another address for a snapshot")
    if answer.header("transfer-encoding").lower() == "chunked":
        return await _chunks(reader)
    length = answer.header("content-length")
    if not length:
        return await _until_closed(reader)
    if not length.isascii() or not length.isdigit() or len(length) > 18:  # noqa: PLR2004 -- digits of any sane number
        raise ValueError(f"Content-Length: {length[:40]!r}")
    return await reader.readexactly(_bounded(int(length)))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a body in chunks (RFC 9112, 7.1)."""
    content = bytearray()
    for _ in range(MOST_CHUNKS):
        await asyncio.sleep(0)  # reading buffered chunks gives nobody else a turn
        line = await reader.readline()
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise ValueError(f"{line[:40]!r}, expected the size of a chunk")
        size = int(match[1], 16)
        if size == 0:
            return bytes(content)
        _bounded(len(content) + size)
        content += await reader.readexactly(size)
        if (await reader.readline()).strip():
            raise ValueError("a chunk longer than its size")
    raise ValueError(f"more than {MOST_CHUNKS} chunks")


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while more := await reader.read(1 << 16):
        content += more
        _bounded(len(content))
    return bytes(content)


def _bounded(size: int) -> int:
    if size > LARGEST:
        raise CameraError(f"its picture has more than {LARGEST >> 20} MiB")
    return size
