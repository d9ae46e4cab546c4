"""One life of a process in virtual time, without a thread that runs by itself: everything is repeated by its seed.

The log's writer runs in a thread that has its turn when the loop hands it over; other threads become calls on the loop.
A crash stops the loop between two calls, or in the middle of one of the disk's operations.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import warnings
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from collections.abc import Callable


class PowerCutError(SystemExit):
    """The process ends here. asyncio passes on a SystemExit at once, whoever raises it."""


class GoneError(BaseException):
    """Ends a thread of a process that is gone; nothing on the way may take it for an error that it knows."""


class _NoSelector(selectors.BaseSelector):
    """Nothing comes from outside: time goes on to the next timer at once."""

    def __init__(self) -> None:
        self.loop: Machine

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing is due: the simulation waits for something that never comes")
        self.loop.virtual_s += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, 0, None)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def get_map(self) -> Any:
        return {}


class Machine(asyncio.SelectorEventLoop):
    """The event loop of one life, and the threads of its process."""

    def __init__(self, from_s: float) -> None:
        self.virtual_s = from_s
        self.dead = False
        self.turns = 0
        self.dies_at_turn: int | None = None
        self.on_death: Callable[[], None] = lambda: None
        self.after_turn: Callable[[], None] = lambda: None
        self.ready_at: Callable[[], float] = lambda: 0.0
        """From when on the disk answers those who wait for it on another thread."""
        self.has_turn: Thread | None = None
        self._threads: list[Thread] = []
        selector = _NoSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.virtual_s

    def now_ns(self) -> int:
        return round(self.virtual_s * 1e9)

    def _run_once(self) -> None:
        self.turns += 1
        if self.dies_at_turn is not None and self.turns >= self.dies_at_turn:
            self.die()
        super()._run_once()  # type: ignore[misc]  # asyncio's own
        self.after_turn()

    def die(self) -> None:
        """The process is gone from here on."""
        if not self.dead:
            self.dead = True
            self.on_death()
        raise PowerCutError if self.has_turn is None else GoneError

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)  # the threads have their turns one after the other

    def run_in_executor(self, _executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.create_future()
        owner = getattr(func, "__self__", None)
        if isinstance(owner, Thread):
            owner.joined(future, args[0] if args else None)
        else:
            self.call_at(max(self.time(), self.ready_at()), self._job, future, func, args)
        return future

    def _job(self, future: asyncio.Future[Any], func: Any, args: Any) -> None:
        if future.done():
            return
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 -- as an executor does
            future.set_exception(error)
        else:
            future.set_result(result)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # its signature
        """There is none."""

    def bury(self) -> None:
        """End what is left: nothing of it may run later."""
        self.dead = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it begins in the end is never awaited
            for task in asyncio.all_tasks(self):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with contextlib.suppress(BaseException):  # and what it says is of no more use
                    task.get_coro().close()  # type: ignore[union-attr]
        for thread in self._threads:
            thread.end()
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.set_exception_handler(lambda *_: None)
        self.close()


def current() -> Machine:
    """The machine that lives now."""
    loop = running[-1]
    assert isinstance(loop, Machine)
    return loop


running: list[Machine] = []


class Thread:
    """In place of `threading.Thread`: the writer has turns, any other thread is one call."""

    def __init__(
        self, target: Callable[[], None], name: str = "", daemon: bool | None = None, args: tuple[Any, ...] = ()
    ) -> None:
        del daemon
        self.name, self._target, self._args = name, target, args
        self._machine = current()
        self._own = greenlet.greenlet(self._run)
        self._over = False
        self._turn: asyncio.Handle | None = None
        self._joins: list[asyncio.Future[Any]] = []

    def start(self) -> None:
        if self.name != "log-writer":
            self._machine.call_soon(self._call)
            return
        self._machine._threads.append(self)
        self.wake()

    def _call(self) -> None:
        self._target(*self._args)
        self._over = True

    def is_alive(self) -> bool:
        return not self._over

    def join(self, timeout: float | None = None) -> None:
        """Only the loop waits for the writer; a single call is over at once."""

    def joined(self, future: asyncio.Future[Any], within_s: float | None) -> None:
        if self._over:
            future.set_result(None)
            return
        self._joins.append(future)
        if within_s is not None:
            self._machine.call_later(within_s, lambda: future.done() or future.set_result(None))

    # --- turns ---

    def wake(self, after_s: float = 0.0) -> None:
        """Its next turn comes after so long, or at once."""
        if self._turn is not None:
            self._turn.cancel()
        loop = self._machine
        self._turn = loop.call_later(after_s, self._resume) if after_s else loop.call_soon(self._resume)

    def _resume(self) -> None:
        self._turn = None
        if not self._over:
            self._switch()
        if self._machine.dead:
            raise PowerCutError
        if self._over:
            for future in self._joins:
                if not future.done():
                    future.set_result(None)

    def _switch(self) -> None:
        self._machine.has_turn = self
        try:
            self._own.switch()
        finally:
            self._machine.has_turn = None

    def pause(self, for_s: float | None) -> None:
        """In the thread: the others have their turns, until `wake` or for so long."""
        if for_s is not None:
            self.wake(for_s)
        self._own.parent.switch()
        if self._machine.dead:
            raise GoneError

    def _run(self) -> None:
        with contextlib.suppress(GoneError):
            self._target(*self._args)
        self._over = True

    def end(self) -> None:
        if not self._over:
            self._switch()


def writer_thread() -> Thread | None:
    """The thread that has its turn now; None on the loop."""
    return running[-1].has_turn if running else None


class Event:
    """In place of `threading.Event`."""

    def __init__(self) -> None:
        self._set = False
        self._waits: Thread | None = None

    def set(self) -> None:
        self._set = True
        if self._waits is not None:
            self._waits.wake()

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        thread = writer_thread()
        if thread is not None and not self._set:
            self._waits = thread
            thread.pause(timeout)
            self._waits = None
        return self._set


class SimpleQueue:
    """In place of `queue.SimpleQueue`."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waits: Thread | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._waits is not None:
            self._waits.wake()

    def get(self, timeout: float | None = None) -> Any:
        thread = writer_thread()
        if not self._items and thread is not None:
            self._waits = thread
            thread.pause(timeout)
            self._waits = None
        if not self._items:
            raise Empty
        return self._items.popleft()
