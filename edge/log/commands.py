"""The ids of the commands that have arrived, and the answers that they were given.

One rule: both have bounds of their own, so no record is removed for them. Above a bound the oldest
are dropped.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from edge.model.ports import Admission

if TYPE_CHECKING:
    import sqlite3

    from edge.log.buffer import AdmitCommand, SettleCommand

TOKEN_BYTES: Final = 8
"""The first bytes of a command's `token` name the attempt; the rest is the digest of its content."""
MOST_IDS: Final = 50_000
MOST_ANSWERS: Final = 1_000
MOST_ANSWER_BYTES: Final = 4 * 2**20
"""Of all answers together; a single answer may take a quarter of it."""
SLICE: Final = 500
"""Rows that one transaction drops."""
_ID_BYTES: Final = 400
"""The most that an id takes of the file, in two tables and an index."""
_ANSWER_BYTES: Final = 4_096
"""The most that an answer takes above its own length: the unused rest of two pages."""


class CommandTables:
    """The tables `command` and `came` of an open log. For the writer's thread, inside its transactions.

    What it keeps in memory is valid from `load` on. Call `load` again after a failed transaction.
    """

    def __init__(self) -> None:
        """Empty until `load`."""
        self._ids = 0
        self._answers: deque[tuple[str, int]] = deque()
        """Ids with an answer and its length, the oldest first."""
        self._answer_bytes = 0

    def load(self, db: sqlite3.Connection) -> None:
        """Count the ids and answers in the file."""
        (self._ids,) = db.execute("SELECT count(*) FROM command").fetchone()
        rows = db.execute(
            "SELECT c.id, length(c.reply) FROM command c LEFT JOIN came ON came.id = c.id"
            " WHERE c.reply IS NOT NULL ORDER BY came.number"
        )
        self._answers = deque(rows)
        self._answer_bytes = sum(length for _, length in self._answers)

    @property
    def bytes(self) -> int:
        """The most that ids and answers together take of the file."""
        return self._ids * _ID_BYTES + len(self._answers) * _ANSWER_BYTES + self._answer_bytes

    @property
    def has_too_much(self) -> bool:
        """Whether `trim` has something to do."""
        return self._ids > MOST_IDS or self._has_too_many_answers

    @property
    def _has_too_many_answers(self) -> bool:
        return len(self._answers) > MOST_ANSWERS or self._answer_bytes > MOST_ANSWER_BYTES

    def admit(self, db: sqlite3.Connection, entry: AdmitCommand) -> Admission:
        """Store an id. It is not first when it is known, or when ids with its expiry may have been forgotten."""
        row = db.execute("SELECT token, reply FROM command WHERE id = ?", [entry.command_id]).fetchone()
        if row is not None:
            attempt, content = row[0][:TOKEN_BYTES], row[0][TOKEN_BYTES:]  # releases before 0.2 kept no content
            same = not content or content == entry.content
            return Admission(first=attempt == entry.attempt, reply=row[1] if same else None, same=same)
        if entry.only_look:
            return Admission(first=False, known=False)
        (forgotten_us,) = db.execute("SELECT forgotten_us FROM log").fetchone()
        if entry.expires_us is not None and entry.expires_us <= forgotten_us:
            return Admission(first=False)
        token = entry.attempt + entry.content
        db.execute("INSERT INTO command VALUES (?, ?, ?, NULL)", [entry.command_id, token, entry.expires_us])
        db.execute("INSERT OR REPLACE INTO came(id) VALUES (?)", [entry.command_id])
        self._ids += 1
        self.trim(db)
        return Admission(first=True)

    def settle(self, db: sqlite3.Connection, entry: SettleCommand) -> None:
        """Keep an answer; one that is too large for its share is not kept."""
        if len(entry.reply) > MOST_ANSWER_BYTES // 4:
            return
        db.execute("UPDATE command SET reply = ? WHERE id = ?", [entry.reply, entry.command_id])
        self._answers.append((entry.command_id, len(entry.reply)))
        self._answer_bytes += len(entry.reply)
        self.trim(db)

    def trim(self, db: sqlite3.Connection) -> bool:
        """Drop about `SLICE` of what is above a bound, the oldest first; True when more may have to go."""
        dropped = 0
        while dropped < SLICE and self._has_too_many_answers:
            command_id, length = self._answers.popleft()
            self._answer_bytes -= length
            db.execute("UPDATE command SET reply = NULL WHERE id = ?", [command_id])
            dropped += 1
        if self._ids > MOST_IDS:
            many = min(self._ids - MOST_IDS, SLICE)
            oldest = db.execute("SELECT id FROM came ORDER BY number LIMIT ?", [many]).fetchall()
            dropped += self._delete(db, [row[0] for row in oldest])
        return dropped > 0 and self.has_too_much

    def expired(self, db: sqlite3.Connection, before_us: int) -> list[tuple[str, int]]:
        """Up to `SLICE` ids that expired before this time, each with its expiry, the oldest first."""
        query = "SELECT id, expires_us FROM command WHERE expires_us < ? ORDER BY expires_us LIMIT ?"
        return db.execute(query, [before_us, SLICE]).fetchall()

    def forget(self, db: sqlite3.Connection, gone: list[tuple[str, int]]) -> None:
        """Forget these ids, and keep the latest expiry among them: a command that expires no later is never first."""
        self._delete(db, [row[0] for row in gone])
        db.execute("UPDATE log SET forgotten_us = max(forgotten_us, ?)", [gone[-1][1]])

    def _delete(self, db: sqlite3.Connection, ids: list[str]) -> int:
        gone = set(ids)
        db.executemany("DELETE FROM came WHERE id = ?", [(command_id,) for command_id in ids])
        self._ids -= db.executemany("DELETE FROM command WHERE id = ?", [(command_id,) for command_id in ids]).rowcount
        self._answers = deque(answer for answer in self._answers if answer[0] not in gone)
        self._answer_bytes = sum(length for _, length in self._answers)
        return len(ids)
