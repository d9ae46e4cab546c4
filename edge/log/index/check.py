"""The check of a log's index for damage.

One rule: a damaged index is removed, and made anew from the log.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from edge.log.index.lookup import BLOCK, SEGMENT, VERSION, place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT_ONCE: Final = 64
"""Rows between two pauses."""
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""SQLITE_ERROR: a table is missing."""
_POSTINGS: Final = (
    "SELECT kind, value, name, email, offsets FROM posting JOIN term ON id = term WHERE segment = ? ORDER BY term"
)
_SPANS: Final = "SELECT boot, first_ns, last_ns FROM span WHERE segment = ? ORDER BY boot"
_BLOCKS: Final = "SELECT number, bits FROM block WHERE number >= ? AND number < ? ORDER BY number"


def sound(log: Path, breathe: Callable[[], bool]) -> bool:
    """Check the index beside a log, if there is one; False when it was damaged and has been removed.

    SQLite notices damage to its own structures only, so the checksum of each segment is computed again. `breathe` is
    called after every `AT_ONCE` rows; once it returns False nothing more is done. Raises sqlite3.Error and OSError.
    """
    path = place(log)
    if not path.exists():
        return True
    try:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
            well = _well(db, breathe)
    except sqlite3.DatabaseError as error:
        if not damaged(error):
            raise
        well = False
    if not well:
        path.unlink()
    return well


def damaged(error: sqlite3.Error) -> bool:
    """Whether the error means damaged content, not a file that cannot be reached now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def sum_of(db: sqlite3.Connection, number: int, breathe: Callable[[], bool] = lambda: True) -> bytes | None:
    """The checksum of a segment's content; None when `breathe` returned False."""
    digest, first = blake2b(digest_size=16), number * (SEGMENT // BLOCK)
    for sql, values in ((_POSTINGS, [number]), (_SPANS, [number]), (_BLOCKS, [first, first + SEGMENT // BLOCK])):
        rows = db.execute(sql, values)
        while some := rows.fetchmany(AT_ONCE):
            digest.update(repr(some).encode())
            if not breathe():
                return None
    return digest.digest()


def _well(db: sqlite3.Connection, breathe: Callable[[], bool]) -> bool:
    if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
        return True  # of another release: it is made anew anyway
    if db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        return False
    for number, known in db.execute("SELECT number, sum FROM segment").fetchall():
        computed = sum_of(db, number, breathe)
        if computed is None:
            return True
        if computed != known:
            return False
    return True
