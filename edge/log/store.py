"""The database file of a log: open it, set a damaged one aside, write a transaction.

One rule: only the writer's thread uses it, and no other process writes the file
(SQLite before 3.51.3 can corrupt a WAL that two connections write at the same time).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from edge.log import connections, schema
from edge.log.buffer import AdmitCommand, Call, ClockReading, SettleCommand, Work
from edge.log.commands import CommandTables
from edge.log.epochs import Epochs, load_epochs, renew
from edge.log.file import (
    LogDamagedError,
    Salvaged,
    WriterLock,
    discard,
    is_damage,
    refuse_read_only,
    salvage,
    set_aside,
)
from edge.log.mark import Mark, read_mark
from edge.log.prepared import Prepared, chain, events_of
from edge.log.reading.times import Offset, Timeline, load_timeline
from edge.log.remembered import LogMemory, how_it_ended, read_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.model.messages import Record, Subject
    from edge.system.clock import Clock


class Store:
    """A log file that is open for writing, with the state that its writer needs."""

    def __init__(
        self, path: Path, controller: Subject, clock: Clock, connect: Callable[[Path], sqlite3.Connection]
    ) -> None:
        """Nothing is touched before `open`. `controller` is the object of the log's own records."""
        self.path, self.controller, self.clock, self._connect = path, controller, clock, connect
        self._lock = WriterLock(path)
        self._db: sqlite3.Connection | None = None
        self.inode = 0
        """Of the open file; another inode at `path` means that it was replaced."""
        self._boot = 0
        self._mode_numbers: dict[str, int] = {}
        self._salvage: Salvaged | None = None
        self.mark: Mark | None = None
        """The mark as read at the first opening, or newer from this process when the file was moved away."""
        self.epochs = Epochs("")
        self.head: tuple[int, bytes] = (0, b"")
        self.timeline = Timeline()
        self._clock_hash = b""
        self.cursors: dict[str, int] = {}
        self.modes: dict[str, str] = {}
        self.commands = CommandTables()
        self.ended: str | None = None
        """How the run before this one ended; None while there was none."""
        self.went_back: str | None = None
        """Why the last opening began a new epoch; None: it did not."""

    @property
    def db(self) -> sqlite3.Connection:
        """The connection; only while open."""
        assert self._db is not None, "the log is not open"  # noqa: S101 -- our own mistake
        return self._db

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self._db is not None

    # --- open and close ---

    def open(self) -> None:
        """Open the file, making it if there is none.

        Raises LogInUseError, LogDamagedError (then `set_aside` helps), OSError or sqlite3.Error
        (then trying again later may help).
        """
        refuse_read_only(self.path.parent)
        self._lock.hold()
        if self.mark is None:
            self.mark = read_mark(self.path)
        db = self._connect(self.path)
        try:
            for pragma in schema.SETUP:
                db.execute(pragma)
            schema.migrate(connections.wrap(db))
            if self._salvage is not None:
                self._salvage.put_back(db)
            self._load(db)
            self.inode = self.path.stat().st_ino
        except sqlite3.DatabaseError as error:
            db.close()
            if is_damage(error):
                raise LogDamagedError(str(error)) from error
            raise
        except BaseException:
            db.close()
            raise
        self._db, self._salvage = db, None

    def _load(self, db: sqlite3.Connection) -> None:
        memory = read_memory(db, self.mark)
        self.went_back = memory.went_back
        if memory.went_back is not None or memory.modes != memory.stored_modes:
            self._write_memory(db, memory)
        self.epochs = load_epochs(db)
        self.head = memory.head
        self.cursors, self.modes = dict(memory.cursors), dict(memory.modes)
        self.timeline, self._clock_hash = load_timeline(db, schema.genesis(self.epochs.origin))
        self.commands.load(db)
        row = db.execute("SELECT id FROM boot WHERE boot = ?", [self.clock.boot_id]).fetchone()
        self._boot = row[0] if row else 0
        if self.ended is None:
            self.ended = how_it_ended(db, self.clock.boot_id)

    def _write_memory(self, db: sqlite3.Connection, memory: LogMemory) -> None:
        """Store what the mark added, and begin a new epoch when the log went back in time."""

        def write(db: sqlite3.Connection) -> None:
            if memory.went_back is not None:
                renew(db, memory.kept)
            db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", memory.cursors.items())
            db.executemany("INSERT OR REPLACE INTO mode VALUES (?, ?)", memory.modes.items())

        connections.transaction(db, write)

    def close(self) -> None:
        """Close the connection, keep the lock. SQLite folds the WAL into the file."""
        if self._db is not None:
            db, self._db = self._db, None
            with suppress(sqlite3.Error):  # what is committed is safe in the WAL
                db.close()

    def release(self) -> None:
        """Release the lock, so that another process may write."""
        self._lock.release()

    def leave(self) -> None:
        """The file is not at `path` any more: close it, and keep what the next file must take over."""
        self._salvage = salvage(self._db, self.path, self.modes, self._salvage)
        self.mark = self.marked()
        self.close()

    def set_aside(self, *, keep: bool) -> Path:
        """Save what can be read from a damaged file and move it away; the next `open` makes a new one.

        Without `keep` it is removed: nothing was ever committed to it.
        """
        self.close()
        self._salvage = salvage(None, self.path, self.modes, self._salvage)
        if keep:
            return set_aside(self.path, self.clock.wall_us())
        discard(self.path)
        return self.path

    # --- the stream ---

    @property
    def epoch(self) -> str:
        """The epoch of new records."""
        return self.epochs.now

    def marked(self) -> Mark:
        """The mark of the present state."""
        sequence, digest = self.head
        return Mark(self.epoch, sequence, digest.hex(), dict(self.cursors), dict(self.modes))

    def renew(self, after: int, cursors: Mapping[str, int]) -> None:
        """Begin a new epoch behind the record `after`; cursors go no further than that record."""
        after = min(after, self.head[0])
        cursors = {sink: min(sequence, after) for sink, sequence in {**self.cursors, **cursors}.items()}

        def write(db: sqlite3.Connection) -> None:
            renew(db, after)
            db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", cursors.items())

        self.transaction(write)
        self.epochs, self.cursors = load_epochs(self.db), dict(cursors)

    def is_durable(self) -> bool:
        """Fold the WAL into the file and flush it: what a failed commit left in a cache only is written again."""
        _, frames, folded = self.db.execute("PRAGMA wal_checkpoint").fetchone()
        return bool(frames == folded)

    # --- write ---

    def prepare(self, work: Work) -> Prepared:
        """Give the work's events their numbers, the time of recording and their hashes."""
        recorded_ns = self.clock.now_ns()
        events = list(events_of(work, self.controller, recorded_ns, self.ended))
        rows = chain(events, self.head, self.clock.boot_id, recorded_ns)
        after = (rows[-1][0], rows[-1][-1]) if rows else self.head
        modes = dict(work.modes)
        for entry in work.entries:
            if isinstance(entry, Call):
                for door, state in entry.modes.items():
                    modes[door] = max(modes.get(door, (0, "")), (entry.number, state))
        newest = {door: mode for door, mode in modes.items() if mode[0] >= self._mode_numbers.get(door, 0)}
        return Prepared(work, self.head, after, events, rows, newest)

    def records(self, prepared: Prepared) -> list[Record]:
        """The records of a committed transaction, with the times that are known now."""
        return list(prepared.records(self.timeline, self.epochs))

    def commit(self, prepared: Prepared) -> None:
        """Write it in one transaction: all of it is on the medium, or none and sqlite3.Error is raised."""
        notes: list[tuple[Offset, bytes]] = []

        def write(db: sqlite3.Connection) -> None:
            notes.extend(self._write(db, prepared))
            if prepared.also is not None:
                prepared.also(db)

        self.transaction(write)
        refuse_read_only(self.path.parent)
        self._learn(prepared, notes)

    def transaction(self, write: Callable[[sqlite3.Connection], None]) -> None:
        """All of what `write` does is on the medium after this, or none and sqlite3.Error is raised."""
        connections.transaction(self.db, write)

    def _write(self, db: sqlite3.Connection, prepared: Prepared) -> list[tuple[Offset, bytes]]:
        if not self._boot:
            first = prepared.before[0] + 1
            db.execute("INSERT INTO boot(boot, first_seq) VALUES (?, ?)", [self.clock.boot_id, first])
            (boot,) = db.execute("SELECT max(id) FROM boot").fetchone()
        else:
            boot = self._boot
        for row in prepared.rows:
            db.execute(schema.INSERT_RECORD, (row[0], boot, *row[2:]))
        for door, (_, state) in prepared.modes.items():
            db.execute("INSERT OR REPLACE INTO mode VALUES (?, ?)", (door, schema.storable(state)))
        for cursor in prepared.cursors(self.epoch).items():
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", cursor)
        prepared.answers.clear()
        notes: list[tuple[Offset, bytes]] = []
        for entry in prepared.work.entries:
            if isinstance(entry, AdmitCommand):
                prepared.answers.append((entry, self.commands.admit(db, entry)))
            elif isinstance(entry, SettleCommand):
                self.commands.settle(db, entry)
            elif isinstance(entry, ClockReading):
                self._note(db, boot, entry.offset, notes)
        return notes

    def _note(self, db: sqlite3.Connection, boot: int, offset: Offset, notes: list[tuple[Offset, bytes]]) -> None:
        """Write a clock note, unless it repeats the last; `notes` are those of this transaction."""
        last, prev = notes[-1] if notes else (self.timeline.last(self.clock.boot_id), self._clock_hash)
        if last is not None and offset.same_as(last):
            return
        digest = schema.link_clock(self.clock.boot_id, offset.at_ns, offset.offset_us, offset.quality, prev)
        notes.append((offset, digest))
        db.execute(
            "INSERT INTO clock(boot, at_ns, offset_us, quality, hash) VALUES (?, ?, ?, ?, ?)",
            [boot, offset.at_ns, offset.offset_us, offset.quality, digest],
        )

    def _learn(self, prepared: Prepared, notes: list[tuple[Offset, bytes]]) -> None:
        """Update the state in memory after a commit."""
        self.head = prepared.after
        self.cursors |= prepared.cursors(self.epoch)
        for door, (number, state) in prepared.modes.items():
            self.modes[door], self._mode_numbers[door] = state, number
        for offset, digest in notes:
            self.timeline.add(self.clock.boot_id, offset)
            self._clock_hash = digest
        if not self._boot:
            row = self.db.execute("SELECT id FROM boot WHERE boot = ?", [self.clock.boot_id]).fetchone()
            self._boot = row[0]
