"""The client's end of the control socket: one request, or a stream; errors have a sentence for people.

One rule: every message about a daemon that does not answer is made here.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, Self

from edge.client.sockets import find_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

ANSWER_WITHIN_S: Final = 15.0


class Unreachable(Exception):  # noqa: N818 -- a state, not a mistake
    """The daemon could not be asked; exit code 2. `__cause__` is the OSError, if there was one."""


class RequestRefused(Exception):  # noqa: N818 -- as above
    """The daemon refused the request; exit code 1."""

    def __init__(self, code: str, message: str) -> None:
        """`code` is stable, `message` is for people; both are the daemon's."""
        super().__init__(message)
        self.code = code


class Client:
    """One connection to a running daemon."""

    def __init__(self, path: Path | None, within_s: float = ANSWER_WITHIN_S) -> None:
        """Connect to `path`, by default the socket that is found; `within_s` limits each answer. Raises Unreachable."""
        path = path or find_socket()
        self._path, self._within_s = path, within_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(self._socket, path, within_s)
        except OSError as error:
            self._socket.close()
            raise Unreachable(sentence(error, path)) from error
        self._socket.settimeout(within_s)
        self._lines = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        """Return the connected client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):  # flushing to a dead daemon fails
            self._lines.close()
        self._socket.close()

    def again(self) -> Client:
        """A new connection to the same daemon. Raises Unreachable."""
        self.close()
        return Client(self._path, self._within_s)

    def ask(self, op: str, **body: Any) -> Any:  # noqa: ANN401 -- JSON
        """Send one request and return its result. Raises RequestRefused and Unreachable."""
        self._say({"op": op, **body})
        return self._read()["result"]

    def stream(self, op: str) -> Iterator[Any]:
        """Yield items without end. Raises RequestRefused, and Unreachable when the daemon ends."""
        self._say({"op": op})
        while True:
            yield self._read()["item"]

    def _say(self, body: dict[str, Any]) -> None:
        try:
            self._lines.write(json.dumps(body).encode() + b"\n")
            self._lines.flush()
        except OSError as error:
            raise Unreachable(f"the daemon hung up: {error}") from None

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise Unreachable(f"the daemon did not answer within {self._within_s:.0f} s") from None
        except OSError as error:
            raise Unreachable(f"the daemon hung up: {error}") from None
        if not line:
            raise Unreachable("the daemon hung up")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Unreachable("the program at the socket is not doord")
        if not answer.get("ok"):
            raise RequestRefused(str(answer.get("code")), str(answer.get("message")))
        return answer


def _connect(sock: socket.socket, path: Path, within_s: float) -> None:
    """Connect, waiting while the queue of connections is full: with Python's timeout connect(2) would fail then."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(within_s), 0))
    sock.connect(str(path))


def sentence(error: OSError, path: Path) -> str:
    """Why there is no connection, and what a technician can do about it."""
    if isinstance(error, FileNotFoundError):
        return f"no daemon at {path}: is doord running? systemctl status doord"
    if isinstance(error, ConnectionRefusedError):
        return f"the daemon at {path} is dead: systemctl status doord, journalctl -u doord"
    if isinstance(error, PermissionError):
        return f"no permission for {path}: you must be root or in the group doorward (usermod -aG doorward YOU)"
    return f"cannot reach {path}: {error}"
