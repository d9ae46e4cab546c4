"""A disk below a folder: it fails, fills up, stalls and is read-only when told, and a crash leaves what was written.

All that `doord` writes passes here: the statements of its databases, `os.open` for writing, `os.fsync`, renames.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.simulation.machine import writer_thread

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.machine import Machine

WRITES: Final = ("INSERT", "UPDATE", "DELETE", "COMMIT", "CREATE", "PRAGMA wal_checkpoint")
ERRORS: Final = {
    "full": ("database or disk is full", errno.ENOSPC),
    "error": ("disk I/O error", errno.EIO),
    "late": ("disk I/O error", errno.EIO),  # after a commit was written: its last flush fails
    "read_only": ("attempt to write a readonly database", errno.EROFS),
}
JUNK: Final = b"junk" * 25_000

_connect, _open, _fsync, _replace, _rename, _statvfs = (
    sqlite3.connect,
    os.open,
    os.fsync,
    os.replace,
    os.rename,
    os.statvfs,
)


class Row(NamedTuple):
    """A record on the disk."""

    hash: str
    type: str
    at_ns: int


class Disk:
    """The disk of one controller, over all its lives."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._all, self._chance, self._numbers = folder, chance, count()
        self.machine: Machine | None = None
        """Of the present life."""
        self.folder = self._new()
        self.folder.mkdir()
        self.fault: str | None = None
        self.stalled_until_s = 0.0
        self.operations = 0
        self.dies_at: int | None = None
        """The process is gone at this operation: before it, after it, or while a commit is being written."""
        self.dies_how = "before"
        self._left: Path | None = None
        self._old: Path | None = None
        self._wal_bytes = 0
        self._held: list[sqlite3.Connection] = []
        self._locks: set[int] = set()

    # --- lives ---

    def begin(self, machine: Machine) -> None:
        self.machine, self._left, self.dies_at, self._wal_bytes = machine, None, None, 0
        machine.ready_at = lambda: self.stalled_until_s

    def is_left(self) -> None:
        """What is on the disk now is what the next life finds."""
        if self._left is None:
            self._left = self._new()
            self._copy(self.folder, self._left)

    def end(self) -> None:
        """The life is over; what it has left is the disk from now on."""
        for connection in self._held:
            with suppress(sqlite3.Error):
                connection.close()  # now: to fold a WAL later would spoil that of the next life
        self._held.clear()
        for fd in self._locks:
            with suppress(OSError):  # it was closed, and may be another file by now
                if str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(str(self._all)):
                    os.close(fd)
        self._locks.clear()
        if self._left is not None:
            shutil.rmtree(self.folder)
            _rename(self._left, self.folder)
            self._left = None

    def remember(self) -> None:
        """An image of the disk as it is now, for `put_back`."""
        if self._old is not None:
            shutil.rmtree(self._old)
        self._old = self._new()
        self._copy(self.folder, self._old)

    def put_back(self) -> bool:
        """The log is what it was when it was last remembered; the mark beside it stays. False: none was."""
        if self._old is None:
            return False
        for name in ("log.db", "log.db-wal"):
            (self.folder / name).unlink(missing_ok=True)
            if (self._old / name).exists():
                shutil.copyfile(self._old / name, self.folder / name)
        return True

    def damage(self) -> None:
        """No SQLite reads the log any more."""
        (self.folder / "log.db-wal").unlink(missing_ok=True)
        (self.folder / "log.db").write_bytes(JUNK)

    def remembered(self) -> dict[int, Row]:
        """Each record in the image."""
        return {} if self._old is None else self.records(self._old)

    def records(self, folder: Path | None = None) -> dict[int, Row]:
        """Each record on the disk now, by its number; none when the log cannot be read."""
        folder = folder or self.folder
        copy = self._new()
        copy.mkdir()
        try:
            for name in ("log.db", "log.db-wal"):
                if (folder / name).exists():
                    shutil.copyfile(folder / name, copy / name)
            with closing(_connect(copy / "log.db")) as db:
                rows = db.execute("SELECT seq, hash, type, at_ns FROM record")
                return {number: Row(digest.hex(), kind, at_ns) for number, digest, kind, at_ns in rows}
        except sqlite3.Error:
            return {}
        finally:
            shutil.rmtree(copy)

    def _new(self) -> Path:
        return self._all / str(next(self._numbers))

    @staticmethod
    def _copy(card: Path, to: Path) -> None:
        shutil.copytree(card, to, ignore=shutil.ignore_patterns("*-shm", "*.lock", "*.sock"))

    # --- operations ---

    def _wait(self, machine: Machine) -> None:
        thread = writer_thread()
        while thread is not None and self.stalled_until_s > machine.time():
            thread.pause(self.stalled_until_s - machine.time())

    def through(self, operation: Callable[[], Any], *, writes: bool, commits: bool = False) -> Any:
        """One operation: it may fail, wait, or be the last."""
        machine = self.machine
        assert machine is not None
        if machine.dead:
            machine.die()
        self.operations += 1
        last = self.dies_at is not None and self.operations >= self.dies_at
        if last and (self.dies_how == "before" or not commits):
            machine.die()
        if writes:
            self._wait(machine)
            if self.fault is not None and self.fault != "late":
                text, number = ERRORS[self.fault]
                raise _Failed(text, number)
        before = self._wal() if last else 0
        result = operation()
        if last:
            self._last(machine, before)
        if commits and self.fault == "late":
            raise _Failed(*ERRORS["late"])
        return result

    def _wal(self) -> int:
        wal = self.folder / "log.db-wal"
        return wal.stat().st_size if wal.exists() else 0

    def _last(self, machine: Machine, before: int) -> None:
        """The commit was written, as a whole or up to somewhere; nobody hears of it any more."""
        self.is_left()
        assert self._left is not None
        wal, after = self._left / "log.db-wal", self._wal()
        if self.dies_how == "torn" and after > before:
            with wal.open("r+b") as file:
                file.truncate(self._chance.randint(before, after))
        machine.die()

    # --- in place of what Python has ---

    def connect(self, path: Any, *given: Any, **named: Any) -> sqlite3.Connection:
        if "factory" in named or not self._mine(path):
            other: sqlite3.Connection = _connect(path, *given, **named)
            self._held.append(other)
            return other
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                return disk._statement(sql, lambda: super(Connection, self).execute(sql, *values))

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
                return disk._statement(sql, lambda: super(Connection, self).executemany(sql, *values))

        connection: sqlite3.Connection = self.through(
            lambda: _connect(path, *given, factory=Connection, **named), writes=False
        )
        self._held.append(connection)
        return connection

    def _statement(self, sql: str, run: Callable[[], sqlite3.Cursor]) -> Any:
        try:
            return self.through(run, writes=sql.startswith(WRITES), commits=sql == "COMMIT")
        except _Failed as failed:
            raise sqlite3.OperationalError(failed.text) from None

    def open(self, path: Any, flags: int, *given: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and self._mine(path):
            fd = int(self._system(lambda: _open(path, flags, *given, **named), path))
            if str(path).endswith(".lock"):
                self._locks.add(fd)
            return fd
        return _open(path, flags, *given, **named)

    def fsync(self, _fd: int) -> None:
        self._system(lambda: None, "")  # what a crash of the process leaves does not depend on it

    def replace(self, old: Any, new: Any, **named: Any) -> None:
        if self._mine(old):
            self._system(lambda: _replace(old, new, **named), old)
        else:
            _replace(old, new, **named)

    def rename(self, old: Any, new: Any, **named: Any) -> None:
        if self._mine(old):
            self._system(lambda: _rename(old, new, **named), old)
        else:
            _rename(old, new, **named)

    def statvfs(self, path: Any) -> Any:
        found = _statvfs(path)
        if self.fault != "read_only" or not self._mine(path):
            return found
        return SimpleNamespace(f_flag=os.ST_RDONLY, f_bavail=found.f_bavail, f_frsize=found.f_frsize)

    def _system(self, run: Callable[[], Any], path: Any) -> Any:
        try:
            return self.through(run, writes=True)
        except _Failed as failed:
            raise OSError(failed.number, failed.text, str(path)) from None

    def _mine(self, path: Any) -> bool:
        return self.machine is not None and isinstance(path, str | Path) and str(path).startswith(str(self._all))


class _Failed(Exception):  # noqa: N818 -- never leaves this module
    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.text, self.number = text, number
