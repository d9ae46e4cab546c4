"""Connections to a log file: the one that writes, and those that only read.

One rule: who reads changes no byte of the file, nor beside it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlite_utils import Database

NO_ROOM_BYTES: Final = 2**16
"""With fewer free bytes than this on a file system SQLite cannot make the `-shm` file of a WAL there."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the one connection that writes."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)


class FrozenConnection(sqlite3.Connection):
    """A connection that sees the file as it was when it was opened: nobody writes it."""


def connect_read_only(path: Path, *, live: bool = False) -> sqlite3.Connection:
    """Open a live, a dead or a copied log without changing a byte of it. Raises sqlite3.Error.

    Without a `-wal` file nobody writes the log. Then it is opened as immutable, which needs no
    permission to write beside it (https://www.sqlite.org/uri.html#uriimmutable) but never sees a
    later change. `live`: there will be changes. On a file system that is full or read-only the index
    of the WAL is made in memory (https://www.sqlite.org/wal.html#noshm).
    """
    if not live and not path.with_name(path.name + "-wal").exists():
        return _reading(path, "&immutable=1", FrozenConnection)
    connection = _reading(path, "", sqlite3.Connection)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        connection.close()
        if not isinstance(error, sqlite3.OperationalError) or not _cannot_be_written(path.parent):
            raise
        connection = _reading(path, "&vfs=unix-none", FrozenConnection)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    return connection


def _reading(path: Path, how: str, kind: type[sqlite3.Connection]) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro{how}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, factory=kind)
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA busy_timeout=5000")
    return connection


def _cannot_be_written(folder: Path) -> bool:
    """The file system is read-only or full, so nobody writes the log."""
    filesystem = os.statvfs(folder)
    return bool(filesystem.f_flag & os.ST_RDONLY) or filesystem.f_bavail * filesystem.f_frsize < NO_ROOM_BYTES


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """A read transaction: all that is read inside is of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def wrap(connection: sqlite3.Connection) -> Database:
    """The connection as a Database of sqlite-utils, without its plug-ins."""
    from sqlite_utils import Database  # noqa: PLC0415 -- 70 ms that doors need not wait for

    return Database(connection, recursive_triggers=False, execute_plugins=False)


def transaction(db: sqlite3.Connection, write: Callable[[sqlite3.Connection], None]) -> None:
    """All of what `write` does is on the medium after this, or none and sqlite3.Error is raised."""
    db.execute("BEGIN IMMEDIATE")
    try:
        write(db)
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            db.execute("ROLLBACK")
        raise
