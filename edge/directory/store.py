"""The directory on the disk: in a file of its own, so that people get in also when the log is damaged.

One rule: a directory is replaced or edited in one transaction, and the one before stays until the
difference has been recorded. Versions are recorded in order. Every call waits for the disk: never call it on the
loop's thread.

Edits are stored after the document that they change; from time to time `fold` makes one document of both.
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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from edge.directory.pins import SALT_BYTES, hashed, parse
from edge.log.connections import connect_read_only
from edge.log.file import set_aside
from edge.model.messages import Actor
from edge.system.memory import too_large

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


APPLICATION_ID: Final = 0x446F6F44
"""`DooD`: tells the file from a log."""
PIECES: Final = 1_000
"""Entries that are packed in one step: some milliseconds on a PC. Other calls may come between two steps."""
_SETUP: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA trusted_schema=OFF",
    f"PRAGMA application_id={APPLICATION_ID}",
    """CREATE TABLE IF NOT EXISTS directory(id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL,
       document BLOB NOT NULL, digest TEXT NOT NULL, source TEXT NOT NULL, actor TEXT NOT NULL, at_us INTEGER NOT NULL,
       previous BLOB, audited INTEGER NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS edits(version INTEGER PRIMARY KEY, changes TEXT NOT NULL, source TEXT NOT NULL,
       actor TEXT NOT NULL, at_us INTEGER NOT NULL, audited INTEGER NOT NULL) STRICT""",
)


class StoreError(OSError):
    """The file cannot be read or written now."""


@dataclass(frozen=True, slots=True)
class StoredEdit:
    """The changes that made one version from the version before."""

    version: int
    changes: tuple[Mapping[str, Any], ...]
    """As `edge.directory.edits.making.Edited` has them."""
    source: str
    actor: Actor
    at_us: int
    audited: bool = False


@dataclass(frozen=True, slots=True)
class StoredDirectory:
    """The directory in force, and the one before it until the difference is recorded."""

    version: int
    document: bytes
    digest: str
    """Of the document as it was received, perhaps with PINs in clear (`digest_of`)."""
    source: str
    actor: Actor
    at_us: int
    previous: bytes | None = None
    """The document before. None although `audited` is false: there was none."""
    audited: bool = False
    edits: tuple[StoredEdit, ...] = ()
    """Edits of the document. When one of them is recorded, so are the document and the edits before it."""
    previous_edits: tuple[StoredEdit, ...] = ()
    """Edits of `previous`, from before the document came."""


class DirectoryStore:
    """One file. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        """Nothing is touched yet."""
        self.path = path

    def load(self, wall_us: int) -> tuple[StoredDirectory | None, Path | None]:
        """Return what is stored, and where a damaged file was moved to. Raises OSError when it cannot be read now."""
        try:
            with closing(self._open_to_read()) as db:
                row = db.execute("SELECT * FROM directory").fetchone()
                edits = _edits(db)
                return (None if row is None else _stored(row, edits)), None
        except (sqlite3.DatabaseError, zlib.error, ValueError, TypeError) as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, or the disk does not answer: not damaged
                raise StoreError(str(error)) from error
            return None, set_aside(self.path, wall_us)

    def replace(self, new: StoredDirectory, pieces: Iterable[str]) -> None:
        """Store a directory; the one stored before, which has been recorded, becomes its `previous`. Raises OSError."""
        packing = Packing(pieces)
        while packing.pack():
            pass
        with self._changing() as db:
            db.execute("DELETE FROM edits WHERE version < (SELECT version FROM directory)")
            before = db.execute("SELECT document FROM directory").fetchone()
            db.execute(
                "INSERT OR REPLACE INTO directory VALUES (1, ?, ?, ?, ?, ?, ?, ?, 0)",
                [new.version, packing.packed, new.digest, *_origin(new), before and before[0]],
            )

    def append(self, edit: StoredEdit) -> None:
        """Store an edit of the stored directory. Raises OSError."""
        changes = json.dumps(edit.changes, ensure_ascii=False, separators=(",", ":"))
        with self._changing() as db:
            db.execute("INSERT INTO edits VALUES (?, ?, ?, ?, ?, 0)", [edit.version, changes, *_origin(edit)])

    def fold(self, now: StoredDirectory, packed: bytes) -> None:
        """Make one document of the document and its edits up to this version. Raises OSError.

        `packed` is that document. Nothing is changed when it was replaced, or is not all recorded.
        """
        with self._changing() as db:
            folded = db.execute(
                "UPDATE directory SET version = ?1, document = ?2, source = ?3, actor = ?4, at_us = ?5 "
                "WHERE version < ?1 AND audited "
                "AND NOT EXISTS (SELECT 1 FROM edits WHERE version <= ?1 AND NOT audited)",
                [now.version, packed, *_origin(now)],
            )
            if folded.rowcount:
                db.execute("DELETE FROM edits WHERE version <= ?", [now.version])

    def audited(self, version: int) -> None:
        """Note that all changes up to this version are in the log, and forget the directory before. Raises OSError."""
        with self._changing() as db:
            db.execute(
                "UPDATE directory SET previous = NULL, audited = 1 WHERE NOT audited AND version <= ?", [version]
            )
            db.execute("UPDATE edits SET audited = 1 WHERE NOT audited AND version <= ?", [version])
            db.execute("DELETE FROM edits WHERE version < (SELECT version FROM directory WHERE audited)")

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: after an error nothing has changed. Raises StoreError."""
        try:
            with closing(self._open()) as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def _open_to_read(self) -> sqlite3.Connection:
        """Open the file also on a read-only disk, such as a failing SD card that the kernel has remounted."""
        try:
            return self._open()
        except (OSError, sqlite3.OperationalError):
            if not self.path.exists():
                raise
            return connect_read_only(self.path)

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # hashes of PINs: only for doord
        db = sqlite3.connect(self.path, timeout=5.0, isolation_level=None)
        try:
            for statement in _SETUP:
                db.execute(statement)
        except BaseException:
            db.close()
            raise
        return db


class Packing:
    """Compresses a document piece by piece."""

    def __init__(self, pieces: Iterable[str]) -> None:
        """`pieces` of its text."""
        self._pieces, self._packer, self._packed = iter(pieces), zlib.compressobj(), bytearray()
        self.packed = b""
        """The compressed document, once `pack` has returned False."""

    def pack(self) -> bool:
        """Compress some pieces. Returns whether there may be more."""
        some = "".join(islice(self._pieces, PIECES)).encode()
        self._packed += self._packer.compress(some)
        if not some:
            self.packed = bytes(self._packed + self._packer.flush())
        return bool(some)


def _origin(stored: StoredDirectory | StoredEdit) -> list[Any]:
    actor = stored.actor
    return [stored.source, json.dumps([actor.kind, actor.id, actor.name, actor.email]), stored.at_us]


def _edits(db: sqlite3.Connection) -> list[StoredEdit]:
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'edits'").fetchone() is None:
        return []  # a file of an earlier release, on a read-only disk
    rows = db.execute("SELECT version, changes, source, actor, at_us, audited FROM edits ORDER BY version")
    return [
        StoredEdit(version, tuple(json.loads(changes)), source, Actor(*json.loads(actor)), at_us, bool(audited))
        for version, changes, source, actor, at_us, audited in rows
    ]


def read_file(file: Path, most: int) -> bytes:
    """Read up to `most` bytes of a plain file, and one more if it is longer. Raises OSError for any other file."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):  # a pipe would wait for ever, a device never end
            raise OSError(errno.EINVAL, "it is no plain file", str(file))
        if reason := too_large(min(found.st_size, most)):
            raise OSError(errno.ENOMEM, reason, str(file))
        return stream.read(most + 1)


def digest_of(document: bytes) -> str:
    """Make a digest by which the same document is recognized later. Slow: 50 ms on a PC.

    An attacker may know the document but for its PINs in clear. A fast hash would let them try all PINs;
    so this digest costs as much as the hash of a PIN (`edge.directory.pins`).
    """
    return hashed(hashlib.sha256(document).hexdigest(), secrets.token_bytes(SALT_BYTES)).text


def is_digest_of(digest: str, document: bytes) -> bool:
    """Whether `digest_of` made this digest of this document. Slow as well."""
    try:
        kept = parse(digest)
    except ValueError:  # an empty digest: the document is not known
        return False
    return kept.is_of(kept.recipe.digest(hashlib.sha256(document).hexdigest()))


def _stored(row: tuple[Any, ...], edits: Iterable[StoredEdit]) -> StoredDirectory:
    _, version, document, digest, source, actor, at_us, previous, audited = row
    return StoredDirectory(
        version,
        zlib.decompress(document),
        digest,
        source,
        Actor(*json.loads(actor)),
        at_us,
        None if previous is None else zlib.decompress(previous),
        bool(audited),
        tuple(one for one in edits if one.version > version),
        tuple(one for one in edits if one.version < version),
    )
