"""Connections of deliveries: a name is looked up, its addresses are checked, and a checked one is connected to.

One rule: between the check of an address and the connection no name is looked up again. Proxies in the
environment are ignored, certificates are always verified.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.delivery.address import AllowedAddresses, is_own
from edge.delivery.errors import DeliveryError
from edge.system.background import in_background
from edge.system.tls import believing, why_refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

MOST_ADDRESSES: Final = 4
"""So many addresses of a name are tried, the first ones."""
NAMES_S: Final = 5.0
"""Limit for looking a name up. It is shorter than a receiver's limit, which must not be blamed for it."""
NEXT_AFTER_S: Final = 3.0
"""Limit for one address before the next is tried: IPv6 is often configured and broken."""
LONGEST_LINE: Final = 8 * 1024
_OURS: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
"""Nobody can be reached at all: not the receiver's fault."""

Resolve: TypeAlias = "Callable[[str, int], Awaitable[list[str]]]"
Streams: TypeAlias = "tuple[asyncio.StreamReader, asyncio.StreamWriter]"


class NameLookups:
    """Looks names up in background threads; each name once at a time, however many ask for it."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._under_way: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host name or of an address in any spelling. Raises OSError."""
        key = (host, port)
        work = self._under_way.get(key)
        if work is None:
            work = self._under_way[key] = asyncio.create_task(_look(host, port), name="names")
            work.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(work)

    def _done(self, key: tuple[str, int], work: asyncio.Task[list[str]]) -> None:
        del self._under_way[key]
        if not work.cancelled():
            work.exception()  # mark it as retrieved: the caller may have given up


async def _look(host: str, port: int) -> list[str]:
    answers: list[str] = []
    await in_background(lambda: answers.extend(addresses(host, port)), "names")
    return answers


def addresses(host: str, port: int) -> list[str]:
    """The addresses that the system finds, each once; blocks. Raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(slots=True)
class Network:
    """How all deliveries of a controller connect: allowed addresses, name lookup and TLS."""

    reach: AllowedAddresses = field(default_factory=AllowedAddresses)
    ca_file: Path | None = None
    """Certificate authorities to trust in addition to the system's."""
    resolve: Resolve = field(default_factory=NameLookups)
    tls_strict: bool = True
    _context: ssl.SSLContext | None = None

    async def connect(self, host: str, port: int, *, tls: bool) -> Streams:
        """A connection to a checked address of this name. Raises DeliveryError."""
        try:
            async with asyncio.timeout(NAMES_S):
                candidates = await self.resolve(host, port)
        except TimeoutError:
            raise DeliveryError(f"{host} is not found: no name server answered in time", ours=True) from None
        except OSError as error:
            raise DeliveryError(f"{host} is not found: {error}", ours=_nobody(error)) from error
        except UnicodeError:
            raise DeliveryError(f"{host} is no host name") from None
        if reason := self.reach.refusal_of_any(candidates):
            raise DeliveryError(f"{host}: {reason}")
        if not tls and not all(is_own(address) for address in candidates):
            raise DeliveryError(f"{host} is on the Internet, where nothing is sent unencrypted: expected https")
        context = await self.context() if tls else None
        return await _first(candidates[:MOST_ADDRESSES], host, port, context)

    async def context(self) -> ssl.SSLContext:
        """The TLS context; the many authorities are read once, in a background thread. Raises DeliveryError."""
        if self._context is None:
            contexts: list[ssl.SSLContext] = []
            try:
                await in_background(
                    lambda: contexts.append(believing(self.ca_file, strict=self.tls_strict)), "authorities"
                )
            except (OSError, ValueError) as error:
                raise DeliveryError(f"the authorities' certificates cannot be read: {error}", ours=True) from error
            self._context = contexts[0]
        return self._context


async def _first(candidates: list[str], host: str, port: int, context: ssl.SSLContext | None) -> Streams:
    """A connection to the first address that answers. Raises DeliveryError."""
    name = host if context is not None else None
    error: OSError = OSError("it has no address")
    for number, address in enumerate(candidates, 1):
        try:
            async with asyncio.timeout(None if number == len(candidates) else NEXT_AFTER_S):
                return await asyncio.open_connection(
                    address, port, ssl=context, server_hostname=name, limit=LONGEST_LINE
                )
        except ssl.SSLCertVerificationError as wrong:
            raise DeliveryError(f"{host} at {address}: {why_refused(wrong)}") from wrong
        except OSError as wrong:  # TimeoutError too
            error = wrong
    if error.errno is not None and error.errno > 0:  # asyncio's own text would only repeat the address
        reason = os.strerror(error.errno).lower()
    else:
        reason = error.strerror or str(error) or "no answer in time"
    raise DeliveryError(f"{host} cannot be reached: {reason}", ours=_nobody(error)) from error


def _nobody(error: OSError) -> bool:
    return error.errno in _OURS or (isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN)
