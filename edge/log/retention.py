"""Which records are removed from the log, in which order, and what is kept of them.

One rule: age removes only what every sink has acknowledged. Size removes that first, then plain
events, then alarms, and records this as `controller.gap`. Every removal leaves a hole: its bounds
and the hash of its last record, so that the chain goes on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from edge.log.buffer import Call, Work
from edge.log.file import LogMovedError
from edge.model.catalogue import CATALOGUE, Severity
from edge.model.event_types import CONTROLLER_GAP
from edge.model.messages import NS_PER_S, ClockQuality, Event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge.log.prepared import Prepared
    from edge.log.store import Store

SLICE: Final = 500
"""Records that one transaction removes."""
WORTH_A_GAP: Final = 50
"""Fewer records are not removed for size: the `controller.gap` takes room too."""
KEEP_NEWEST: Final = 500
"""Never removed for size: the records that tell what is happening now."""
MEASURE_EVERY: Final = 64
"""Records between two looks at the size of the file."""
TICK_S: Final = 60.0
"""How often records are removed for their age when nothing is written."""
VACUUM_PAGES: Final = 500
FORGET_AFTER_US: Final = 7 * 86_400 * 1_000_000
"""How long a command id outlives its expiry."""
_DAY_US: Final = 86_400 * 1_000_000
_ALARMS: Final = frozenset(row.type for row in CATALOGUE.values() if row.severity is Severity.ALARM)


class Retention:
    """Keeps one open log within its bounds; called by the writer between commits."""

    def __init__(self, store: Store, sinks: Sequence[str] | None, retention_days: int, max_mib: int) -> None:
        """`retention_days` 0 is for ever; `sinks` () means that no acknowledgement is needed.

        `sinks` None: until they are set, every sink with a cursor counts.
        """
        self._store, self.sinks = store, sinks
        self._retention_us, self._max_bytes = retention_days * _DAY_US, max_mib * 2**20
        self._tick_ns = 0
        self.opened()

    def opened(self) -> None:
        """The file was opened (again): measure everything anew."""
        self._measured_at: int | None = None
        self._plain_from = 0
        self.bytes = self.used = 0
        self.oldest = 0

    def acknowledged(self) -> int:
        """The highest sequence that every sink has acknowledged, durably."""
        sinks = self.sinks  # the loop's thread may give others at any moment
        if sinks is None:
            sinks = tuple(self._store.cursors)
        if not sinks:
            return self._store.head[0]
        return min(self._store.cursors.get(sink, 0) for sink in sinks)

    def work(self) -> Prepared | bool:
        """One small piece of work. True: there may be more; a `Prepared` is to be committed by the caller.

        Raises sqlite3.Error, or LogMovedError when the file was moved away or replaced.
        """
        if self._trim_commands():
            return True
        head = self._store.head[0]
        if self._measured_at is None or head - self._measured_at >= MEASURE_EVERY or (head and not self.oldest):
            if self._measure() > self._max_bytes and (found := self._for_size()):
                return found
            self._measured_at = head
        now_ns = self._store.clock.now_ns()
        if now_ns < self._tick_ns:
            return False
        if self._retention_us and self._by_age():
            return True
        self._tick_ns = now_ns + round(TICK_S * NS_PER_S)
        self._measure()
        self._forget_commands()
        return False

    def _trim_commands(self) -> bool:
        """An earlier release may have left many: drop a slice at a time."""
        more = False

        def trim(db: sqlite3.Connection) -> None:
            nonlocal more
            more = self._store.commands.trim(db)

        if self._store.commands.has_too_much:
            self._store.transaction(trim)
        return more

    def _measure(self) -> int:
        """Measure the file; returns the bytes that its records use."""
        db = self._store.db
        try:
            inode = os.stat(self._store.path).st_ino  # noqa: PTH116 -- faster than Path.stat
        except FileNotFoundError as error:
            raise LogMovedError(f"{self._store.path} is gone") from error
        if self._store.inode != inode:
            raise LogMovedError(f"{self._store.path} was replaced by another file")
        (pages,), (free,), (size,) = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        if free > 2 * VACUUM_PAGES:
            db.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
        self.bytes = pages * size
        (self.oldest,) = db.execute("SELECT ifnull(min(seq), 0) FROM record").fetchone()
        self.used = max(0, int((pages - free) * size) - self._store.commands.bytes)
        return self.used

    # --- what is removed ---

    def _by_age(self) -> bool:
        """Remove the records of one slice that are too old; True when all of them were."""
        clock = self._store.clock
        if clock.quality() is ClockQuality.UNSYNCED:
            return False  # without the time there is no age
        before_us = clock.wall_us() - self._retention_us
        old = 0
        rows = self._store.db.execute(
            "SELECT r.seq, b.boot, r.recorded_ns FROM record r JOIN boot b ON b.id = r.boot"
            " WHERE r.seq <= ? ORDER BY r.seq LIMIT ?",
            [self.acknowledged(), SLICE],
        ).fetchall()
        for sequence, boot, recorded_ns in rows:
            time_us, quality = self._store.timeline.time(boot, recorded_ns)
            if quality is not ClockQuality.UNSYNCED and time_us < before_us:
                old = sequence  # and everything before it, whatever its own boot knew of the time
        if old:
            self._store.transaction(lambda db: _remove_up_to(db, old))
        return bool(rows) and old == rows[-1][0]

    def _for_size(self) -> Prepared | bool:
        last = self._store.head[0] - KEEP_NEWEST
        if self.sinks or (self.sinks is None and self._store.cursors):
            acknowledged = min(last, self.acknowledged())
            if rows := self._any(acknowledged):
                self._store.transaction(lambda db: _remove(db, rows))
                return True
        rows = self._plain(last)  # nobody else has these
        if len(rows) < WORTH_A_GAP:
            rows = self._any(last)
        return self._with_gap(rows) if len(rows) >= WORTH_A_GAP else False

    def _any(self, last: int) -> list[tuple[int, bytes, str]]:
        return self._store.db.execute(
            "SELECT seq, hash, type FROM record WHERE seq <= ? ORDER BY seq LIMIT ?", [last, SLICE]
        ).fetchall()

    def _plain(self, last: int) -> list[tuple[int, bytes, str]]:
        """The oldest records that are no alarms. Records up to `_plain_from` were looked at already."""
        marks = ", ".join("?" * len(_ALARMS))
        rows = self._store.db.execute(
            f"SELECT seq, hash, type FROM record WHERE seq > ? AND seq <= ? AND type NOT IN ({marks})"  # noqa: S608 -- ?s
            " ORDER BY seq LIMIT ?",
            [self._plain_from, last, *_ALARMS, SLICE],
        ).fetchall()
        if rows:
            self._plain_from = rows[0][0] - 1
        return rows

    def _with_gap(self, rows: Sequence[tuple[int, bytes, str]]) -> Prepared:
        """Remove records that nobody has acknowledged, in one transaction with the record of that."""
        event = Event(
            CONTROLLER_GAP,
            self._store.clock.now_ns(),
            self._store.controller,
            cause="size",
            success=False,
            code="dropped",
            details={
                "reason": "the log reached its largest size, and nobody else has these records",
                "events": len(rows),
                "alarms": sum(row[2] in _ALARMS for row in rows),
                "first_sequence": rows[0][0],
                "last_sequence": rows[-1][0],
            },
        )
        prepared = self._store.prepare(Work([Call([event], {}, 0)]))
        prepared.also = lambda db: _remove(db, rows)
        return prepared

    def _forget_commands(self) -> None:
        """Forget a slice of the ids that expired long ago."""
        clock = self._store.clock
        if clock.quality() is not ClockQuality.SYNCED:
            return
        commands = self._store.commands
        if gone := commands.expired(self._store.db, clock.wall_us() - FORGET_AFTER_US):
            self._store.transaction(lambda db: commands.forget(db, gone))


def _remove_up_to(db: sqlite3.Connection, last: int) -> None:
    (digest,) = db.execute("SELECT hash FROM record WHERE seq = ?", [last]).fetchone()
    db.execute("DELETE FROM record WHERE seq <= ?", [last])
    db.execute("DELETE FROM hole WHERE last <= ?", [last])
    _hole(db, 1, last, digest)


def _remove(db: sqlite3.Connection, rows: Sequence[tuple[int, bytes, str]]) -> None:
    """Remove these records, sorted by sequence; each unbroken run becomes a hole."""
    db.executemany("DELETE FROM record WHERE seq = ?", [(row[0],) for row in rows])
    first = rows[0][0]
    followers = [*(row[0] for row in rows[1:]), 0]
    for (sequence, digest, _), follower in zip(rows, followers, strict=True):
        if follower != sequence + 1:
            _hole(db, first, sequence, digest)
            first = follower


def _hole(db: sqlite3.Connection, first: int, last: int, digest: bytes) -> None:
    """Add a hole, merged with the holes that it touches."""
    before: tuple[Any, ...] | None = db.execute(
        "SELECT first, last FROM hole WHERE first < ? ORDER BY first DESC LIMIT 1", [first]
    ).fetchone()
    if before is not None and before[1] == first - 1:
        first = before[0]
    after = db.execute("SELECT first, last, hash FROM hole WHERE first = ?", [last + 1]).fetchone()
    if after is not None:
        db.execute("DELETE FROM hole WHERE first = ?", [after[0]])
        last, digest = after[1], after[2]
    db.execute("INSERT OR REPLACE INTO hole VALUES (?, ?, ?)", [first, last, digest])
