"""Makes the index of a log (edge/log/index/lookup.py), a segment at a time, from the log alone.

One rule: nobody waits for it. It reads in slices of `SLICE` records and pauses after each.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge.log.index.check import damaged, sum_of
from edge.log.index.lookup import (
    APPLICATION_ID,
    BLOCK,
    BLOOM_BITS,
    SEGMENT,
    VERSION,
    belongs,
    bit_of,
    correlation_bits,
    full_of,
    place,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SLICE: Final = 64
"""Records that are read at a time while a segment is made: less than a millisecond of the interpreter."""
COMMON: Final = 8
"""A term in more than one of so many records gets no list of them: looking it up would save little."""
_TABLES: Final = (
    "CREATE TABLE made_for(epoch TEXT NOT NULL) STRICT",
    """CREATE TABLE segment(number INTEGER PRIMARY KEY, last INTEGER NOT NULL, hash BLOB NOT NULL,
       sum BLOB NOT NULL) STRICT""",
    """CREATE TABLE span(segment INTEGER NOT NULL, boot TEXT NOT NULL, first_ns INTEGER NOT NULL,
       last_ns INTEGER NOT NULL, PRIMARY KEY(segment, boot)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE term(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, name TEXT NOT NULL,
       email TEXT NOT NULL, UNIQUE(kind, value, name, email)) STRICT""",
    """CREATE TABLE posting(segment INTEGER NOT NULL, term INTEGER NOT NULL, offsets BLOB,
       PRIMARY KEY(segment, term)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE block(number INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT",
)
_COLUMNS: Final = (
    "r.seq, b.boot, r.at_ns, r.type, r.door, r.actor_id, r.actor_name, r.actor_email, r.success, r.code,"
    " r.object_name, r.details, r.correlation, r.hash"
)
_ROWS: Final = (
    f"SELECT {_COLUMNS} FROM record r JOIN boot b ON b.id = r.boot"  # noqa: S608 -- our own words
    " WHERE r.seq >= ? AND r.seq < ? ORDER BY r.seq"
)
Term = tuple[str, str, str, str]
"""Kind (`actor`, `type`, `door`, `code`, `group`, `refused`), value, and for an actor the name and the e-mail."""


def catch_up(log: sqlite3.Connection, path: Path, epoch: str, breathe: Callable[[], bool]) -> int:
    """Make the missing segments; returns how many. For the one process that writes the log.

    `breathe` is called after every slice of `SLICE` records; once it returns False nothing more is
    done. An index that is damaged or of another log is made anew. Raises sqlite3.Error and OSError.
    """
    try:
        return _catch_up(log, place(path), epoch, breathe)
    except sqlite3.DatabaseError as error:
        if not damaged(error):
            raise
        place(path).unlink(missing_ok=True)
        return _catch_up(log, place(path), epoch, breathe)


def _catch_up(log: sqlite3.Connection, path: Path, epoch: str, breathe: Callable[[], bool]) -> int:
    db = _open(path, epoch)
    try:
        made = 0
        while (number := _due(db, log)) is not None and (segment := _read(log, number, breathe)) is not None:
            _write(db, number, segment)
            made += 1
        return made
    finally:
        db.close()


def _due(db: sqlite3.Connection, log: sqlite3.Connection) -> int | None:
    """The next segment to be made. Asked before each one, as retention removes records meanwhile."""
    oldest, newest = log.execute("SELECT ifnull(min(seq), 0), ifnull(max(seq), 0) FROM record").fetchone()
    _forget(db, oldest // SEGMENT)
    _take_back(db, log, newest)
    number = max(full_of(db), oldest // SEGMENT)
    return number if number < (newest + 1) // SEGMENT else None


def _open(path: Path, epoch: str) -> sqlite3.Connection:
    for _ in range(2):
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA busy_timeout=5000")
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                _create(db, epoch)
            if belongs(db, epoch):
                return db
        except BaseException:
            db.close()
            raise
        db.close()
        path.unlink()
        with suppress(FileNotFoundError):  # a journal is left only by a power cut
            path.with_name(path.name + "-journal").unlink()
    raise sqlite3.OperationalError(f"{path} cannot be made anew")


def _create(db: sqlite3.Connection, epoch: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        db.execute(table)
    db.execute("INSERT INTO made_for VALUES (?)", [epoch])
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={VERSION}")
    db.execute("COMMIT")


def _forget(db: sqlite3.Connection, before: int) -> None:
    """Drop segments whose records retention has removed, so that no person's name outlives them here."""
    if not db.execute("SELECT 1 FROM segment WHERE number < ? LIMIT 1", [before]).fetchone():
        return
    _drop(db, f"< {before:d}", f"< {before * (SEGMENT // BLOCK):d}")


def _drop(db: sqlite3.Connection, segments: str, blocks: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    for table in ("posting", "span"):
        db.execute(f"DELETE FROM {table} WHERE segment {segments}")  # noqa: S608 -- our own words
    db.execute(f"DELETE FROM block WHERE number {blocks}")  # noqa: S608 -- as above
    db.execute(f"DELETE FROM segment WHERE number {segments}")  # noqa: S608 -- as above
    db.execute("DELETE FROM term WHERE id NOT IN (SELECT term FROM posting)")
    db.execute("COMMIT")


def _take_back(db: sqlite3.Connection, log: sqlite3.Connection, newest: int) -> None:
    """Drop segments made from records that the log does not have: an older copy of it was restored."""
    for number, last, digest in db.execute("SELECT number, last, hash FROM segment ORDER BY number DESC").fetchall():
        row = log.execute("SELECT hash FROM record WHERE seq = ?", [last]).fetchone()
        if last <= newest and (row is None or row[0] == digest):
            return
        _drop(db, f">= {number:d}", f">= {number * (SEGMENT // BLOCK):d}")


@dataclass(slots=True)
class _Segment:
    """A segment that is being made."""

    last: int = 0
    hash: bytes = b""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    offsets: dict[Term, array[int]] = field(default_factory=dict)
    blocks: dict[int, bytearray] = field(default_factory=dict)
    block: int = -1
    texts: set[str] = field(default_factory=set)
    """Texts of the present block whose bits are not set yet."""
    passages: set[str] = field(default_factory=set)
    """Correlations of the present block whose bits are not set yet."""
    threes: set[str] = field(default_factory=set)
    """Three letters whose bits are set in the present block."""

    def add(self, row: Sequence[object]) -> None:
        """Take in a row of `_COLUMNS`."""
        seq, boot, at_ns, kind, door, actor, name, email, success, code, thing, details, passage, digest = row
        assert isinstance(seq, int)  # noqa: S101 -- the table is STRICT
        assert isinstance(at_ns, int)  # noqa: S101 -- as above
        self.last, self.hash = seq, bytes(digest)  # type: ignore[call-overload]  # as above
        first_ns, last_ns = self.spans.get(str(boot), (at_ns, at_ns))
        self.spans[str(boot)] = min(first_ns, at_ns), max(last_ns, at_ns)
        offset = seq % SEGMENT
        terms: list[Term] = [("type", str(kind), "", "")]
        if door is not None:
            terms.append(("door", str(door), "", ""))
        if actor is not None or name is not None or email is not None:
            terms.append(("actor", str(actor or ""), str(name or ""), str(email or "")))
        if not success:
            terms.append(("refused", "", "", ""))
        if code is not None:
            terms.append(("code", str(code), "", ""))
        if (group := group_in(str(details))) is not None:
            terms.append(("group", group, "", ""))
        for term in terms:
            self.offsets.setdefault(term, array("H")).append(offset)
        if offset // BLOCK != self.block:
            self.fold()
            self.block, self.threes = offset // BLOCK, set()
            self.blocks[self.block] = bytearray(BLOOM_BITS // 8)
        self.passages.add(str(passage))
        self.texts.update(text for text in (kind, name, email, code, thing, details) if isinstance(text, str))

    def fold(self) -> None:
        """Set the bits of the texts and correlations since the last call."""
        if not self.texts:
            return
        bits = self.blocks[self.block]
        for bit in (bit for passage in self.passages for bit in correlation_bits(passage)):
            bits[bit >> 3] |= 1 << (bit & 7)
        self.passages.clear()
        threes = set[str]()
        for text in self.texts:
            small = text.lower()
            threes.update(map("".join, zip(small, small[1:], small[2:], strict=False)))
        for three in threes - self.threes:
            bit = bit_of(three)
            bits[bit >> 3] |= 1 << (bit & 7)
        self.threes |= threes
        self.texts.clear()


def group_in(details: str) -> str | None:
    """The `group` in details; None when there is none or the JSON is damaged."""
    if '"group":' not in details:
        return None
    try:
        content = json.loads(details)
    except (ValueError, RecursionError):
        return None
    group = content.get("group") if isinstance(content, dict) else None
    return group if isinstance(group, str) else None


def _read(log: sqlite3.Connection, number: int, breathe: Callable[[], bool]) -> _Segment | None:
    segment = _Segment()
    end = (number + 1) * SEGMENT
    for start in range(number * SEGMENT, end, SLICE):
        for row in log.execute(_ROWS, [start, min(start + SLICE, end)]).fetchall():
            segment.add(row)
        segment.fold()
        if not breathe():
            return None
    return segment


def _write(db: sqlite3.Connection, number: int, segment: _Segment) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany("INSERT OR IGNORE INTO term(kind, value, name, email) VALUES (?, ?, ?, ?)", segment.offsets)
        db.executemany(
            "INSERT INTO posting SELECT ?, id, ? FROM term WHERE kind = ? AND value = ? AND name = ? AND email = ?",
            [
                (number, None if len(offsets) > SEGMENT // COMMON else offsets.tobytes(), *term)
                for term, offsets in segment.offsets.items()
            ],
        )
        db.executemany("INSERT INTO span VALUES (?, ?, ?, ?)", [(number, b, *s) for b, s in segment.spans.items()])
        first = number * (SEGMENT // BLOCK)
        db.executemany("INSERT INTO block VALUES (?, ?)", [(first + b, bytes(v)) for b, v in segment.blocks.items()])
        made = [number, segment.last, segment.hash, sum_of(db, number)]
        db.execute("INSERT INTO segment VALUES (?, ?, ?, ?)", made)
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            db.execute("ROLLBACK")
        raise
