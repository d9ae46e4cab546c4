"""The socket where browsers connect, with limits on connections in all and from one address.

One rule: a connection above the limits is closed before TLS allocates memory for it.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Final
from weakref import WeakKeyDictionary

MOST_CONNECTIONS: Final = 100
"""Further connections are closed at once."""
MOST_OF_AN_ADDRESS: Final = 40
"""A browser opens six."""
SEND_BUFFER: Final = 128 << 10
"""Bytes; Linux doubles it. Its default is some MiB for each connection, which count as the service's memory."""


class Listener(socket.socket):
    """A listening socket that accepts a bounded number of connections."""

    def __init__(self, address: str, port: int, *, most_of_one: int = MOST_OF_AN_ADDRESS) -> None:
        """`address` is one of this computer; port 0 means any free port. OSError when it cannot be used."""
        version = ipaddress.ip_address(address).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004
        # without the protocol asyncio does not set TCP_NODELAY, and each answer takes 40 ms longer
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._most_of_one = most_of_one
        self._given: WeakKeyDictionary[socket.socket, str] = WeakKeyDictionary()
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if version != 4:  # noqa: PLR2004
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections inherit it
            self.bind((address, port))
        except OSError:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. ConnectionAbortedError, which asyncio ignores, for one above the limits."""
        line, peer = super().accept()
        source = network(peer[0])
        held = [source_ for given, source_ in self._given.items() if given.fileno() >= 0]  # closed ones do not count
        if len(held) >= MOST_CONNECTIONS or held.count(source) >= self._most_of_one:
            line.close()
            raise ConnectionAbortedError
        self._given[line] = source
        return line, peer


def network(host: str) -> str:
    """The key for limits of an address: itself, or for IPv6 its /64, because a host can use all addresses of that."""
    host = host.partition("%")[0]
    return str(ipaddress.ip_network((host, 64), strict=False)) if ":" in host else host
