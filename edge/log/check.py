"""The check of a log file for damage, in a thread of its own with low priority, while doors are in service.

One rule: it only reads. The writer acts on what the check finds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from edge.log.connections import connect_read_only
from edge.log.file import is_damage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NICE: Final = 15
"""Doors, and the writer, come first."""
STOP_WITHIN_S: Final = 1.0


class IntegrityCheck:
    """One `PRAGMA quick_check` of a log. The writer must hold the file open meanwhile, or nobody folds the WAL."""

    def __init__(self, path: Path, damaged: Callable[[str], None]) -> None:
        """`damaged` is called in the check's thread, with SQLite's description of the damage."""
        self._path, self._damaged = path, damaged
        self._db: sqlite3.Connection | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="log-check", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up; returns soon."""
        self._stopped = True
        db = self._db
        if db is not None:
            with suppress(sqlite3.Error):
                db.interrupt()
        self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            with closing(connect_read_only(self._path, live=True)) as db:
                self._db = db
                verdict = "ok" if self._stopped else db.execute("PRAGMA quick_check(1)").fetchone()[0]
                self._db = None
        except sqlite3.Error as error:
            if not is_damage(error):  # interrupted, or the disk is away: the writer handles that
                return
            verdict = str(error)
        finally:
            self._db = None
        if verdict != "ok":
            self._damaged(verdict)
