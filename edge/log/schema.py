"""The format of a log file: its tables and its hash chain.

One rule: a row of `record` is written once. Everything else in the file is small, and is either
appended (boots, offsets) or the latest of its kind (cursors, modes, answers, holes).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from json.encoder import encode_basestring as _quote
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from edge.model.records import NOTHING, Actor, Event, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlite_utils import Database

_STORABLE: Final = frozenset({int, str, type(None)})
APPLICATION_ID: Final = 0x446F6F72
"""`Door`: lets file(1) and people tell a log from any other database."""
PAGE_BYTES: Final = 2_048
"""Half the usual page: a commit of one record writes that much less (docs/log.md has the figures)."""
SETUP: Final = (
    f"PRAGMA page_size={PAGE_BYTES}",
    "PRAGMA auto_vacuum=INCREMENTAL",  # these two hold only before the first table
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on the medium, not only in order
    "PRAGMA wal_autocheckpoint=500",
    "PRAGMA journal_size_limit=4194304",
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA secure_delete=OFF",  # Debian compiles it on, which doubles what a removal writes
    "PRAGMA temp_store=MEMORY",
)
FIELDS: Final = (
    "seq",
    "boot",
    "at_ns",
    "recorded_ns",
    "type",
    "door",
    "object_type",
    "object_id",
    "object_name",
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_email",
    "cause",
    "success",
    "code",
    "correlation",
    "details",
)
"""The columns of `record` that the hash covers, in the order of the row; `boot` stands for the boot's id."""
INSERT_RECORD: Final = f"INSERT INTO record VALUES ({', '.join('?' * (len(FIELDS) + 1))})"  # noqa: S608 -- only ?s
SELECT_RECORD: Final = (
    "SELECT r.seq, b.boot, r.at_ns, r.recorded_ns, r.type, r.door, r.object_type, r.object_id, r.object_name,"
    " r.actor_kind, r.actor_id, r.actor_name, r.actor_email, r.cause, r.success, r.code, r.correlation, r.details,"
    " r.hash FROM record r JOIN boot b ON b.id = r.boot"
)

_TABLES: Final = (
    "CREATE TABLE log(epoch TEXT NOT NULL, forgotten_us INTEGER NOT NULL) STRICT",
    "CREATE TABLE boot(id INTEGER PRIMARY KEY, boot TEXT NOT NULL, first_seq INTEGER NOT NULL) STRICT",
    """CREATE TABLE clock(id INTEGER PRIMARY KEY, boot INTEGER NOT NULL REFERENCES boot(id), at_ns INTEGER NOT NULL,
       offset_us INTEGER NOT NULL, quality TEXT NOT NULL, hash BLOB NOT NULL) STRICT""",
    """CREATE TABLE record(seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL REFERENCES boot(id),
       at_ns INTEGER NOT NULL, recorded_ns INTEGER NOT NULL, type TEXT NOT NULL, door TEXT,
       object_type TEXT NOT NULL, object_id TEXT NOT NULL, object_name TEXT NOT NULL,
       actor_kind TEXT, actor_id TEXT, actor_name TEXT, actor_email TEXT, cause TEXT,
       success INTEGER NOT NULL, code TEXT, correlation TEXT NOT NULL, details TEXT NOT NULL,
       hash BLOB NOT NULL) STRICT""",
    "CREATE TABLE hole(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, hash BLOB NOT NULL) STRICT",
    "CREATE TABLE cursor(sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE mode(door TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE command(id TEXT PRIMARY KEY, token BLOB NOT NULL, expires_us INTEGER,
       reply BLOB) STRICT, WITHOUT ROWID""",
)
_SECOND: Final = (
    "CREATE TABLE former(last INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT",
    # a table of its own: an earlier release knows only the columns of `command` that it made
    "CREATE TABLE came(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    "INSERT INTO came(id) SELECT id FROM command ORDER BY expires_us",
)


def migrate(database: Database) -> None:
    """Bring a new or older file to today's tables; each step is one transaction."""
    from sqlite_utils import Migrations  # noqa: PLC0415 -- 70 ms that doors need not wait for

    migrations = Migrations("doorward.log")

    @migrations()
    def tables(db: Database) -> None:
        for table in _TABLES:
            db.execute(table)
        db.execute("INSERT INTO log VALUES (?, 0)", [secrets.token_hex(5)])
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")

    @migrations()
    def epochs_and_bounds(db: Database) -> None:
        for statement in _SECOND:
            db.execute(statement)

    migrations.apply(database)


# --- the chain -----------------------------------------------------------------------------------

_canonical: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode

_linked: Final = sorted([*FIELDS, "prev"])
_LINK: Final = "{" + ",".join(f'"{name}":%s' for name in _linked) + "}"
_sorted: Final = itemgetter(*([*FIELDS, "prev"].index(name) for name in _linked))


def genesis(epoch: str) -> bytes:
    """The hash before the first record: it ties the chain to this file."""
    return hashlib.sha256(b"doorward " + epoch.encode()).digest()


def link_record(row: Sequence[Any], prev: bytes) -> bytes:
    """The hash of a record: SHA-256 over the canonical JSON of its `FIELDS` (the boot's id as text) and `prev`.

    UnicodeEncodeError for text that UTF-8 cannot hold (lone surrogates). The JSON is built by hand because
    it is half of a record's cost; a test shows that it equals `json.dumps` with sorted keys and no spaces.
    """
    values = ["null" if value is None else _quote(value) if type(value) is str else str(value) for value in row]
    values.append(f'"{prev.hex()}"')
    return hashlib.sha256((_LINK % _sorted(values)).encode()).digest()


def link_clock(boot: str | None, at_ns: int, offset_us: int, quality: str, prev: bytes) -> bytes:
    """The hash of a clock note; clock notes have a chain of their own."""
    fields = {"boot": boot, "at_ns": at_ns, "offset_us": offset_us, "quality": str(quality), "prev": prev.hex()}
    return hashlib.sha256(_canonical(fields).encode()).digest()


# --- rows and events --------------------------------------------------------------------------------


def chained(event: Event, sequence: int, boot: str, recorded_ns: int, prev: bytes) -> tuple[tuple[Any, ...], bytes]:
    """An event as `FIELDS` and their hash. Never raises: values of a wrong type or without a UTF-8 form are escaped."""
    row = row_of(event, sequence, boot, recorded_ns)
    try:
        if _STORABLE.issuperset(map(type, row)):
            return row, link_record(row, prev)
    except UnicodeEncodeError:  # a lone surrogate, from a card holder's name
        pass
    row = tuple(value if value is None or type(value) is int else storable(str(value)) for value in row)
    return row, link_record(row, prev)


def storable(text: str) -> str:
    """Text that SQLite can store: lone surrogates are escaped with a backslash."""
    return text.encode(errors="backslashreplace").decode()


def row_of(event: Event, sequence: int, boot: str, recorded_ns: int) -> tuple[Any, ...]:
    """`FIELDS` of an event, `boot` as the boot's id."""
    actor, subject = event.actor, event.object
    return (
        sequence,
        boot,
        event.at_ns,
        recorded_ns,
        event.type,
        event.door,
        subject.type,
        subject.id,
        subject.name,
        *((None, None, None, None) if actor is None else (actor.kind, actor.id, actor.name, actor.email)),
        event.cause,
        int(event.success),
        event.code,
        event.correlation,
        details_text(event.details) if event.details else "{}",
    )


def details_text(details: Mapping[str, Any]) -> str:
    """Details as canonical JSON; what JSON cannot hold (NaN, a cycle) is kept as its `repr`."""
    try:
        return _canonical(dict(details))
    except (TypeError, ValueError, RecursionError):
        return _canonical({"unreadable": repr(details)[:1_000]})


def event_of(row: Sequence[Any]) -> Event:
    """The event in a row of `SELECT_RECORD`; details that are no JSON object are passed on as text."""
    return Event(
        row[4],
        row[2],
        Subject(row[6], row[7], row[8]),
        None if row[9] is None else Actor(row[9], row[10], row[11], row[12]),
        row[13],
        bool(row[14]),
        row[15],
        row[16],
        row[5],
        NOTHING if row[17] == "{}" else _details(row[17]),
    )


def _details(text: str) -> Mapping[str, Any]:
    try:
        details = json.loads(text)
    except ValueError:
        details = None
    return details if isinstance(details, dict) else {"unreadable": text}
