"""The Modbus driver: boards on one RS-485 line become points of doors.

One rule: a thread of its own asks and waits, the event loop never does. One lock guards what both use. Relays come
before inputs. Only `open` waits for the line, briefly, so that relays are at rest before anything else happens.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from drivers.hand_on import hand_on
from drivers.modbus.board import Board, boards
from drivers.modbus.frames import ExceptionReply
from drivers.modbus.line import NS_PER_S, Line, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from drivers.modbus.duties import PendingQuestion
    from drivers.modbus.points import Settings
    from edge.model.messages import Json, Signal
    from edge.model.ports import Emit

LOG: Final = logging.getLogger(__name__)
PATIENCE_S: Final = 0.5
"""How long `open` and `close` wait for relays to come to rest. The thread goes on with slower boards."""
MOST_PENDING: Final = 1024
"""Signals that wait for the loop. While there are this many, inputs are not read. No signal is dropped."""


def create(name: str, settings: Settings, points: Mapping[str, BaseModel], now_ns: Callable[[], int]) -> ModbusDriver:
    """Make the driver of one line, not open yet; `points` by name, `front.lock`."""
    return ModbusDriver(name, settings, points, now_ns)


@dataclass(eq=False, slots=True)
class _Listener:
    """The caller of `run`."""

    loop: asyncio.AbstractEventLoop
    emit: Emit
    ended: asyncio.Future[None]
    pending: deque[Signal] = field(default_factory=deque)


class ModbusDriver:
    """The promise of `edge.model.ports.Driver` for one line."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        points: Mapping[str, BaseModel],
        now_ns: Callable[[], int],
        patience_s: float = PATIENCE_S,
    ) -> None:
        """See `create`."""
        self.name = name
        self.points = frozenset(points)
        self._settings = settings
        self._models = dict(points)
        self._now_ns = now_ns
        self._patience_s = patience_s
        self._boards: dict[int, Board] = boards(settings, points)
        self._at = _places(self._boards)
        self._worker: _Worker | None = None

    # --- the promise ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the port, bring every relay to rest, and start the thread. Raises OSError."""
        self.close()
        line = Line(self._settings, self._now_ns)
        self._boards = boards(self._settings, self._models)
        self._at = _places(self._boards)
        worker = _Worker(line, self._boards, self._now_ns)
        try:
            worker.settle(self._patience_s)
        except Exception:
            line.close()
            raise
        worker.start(self.name)
        self._worker = worker

    async def run(self, emit: Emit) -> None:
        """Report until cancelled or the port has gone. The thread drives relays until `close`, also without `run`."""
        worker = self._opened()
        loop = asyncio.get_running_loop()
        listener = _Listener(loop, partial(hand_on, self.name, emit), loop.create_future())
        worker.listen(listener)
        try:
            await listener.ended
        finally:
            worker.listen(None)

    def apply(self, outputs: Mapping[str, bool]) -> None:
        """Set outputs; the newest state wins, also at a board that does not answer. Raises OSError without a port."""
        worker = self._opened()
        with worker.changed:
            for point, asserted in outputs.items():
                self._at[point].want(point, asserted=asserted)
            worker.changed.notify()

    def level(self, point: str) -> bool | None:
        """What the board answered last, at most one poll ago; None while it does not answer."""
        worker = self._worker
        if worker is None or worker.failure is not None or point not in self._at:
            return None
        with worker.changed:
            return self._at[point].levels.get(point)

    def close(self) -> None:
        """Bring every relay to rest and close the port, without waiting for a board that is slow to answer."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end(self._patience_s)

    def describe(self) -> Mapping[str, Json]:
        """The line's counts and the state of each board."""
        facts: dict[str, Json] = {"port": self._settings.port, "baud": self._settings.baud}
        worker = self._worker
        if worker is None:
            return facts
        with worker.changed:
            facts["line"] = asdict(worker.line.counts)
            facts["boards"] = {str(unit): board.facts() for unit, board in self._boards.items()}
        return facts

    def _opened(self) -> _Worker:
        if self._worker is None:
            raise OSError(errno.ENODEV, f"driver {self.name} is not open")
        if self._worker.failure is not None:
            raise OSError(errno.EIO, str(self._worker.failure))
        return self._worker


class _Worker:
    """The thread that uses the line, from `open` to `close` or to the loss of the port."""

    def __init__(self, line: Line, boards_: Mapping[int, Board], now_ns: Callable[[], int]) -> None:
        self.line = line
        self.changed = threading.Condition()
        """Guards the boards and all attributes below; notified when there may be something to do."""
        self.failure: OSError | None = None
        self._boards = boards_
        self._now_ns = now_ns
        self._listener: _Listener | None = None
        self._ending_s: float | None = None
        self._thread: threading.Thread | None = None

    # --- from the loop's thread -------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name=f"modbus {name}", daemon=True)
        self._thread.start()

    def listen(self, listener: _Listener | None) -> None:
        """Report to this listener from now on, beginning with all inputs; None: to none."""
        with self.changed:
            self._listener = listener
            for board in self._boards.values():
                board.begin()
            if listener is not None and self.failure is not None:
                raise OSError(errno.EIO, str(self.failure))
            self.changed.notify()

    def end(self, patience_s: float) -> None:
        """Bring relays to rest, close the port, and wait for that at most `patience_s`."""
        with self.changed:
            self._ending_s = patience_s
            listener, self._listener = self._listener, None
            for board in self._boards.values():
                board.rest()
            self.changed.notify()
        if listener is not None and not listener.ended.done():
            listener.ended.set_exception(OSError(errno.ENODEV, "the driver has been closed"))
        if self._thread is not None:
            self._thread.join(patience_s + 1)

    def _deliver(self, listener: _Listener) -> None:
        while True:
            with self.changed:
                if listener is not self._listener or not listener.pending:
                    self.changed.notify()
                    return
                signal = listener.pending.popleft()
            listener.emit(signal)

    @staticmethod
    def _fail(listener: _Listener, failure: OSError) -> None:
        if not listener.ended.done():
            listener.ended.set_exception(OSError(failure.errno or errno.EIO, failure.strerror or str(failure)))

    # --- from its own thread -----------------------------------------------------------------------------

    def settle(self, patience_s: float) -> None:
        """Bring relays to their wanted states, at each board until a question is not answered. Raises OSError."""
        until_ns = self._now_ns() + int(patience_s * NS_PER_S)
        for board in sorted(self._boards.values(), key=lambda board: board.reason is not None):
            while (turn := board.unfinished()) is not None and self._now_ns() < until_ns:
                if not self._put(board, turn):
                    break

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._put(*job)
            self.settle(self._ending_s or 0)
        except OSError as error:
            self._lose(error)
        except Exception as error:  # a mistake here or in a library: the driver is reported lost
            LOG.exception("a Modbus line failed")
            self._lose(OSError(errno.EIO, f"internal error: {error!r}"))
        finally:
            self.line.close()

    def _lose(self, failure: OSError) -> None:
        with self.changed:
            self.failure = failure
            if self._listener is not None:
                self._listener.loop.call_soon_threadsafe(self._fail, self._listener, failure)

    def _put(self, board: Board, turn: PendingQuestion) -> bool:
        """Ask a question; returns whether the board answered as it should."""
        try:
            values = self.line.ask(turn.question)
        except (NoAnswer, ExceptionReply) as error:
            with self.changed:
                self._post(board.failed(turn, str(error), self._now_ns()))
            return False
        with self.changed:
            now_ns = self._now_ns()
            self._post([*board.answered(turn, values, now_ns), *board.confirmed(now_ns)])
        return True

    def _next(self) -> tuple[Board, PendingQuestion] | None:
        """Wait for the next question; None when it is time to end."""
        with self.changed:
            while self._ending_s is None:
                now_ns = self._now_ns()
                for board in self._boards.values():
                    self._post(board.confirmed(now_ns))
                listener = self._listener
                reading = listener is not None and len(listener.pending) < MOST_PENDING
                dues = [
                    (not board.urgent(now_ns), due_ns, unit)
                    for unit, board in self._boards.items()
                    if (due_ns := board.due_ns(reading=reading)) is not None
                ]
                ready = [due for due in dues if due[1] <= now_ns]
                if ready:
                    board = self._boards[min(ready)[2]]
                    turn = board.turn(now_ns, reading=reading)
                    if turn is not None:
                        return board, turn
                wait_ns = min((due_ns for _, due_ns, _ in dues), default=None)
                self.changed.wait(None if wait_ns is None else max(wait_ns - now_ns, 0) / NS_PER_S)
        return None

    def _post(self, signals: list[Signal]) -> None:
        listener = self._listener
        if listener is not None and signals:
            listener.pending.extend(signals)
            listener.loop.call_soon_threadsafe(self._deliver, listener)


def _places(all_boards: Mapping[int, Board]) -> dict[str, Board]:
    return {point: board for board in all_boards.values() for point in board.points}
