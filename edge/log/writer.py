"""The thread that owns the file: it takes what waits, commits it as one group and tells the loop.

One rule: nothing is given up because writing failed. It is tried again, at growing intervals,
until it succeeds; only the buffer's bound decides what is dropped.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from edge.log.check import IntegrityCheck
from edge.log.file import LogDamagedError, LogMovedError, is_damage
from edge.log.mark import Marker
from edge.log.options import EpochRenewal, LogListener, LogOptions, WriterFacts
from edge.log.prepared import Prepared
from edge.log.remembered import recall
from edge.log.retention import TICK_S, Retention
from edge.model.event_types import CONTROLLER_STORAGE
from edge.model.messages import NS_PER_S, Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.log.buffer import Buffer
    from edge.log.store import Store
    from edge.model.messages import Json


RETRY_MOST_S: Final = 5.0
SLOW_NS: Final = 5 * NS_PER_S
"""A commit that took longer than this is recorded as `controller.storage`."""
STALLED_NS: Final = 2 * NS_PER_S
"""A commit under way for longer than this shows as `stalled`."""
LOG: Final = logging.getLogger(__name__)


class Writer:
    """The log's one writer. `run` is the thread; everything else may be called from the loop."""

    def __init__(self, store: Store, buffer: Buffer, options: LogOptions, listener: LogListener) -> None:
        """`listener` is called in the thread."""
        self.facts = WriterFacts()
        self._store, self._clock, self._buffer = store, store.clock, buffer
        self._options, self._listener = options, listener
        self._retention = Retention(store, options.sinks, options.retention_days, options.max_mib)
        self._prepared: Prepared | None = None
        self._closing = threading.Event()
        self._failing_since_ns: int | None = None
        self._retry_s = options.retry_first_s
        self._check: IntegrityCheck | None = None
        self._checked = False
        self._damage: str | None = None
        self._renewal: EpochRenewal | None = None
        self._marker = Marker()
        self._suspected = False
        self._fresh = False
        """A damaged file was set aside, and nothing has been committed since."""

    def retain_for(self, sinks: tuple[str, ...]) -> None:
        """See `edge.log.log.Log.retain_for`."""
        self._retention.sinks = sinks

    def renew(self, renewal: EpochRenewal) -> None:
        """Begin a new epoch before anything else is written."""
        self._renewal = renewal
        self._buffer.ring()

    def close(self) -> None:
        """Ask the thread to write what waits and to end; while writing fails it tries once more."""
        self._closing.set()
        self._buffer.ring()

    def run(self) -> None:
        """Write until closed."""
        try:
            self.facts.busy_since_ns = self._clock.now_ns()
            self._listener.recalled_in_thread(recall(self._store.path))
            while self._turn():
                pass
        finally:
            if self._check is not None:
                self._check.stop()
            if self._store.is_open and self._marker.is_stale(self._store):
                self._leave_mark()
            self._store.close()
            self._store.release()
            if not self._closing.is_set():  # our own mistake; the thread's traceback shows it
                self.facts.error = "the writer ended unexpectedly"

    def _turn(self) -> bool:
        """One attempt at whatever is next; False when there is nothing left to do, ever."""
        closing = self._closing.is_set()  # read first: what was put in before closing is still written
        try:
            self._heed_check()
            if not self._store.is_open:
                self._open()
            if self._renewal is not None:
                self._renew(self._renewal)
            if self._prepared is None and not self._next(closing=closing):
                return not closing
            self._commit()
            if self._prepared is None:
                self._keep()
        except (sqlite3.Error, OSError, LogDamagedError) as error:
            return (is_damage(error) and self._set_aside(error)) or self._after_failure(error)
        return True

    def _renew(self, renewal: EpochRenewal) -> None:
        before = self._store.epoch
        if renewal.epoch == before:  # else an opening has renewed it already
            self._store.renew(renewal.after, renewal.cursors)
            self._tell_renewed(renewal.reason, before)
        self._renewal = None
        self._listener.opened_in_thread(self._store)

    def _tell_renewed(self, reason: str, before: str) -> None:
        self._leave_mark()
        details: dict[str, Json] = {"message": f"the log went back in time: {reason}", "epoch_before": before}
        LOG.warning("the log went back in time: %s; it goes on as another stream", reason)
        self._tell("restored", details)

    def _open(self) -> None:
        self.facts.busy_since_ns = self._clock.now_ns()
        self._store.open()
        self._retention.opened()
        self.facts.busy_since_ns = None
        if self._store.went_back is not None:
            self._tell_renewed(self._store.went_back, self._store.epochs.former[-1][1])
        self._listener.opened_in_thread(self._store)
        if not self._checked:
            self._checked = True
            self._check = IntegrityCheck(self._store.path, self._found_damage)
        if self._prepared is not None:
            self._resume(self._prepared)
        if self._prepared is None:
            self._recovered()

    def _resume(self, prepared: Prepared) -> None:
        """After reopening: did the commit that failed reach the medium after all?"""
        if prepared.rows and self._store.head == prepared.after:
            if not self._store.is_durable():
                raise OSError("what was written cannot be flushed yet")
            self._done(prepared)
        elif self._store.head != prepared.before:  # another file, with its own numbers and chain
            self._prepared = self._store.prepare(prepared.work)

    def _next(self, *, closing: bool) -> bool:
        """Wait for work and prepare it; False when the wait ended without any. When closing, do not wait."""
        work = self._buffer.take(cursors_due=closing)
        if work is None:
            if closing:
                return False
            if self._keep():
                return self._prepared is not None
            lazy = self._buffer.cursors_wait or self._marker.waits(self._store)
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
            self._tell("slow", {"message": f"a commit took {took_ns / NS_PER_S:.1f} s", "lasted_s": _seconds(took_ns)})
        self._recovered()

    def _done(self, prepared: Prepared) -> None:
        self._prepared = None
        self._suspected = self._fresh = False
        self._buffer.done(prepared.work)
        self._listener.committed_in_thread(self._store, prepared)

    def _keep(self) -> bool:
        """Do a piece of retention's work; True when there may be more."""
        if self._marker.is_due(self._store, self._clock.now_ns()):
            self._leave_mark()
        result = self._retention.work()
        self.facts.bytes, self.facts.oldest = self._retention.bytes, self._retention.oldest
        if isinstance(result, Prepared):
            self._prepared = result
        return bool(result)

    # --- when it fails ---

    def _after_failure(self, error: Exception) -> bool:
        """Note the error, close the file and wait; the next turn opens it again."""
        self.facts.error = f"{type(error).__name__}: {error}"
        self.facts.busy_since_ns = None
        if self._failing_since_ns is None:
            self._failing_since_ns = self._clock.now_ns()
            LOG.error("the log at %s cannot be written: %s", self._store.path, self.facts.error)
        self._listener.failing_in_thread(error)
        if isinstance(error, LogMovedError):
            self._store.leave()
        self._store.close()
        if self._closing.is_set():
            return False
        self._closing.wait(self._retry_s)
        self._retry_s = min(self._retry_s * 2, RETRY_MOST_S)
        return True

    def _set_aside(self, error: Exception) -> bool:
        """Move a damaged file away; False when it is to be tried again first, or cannot be moved."""
        if not isinstance(error, LogDamagedError) and not self._suspected:
            self._suspected = True  # one statement failed: try once more, on a new connection
            self._checked = False
            return False
        self._suspected, self._damage = False, None
        try:
            aside = self._store.set_aside(keep=not self._fresh)
        except OSError:
            return False
        if self._fresh:  # the disk damages every new file: do not fill it with them
            return False
        self._fresh = True
        self.facts.set_aside = str(aside)
        LOG.error("the log was damaged (%s); it was moved to %s, and a new one is begun", error, aside)
        self._tell("damaged", {"message": f"the database was damaged ({error}) and was moved to {aside}"})
        return True

    def _heed_check(self) -> None:
        if self._damage is not None:
            raise LogDamagedError(self._damage)

    def _found_damage(self, what: str) -> None:
        """Called in the check's thread."""
        self._damage = what
        self._buffer.ring()

    def _leave_mark(self) -> None:
        self._marker.leave(self._store, self._clock.now_ns())

    def _recovered(self) -> None:
        if self._failing_since_ns is None:
            return
        lasted_ns = self._clock.now_ns() - self._failing_since_ns
        self._failing_since_ns = None
        self._retry_s = self._options.retry_first_s
        LOG.warning("the log is written again, after %.1f s", lasted_ns / NS_PER_S)
        self._tell("write_failed", {"message": self.facts.error or "", "lasted_s": _seconds(lasted_ns)})
        self.facts.error = None

    def _tell(self, code: str, details: Mapping[str, Json]) -> None:
        """Record a `controller.storage` event, behind what waits already."""
        event = Event(
            CONTROLLER_STORAGE,
            self._clock.now_ns(),
            self._store.controller,
            code=code,
            success=False,
            details=details,
        )
        self._buffer.append([event], {})


def _seconds(ns: int) -> float:
    return round(ns / NS_PER_S, 3)
