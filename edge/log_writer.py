"""The thread that owns the file: take what waits, commit it as one group, tell the loop.

One rule: nothing that was handed over is given up because writing failed. It is tried again,
slower and slower, until it succeeds; only the buffer's bound decides what is dropped.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.log_buffer import MAX_EVENTS, Buffer
from edge.log_retention import TICK_S, Keeper
from edge.log_schema import connect
from edge.log_store import LogDamagedError, Prepared, Store, is_damage
from edge.messages import NS_PER_S, Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


LAZY_S: Final = 1.0
"""A cursor that no other commit takes along is written after this long."""
RETRY_FIRST_S: Final = 0.1
RETRY_MOST_S: Final = 5.0
SLOW_NS: Final = 5 * NS_PER_S
"""A commit that took longer than this is recorded as `controller.storage`."""
STALLED_NS: Final = 2 * NS_PER_S
"""A commit under way for longer than this shows as `stalled`."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What may be chosen about a log."""

    name: str | None = None
    """The controller's name, for the records that the log itself makes."""
    sinks: tuple[str, ...] | None = ()
    """Whose acknowledgement a record needs before age or size may remove it; none: nobody's."""
    retention_days: int = 0
    max_mib: int = 1_024
    max_waiting: int = MAX_EVENTS
    connect: Callable[[Path], sqlite3.Connection] = connect
    retry_first_s: float = RETRY_FIRST_S
    lazy_s: float = LAZY_S


@dataclass(slots=True)
class Facts:
    """What the writer says of itself; read by other threads, one field at a time."""

    oldest: int = 0
    bytes: int = 0
    last_commit_ns: int | None = None
    busy_since_ns: int | None = None
    error: str | None = None
    set_aside: str | None = None


class Listener(Protocol):
    """Who is told by the writer, in the writer's thread."""

    def opened_in_thread(self, store: Store) -> None:
        """A file was opened, perhaps another one than before."""

    def committed_in_thread(self, store: Store, prepared: Prepared) -> None:
        """This is on the medium."""


class Writer:
    """The log's one writer. `run` is the thread; everything else may be called from the loop."""

    def __init__(self, store: Store, buffer: Buffer, options: LogOptions, listener: Listener) -> None:
        """`listener` is called in the thread."""
        self.facts = Facts()
        self._store, self._clock, self._buffer = store, store.clock, buffer
        self._options, self._listener = options, listener
        self._keeper = Keeper(store, options.sinks, options.retention_days, options.max_mib)
        self._prepared: Prepared | None = None
        self._closing = threading.Event()
        self._failing_since_ns: int | None = None
        self._retry_s = options.retry_first_s
        self._check = True
        self._suspected = False
        self._fresh = False
        """Nothing has been committed since a damaged file was set aside."""

    def retain_for(self, sinks: tuple[str, ...]) -> None:
        """See `edge.log.Log.retain_for`."""
        self._keeper.sinks = sinks

    def close(self) -> None:
        """Ask the thread to write what waits and to end; it tries once more where it fails."""
        self._closing.set()
        self._buffer.ring()

    def run(self) -> None:
        """Write until closed."""
        try:
            while self._turn():
                pass
        finally:
            self._store.close()
            self._store.release()
            if not self._closing.is_set():  # our own mistake, which the thread's traceback tells
                self.facts.error = "the writer ended unexpectedly"

    def _turn(self) -> bool:
        """One attempt at whatever is next; False when there is nothing left to do, ever."""
        closing = self._closing.is_set()  # asked first: what is put in before closing is still taken out
        try:
            if not self._store.is_open:
                self._open()
            if self._prepared is None and not self._next(closing=closing):
                return not closing
            self._commit()
            if self._prepared is None:
                self._keep()
        except (sqlite3.Error, OSError, LogDamagedError) as error:
            return (is_damage(error) and self._set_aside(error)) or self._after_failure(error)
        return True

    def _open(self) -> None:
        self.facts.busy_since_ns = self._clock.now_ns()
        self._store.open(check=self._check)
        self._check = False
        self._keeper.opened()
        self.facts.busy_since_ns = None
        self._listener.opened_in_thread(self._store)
        if self._prepared is not None:
            self._resume(self._prepared)
        if self._prepared is None:
            self._recovered()

    def _resume(self, prepared: Prepared) -> None:
        """After reopening: did the commit that failed reach the medium after all?"""
        if prepared.rows and self._store.head == prepared.after:
            self._done(prepared)
        elif self._store.head != prepared.before:  # another file: it has its own numbers and chain
            self._prepared = self._store.prepare(prepared.work)

    def _next(self, *, closing: bool) -> bool:
        """Wait for work and prepare it; False when the wait ended without any. When closing, do not wait."""
        work = self._buffer.take(cursors_due=closing)
        if work is None:
            if closing:
                return False
            if self._keep():
                return self._prepared is not None
            lazy = self._buffer.cursors_wait
            rung = self._buffer.wait(self._options.lazy_s if lazy else TICK_S)
            work = self._buffer.take(cursors_due=lazy and not rung)
            if work is None:
                return False
        self._prepared = self._store.prepare(work)
        return True

    def _commit(self) -> None:
        prepared = self._prepared
        assert prepared is not None, "nothing is prepared"  # noqa: S101 -- our own mistake
        started_ns = self.facts.busy_since_ns = self._clock.now_ns()
        self._store.commit(prepared)
        self.facts.last_commit_ns = took_ns = self._clock.now_ns() - started_ns
        self.facts.busy_since_ns = None
        self._done(prepared)
        if took_ns > SLOW_NS and self._failing_since_ns is None:
            self._tell("slow", f"a commit took {took_ns / NS_PER_S:.1f} s", took_ns)
        self._recovered()

    def _done(self, prepared: Prepared) -> None:
        self._prepared = None
        self._suspected = self._fresh = False
        self._buffer.done(prepared.work)
        self._listener.committed_in_thread(self._store, prepared)

    def _keep(self) -> bool:
        """Let the keeper do a piece of work; True when there may be more."""
        found = self._keeper.work()
        self.facts.bytes, self.facts.oldest = self._keeper.bytes, self._keeper.oldest
        if isinstance(found, Prepared):
            self._prepared = found
        return bool(found)

    # --- when it fails ---

    def _after_failure(self, error: Exception) -> bool:
        """Remember, close, wait; the next turn opens again."""
        self.facts.error = f"{type(error).__name__}: {error}"
        self.facts.busy_since_ns = None
        if self._failing_since_ns is None:
            self._failing_since_ns = self._clock.now_ns()
        self._store.close()
        if self._closing.is_set():
            return False
        self._closing.wait(self._retry_s)
        self._retry_s = min(self._retry_s * 2, RETRY_MOST_S)
        return True

    def _set_aside(self, error: Exception) -> bool:
        """Get a damaged file out of the way; False when it may be well after all, or waiting is wiser."""
        self._check = True
        if not isinstance(error, LogDamagedError) and not self._suspected:
            self._suspected = True  # a statement said so; the check at opening decides
            return False
        self._suspected = False
        try:
            aside = self._store.set_aside(keep=not self._fresh)
        except OSError:
            return False
        if self._fresh:  # the disk spoils whatever it is given: it is not filled with empty files
            return False
        self._fresh = True
        self.facts.set_aside = str(aside)
        self._tell("damaged", f"the database was damaged ({error}) and was moved to {aside}", 0)
        return True

    def _recovered(self) -> None:
        if self._failing_since_ns is None:
            return
        lasted_ns = self._clock.now_ns() - self._failing_since_ns
        self._failing_since_ns = None
        self._retry_s = self._options.retry_first_s
        self._tell("write_failed", self.facts.error or "", lasted_ns)
        self.facts.error = None

    def _tell(self, code: str, what: str, lasted_ns: int) -> None:
        """Record what happened to the storage, after what waits already."""
        event = Event(
            "controller.storage",
            self._clock.now_ns(),
            self._store.controller,
            code=code,
            success=False,
            details={"message": what, "lasted_s": round(lasted_ns / NS_PER_S, 3)},
        )
        self._buffer.append([event], {})
