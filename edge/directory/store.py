"""The directory on the disk: in a file of its own, so that a damaged log shuts nobody out.

One rule: a directory is replaced in one transaction, and the one before it stays until its
difference has been recorded. Every call blocks on the disk: never on the loop's thread.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import sqlite3
import stat
import zlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge.directory.pins import SALT_BYTES, hashed, parse
from edge.log.connections import connect_read_only
from edge.log.file import set_aside
from edge.model.messages import Actor
from edge.system.memory import too_large

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


APPLICATION_ID: Final = 0x446F6F44
"""`DooD`: tells the file from a log."""
_SETUP: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA trusted_schema=OFF",
    f"PRAGMA application_id={APPLICATION_ID}",
    """CREATE TABLE IF NOT EXISTS directory(id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL,
       document BLOB NOT NULL, digest TEXT NOT NULL, source TEXT NOT NULL, actor TEXT NOT NULL, at_us INTEGER NOT NULL,
       previous BLOB, audited INTEGER NOT NULL) STRICT""",
)


class StoreError(OSError):
    """The file cannot be read or written now."""


@dataclass(frozen=True, slots=True)
class StoredDirectory:
    """What is in force, and what was before it where that has not been recorded yet."""

    version: int
    document: bytes
    digest: str
    """Of the document as it came, which may have had PINs in it (`digest_of`)."""
    source: str
    actor: Actor
    at_us: int
    previous: bytes | None = None
    """None with `audited` false: there was none."""
    audited: bool = False


class DirectoryStore:
    """One file. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        """Nothing is touched yet."""
        self.path = path

    def load(self, wall_us: int) -> tuple[StoredDirectory | None, Path | None]:
        """What is stored, and where a damaged file was moved. Raises OSError when nobody can tell."""
        try:
            with closing(self._open_to_read()) as db:
                row = db.execute("SELECT * FROM directory").fetchone()
                return (None if row is None else _stored(row)), None
        except (sqlite3.DatabaseError, zlib.error, ValueError, TypeError) as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, or the disk does not answer: not damaged
                raise StoreError(str(error)) from error
            return None, set_aside(self.path, wall_us)

    def replace(self, new: StoredDirectory, pieces: Iterable[str]) -> None:
        """Put a directory in the place of the one that is stored, which becomes its previous one. Raises OSError."""
        packer = zlib.compressobj()
        packed = b"".join([*(packer.compress(piece.encode()) for piece in pieces), packer.flush()])
        actor = json.dumps([new.actor.kind, new.actor.id, new.actor.name, new.actor.email])
        try:
            with closing(self._open()) as db:
                db.execute("BEGIN IMMEDIATE")
                before = db.execute("SELECT document FROM directory").fetchone()
                db.execute(
                    "INSERT OR REPLACE INTO directory VALUES (1, ?, ?, ?, ?, ?, ?, ?, 0)",
                    [new.version, packed, new.digest, new.source, actor, new.at_us, before and before[0]],
                )
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def audited(self, version: int) -> None:
        """Forget what was before: the difference to this version is in the log. Raises OSError."""
        try:
            with closing(self._open()) as db:
                db.execute("UPDATE directory SET previous = NULL, audited = 1 WHERE version = ?", [version])
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def _open_to_read(self) -> sqlite3.Connection:
        """Open it even where nothing can be written, as when the kernel has remounted a card that fails read-only."""
        try:
            return self._open()
        except (OSError, sqlite3.OperationalError):
            if not self.path.exists():
                raise
            return connect_read_only(self.path)

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # hashes of PINs: for us alone
        db = sqlite3.connect(self.path, timeout=5.0, isolation_level=None)
        try:
            for statement in _SETUP:
                db.execute(statement)
        except BaseException:
            db.close()
            raise
        return db


def read_file(file: Path, most: int) -> bytes:
    """Up to `most` bytes of a plain file, and one more that says that it is longer. OSError for any other file."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):  # a pipe would wait for ever, a device never end
            raise OSError(errno.EINVAL, "it is no plain file", str(file))
        if reason := too_large(min(found.st_size, most)):
            raise OSError(errno.ENOMEM, reason, str(file))
        return stream.read(most + 1)


def digest_of(document: bytes) -> str:
    """What tells a document from others without keeping it. Slow, 50 ms on a PC.

    All but the PINs in clear of a document may be known, so that a fast hash would give these away: it
    has to cost whoever tries them all as much as their own hashes do (`edge.directory.pins`).
    """
    return hashed(hashlib.sha256(document).hexdigest(), secrets.token_bytes(SALT_BYTES)).text


def is_digest_of(digest: str, document: bytes) -> bool:
    """Whether `digest_of` made it of this document. Slow as well."""
    try:
        kept = parse(digest)
    except ValueError:  # of none: nothing is known of it
        return False
    return kept.is_of(kept.recipe.digest(hashlib.sha256(document).hexdigest()))


def _stored(row: tuple[Any, ...]) -> StoredDirectory:
    _, version, document, digest, source, actor, at_us, previous, audited = row
    kind, actor_id, name, email = json.loads(actor)
    return StoredDirectory(
        version,
        zlib.decompress(document),
        digest,
        source,
        Actor(kind, actor_id, name, email),
        at_us,
        None if previous is None else zlib.decompress(previous),
        bool(audited),
    )
