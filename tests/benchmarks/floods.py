"""The floods of bench_flood that come over a network or a socket: each sends as much as it can until it is killed."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass, field
from multiprocessing import Value
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROUP_ID: Final = 54_321
TOPIC: Final = "doorward/v1/lab/test"
A_SECOND: Final = 10_000
"""Messages; a flood of large ones sends as many as go through."""


@dataclass(frozen=True)
class Place:
    """What a flood can reach."""

    broker: int
    """The port of a broker that lets everybody in."""
    socket: Path
    """The control socket."""
    page: int
    """The port of the local page, without TLS."""
    line: Any = None
    """The far end of the wires of a `FloodedLine`."""
    came: Any = field(default_factory=lambda: Value("L"))
    """What a flood counts that knows what of it was taken in."""

    def count(self, amount: int) -> None:
        """Add to `came`."""
        with self.came.get_lock():
            self.came.value += amount


def nothing(_place: Place) -> None:
    time.sleep(3_600)


def _publish(topic: str, payload: bytes, *, qos: int = 0) -> bytes:
    """A PUBLISH of MQTT 5 without properties."""
    body = len(topic).to_bytes(2) + topic.encode() + (b"\0\1" if qos else b"") + b"\0" + payload
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([0x30 | qos << 1]) + length + body


def _flood_topic(topic: str, payload: bytes) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        with socket.create_connection(("127.0.0.1", place.broker)) as line:
            line.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x03evl")
            line.recv(100)
            some = 100
            blob, began_s, sent = _publish(topic, payload) * some, time.monotonic(), 0
            while True:
                line.sendall(blob)
                sent += some
                time.sleep(max(0.0, sent / A_SECOND - (time.monotonic() - began_s)))

    return run


def _somebody_of_the_group() -> None:
    """Not the user who measures; see `_with_a_group` of bench_flood."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(GROUP_ID)
        os.setuid(GROUP_ID)


def _flood_socket(place: Place) -> None:
    """Every place there is, and as many requests as go through."""
    _somebody_of_the_group()
    lines: list[socket.socket] = []
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            line.connect(str(place.socket))
            line.setblocking(False)
            lines.append(line)
        for one in [*lines]:
            try:
                one.send(b'{"op": "status"}\n' * 100)
                one.recv(1 << 20)
            except BlockingIOError:
                continue
            except OSError:
                lines.remove(one)
                one.close()


def _flood_connections(place: Place) -> None:
    """Come and go."""
    _somebody_of_the_group()
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(str(place.socket))


def _flood_page(place: Place) -> None:
    """Strangers who sign in with what is no form, and half of them break off."""
    body = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\na=b"
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", place.page), 5) as line:
            line.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\n" + body)
            line.shutdown(socket.SHUT_WR)
            line.recv(100)


FLOODS: Final[dict[str, Callable[[Place], None]]] = {
    "commands": _flood_topic(f"{TOPIC}/commands", b"x" * 100),
    "commands-large": _flood_topic(f"{TOPIC}/commands", b'{"id":"' + b"a" * 60_000 + b'"}'),
    "ack": _flood_topic(f"{TOPIC}/ack", b'{"stream":"x","sequence":1}'),
    "home-assistant": _flood_topic("homeassistant/status", b"junk"),
    "socket": _flood_socket,
    "connections": _flood_connections,
    "page": _flood_page,
}
