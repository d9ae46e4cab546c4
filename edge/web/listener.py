"""Where browsers connect: so many at a time, and so many of them from one address.

One rule: who finds no place is gone before TLS has made any memory for him.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Final
from weakref import WeakKeyDictionary

MOST_CONNECTIONS: Final = 100
"""More are closed at once."""
MOST_OF_AN_ADDRESS: Final = 40
"""A browser has six."""
SEND_BUFFER: Final = 128 << 10
"""Bytes; Linux doubles it. Of its own it would give each some MiB, and counts them as the program's memory."""


class Listener(socket.socket):
    """A listening socket that hands out a bounded number of connections."""

    def __init__(self, address: str, port: int, *, most_of_one: int = MOST_OF_AN_ADDRESS) -> None:
        """`address` is one of this computer, port 0 any that is free. Raises OSError when it cannot be had."""
        version = ipaddress.ip_address(address).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004
        # without the protocol's name asyncio does not see that it is TCP: no TCP_NODELAY, and 40 ms for each answer
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
        """The next connection. Raises ConnectionAbortedError, which asyncio passes over, when it has no place."""
        line, peer = super().accept()
        source = network(peer[0])
        held = [one for given, one in self._given.items() if given.fileno() >= 0]  # a closed one is no place
        if len(held) >= MOST_CONNECTIONS or held.count(source) >= self._most_of_one:
            line.close()
            raise ConnectionAbortedError
        self._given[line] = source
        return line, peer


def network(host: str) -> str:
    """Who shares what an address is allowed: itself, or of IPv6 its network, for a host has as many as it likes."""
    host = host.partition("%")[0]
    return str(ipaddress.ip_network((host, 64), strict=False)) if ":" in host else host
