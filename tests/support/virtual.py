"""An event loop whose time is virtual: it jumps to the next timer as soon as nothing else can happen.

Threads are real: while `busy()` says that one of them still has work for the loop, time stands still. So are TCP
connections: a busy kernel carries what was sent a moment later.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import stat
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

T = TypeVar("T")
PATIENCE_S = 120.0
KERNEL_S = 0.005


class _JumpingSelector(selectors.BaseSelector):
    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.loop: VirtualLoop
        self.tcp: set[int] = set()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self.loop.busy():
            ready = self.real.select(PATIENCE_S)
            if not ready:
                raise AssertionError(
                    "nothing happened and nothing is due: the test waits for something that never comes"
                )
            return ready
        if self.tcp and (ready := self.real.select(KERNEL_S)):
            return ready
        self.loop.virtual_s += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self.real.register(fileobj, events, data)
        if _is_tcp(key.fd):
            self.tcp.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self.real.unregister(fileobj)
        self.tcp.discard(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def close(self) -> None:
        self.real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()


def _is_tcp(fd: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    same = socket.socket(fileno=fd)
    same.detach()
    return same.family in {socket.AF_INET, socket.AF_INET6}


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time starts at 1000 s; `now_ns` is the boot clock that goes with it."""

    def __init__(self) -> None:
        self.virtual_s = 1000.0
        self.jobs = 0
        self.waits_for: list[Callable[[], bool]] = []
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.virtual_s

    def now_ns(self) -> int:
        return round(self.virtual_s * 1e9)

    def busy(self) -> bool:
        return self.jobs > 0 or any(waits() for waits in self.waits_for)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # its signature
        del timeout  # from Python 3.12 on a timer of this loop, whose time does not pass while threads are joined
        self.jobs += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self.jobs -= 1

    def _job_done(self, _future: object) -> None:
        self.jobs -= 1


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main(loop)` to its end in virtual time."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
