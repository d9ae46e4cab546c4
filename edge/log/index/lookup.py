"""The index of a log: a file beside it that says where records may be, so that a search in a long log is quick.

One rule: the log is the truth. The index is made from it afterwards, in full segments that never change.
Records that it names are read from the log and compared again. Without an index, or behind its end, the
log itself is read. It may be deleted at any time.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SEGMENT: Final = 16_384
"""Sequence numbers of a segment; what comes after the last full one is read without an index."""
BLOCK: Final = 1_024
"""Records that share one Bloom filter of their texts."""
BLOOM_BITS: Final = 16_384
"""Bits of a block's Bloom filter: which three letters in a row and which correlations occur in the block."""
MOST_TERMS: Final = 500
"""A condition with more terms than this (a group of thousands) is not looked up in the index."""
VERSION: Final = 3
"""2: a block's bits include its correlations. 3: each segment has a checksum."""
APPLICATION_ID: Final = 0x446F6F49
"""`DooI`."""


def place(log: Path) -> Path:
    """The path of a log's index."""
    return log.with_name(log.name + ".index")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The conditions that the index can look up; all that are given must hold."""

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(kind, values): one of the values."""
    actors: tuple[str, ...] = ()
    """One of these ids, names or e-mail addresses."""
    people: tuple[str, ...] | None = None
    """One of these actors' ids ..."""
    groups: tuple[str, ...] = ()
    """... or one of these groups in the details."""
    text: str = ""
    """In lower case."""
    correlation: str = ""


@dataclass(slots=True)
class Plan:
    """The conditions as the index's own numbers; valid for one page."""

    full: int
    """The first segment that did not exist when the terms were looked up."""
    terms: list[list[int]] = field(default_factory=list)
    """One list for each condition: a record that meets it has one of these terms."""
    bits: list[int] = field(default_factory=list)
    """The bits that a block needs for the text and the correlation to occur in it."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Where in a segment records may be: in ranges, or at given sequence numbers."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    """First and last sequence number."""
    sequences: list[int] | None = None
    """The numbers themselves, where they are few."""


class LogIndex:
    """The index of one log, read-only. For one thread; close it. Every method raises sqlite3.Error."""

    def __init__(self, log: Path, epoch: str) -> None:
        """Open the index beside a log. Raises sqlite3.Error or OSError when there is none that belongs to it."""
        path = place(log)
        self.inode = path.stat().st_ino
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            self._db.execute("PRAGMA busy_timeout=1000")
            known = belongs(self._db, epoch)
        except BaseException:
            self._db.close()
            raise
        if not known:
            self._db.close()
            raise sqlite3.DatabaseError(f"{path} belongs to another log")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def plan(self, wanted: Wanted) -> Plan:
        """Look up the terms of the conditions, once for all segments."""
        plan = Plan(full_of(self._db), bits=bloom_bits(wanted.text) + correlation_bits(wanted.correlation))
        marked = "value IN (SELECT value FROM json_each(?))"
        for kind, values in wanted.values:
            plan.terms.append(self._terms(f"kind = ? AND {marked}", kind, json.dumps(values)))
        if wanted.actors:
            among = json.dumps(wanted.actors)
            where = f"kind = ? AND ({marked} OR {marked.replace('value', 'name', 1)}"
            where += f" OR {marked.replace('value', 'email', 1)})"
            plan.terms.append(self._terms(where, "actor", among, among, among))
        if wanted.people is not None:
            where = f"(kind = ? AND {marked}) OR (kind = ? AND {marked})"
            people, groups = json.dumps(wanted.people), json.dumps(wanted.groups)
            plan.terms.append(self._terms(where, "actor", people, "group", groups))
        plan.terms = [terms for terms in plan.terms if len(terms) <= MOST_TERMS]
        return plan

    def _terms(self, where: str, *values: str) -> list[int]:
        sql = f"SELECT id FROM term WHERE {where} LIMIT {MOST_TERMS + 1}"  # noqa: S608 -- our own words
        return [row[0] for row in self._db.execute(sql, values)]

    def last(self, number: int) -> tuple[int, bytes] | None:
        """The last record in a segment, and its hash; None for a segment that does not exist."""
        row = self._db.execute("SELECT last, hash FROM segment WHERE number = ?", [number]).fetchone()
        return None if row is None else (row[0], row[1])

    def happened(self, number: int, boot: str) -> tuple[int, int]:
        """The earliest and latest boot-clock time, in nanoseconds, of a boot's records in a segment; (0, -1): none."""
        sql = "SELECT first_ns, last_ns FROM span WHERE segment = ? AND boot = ?"
        row = self._db.execute(sql, [number, boot]).fetchone()
        return (0, -1) if row is None else (row[0], row[1])

    def look(self, number: int, plan: Plan) -> Candidates:
        """Where in a segment matching records may be."""
        start = number * SEGMENT
        matching: set[int] | None = None
        for terms in plan.terms:
            sql = "SELECT offsets FROM posting WHERE segment = ? AND term IN (SELECT value FROM json_each(?))"
            lists = self._db.execute(sql, [number, json.dumps(terms)]).fetchall()
            if any(row[0] is None for row in lists):
                continue
            offsets = {offset for row in lists for offset in array("H", row[0])}
            matching = offsets if matching is None else matching & offsets
            if not matching:
                return Candidates()
        blocks = self._blocks(number, plan.bits)
        if matching is not None:
            return Candidates(sequences=sorted(start + offset for offset in matching if offset // BLOCK in blocks))
        if len(blocks) == SEGMENT // BLOCK:
            return Candidates([(start, start + SEGMENT - 1)])
        return Candidates([(start + block * BLOCK, start + (block + 1) * BLOCK - 1) for block in sorted(blocks)])

    def _blocks(self, number: int, bits: Sequence[int]) -> set[int]:
        every = range(SEGMENT // BLOCK)
        if not bits:
            return set(every)
        first = number * len(every)
        rows = self._db.execute(
            "SELECT number, bits FROM block WHERE number >= ? AND number < ?", [first, first + len(every)]
        )
        return {row[0] - first for row in rows if all(row[1][bit >> 3] >> (bit & 7) & 1 for bit in bits)}


def bloom_bits(text: str) -> list[int]:
    """The bits of every three letters in a row; [] for a shorter text."""
    return [bit_of(text[at : at + 3]) for at in range(len(text) - 2)]


def bit_of(three: str) -> int:
    """The bit of three letters; the same on every computer and in every run."""
    a, b, c = map(ord, three)
    return ((a * 1_000_003 + b) * 1_000_003 + c) * 2_654_435_761 % 2**32 * BLOOM_BITS >> 32


def correlation_bits(correlation: str) -> list[int]:
    """The three bits of a correlation, [] for none: few, to leave room for the letters' bits."""
    digest = blake2b(correlation.encode(), digest_size=6).digest() if correlation else b""
    return [int.from_bytes(digest[at : at + 2]) % BLOOM_BITS for at in range(0, len(digest), 2)]


def belongs(db: sqlite3.Connection, epoch: str) -> bool:
    """Whether this is the index of the log of this epoch, in the present format."""
    version, application = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    if (version, application) != (VERSION, APPLICATION_ID):
        return False
    return db.execute("SELECT epoch FROM made_for").fetchall() == [(epoch,)]


def full_of(db: sqlite3.Connection) -> int:
    """The number of the first segment that does not exist yet."""
    return int(db.execute("SELECT ifnull(max(number) + 1, 0) FROM segment").fetchone()[0])
