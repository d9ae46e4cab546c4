"""The log as a file: who may write it, and what becomes of a damaged one.

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

from edge.log.connections import connect_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SALVAGE_COMMANDS: Final = 100_000
"""At most so many command ids are carried over from a damaged file."""
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class LogInUseError(OSError):
    """Another process writes this log."""


class WriterLock:
    """Held by the one process that writes a log: flock(2) on a file beside it. It ends with the process."""

    def __init__(self, path: Path) -> None:
        """For the log at `path`; not held yet."""
        self._path = path
        self._fd: int | None = None

    def hold(self) -> None:
        """Take or keep the lock. LogInUseError when another process holds it; OSError when its file cannot be made."""
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
        """Release the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class LogDamagedError(Exception):
    """The file is damaged; it has to be set aside."""


def is_damage(error: BaseException) -> bool:
    """True when the file itself is damaged, so that trying again does not help."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE or isinstance(error, LogDamagedError)


class LogMovedError(OSError):
    """The file is not where it was: moved away, removed, or replaced by another."""


def refuse_read_only(folder: Path) -> None:
    """Raise OSError on a read-only file system: the kernel may make it so after an error, and fsync still returns 0."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))


@dataclass(slots=True)
class Salvaged:
    """What must outlive a lost log: modes, so that a lockdown holds, and ids, so that no command runs twice."""

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


def salvage(db: sqlite3.Connection | None, path: Path, modes: Mapping[str, str], before: Salvaged | None) -> Salvaged:
    """What can be read from a damaged or lost file, together with the known `modes` and what was saved `before`.

    `db`: the open connection to a file that is not at `path` any more; None: open `path`.
    """
    saved = Salvaged({**(before.modes if before else {}), **modes})
    if before is not None:
        saved.commands, saved.forgotten_us = before.commands, before.forgotten_us
    with suppress(sqlite3.Error, TypeError):
        if db is not None:
            _read(db, saved)
        else:
            with closing(connect_read_only(path)) as own:
                _read(own, saved)
    return saved


def _read(db: sqlite3.Connection, saved: Salvaged) -> None:
    """Read as far as possible, the most important first; sqlite3.Error where it ends."""
    saved.modes = dict(db.execute("SELECT door, state FROM mode").fetchall()) | dict(saved.modes)
    saved.commands += db.execute("SELECT * FROM command LIMIT ?", [SALVAGE_COMMANDS]).fetchall()
    (forgotten_us,) = db.execute("SELECT forgotten_us FROM log").fetchone()
    saved.forgotten_us = max(saved.forgotten_us, forgotten_us)


def set_aside(path: Path, wall_us: int) -> Path:
    """Rename the file and its WAL; returns the new path, whose name has the date."""
    stamp = datetime.fromtimestamp(wall_us / 1e6, UTC).strftime("%Y%m%dT%H%M%SZ")
    number, aside = 0, path.with_name(f"{path.name}.damaged-{stamp}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in ("-wal", "-shm", ""):  # the file last: after an interruption the next start does this again
        with suppress(FileNotFoundError):  # not every log has the first two
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def discard(path: Path) -> None:
    """Remove a file that never held a record."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
