"""The log as a file among files: who may write it, and what becomes of a damaged one.

One rule: no record is ever deleted here. A damaged file is moved aside under a name with the date.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from edge.log.schema import connect_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SALVAGE_COMMANDS: Final = 100_000
"""Command ids that are carried over from a damaged file at most."""
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class LogInUseError(OSError):
    """Another process writes this log."""


class WriterLock:
    """Held by the one process that writes a log: flock(2) on a file beside it, gone with the process."""

    def __init__(self, path: Path) -> None:
        """Of the log at `path`; not held yet."""
        self._path = path
        self._fd: int | None = None

    def hold(self) -> None:
        """Take it, or keep it. LogInUseError when another has it; OSError when its file cannot be made."""
        if self._fd is not None:
            return
        fd = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(fd, 0)
            os.write(fd, b"%d\n" % os.getpid())
        except BlockingIOError as error:
            holder = os.read(fd, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise LogInUseError(f"{self._path} is written by another process ({holder})") from error
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Let it go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class LogDamagedError(Exception):
    """The file is no log any more; it has to be set aside."""


def is_damage(error: BaseException) -> bool:
    """True when the file itself is broken; trying again will not help."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE or isinstance(error, LogDamagedError)


class LogMovedError(OSError):
    """The file is not where it was: moved away, removed, or replaced by another."""


def refuse_read_only(folder: Path) -> None:
    """Raise OSError on a file system that is read-only: after an error the kernel may make it so, and fsync says 0."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))


@dataclass(slots=True)
class Salvage:
    """What must survive the records: a lockdown holds, and no command runs a second time."""

    modes: Mapping[str, str]
    commands: list[tuple[Any, ...]] = field(default_factory=list)
    forgotten_us: int = 0

    def put_back(self, db: sqlite3.Connection) -> None:
        """Write it into a new file, or into the one that somebody put in its place."""
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR REPLACE INTO mode VALUES (?, ?)", self.modes.items())
        db.executemany("INSERT OR IGNORE INTO command VALUES (?, ?, ?, ?)", self.commands)
        db.executemany("INSERT OR IGNORE INTO came(id) VALUES (?)", [row[:1] for row in self.commands])
        db.execute("UPDATE log SET forgotten_us = max(forgotten_us, ?)", [self.forgotten_us])
        db.execute("COMMIT")


def salvage(db: sqlite3.Connection | None, path: Path, modes: Mapping[str, str], before: Salvage | None) -> Salvage:
    """What a damaged file still tells, with the `modes` and what was saved `before` that are known without it.

    `db`: the connection to a file that is not at `path` any more.
    """
    found = Salvage({**(before.modes if before else {}), **modes})
    if before is not None:
        found.commands, found.forgotten_us = before.commands, before.forgotten_us
    with suppress(sqlite3.Error, TypeError):
        if db is not None:
            _read(db, found)
        else:
            with closing(connect_read_only(path)) as own:
                _read(own, found)
    return found


def _read(db: sqlite3.Connection, found: Salvage) -> None:
    """As far as it can be read, the most important first."""
    found.modes = dict(db.execute("SELECT door, state FROM mode").fetchall()) | dict(found.modes)
    found.commands += db.execute("SELECT * FROM command LIMIT ?", [SALVAGE_COMMANDS]).fetchall()
    (forgotten_us,) = db.execute("SELECT forgotten_us FROM log").fetchone()
    found.forgotten_us = max(found.forgotten_us, forgotten_us)


def set_aside(path: Path, wall_us: int) -> Path:
    """Move the file and its WAL out of the way; returns the new name, which carries the date."""
    stamp = datetime.fromtimestamp(wall_us / 1e6, UTC).strftime("%Y%m%dT%H%M%SZ")
    number, aside = 0, path.with_name(f"{path.name}.damaged-{stamp}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in ("-wal", "-shm", ""):  # the file last: what is interrupted here is done again at the next start
        with suppress(FileNotFoundError):  # not every file has the others
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def discard(path: Path) -> None:
    """Remove a file that never held a record."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
