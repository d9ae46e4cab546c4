"""Unknown cards on the disk: in a file of their own, as a log or a directory that is handed on has none of them.

One rule: every call waits for the disk; never call it on the loop's thread.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from edge.access.enrolment.keeping import KeptCard
from edge.log.connections import connect_read_only, transaction
from edge.log.file import set_aside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

APPLICATION_ID: Final = 0x446F6F55
"""`DooU`: tells the file from a log and a directory."""
_SETUP: Final = (
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA trusted_schema=OFF",
    f"PRAGMA application_id={APPLICATION_ID}",
    """CREATE TABLE IF NOT EXISTS seen(id TEXT PRIMARY KEY, point TEXT NOT NULL, bits INTEGER NOT NULL,
       data BLOB NOT NULL, at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
)


def load(path: Path, wall_us: int) -> tuple[list[KeptCard], Path | None]:
    """What is stored, and where a damaged file was moved to. Raises OSError when it cannot be read now."""
    if not path.exists():
        return [], None
    try:
        with closing(_open_to_read(path)) as db:
            rows = db.execute("SELECT id, point, bits, data, at_us FROM seen WHERE bits > 0").fetchall()
            return [KeptCard(*row) for row in rows], None
    except sqlite3.OperationalError as error:  # locked, or the disk does not answer: not damaged
        raise OSError(str(error)) from error
    except sqlite3.DatabaseError:
        return [], set_aside(path, wall_us)


def save(path: Path, changed: Mapping[str, KeptCard | None]) -> None:
    """Store these cards, and remove those that are None. All of it is on the disk after this, or OSError is raised."""

    def write(db: sqlite3.Connection) -> None:
        for own, card in changed.items():
            if card is None:
                db.execute("DELETE FROM seen WHERE id = ?", [own])
            else:
                values = [card.id, card.point, card.bits, card.data, card.at_us]
                db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", values)

    try:
        with closing(_open(path)) as db:
            transaction(db, write)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open it, also where a write was cut off, or on a read-only disk."""
    try:
        return _open(path)
    except (OSError, sqlite3.OperationalError):
        return connect_read_only(path)


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # whole numbers of cards: only for doord
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        for statement in _SETUP:
            db.execute(statement)
    except BaseException:
        db.close()
        raise
    return db
