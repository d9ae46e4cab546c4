"""A whole daemon on a real loop in a thread of its own, whose calendar counts as set by the network.

A test machine's calendar is set by nobody known, and then an unlock from outside is refused, as it must be.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from edge.client.connection import Client
from edge.config.reading import load
from edge.daemon.daemon import Daemon
from edge.model.messages import ClockQuality
from tests.support.clock import FakeClock
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Live:
    """`config` says where its socket is: `doord.sock` beside it."""

    def __init__(self, config: Path, quality: ClockQuality = ClockQuality.SYNCED) -> None:
        self._config, self._quality = config, quality
        self._socket = config.with_name("doord.sock")
        self._guarding = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        clock = FakeClock(boot_ns, wall_us=time.time_ns() // 1_000, quality=self._quality)
        daemon = Daemon(load(self._config), clock)
        running = asyncio.create_task(daemon.run(self._stop))
        while not ((daemon.broker.upstream and daemon.log.stream) or running.done()):  # noqa: ASYNC110 -- nobody tells that a start is over
            await asyncio.sleep(0.005)
        self._guarding.set()
        await running

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._guarding.wait(PATIENCE_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def ask(self, op: str, **body: Any) -> Any:
        with Client(self._socket) as client:
            return client.ask(op, **body)

    def sim(self, door: str, action: str, argument: str | None = None) -> None:
        self.ask("sim", door=door, action=action, argument=argument)
