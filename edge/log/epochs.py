"""Which stream each record of a log belongs to.

One rule: an epoch and a sequence number name one record for ever. A log that went back in time (an
older copy was restored) goes on under a new epoch; records before that keep the epoch they were sent under.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Epochs:
    """The epochs of a log: the present one, and where the former ones end."""

    now: str
    former: tuple[tuple[int, str], ...] = ()
    """(last sequence number, epoch) of each epoch before the present one, in order."""

    @property
    def origin(self) -> str:
        """The epoch of the new file: the hash chains of records and of clock notes begin with it."""
        return self.former[0][1] if self.former else self.now

    def of(self, sequence: int) -> str:
        """The epoch of a record."""
        return next((epoch for last, epoch in self.former if sequence <= last), self.now)

    def renewed(self, after: int, epoch: str) -> Epochs:
        """The same with `epoch` for the records behind `after`."""
        kept = tuple((last, former) for last, former in self.former if last < after)
        return Epochs(epoch, (*kept, (after, self.of(after))))


def new_epoch() -> str:
    """Ten random hexadecimal digits."""
    return secrets.token_hex(5)


def load_epochs(db: sqlite3.Connection) -> Epochs:
    """Read them from a log of any version."""
    (now,) = db.execute("SELECT epoch FROM log").fetchone()
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'former'").fetchone() is None:
        return Epochs(now)
    return Epochs(now, tuple(db.execute("SELECT last, epoch FROM former ORDER BY last").fetchall()))


def renew(db: sqlite3.Connection, after: int) -> Epochs:
    """Begin another epoch behind this record, inside the caller's transaction."""
    renewed = load_epochs(db).renewed(after, new_epoch())
    db.execute("DELETE FROM former WHERE last >= ?", [after])
    db.execute("INSERT INTO former VALUES (?, ?)", renewed.former[-1])
    db.execute("UPDATE log SET epoch = ?", [renewed.now])
    return renewed
