"""What a start takes from the log: the doors' modes, the stream, how the last run ended.

One rule: it is quick whatever the log's size or state. It reads a few pages, read-only, without the writer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge.log.connections import connect_read_only, snapshot
from edge.log.epochs import load_epochs
from edge.log.file import WriterLock
from edge.log.mark import Mark, read_mark, write_mark
from edge.log.schema import genesis
from edge.model.event_types import CONTROLLER_START, CONTROLLER_STOP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


LAST_RECORDS: Final = 50
"""The newest records among which the end of the last run is looked for."""


@dataclass(frozen=True, slots=True)
class LogMemory:
    """The memory of a log and of the mark beside it, put together."""

    epoch: str = ""
    """Empty when there is no log to read, or the log needs a new epoch."""
    head: tuple[int, bytes] = (0, b"")
    """The newest record and its hash."""
    cursors: Mapping[str, int] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)
    stored_modes: Mapping[str, str] = field(default_factory=dict)
    """The modes in the log alone, without the mark."""
    went_back: str | None = None
    """Why the log cannot go on under its epoch: it lost records that others may have received. None: it can."""
    kept: int = 0
    """The newest record that keeps the epoch when the log `went_back`."""


def recall(path: Path) -> LogMemory | None:
    """Read without waiting for the writer; None when neither log nor mark can be read. Never raises."""
    mark = read_mark(path)
    try:
        if not path.exists():
            return LogMemory(modes={} if mark is None else mark.modes) if path.parent.is_dir() else None
        with closing(connect_read_only(path)) as db, snapshot(db):
            memory = read_memory(db, mark)
    except (OSError, sqlite3.Error, TypeError):
        return None if mark is None else LogMemory(modes=mark.modes)
    if memory.went_back is not None:
        return LogMemory(modes=memory.modes)
    return memory


def read_memory(db: sqlite3.Connection, mark: Mark | None) -> LogMemory:
    """The memory of an open log, completed by the mark. sqlite3.Error or TypeError when the file is no log."""
    epochs = load_epochs(db)
    head = _head(db, genesis(epochs.origin))
    cursors: dict[str, int] = dict(db.execute("SELECT sink, seq FROM cursor"))
    stored: dict[str, str] = dict(db.execute("SELECT door, state FROM mode"))
    present = mark if mark is not None and mark.epoch == epochs.now else None
    why, kept = _went_back(db, head[0], cursors, present)
    modes = {**({} if mark is None else mark.modes), **stored}
    if why is not None and present is not None:
        modes |= present.modes
        cursors = {
            sink: max(cursors.get(sink, 0), present.cursors.get(sink, 0)) for sink in {*cursors, *present.cursors}
        }
    if why is not None:
        cursors = {sink: min(sequence, kept) for sink, sequence in cursors.items()}
    return LogMemory(epochs.now, head, cursors, modes, stored, why, kept)


def _head(db: sqlite3.Connection, start: bytes) -> tuple[int, bytes]:
    record = db.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
    hole = db.execute("SELECT last, hash FROM hole ORDER BY first DESC LIMIT 1").fetchone()
    head: tuple[int, bytes] = max(record or (0, b""), hole or (0, b""))
    return head if head[0] else (0, start)


def _went_back(
    db: sqlite3.Connection, head: int, cursors: Mapping[str, int], mark: Mark | None
) -> tuple[str | None, int]:
    """Why the log went back in time (None: it did not), and its newest record that is the same as before."""
    if mark is not None and mark.restored:
        return "somebody said that it was restored from a copy", head
    if mark is not None and mark.sequence > head:
        return f"the log ends at record {head}, and it had come to {mark.sequence}", head
    if (acknowledged := max(cursors.values(), default=0)) > head:
        return f"the log ends at record {head}, and records up to {acknowledged} were acknowledged", head
    if mark is not None and (digest := _hash_of(db, mark.sequence)) is not None and digest.hex() != mark.hash:
        return f"record {mark.sequence} is another one than it was", min(acknowledged, mark.sequence - 1)
    return None, head


def _hash_of(db: sqlite3.Connection, sequence: int) -> bytes | None:
    for query in ("SELECT hash FROM record WHERE seq = ?", "SELECT hash FROM hole WHERE last = ?"):
        row: tuple[Any, ...] | None = db.execute(query, [sequence]).fetchone()
        if row is not None:
            return bytes(row[0])
    return None


def say_restored(path: Path) -> None:
    """Let the next start begin a new epoch. LogInUseError while somebody writes the log; OSError, sqlite3.Error."""
    lock = WriterLock(path)
    lock.hold()
    try:
        with closing(connect_read_only(path)) as db, snapshot(db):
            memory = read_memory(db, read_mark(path))
        sequence, digest = memory.head
        write_mark(path, Mark(memory.epoch, sequence, digest.hex(), memory.cursors, memory.modes, restored=True))
    finally:
        lock.release()


def how_it_ended(db: sqlite3.Connection, boot: str) -> str | None:
    """`stop`, `killed` or `power` for the run that wrote last; None when there was none."""
    query = (
        "SELECT r.type, b.boot FROM record r JOIN boot b ON b.id = r.boot"
        " WHERE r.seq > (SELECT max(seq) FROM record) - ? ORDER BY r.seq DESC"
    )
    rows = db.execute(query, [LAST_RECORDS]).fetchall()
    if not rows:
        return None
    last = next((row[0] for row in rows if row[0] in {CONTROLLER_START, CONTROLLER_STOP}), None)
    if last == CONTROLLER_STOP:
        return "stop"
    return "killed" if rows[0][1] == boot else "power"
