"""Asks the daemon while the screen goes on: the stream in one thread, each request in another.

One rule: what comes is put into a queue, and the wake-up pipe is written to; only the main thread draws.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.cli.watching.view import REMEMBERED, KeyRequest
from edge.client.connection import Client, RequestRefused, Unreachable

if TYPE_CHECKING:
    from pathlib import Path

AGAIN_S: Final = 2.0


class Came(NamedTuple):
    """Something from the daemon: an item of the stream, the records before it, a trouble, or an answer."""

    item: dict[str, Any] | None = None
    recent: list[dict[str, Any]] | None = None
    trouble: str | None = None
    answer: tuple[KeyRequest, dict[str, Any] | str] | None = None


class LiveLink:
    """The daemon, as the screen sees it."""

    def __init__(self, socket: Path | None, wake_with: int) -> None:
        """`wake_with` is written to after each thing that came."""
        self._socket, self._wake_with = socket, wake_with
        self._came: queue.SimpleQueue[Came] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to read the stream, and connect again whenever it ends."""
        threading.Thread(target=self._read, name="stream", daemon=True).start()

    def send(self, ask: KeyRequest) -> None:
        """Send a request; its answer comes later."""
        threading.Thread(target=self._ask, args=(ask,), name="request", daemon=True).start()

    def news(self) -> list[Came]:
        """What has come since the last time."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._came.get_nowait())
        return found

    def _tell(self, came: Came) -> None:
        self._came.put(came)
        with contextlib.suppress(BlockingIOError):  # full: it is awake
            os.write(self._wake_with, b"!")

    def _read(self) -> None:
        pause = threading.Event()
        while True:
            try:
                with Client(self._socket) as client:
                    recent = client.ask("events", newest=True, limit=REMEMBERED // 4)["records"]
                    self._tell(Came(recent=[*reversed(recent)]))
                    for item in client.stream("watch"):
                        self._tell(Came(item=item))
            except (Unreachable, RequestRefused) as error:
                self._tell(Came(trouble=f"{error}; trying again"))
                pause.wait(AGAIN_S)

    def _ask(self, ask: KeyRequest) -> None:
        answer: dict[str, Any] | str
        try:
            with Client(self._socket) as client:
                answer = client.ask(ask.op, **ask.body)
        except (Unreachable, RequestRefused) as error:
            answer = str(error)
        self._tell(Came(answer=(ask, answer)))
