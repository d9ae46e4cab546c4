"""A wire between two programs that can be cut, swallow bytes without a word, be slow, or carry them one by one."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from typing import Self

CHUNK = 65_536


class Proxy:
    """Forwards TCP to `port` of the loopback, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.swallows = False
        self.delay_s = 0.0
        """How long every piece takes."""
        self.piece = CHUNK
        """Bytes that travel together; 1 shows a program every way to be torn apart."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Every connection ends at once."""
        with self._lock:
            for one in list(self._pairs):
                self._drop(one)

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._pairs:
                        self._forward(key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), 2)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, one: socket.socket) -> None:
        try:
            data = one.recv(CHUNK)
            if data and not self.swallows:
                time.sleep(self.delay_s)
                for at in range(0, len(data), self.piece):
                    self._pairs[one].sendall(data[at : at + self.piece])
        except OSError:
            data = b""
        if not data:
            self._drop(one)

    def _drop(self, one: socket.socket) -> None:
        other = self._pairs.pop(one, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        for end in (one, other):
            self._selector.unregister(end)
            end.close()
