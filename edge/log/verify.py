"""Check the hash chain of a log file and name the first record that is not as it was written.

One rule: it needs the file alone, read-only and in small pages. The daemon may be writing it or be
dead, or the file may be a copy on another computer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge.log import connections, schema
from edge.log.epochs import load_epochs
from edge.log.mark import read_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Broken:
    """The first fault. `sequence` 0: it concerns no single record."""

    sequence: int
    what: str


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of a walk along the chain."""

    path: str
    epoch: str
    checked: int
    """Records whose hash was computed and is right."""
    first: int
    last: int
    removed: int
    """Records that retention removed and whose last hash was kept."""
    broken: Broken | None

    @property
    def ok(self) -> bool:
        """True when the whole chain holds."""
        return self.broken is None


class _Walk:
    """The state of one walk."""

    def __init__(self, db: sqlite3.Connection, epoch: str) -> None:
        self._db = db
        self.prev = schema.genesis(epoch)
        self.checked = self.first = self.last = self.removed = 0
        self._end = 0
        """Everything up to here is accounted for."""

    def skip_to(self, newest: int) -> None:
        """Trust everything but the `newest` records."""
        query = "SELECT seq, hash FROM record WHERE seq >= (SELECT max(seq) FROM record) - ? ORDER BY seq LIMIT 1"
        anchor = self._db.execute(query, [newest]).fetchone()
        if anchor is not None and anchor[0] > 1:
            self._end, self.prev = anchor[0], bytes(anchor[1])

    def run(self, reached: int) -> Broken | None:
        for row in _pages(self._db, self._end):
            if (broken := self._bridge(row[0])) or (broken := self._record(row)):
                return broken
        self._bridge_rest()
        cursors = self._db.execute("SELECT sink, seq FROM cursor WHERE seq > ? LIMIT 1", [self._end]).fetchone()
        if cursors is not None:
            fault = f"the log ends here, but {cursors[0]} has acknowledged records up to {cursors[1]}"
            return Broken(self._end + 1, fault)
        if self._end < reached:
            return Broken(self._end + 1, f"the log ends here, but it had come to record {reached}")
        return None

    def _bridge(self, sequence: int) -> Broken | None:
        """Step over the removed records before this one."""
        while self._end + 1 < sequence:
            if not self._step_over():
                fault = f"records {self._end + 1} to {sequence - 1} are missing and no removal explains them"
                return Broken(self._end + 1, fault)
        return None

    def _bridge_rest(self) -> None:
        while self._step_over():
            pass

    def _step_over(self) -> bool:
        """Step over the hole that covers the next sequence number; a live writer may have widened it meanwhile."""
        query = "SELECT last, hash FROM hole WHERE first <= ? ORDER BY first DESC LIMIT 1"
        hole = self._db.execute(query, [self._end + 1]).fetchone()
        if hole is None or hole[0] <= self._end:
            return False
        self.removed += hole[0] - self._end
        self._end, self.prev = hole[0], bytes(hole[1])
        return True

    def _record(self, row: tuple[Any, ...]) -> Broken | None:
        sequence, stored = row[0], bytes(row[-1])
        if row[1] is None:
            return Broken(sequence, "its boot is not known")
        try:
            computed = schema.link_record(row[:-1], self.prev)
        except (TypeError, ValueError) as error:
            return Broken(sequence, f"it cannot be read: {error}")
        if computed != stored:
            fault = f"its content does not match its hash: stored {stored.hex()}, computed {computed.hex()}"
            return Broken(sequence, fault)
        self.first = self.first or sequence
        self.last = self._end = sequence
        self.prev = computed
        self.checked += 1
        return None


def verify(path: Path, newest: int | None = None, reached: int = 0) -> VerifyResult:
    """Walk the chain, or only its `newest` records; skipped records are trusted and not counted.

    `reached`: the number of a record that is known to have existed; the mark beside the log gives another.
    OSError when there is no such file; a file that cannot be read is `broken`.
    """
    path.stat()
    mark = read_mark(path)  # before the walk: a live log only grows meanwhile
    epoch, walk = "", None
    broken: Broken | None
    try:
        with closing(connections.connect_read_only(path)) as db:
            epochs = load_epochs(db)
            epoch = epochs.now
            walk = _Walk(db, epochs.origin)
            if mark is not None and mark.epoch == epoch:
                reached = max(reached, mark.sequence)
            if newest is not None:
                walk.skip_to(newest)
            broken = walk.run(reached) or _clock(db, epochs.origin)
    except (sqlite3.Error, TypeError) as error:  # TypeError: a table without the row it must have
        broken = Broken(walk.last + 1 if walk else 0, f"the file is damaged: {error}")
    if walk is None:
        return VerifyResult(str(path), epoch, 0, 0, 0, 0, broken)
    return VerifyResult(str(path), epoch, walk.checked, walk.first, walk.last, walk.removed, broken)


def _pages(db: sqlite3.Connection, after: int) -> Iterator[tuple[Any, ...]]:
    """All records above `after`; each page is a statement of its own, so that the WAL can be folded meanwhile."""
    query = schema.SELECT_RECORD.replace(" JOIN boot", " LEFT JOIN boot") + " WHERE r.seq > ? ORDER BY r.seq LIMIT ?"
    while rows := db.execute(query, [after, PAGE]).fetchall():
        yield from rows
        after = rows[-1][0]


def _clock(db: sqlite3.Connection, epoch: str) -> Broken | None:
    """Check the chain of the clock notes: a changed note would change the times of a boot."""
    prev = schema.genesis(epoch)
    query = (
        "SELECT c.id, b.boot, c.at_ns, c.offset_us, c.quality, c.hash FROM clock c LEFT JOIN boot b ON b.id = c.boot"
    )
    with closing(db.execute(query + " ORDER BY c.id")) as rows:
        for number, boot, at_ns, offset_us, quality, stored in rows:
            prev = schema.link_clock(boot, at_ns, offset_us, quality, prev)
            if prev != bytes(stored):
                return Broken(
                    0, f"note {number} of the clock does not match its hash: times of boot {boot} may be wrong"
                )
    return None
