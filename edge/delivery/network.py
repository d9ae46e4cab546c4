"""Connections of deliveries: a name is looked up, its addresses are judged, and the judged one is connected to.

One rule: between judging an address and connecting to it no name is looked up again. Proxies of the
environment are not asked, certificates are always verified.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.delivery.address import Reach, is_own
from edge.delivery.errors import DeliveryError
from edge.system.background import in_background
from edge.system.tls import believing, why_refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

MOST_ADDRESSES: Final = 4
"""Of a name with more, the first ones are tried."""
NAMES_S: Final = 5.0
"""How long to look for a name: less than a receiver has, who is not to blame for it."""
NEXT_AFTER_S: Final = 3.0
"""How long an address has before the next one is tried: half of the Internet's IPv6 is broken."""
LONGEST_LINE: Final = 8 * 1024
_OURS: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
"""Nobody can be reached: no fault of this receiver's."""

Resolve: TypeAlias = "Callable[[str, int], Awaitable[list[str]]]"
Streams: TypeAlias = "tuple[asyncio.StreamReader, asyncio.StreamWriter]"


class Names:
    """Looks names up, in threads that nobody waits for; each name once at a time, however many ask."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._under_way: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a name, or of a number in any spelling. Raises OSError."""
        key = (host, port)
        work = self._under_way.get(key)
        if work is None:
            work = self._under_way[key] = asyncio.create_task(_look(host, port), name="names")
            work.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(work)

    def _done(self, key: tuple[str, int], work: asyncio.Task[list[str]]) -> None:
        del self._under_way[key]
        if not work.cancelled():
            work.exception()  # whoever asked may have given up


async def _look(host: str, port: int) -> list[str]:
    found: list[str] = []
    await in_background(lambda: found.extend(addresses(host, port)), "names")
    return found


def addresses(host: str, port: int) -> list[str]:
    """As the system finds them; blocks. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(slots=True)
class Network:
    """What all deliveries of a controller share."""

    reach: Reach = field(default_factory=Reach)
    ca_file: Path | None = None
    """Whom to believe beside the system's authorities."""
    resolve: Resolve = field(default_factory=Names)
    tls_strict: bool = True
    _context: ssl.SSLContext | None = None

    async def connect(self, host: str, port: int, *, tls: bool) -> Streams:
        """A connection to an address of this name that was judged. Raises DeliveryError."""
        try:
            async with asyncio.timeout(NAMES_S):
                found = await self.resolve(host, port)
        except TimeoutError:
            raise DeliveryError(f"{host} is not found: no name server answered in time", ours=True) from None
        except OSError as error:
            raise DeliveryError(f"{host} is not found: {error}", ours=_nobody(error)) from error
        except UnicodeError:
            raise DeliveryError(f"{host} is no name of a host") from None
        if reason := self.reach.refusal_of_any(found):
            raise DeliveryError(f"{host}: {reason}")
        if not tls and not all(is_own(address) for address in found):
            raise DeliveryError(f"{host} is on the Internet, where nothing is sent in clear: expected https")
        context = await self.context() if tls else None
        return await _first(found[:MOST_ADDRESSES], host, port, context)

    async def context(self) -> ssl.SSLContext:
        """How certificates are verified; the authorities are read once, aside: there are many. Raises DeliveryError."""
        if self._context is None:
            made: list[ssl.SSLContext] = []
            try:
                await in_background(lambda: made.append(believing(self.ca_file, strict=self.tls_strict)), "authorities")
            except (OSError, ValueError) as error:
                raise DeliveryError(f"the authorities' certificates cannot be read: {error}", ours=True) from error
            self._context = made[0]
        return self._context


async def _first(found: list[str], host: str, port: int, context: ssl.SSLContext | None) -> Streams:
    """The first address that answers."""
    name = host if context is not None else None
    error: OSError = OSError("it has no address")
    for number, address in enumerate(found, 1):
        try:
            async with asyncio.timeout(None if number == len(found) else NEXT_AFTER_S):
                return await asyncio.open_connection(
                    address, port, ssl=context, server_hostname=name, limit=LONGEST_LINE
                )
        except ssl.SSLCertVerificationError as wrong:
            raise DeliveryError(f"{host} at {address}: {why_refused(wrong)}") from wrong
        except OSError as wrong:  # TimeoutError too
            error = wrong
    if error.errno is not None and error.errno > 0:  # asyncio's own words only tell the address once more
        reason = os.strerror(error.errno).lower()
    else:
        reason = error.strerror or str(error) or "no answer in time"
    raise DeliveryError(f"{host} cannot be reached: {reason}", ours=_nobody(error)) from error


def _nobody(error: OSError) -> bool:
    return error.errno in _OURS or (isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN)
