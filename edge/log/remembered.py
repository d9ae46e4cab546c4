"""What a log remembers for whoever starts: the doors' modes, the stream, how the last run ended.

One rule: it is read at once, whatever the log's size or state: a few pages, read-only, without its writer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge.log.epochs import load_epochs
from edge.log.file import WriterLock
from edge.log.mark import Mark, read_mark, write_mark
from edge.log.schema import connect_read_only, genesis, snapshot
from edge.model.event_types import CONTROLLER_START, CONTROLLER_STOP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


LAST_WORDS: Final = 50
"""Records among which the end of the last run is looked for."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a log and the mark beside it say together."""

    epoch: str = ""
    """Empty while nobody knows the stream: there is no log to read, or it needs a new one."""
    head: tuple[int, bytes] = (0, b"")
    """The newest record and its hash."""
    cursors: Mapping[str, int] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)
    stored_modes: Mapping[str, str] = field(default_factory=dict)
    """As the log has them by itself."""
    went_back: str | None = None
    """Why the log cannot go on in its stream: it has lost records that somebody may have."""
    kept: int = 0
    """The newest record of the stream that it cannot go on in."""


def recall(path: Path) -> Memory | None:
    """Look without waiting for the writer; None when nobody can tell what there was. Never raises."""
    mark = read_mark(path)
    try:
        if not path.exists():
            return Memory(modes={} if mark is None else mark.modes) if path.parent.is_dir() else None
        with closing(connect_read_only(path)) as db, snapshot(db):
            found = read_memory(db, mark)
    except (OSError, sqlite3.Error, TypeError):
        return None if mark is None else Memory(modes=mark.modes)
    if found.went_back is not None:
        return Memory(modes=found.modes)
    return found


def read_memory(db: sqlite3.Connection, mark: Mark | None) -> Memory:
    """What an open log says, and the mark where it knows better. sqlite3.Error or TypeError when it is no log."""
    epochs = load_epochs(db)
    head = _head(db, genesis(epochs.origin))
    cursors: dict[str, int] = dict(db.execute("SELECT sink, seq FROM cursor"))
    stored: dict[str, str] = dict(db.execute("SELECT door, state FROM mode"))
    mine = mark if mark is not None and mark.epoch == epochs.now else None
    why, kept = _went_back(db, head[0], cursors, mine)
    modes = {**({} if mark is None else mark.modes), **stored}
    if why is not None and mine is not None:
        modes |= mine.modes
        cursors = {sink: max(cursors.get(sink, 0), mine.cursors.get(sink, 0)) for sink in {*cursors, *mine.cursors}}
    if why is not None:
        cursors = {sink: min(sequence, kept) for sink, sequence in cursors.items()}
    return Memory(epochs.now, head, cursors, modes, stored, why, kept)


def _head(db: sqlite3.Connection, start: bytes) -> tuple[int, bytes]:
    record = db.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
    hole = db.execute("SELECT last, hash FROM hole ORDER BY first DESC LIMIT 1").fetchone()
    head: tuple[int, bytes] = max(record or (0, b""), hole or (0, b""))
    return head if head[0] else (0, start)


def _went_back(
    db: sqlite3.Connection, head: int, cursors: Mapping[str, int], mark: Mark | None
) -> tuple[str | None, int]:
    """Why, and the newest record that is the same as in the log that there was."""
    if mark is not None and mark.restored:
        return "somebody said that it was restored from a copy", head
    if mark is not None and mark.sequence > head:
        return f"the log ends at record {head}, and it had come to {mark.sequence}", head
    if (told := max(cursors.values(), default=0)) > head:
        return f"the log ends at record {head}, and records up to {told} were acknowledged", head
    if mark is not None and (digest := _hash_of(db, mark.sequence)) is not None and digest.hex() != mark.hash:
        return f"record {mark.sequence} is another one than it was", min(told, mark.sequence - 1)
    return None, head


def _hash_of(db: sqlite3.Connection, sequence: int) -> bytes | None:
    for query in ("SELECT hash FROM record WHERE seq = ?", "SELECT hash FROM hole WHERE last = ?"):
        row: tuple[Any, ...] | None = db.execute(query, [sequence]).fetchone()
        if row is not None:
            return bytes(row[0])
    return None


def say_restored(path: Path) -> None:
    """Let the next start of a log that nobody writes begin another stream. Raises OSError or sqlite3.Error."""
    lock = WriterLock(path)
    lock.hold()
    try:
        with closing(connect_read_only(path)) as db, snapshot(db):
            found = read_memory(db, read_mark(path))
        sequence, digest = found.head
        write_mark(path, Mark(found.epoch, sequence, digest.hex(), found.cursors, found.modes, restored=True))
    finally:
        lock.release()


def how_it_ended(db: sqlite3.Connection, boot: str) -> str | None:
    """`stop`, `killed` or `power` for the run that wrote last; None when there was none."""
    query = (
        "SELECT r.type, b.boot FROM record r JOIN boot b ON b.id = r.boot"
        " WHERE r.seq > (SELECT max(seq) FROM record) - ? ORDER BY r.seq DESC"
    )
    rows = db.execute(query, [LAST_WORDS]).fetchall()
    if not rows:
        return None
    last = next((row[0] for row in rows if row[0] in {CONTROLLER_START, CONTROLLER_STOP}), None)
    if last == CONTROLLER_STOP:
        return "stop"
    return "killed" if rows[0][1] == boot else "power"
