"""The log as the daemon uses it: events are handed over, commits reported, records read back, cursors and modes kept.

One rule: no call blocks on the disk. Coroutines are answered by the writer's or the reader's
thread, and a door awaits neither. docs/log.md says what is stored and how.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from edge.log.buffer import AdmitCommand, Barrier, Buffer, ClockReading, SettleCommand
from edge.log.commands import TOKEN_BYTES
from edge.log.file import LogInUseError
from edge.log.health import LogHealth, health_of
from edge.log.listeners import tell
from edge.log.options import EpochRenewal, LogOptions
from edge.log.reading.thread import LogUnavailableError, ReadingThread
from edge.log.reading.times import Offset
from edge.log.remembered import LogMemory
from edge.log.schema import storable
from edge.log.store import Store
from edge.log.writer import Writer
from edge.model.messages import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge.log.prepared import Prepared
    from edge.log.reading.query import LogReader, Query, QueryPage
    from edge.model.messages import ClockQuality, Event, Record
    from edge.model.ports import Admission
    from edge.system.clock import Clock

__all__ = ["Log", "LogHealth", "LogInUseError", "LogOptions", "LogUnavailableError"]

CLOSE_WITHIN_S: Final = 5.0
_FAR_US: Final = 2**62
"""Latest expiry that is stored, in microseconds: SQLite's integers have 64 bits."""
_T = TypeVar("_T")


class Log:
    """`edge.model.ports.Journal` on SQLite. Belongs to one event loop."""

    def __init__(self, path: Path, controller_id: str, clock: Clock, options: LogOptions | None = None) -> None:
        """Nothing is touched before `start`."""
        options = options or LogOptions()
        self._path, self._controller_id, self._clock = path, controller_id, clock
        self._buffer = Buffer(options.max_waiting)
        controller = Subject("controller", controller_id, options.name or controller_id)
        self._writer = Writer(Store(path, controller, clock, options.connect), self._buffer, options, self)
        self._thread: threading.Thread | None = None
        self._reading = ReadingThread(path)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open, self._remembered, self._settled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._closed = False
        self._listeners: list[Callable[[Sequence[Record]], None]] = []
        self.stream = ""
        """`<controller id>/<epoch>`; empty until the file is open for the first time. It changes when a damaged
        file is set aside."""
        self.committed = 0
        """The highest sequence number on the disk that listeners have been told of."""
        self._told = 0
        """The latest call of `append` that is on the disk and that listeners have been told of."""
        self._answers = self._answers_stored = 0
        """How many answers of commands were handed over, and how many of them are certainly on the disk."""
        self._epoch = ""
        self._writable = False
        self._memory = LogMemory()
        self._began_at = 0
        """Sequence number of the newest record from before this run."""
        self._renewed = asyncio.Event()
        self._cursors: dict[str, int] = {}
        self._modes: dict[str, str] = {}

    # --- life ---

    def start(self) -> None:
        """Start the writer's thread, which opens the file. The clock's present state is noted."""
        self._loop = asyncio.get_running_loop()
        self.note_clock(self._clock.now_ns(), self._clock.wall_us(), self._clock.quality())
        self._thread = threading.Thread(target=self._writer.run, name="log-writer", daemon=True)
        self._thread.start()

    async def remembered(self) -> None:
        """Wait until `modes` is known. It may take for ever when nothing of the log can be read."""
        await self._remembered.wait()

    async def opened(self) -> None:
        """Wait until `stream`, the cursors and `committed` are known. It may take for ever.

        They are known also of a file that can be read but not written.
        """
        await self._open.wait()

    async def settled(self) -> None:
        """Wait until the log is `opened`, or it is known that it cannot be opened now."""
        await self._settled.wait()

    async def close(self, within_s: float = CLOSE_WITHIN_S) -> int:
        """Write what waits and stop; returns how many events could not be written within `within_s` seconds."""
        if self._closed:
            return self._buffer.waiting
        self._closed = True
        await self._reading.close(within_s)
        self._writer.close()  # the last to close: only then SQLite folds the WAL into the file
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join, within_s)
        return self._buffer.waiting

    # --- Journal ---

    def append(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None:
        """Hand events over; see `edge.model.ports.Journal`. Never blocks and raises nothing for the disk.

        KeyError for an event type that is not in the catalogue.
        """
        self._buffer.append(tuple(events), modes or {})

    def on_commit(self, listener: Callable[[Sequence[Record]], None]) -> Callable[[], None]:
        """Call `listener` on the loop with each group of records that is on the disk; the result unsubscribes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def read(self, after: int, limit: int) -> list[Record]:
        """Committed records above `after`. LogUnavailableError when the file cannot be read now."""
        return await self.look(lambda reader: reader.after(after, limit))

    async def query(self, query: Query) -> QueryPage:
        """One page of the records that a query finds. LogUnavailableError as for `read`."""
        return await self.look(lambda reader: reader.page(query))

    async def look(self, ask: Callable[[LogReader], _T]) -> _T:
        """Call `ask` with a reader, in a thread. LogUnavailableError as for `read`."""
        self._refuse_when_closed()
        return await self._reading.look((self._epoch, self._writable), ask)

    def cursor(self, sink: str) -> int:
        """The highest contiguous sequence the sink has acknowledged; 0 at first."""
        return self._cursors.get(sink, 0)

    def advance(self, sink: str, sequence: int) -> None:
        """Move a cursor forward; a step back, or beyond what is committed, is ignored.

        Durable with the next commit, or within about a second by itself.
        """
        if self.cursor(sink) < sequence <= self.committed:
            self._cursors[sink] = sequence
            self._buffer.cursor(sink, self._epoch, sequence)

    async def admit(
        self, command_id: str, expires_us: int | None = None, *, content: bytes = b"", only_look: bool = False
    ) -> Admission:
        """Store a command id; returns when it is on the disk, so each id is first at most once.

        With `expires_us` (microseconds since 1970 UTC) the id is forgotten some days after it; from then on
        no command that expires as early is first. Above a bound the oldest ids are forgotten.
        `content` is a digest of what the command says: the same id with another digest is another command.
        With `only_look` nothing is stored. LogUnavailableError when too many wait already.
        """
        self._refuse_when_closed()
        answer: asyncio.Future[Admission] = asyncio.get_running_loop().create_future()
        if expires_us is not None:
            expires_us = max(-_FAR_US, min(expires_us, _FAR_US))
        attempt = secrets.token_bytes(TOKEN_BYTES)
        if not self._buffer.control(
            AdmitCommand(storable(command_id), expires_us, attempt, content, answer, only_look)
        ):
            raise LogUnavailableError("too many commands wait for the disk")
        return await answer

    def settle(self, command_id: str, reply: bytes) -> None:
        """Store the answer of an admitted command, for a second arrival of it; it is lost when too much waits."""
        self._answers += self._buffer.control(SettleCommand(storable(command_id), reply))

    async def durable(self) -> None:
        """Return when everything that was handed over so far is on the disk and listeners were told of it.

        LogUnavailableError when too much waits already, or the log is closed.
        """
        answers = self._answers
        if self._told == self._buffer.calls and answers == self._answers_stored:
            return
        self._refuse_when_closed()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._buffer.control(Barrier(answer)):
            raise LogUnavailableError("too much waits for the disk")
        await answer
        self._answers_stored = max(self._answers_stored, answers)

    # --- beyond Journal ---

    async def new_epoch(self, reason: str, after: int | None = None) -> None:
        """Go on under a new epoch, because sequence numbers of this one were used already: the log went back in time.

        Records behind `after` get the new epoch; None: the records of this run.
        Returns when that is on the disk and `stream` is the new one. `reason` is for people.
        """
        self._refuse_when_closed()
        await self._open.wait()
        before = self._epoch
        after = self._began_at if after is None else after
        self._writer.renew(EpochRenewal(before, reason, after, dict(self._cursors)))
        while self._epoch == before:
            self._renewed.clear()
            await self._renewed.wait()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise LogUnavailableError("the log is closed")

    def retain_for(self, sinks: Sequence[str]) -> None:
        """From now on age removes only records that all these sinks have acknowledged; no sinks: any record."""
        self._writer.retain_for(tuple(sinks))

    @property
    def waiting(self) -> int:
        """Events that are not on the disk yet."""
        return self._buffer.waiting

    def modes(self) -> Mapping[str, str]:
        """Door -> the mode that it takes up at the start, as the file had it when it was opened."""
        return MappingProxyType(self._modes)

    def note_clock(self, at_ns: int, wall_us: int, quality: ClockQuality) -> None:
        """The calendar showed `wall_us` at `at_ns`: at start, after a step, when the quality changes."""
        self._buffer.control(ClockReading(Offset(at_ns, wall_us - at_ns // 1_000, quality)))

    def health(self) -> LogHealth:
        """The log's health. Touches no disk."""
        return health_of(self._path, self._writer.facts, self._buffer, self._clock.now_ns(), self.committed)

    # --- from the writer's thread ---

    def recalled_in_thread(self, memory: LogMemory | None) -> None:
        """See `edge.log.options.LogListener`."""
        if memory is not None:
            self._on_loop(self._recalled, memory)

    def failing_in_thread(self, error: Exception) -> None:
        """See `edge.log.options.LogListener`."""
        self._on_loop(self._failing, isinstance(error, LogInUseError))

    def opened_in_thread(self, store: Store) -> None:
        """See `edge.log.options.LogListener`."""
        self._on_loop(self._opened, store.epoch, store.head[0], dict(store.cursors), dict(store.modes))

    def committed_in_thread(self, store: Store, prepared: Prepared) -> None:
        """See `edge.log.options.LogListener`."""
        self._on_loop(self._deliver, store.records(prepared), prepared)

    def _on_loop(self, call: Callable[..., None], *values: object) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(call, *values)

    def _recalled(self, memory: LogMemory) -> None:
        """Take up the modes, which were read before the writer has opened the file."""
        self._memory, self._modes = memory, dict(memory.modes)
        self._remembered.set()

    def _failing(self, in_use: bool) -> None:
        """The file cannot be written: take up what was read from it, unless another process writes it."""
        if self._memory.epoch and not self._epoch and not in_use:
            self._take_up(self._memory.epoch, self._memory.head[0], dict(self._memory.cursors))
        self._settled.set()

    def _opened(self, epoch: str, head: int, cursors: dict[str, int], modes: dict[str, str]) -> None:
        if not self._writable:
            self._began_at = head
        if epoch != self._epoch or not self._writable:
            self._modes = modes
            if epoch == self._epoch:
                cursors = {sink: max(sequence, self.cursor(sink)) for sink, sequence in cursors.items()}
            self._take_up(epoch, head, cursors)
        self._writable = True
        self._renewed.set()
        self._remembered.set()

    def _take_up(self, epoch: str, head: int, cursors: dict[str, int]) -> None:
        self._epoch, self.committed, self._cursors = epoch, head, cursors
        self.stream = f"{self._controller_id}/{epoch}"
        self._open.set()
        self._settled.set()

    def _deliver(self, records: list[Record], prepared: Prepared) -> None:
        if records:
            self.committed = records[-1].sequence
            for listener in self._listeners:
                tell(listener, records)
        self._told = max(self._told, prepared.answer())
