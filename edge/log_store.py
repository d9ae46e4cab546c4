"""The database file of a log: open it, set a damaged one aside, write a transaction.

One rule: only the writer's thread comes here, and nobody else's process may
(SQLite before 3.51.3 can corrupt a WAL that two connections write at one instant).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge import log_schema
from edge.log_buffer import Admit, Call, Gap, Note, Settle, Work
from edge.log_file import Salvage, WriterLock, discard, salvage, set_aside
from edge.log_times import Offset, Timeline, load_timeline
from edge.messages import Event, Record, Subject
from edge.ports import Admission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.clock import Clock

TOKEN_BYTES: Final = 8
"""Of a command's token, which say whose attempt it was; the rest is the digest of its content."""
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class LogDamagedError(Exception):
    """The file is no log any more; it has to be set aside."""


@dataclass(slots=True)
class Prepared:
    """A transaction ready to be written, again and again if need be."""

    work: Work
    before: tuple[int, bytes]
    after: tuple[int, bytes]
    events: list[Event]
    rows: list[tuple[Any, ...]]
    modes: dict[str, tuple[int, str]]
    answers: list[tuple[Admit, Admission]] = field(default_factory=list)
    also: Callable[[sqlite3.Connection], None] | None = None
    """What else belongs into the transaction."""


class Store:
    """An open log file with what has to be known of it."""

    def __init__(
        self, path: Path, controller: Subject, clock: Clock, connect: Callable[[Path], sqlite3.Connection]
    ) -> None:
        """Remember; `open` does the work. `controller` is what the log's own records are about."""
        self.path, self.controller, self.clock, self._connect = path, controller, clock, connect
        self._lock = WriterLock(path)
        self._db: sqlite3.Connection | None = None
        self._boot = 0
        self._mode_numbers: dict[str, int] = {}
        self._salvage: Salvage | None = None
        self.epoch = ""
        self.head: tuple[int, bytes] = (0, b"")
        self.timeline = Timeline()
        self._clock_hash = b""
        self.cursors: dict[str, int] = {}
        self.modes: dict[str, str] = {}

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

    def open(self, *, check: bool) -> None:
        """Open the file, making it if there is none.

        Raises LogInUseError, LogDamagedError (then `set_aside` helps), OSError or sqlite3.Error
        (then trying again later may help).
        """
        self._lock.hold()
        db = self._connect(self.path)
        try:
            if check:
                _check(db)
            for pragma in log_schema.SETUP:
                db.execute(pragma)
            log_schema.migrate(log_schema.wrap(db))
            if self._salvage is not None:
                self._salvage.put_back(db)
            self._load(db)
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
        (self.epoch,) = db.execute("SELECT epoch FROM log").fetchone()
        last = db.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        hole = db.execute("SELECT last, hash FROM hole ORDER BY first DESC LIMIT 1").fetchone()
        self.head = max(last or (0, b""), hole or (0, b""))
        if not self.head[0]:
            self.head = (0, log_schema.genesis(self.epoch))
        self.cursors = dict(db.execute("SELECT sink, seq FROM cursor"))
        if any(sequence > self.head[0] for sequence in self.cursors.values()):
            raise LogDamagedError("records that were acknowledged are missing")
        self.modes = dict(db.execute("SELECT door, state FROM mode"))
        self.timeline, self._clock_hash = load_timeline(db, log_schema.genesis(self.epoch))
        row = db.execute("SELECT id FROM boot WHERE boot = ?", [self.clock.boot_id]).fetchone()
        self._boot = row[0] if row else 0

    def close(self) -> None:
        """Let the connection go, keep the lock. SQLite folds the WAL into the file."""
        if self._db is not None:
            db, self._db = self._db, None
            with suppress(sqlite3.Error):  # what is committed is in the WAL, whatever closing meets
                db.close()

    def release(self) -> None:
        """Let another process write."""
        self._lock.release()

    def set_aside(self, *, keep: bool) -> Path:
        """Get a damaged file out of the way, having saved from it what can be; the next `open` starts a new one.

        Without `keep` it is removed: nothing was ever committed to it.
        """
        self.close()
        self._salvage = salvage(self.path, self.modes, self._salvage)
        if keep:
            return set_aside(self.path, self.clock.wall_us())
        discard(self.path)
        return self.path

    # --- write ---

    def prepare(self, work: Work) -> Prepared:
        """Number, date and chain the work's events."""
        sequence, prev = self.head
        boot, recorded_ns = self.clock.boot_id, self.clock.now_ns()
        events = list(_events(work, self.controller, recorded_ns))
        rows: list[tuple[Any, ...]] = []
        for event in events:
            sequence += 1
            row, prev = log_schema.chained(event, sequence, boot, recorded_ns, prev)
            rows.append((*row, prev))
        modes = dict(work.modes)
        for entry in work.entries:
            if isinstance(entry, Call):
                for door, state in entry.modes.items():
                    modes[door] = max(modes.get(door, (0, "")), (entry.number, state))
        newest = {door: mode for door, mode in modes.items() if mode[0] >= self._mode_numbers.get(door, 0)}
        return Prepared(work, self.head, (sequence, prev), events, rows, newest)

    def records(self, prepared: Prepared) -> list[Record]:
        """The records of a committed transaction, dated by what is known now."""
        prev, found = prepared.before[1].hex(), []
        for event, row in zip(prepared.events, prepared.rows, strict=True):
            time_us, quality = self.timeline.time(row[1], event.at_ns)
            recorded_us, _ = self.timeline.time(row[1], row[3])
            digest = row[-1].hex()
            found.append(Record(row[0], event, row[1], row[3], prev, digest, time_us, recorded_us, quality))
            prev = digest
        return found

    def commit(self, prepared: Prepared) -> None:
        """Write it in one transaction: all of it is on the medium, or none and sqlite3.Error is raised."""
        notes: list[tuple[Offset, bytes]] = []

        def write(db: sqlite3.Connection) -> None:
            notes.extend(self._write(db, prepared))
            if prepared.also is not None:
                prepared.also(db)

        self.transaction(write)
        self._learn(prepared, notes)

    def transaction(self, write: Callable[[sqlite3.Connection], None]) -> None:
        """All of what `write` does is on the medium after this, or none and sqlite3.Error is raised."""
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            write(db)
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                db.execute("ROLLBACK")
            raise

    def _write(self, db: sqlite3.Connection, prepared: Prepared) -> list[tuple[Offset, bytes]]:
        if not self._boot:
            first = prepared.before[0] + 1
            db.execute("INSERT INTO boot(boot, first_seq) VALUES (?, ?)", [self.clock.boot_id, first])
            (boot,) = db.execute("SELECT max(id) FROM boot").fetchone()
        else:
            boot = self._boot
        for row in prepared.rows:
            db.execute(log_schema.INSERT_RECORD, (row[0], boot, *row[2:]))
        for door, (_, state) in prepared.modes.items():
            db.execute("INSERT OR REPLACE INTO mode VALUES (?, ?)", (door, log_schema.storable(state)))
        for cursor in prepared.work.cursors.items():
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", cursor)
        prepared.answers.clear()
        notes: list[tuple[Offset, bytes]] = []
        for entry in prepared.work.entries:
            if isinstance(entry, Admit):
                prepared.answers.append((entry, self._admit(db, entry)))
            elif isinstance(entry, Settle):
                db.execute("UPDATE command SET reply = ? WHERE id = ?", [entry.reply, entry.command_id])
            elif isinstance(entry, Note):
                self._note(db, boot, entry.offset, notes)
        return notes

    def _note(self, db: sqlite3.Connection, boot: int, offset: Offset, notes: list[tuple[Offset, bytes]]) -> None:
        """Write what the clock showed, unless that is known; `notes` are those of this transaction."""
        last, prev = notes[-1] if notes else (self.timeline.last(self.clock.boot_id), self._clock_hash)
        if last is not None and offset.same_as(last):
            return
        digest = log_schema.link_clock(self.clock.boot_id, offset.at_ns, offset.offset_us, offset.quality, prev)
        notes.append((offset, digest))
        db.execute(
            "INSERT INTO clock(boot, at_ns, offset_us, quality, hash) VALUES (?, ?, ?, ?, ?)",
            [boot, offset.at_ns, offset.offset_us, offset.quality, digest],
        )

    def _admit(self, db: sqlite3.Connection, entry: Admit) -> Admission:
        """First, unless the id is known or its expiry lies where ids have been forgotten already."""
        row = db.execute("SELECT token, reply FROM command WHERE id = ?", [entry.command_id]).fetchone()
        if row is not None:
            attempt, content = row[0][:TOKEN_BYTES], row[0][TOKEN_BYTES:]  # releases before 0.2 kept no content
            same = not content or content == entry.content
            return Admission(first=attempt == entry.attempt, reply=row[1] if same else None, same=same)
        if entry.only_look:
            return Admission(first=False, known=False)
        (forgotten_us,) = db.execute("SELECT forgotten_us FROM log").fetchone()
        if entry.expires_us is not None and entry.expires_us <= forgotten_us:
            return Admission(first=False)
        row = (entry.command_id, entry.attempt + entry.content, entry.expires_us)
        db.execute("INSERT INTO command VALUES (?, ?, ?, NULL)", row)
        return Admission(first=True)

    def _learn(self, prepared: Prepared, notes: list[tuple[Offset, bytes]]) -> None:
        """What is on the medium now is what we know."""
        self.head = prepared.after
        self.cursors |= prepared.work.cursors
        for door, (number, state) in prepared.modes.items():
            self.modes[door], self._mode_numbers[door] = state, number
        for offset, digest in notes:
            self.timeline.add(self.clock.boot_id, offset)
            self._clock_hash = digest
        if not self._boot:
            row = self.db.execute("SELECT id FROM boot WHERE boot = ?", [self.clock.boot_id]).fetchone()
            self._boot = row[0]


def _events(work: Work, controller: Subject, now_ns: int) -> Iterator[Event]:
    for entry in work.entries:
        if isinstance(entry, Call):
            yield from entry.events
        elif isinstance(entry, Gap):
            yield Event(
                "controller.gap",
                now_ns,
                controller,
                cause="buffer",
                success=False,
                code="dropped",
                details={
                    "reason": "the disk did not take records and the memory for them was full",
                    "events": entry.events,
                    "alarms": entry.alarms,
                    "first_uptime_ns": entry.first_ns,
                    "last_uptime_ns": entry.last_ns,
                },
            )


def _check(db: sqlite3.Connection) -> None:
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise LogDamagedError(found)


def is_damage(error: BaseException) -> bool:
    """True when the file itself is broken; trying again will not help."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE or isinstance(error, LogDamagedError)
