"""Reading a log: in order for a sink, filtered for people; live, dead or copied.

One rule: every page is a transaction of its own and at most `MAX_PAGE` records, so a reader
never holds the writer's WAL back and never grows with the log.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from edge import log_schema
from edge.catalogue import CATALOGUE
from edge.log_times import Timeline, load_timeline
from edge.messages import Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_PAGE: Final = 500
_END: Final = 2**62


@dataclass(frozen=True, slots=True)
class Query:
    """Which records; everything given must hold. Times are microseconds since 1970 UTC."""

    since_us: int | None = None
    until_us: int | None = None
    """Records before this time."""
    doors: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    event_class: str | None = None
    actors: tuple[str, ...] = ()
    """An actor's id, name or e-mail."""
    after: int = 0
    """Records with a higher sequence number."""
    before: int | None = None
    """Records with a lower sequence number."""
    limit: int = MAX_PAGE
    newest: bool = False
    """From the newest backwards instead of from the oldest on."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some records. `next` is the `after` (or `before`, when newest first) of the next page; None at the end."""

    records: list[Record]
    next: int | None


@dataclass(frozen=True, slots=True)
class _Boot:
    boot: str
    first: int
    last: int


class LogReader:
    """A read-only look into a log file. For one thread; close it."""

    def __init__(self, path: Path, *, live: bool = False) -> None:
        """Open; `live` in the process that writes it. Raises sqlite3.Error when there is no log to read."""
        self._db = log_schema.connect_read_only(path, live=live)
        self._utils = log_schema.wrap(self._db)
        self._clock_rows = -1
        self._timeline = Timeline()
        try:
            (self.epoch,) = self._db.execute("SELECT epoch FROM log").fetchone()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    @property
    def db(self) -> sqlite3.Connection:
        """The read-only connection."""
        return self._db

    def timeline(self) -> Timeline:
        """What is known of the time now."""
        (rows,) = self._db.execute("SELECT ifnull(max(id), 0) FROM clock").fetchone()
        if rows != self._clock_rows:
            self._timeline, _ = load_timeline(self._db, log_schema.genesis(self.epoch))
            self._clock_rows = rows
        return self._timeline

    def cursors(self) -> dict[str, int]:
        """Sink -> highest acknowledged sequence."""
        return {row["sink"]: row["seq"] for row in self._utils.query("SELECT sink, seq FROM cursor")}

    def modes(self) -> dict[str, str]:
        """Door -> the state it takes up after a restart."""
        return {row["door"]: row["state"] for row in self._utils.query("SELECT door, state FROM mode")}

    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest sequence stored; 0 and 0 when there is none."""
        lowest = self._db.execute("SELECT ifnull(min(seq), 0) FROM record").fetchone()
        highest = self._db.execute("SELECT ifnull(max(seq), 0) FROM record").fetchone()
        return int(lowest[0]), int(highest[0])

    # --- in order ---

    def after(self, sequence: int, limit: int) -> list[Record]:
        """Records above `sequence`, in order, at most `limit`."""
        query = log_schema.SELECT_RECORD + " WHERE r.seq >= ? ORDER BY r.seq LIMIT ?"
        with self._snapshot():
            rows = self._db.execute(query, [sequence, limit + 1]).fetchall()
            first = 1 if rows and rows[0][0] == sequence else 0
            return self._records(rows[first : first + limit], rows[0] if first else None)

    # --- filtered ---

    def page(self, query: Query) -> Page:
        """One page of what the query asks for, at most `MAX_PAGE` and `query.limit` records."""
        limit = max(1, min(query.limit, MAX_PAGE))
        rows: list[Sequence[Any]] = []
        with self._snapshot():
            where, values = _filters(query)
            for boot, ranges in self._boots(query):
                sql = (
                    f"{log_schema.SELECT_RECORD} WHERE r.seq > ? AND r.seq < ?{where}{_in_ranges(ranges)}"
                    f" ORDER BY r.seq {'DESC' if query.newest else 'ASC'} LIMIT ?"
                )
                span = [max(query.after, boot.first - 1), min(query.before or _END, boot.last + 1)]
                bounds = [bound for pair in ranges for bound in pair]
                rows += self._db.execute(sql, [*span, *values, *bounds, limit + 1 - len(rows)]).fetchall()
                if len(rows) > limit:
                    break
            records = self._records(rows[:limit], None)
        return Page(records, records[-1].sequence if len(rows) > limit else None)

    def records(self, query: Query) -> Iterator[Record]:
        """Everything the query asks for, up to `query.limit`, page by page."""
        left = query.limit
        while left > 0:
            page = self.page(replace(query, limit=min(left, MAX_PAGE)))
            yield from page.records
            left -= len(page.records)
            if page.next is None:
                return
            query = replace(query, before=page.next) if query.newest else replace(query, after=page.next)

    def _boots(self, query: Query) -> Iterator[tuple[_Boot, list[tuple[int, int]]]]:
        """The boots in which records may lie, in the query's order, with the boot-clock ranges to look in."""
        rows = self._db.execute("SELECT boot, first_seq FROM boot ORDER BY id").fetchall()
        ends = [row[1] - 1 for row in rows[1:]] + [_END]
        boots = [_Boot(row[0], row[1], last) for row, last in zip(rows, ends, strict=True)]
        timeline = self.timeline()
        for boot in reversed(boots) if query.newest else boots:
            if boot.last <= query.after or (query.before is not None and boot.first >= query.before):
                continue
            if query.since_us is None and query.until_us is None:
                yield boot, []
            elif ranges := timeline.ranges(boot.boot, query.since_us, query.until_us):
                start = self._first_recorded(boot, ranges[0][0])
                yield replace(boot, first=start), ranges

    def _first_recorded(self, boot: _Boot, at_ns: int) -> int:
        """The first record of the boot that was written at `at_ns` or later, by halving.

        A record is never written before it happened and `recorded_ns` grows with the sequence,
        so nothing before it can have happened at `at_ns` or later.
        """
        low = boot.first
        (high,) = self._db.execute("SELECT ifnull(max(seq), 0) + 1 FROM record WHERE seq <= ?", [boot.last]).fetchone()
        while low < high:
            middle = (low + high) // 2
            row = self._db.execute(
                "SELECT seq, recorded_ns FROM record WHERE seq >= ? ORDER BY seq LIMIT 1", [middle]
            ).fetchone()
            if row is None or row[0] >= high or row[1] >= at_ns:
                high = middle
            else:
                low = row[0] + 1
        return low

    # --- rows to records ---

    def _records(self, rows: Sequence[Sequence[Any]], before: Sequence[Any] | None) -> list[Record]:
        timeline, found = self.timeline(), []
        last = before
        for row in rows:
            prev = last[-1] if last is not None and last[0] == row[0] - 1 else self._hash_before(row[0])
            time_us, quality = timeline.time(row[1], row[2])
            recorded_us, _ = timeline.time(row[1], row[3])
            event = log_schema.event_of(row)
            found.append(
                Record(row[0], event, row[1], row[3], prev.hex(), row[-1].hex(), time_us, recorded_us, quality)
            )
            last = row
        return found

    def _hash_before(self, sequence: int) -> bytes:
        """The hash that the record of this sequence follows."""
        if sequence == 1:
            return log_schema.genesis(self.epoch)
        row = self._db.execute("SELECT hash FROM record WHERE seq = ?", [sequence - 1]).fetchone()
        row = row or self._db.execute("SELECT hash FROM hole WHERE last = ?", [sequence - 1]).fetchone()
        return bytes(row[0]) if row else b""

    def _snapshot(self) -> closing[_Snapshot]:
        return closing(_Snapshot(self._db))


class _Snapshot:
    """A read transaction: rows and what belongs to them are of one moment."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("BEGIN")

    def close(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _filters(query: Query) -> tuple[str, list[str]]:
    where, values = "", []
    types = set(query.types) if query.types else None
    if query.event_class is not None:
        of_class = {row.type for row in CATALOGUE.values() if row.event_class == query.event_class}
        types = of_class if types is None else types & of_class
    for column, wanted in (("door", query.doors or None), ("type", types)):
        if wanted is not None:
            where += f" AND r.{column} IN ({', '.join('?' * len(wanted))})"
            values += sorted(wanted)
    if query.actors:
        marks = ", ".join("?" * len(query.actors))
        where += f" AND (r.actor_id IN ({marks}) OR r.actor_name IN ({marks}) OR r.actor_email IN ({marks}))"
        values += [*query.actors] * 3
    return where, values


def _in_ranges(ranges: Sequence[tuple[int, int]]) -> str:
    if not ranges:
        return ""
    return " AND (" + " OR ".join("r.at_ns >= ? AND r.at_ns < ?" for _ in ranges) + ")"
