"""Reading a log: in order for a sink, filtered for people; live, dead or copied.

One rule: every page is a transaction of its own, has at most `MAX_PAGE` records and looks at no more than
about `MOST_READ` to find them. So no reader keeps the WAL from being folded, memory does not grow with
the log, and an answer always comes soon.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from edge.log import connections, schema
from edge.log.epochs import load_epochs
from edge.log.index import lookup
from edge.log.index.lookup import SEGMENT, LogIndex, Wanted
from edge.log.reading import filters
from edge.log.reading.boots import END, Boot, boots
from edge.log.reading.filters import MAX_PAGE, Query
from edge.log.reading.pieces import Piece
from edge.log.reading.times import Timeline, load_timeline
from edge.model.records import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from edge.log.index.lookup import Plan

__all__ = ["MAX_PAGE", "LogReader", "Query", "QueryPage"]

MOST_READ: Final = 4 * SEGMENT
"""Records that a page looks at before it answers with what it has."""
_SEQUENCES: Final = "SELECT r.seq FROM record r"
_PLACES: Final = "SELECT r.seq, r.correlation FROM record r"
_NEAR: Final = (
    "SELECT r.seq, r.correlation FROM json_each(?) w CROSS JOIN record r WHERE r.seq >= json_extract(w.value, '$[0]')"
    " AND r.seq <= json_extract(w.value, '$[1]') AND r.correlation IN (SELECT value FROM json_each(?)) ORDER BY r.seq"
)
_AMONG_THESE: Final = "r.seq IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class QueryPage:
    """Some records. `next` is the `after` (or `before`, when newest first) of the next page; None at the end.

    A page may be short or even empty and not be the last: when few records match, the next page searches on.
    """

    records: list[Record]
    next: int | None
    skipped: int = 0
    """How many matching records were passed over, as `Query.skip` asked."""


class LogReader:
    """A read-only look into a log file. For one thread; close it."""

    def __init__(self, path: Path, *, live: bool = False) -> None:
        """Open; `live` in the process that writes the log. Raises sqlite3.Error when there is no log to read."""
        self._path = path
        self._db = connections.connect_read_only(path, live=live)
        self._db.create_function("says", -1, filters.says, deterministic=True)
        self._index: LogIndex | None = None
        self._clock_rows = -1
        self._timeline = Timeline()
        try:
            self.epochs = load_epochs(self._db)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._drop_index()
        self._db.close()

    @property
    def epoch(self) -> str:
        """The epoch of new records."""
        return self.epochs.now

    @property
    def db(self) -> sqlite3.Connection:
        """The read-only connection."""
        return self._db

    def timeline(self) -> Timeline:
        """The clock's offsets of all boots, as the file has them now."""
        (rows,) = self._db.execute("SELECT ifnull(max(id), 0) FROM clock").fetchone()
        if rows != self._clock_rows:
            self._timeline, _ = load_timeline(self._db, schema.genesis(self.epochs.origin))
            self._clock_rows = rows
        return self._timeline

    def cursors(self) -> dict[str, int]:
        """Sink -> highest acknowledged sequence."""
        return dict(self._db.execute("SELECT sink, seq FROM cursor").fetchall())

    def modes(self) -> dict[str, str]:
        """Door -> the mode that it takes up after a restart."""
        return dict(self._db.execute("SELECT door, state FROM mode").fetchall())

    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest sequence stored; 0 and 0 when there is none."""
        lowest = self._db.execute("SELECT ifnull(min(seq), 0) FROM record").fetchone()
        highest = self._db.execute("SELECT ifnull(max(seq), 0) FROM record").fetchone()
        return int(lowest[0]), int(highest[0])

    # --- in order ---

    def after(self, sequence: int, limit: int) -> list[Record]:
        """Records above `sequence`, in order, at most `limit`."""
        query = schema.SELECT_RECORD + " WHERE r.seq >= ? ORDER BY r.seq LIMIT ?"
        with connections.snapshot(self._db):
            rows = self._db.execute(query, [sequence, limit + 1]).fetchall()
            first = 1 if rows and rows[0][0] == sequence else 0
            return self._records(rows[first : first + limit], rows[0] if first else None)

    def these(self, sequences: Sequence[int]) -> list[Record]:
        """The records with these sequence numbers, in order; those that are gone are left out."""
        query = f"{schema.SELECT_RECORD} WHERE {_AMONG_THESE} ORDER BY r.seq"
        with connections.snapshot(self._db):
            return self._records(self._db.execute(query, [str([*sequences])]).fetchall(), None)

    def sharing(self, correlations: Collection[str], ranges: Sequence[tuple[int, int]]) -> list[tuple[int, str]]:
        """Sequence number and correlation of the records within these ranges that have one of the correlations.

        In order. The ranges (first and last sequence number) do not overlap.
        """
        return self._db.execute(_NEAR, [json.dumps(ranges), json.dumps([*correlations])]).fetchall()

    # --- filtered ---

    def page(self, query: Query) -> QueryPage:
        """One page of what the query asks for, at most `MAX_PAGE` and `query.limit` records."""
        with connections.snapshot(self._db):
            rows, following, skipped = self._search(query, schema.SELECT_RECORD)
            return QueryPage(self._records(rows, None), following, skipped)

    def places(self, query: Query) -> tuple[list[tuple[int, str]], int | None]:
        """As `page`, but of each record only its sequence number and its correlation; and `next`."""
        with connections.snapshot(self._db):
            rows, following, _ = self._search(query, _PLACES)
            return [(row[0], row[1]) for row in rows], following

    def _search(self, query: Query, select: str) -> tuple[list[Sequence[Any]], int | None, int]:
        """The rows of one page, `next` and how many were skipped, within a transaction."""
        wanted = filters.wanted(query)
        if wanted != Wanted() or query.since_us is not None or query.until_us is not None:
            try:
                return self._rows(query, self._open_index().plan(wanted), select)
            except (sqlite3.Error, OSError, ValueError, TypeError, IndexError):
                # no index, or a damaged one: search the log itself
                self._drop_index()
        return self._rows(query, None, select)

    def _rows(self, query: Query, plan: Plan | None, select: str) -> tuple[list[Sequence[Any]], int | None, int]:
        limit = max(1, min(query.limit, MAX_PAGE))
        rows: list[Sequence[Any]] = []
        following, read, skip = None, 0, query.skip
        where, values = filters.conditions(query)
        for piece in self._pieces(query, plan):
            if read >= MOST_READ:
                following = piece.last + 1 if query.newest else piece.first - 1
                break
            read += piece.size
            rest, passed = self._pass_over(piece, where, values, skip, newest=query.newest)
            skip -= passed
            if rest is not None:
                rows += self._find(rest, where, values, limit + 1 - len(rows), newest=query.newest, select=select)
            if len(rows) > limit:
                following = int(rows[limit - 1][0])
                break
        return rows[:limit], following, query.skip - skip

    def _pass_over(
        self, piece: Piece, where: str, values: list[str], skip: int, *, newest: bool
    ) -> tuple[Piece | None, int]:
        """The rest of a piece behind its first `skip` matching records, and how many those were."""
        if skip == 0:
            return piece, 0
        passed = self._find(piece, where, values, skip, newest=newest, select=_SEQUENCES)
        return (piece.beyond(passed[-1][0], newest=newest) if len(passed) == skip else None), len(passed)

    def _find(  # noqa: PLR0913 -- one statement and all that is in it
        self,
        piece: Piece,
        where: str,
        values: list[str],
        limit: int,
        *,
        newest: bool,
        select: str,
    ) -> list[Sequence[Any]]:
        """The matching rows of a piece."""
        among, chosen = "", []
        if piece.sequences is not None:
            among, chosen = f" AND {_AMONG_THESE}", [str(piece.sequences)]
        within, bounds = filters.in_ranges(piece.ranges)
        sql = (
            f"{select} WHERE r.seq >= ? AND r.seq <= ?{among}{where}{within}"
            f" ORDER BY r.seq {'DESC' if newest else 'ASC'} LIMIT ?"
        )
        return self._db.execute(sql, [piece.first, piece.last, *chosen, *values, *bounds, limit]).fetchall()

    def _pieces(self, query: Query, plan: Plan | None) -> Iterator[Piece]:
        """What has to be looked at, in the query's order."""
        oldest, newest = self.bounds()
        for boot, ranges in boots(self._db, self.timeline(), query):
            first = max(query.after + 1, boot.first, oldest)
            last = min((query.before or END) - 1, boot.last, newest)
            size = MOST_READ if plan is None else SEGMENT
            parts = range(first // size, last // size + 1)
            for number in reversed(parts) if query.newest else parts:
                low, high = max(first, number * size), min(last, (number + 1) * size - 1)
                if low > high:
                    continue
                if plan is None or number >= plan.full:
                    yield Piece(low, high, ranges)
                else:
                    looks = self._looks(number, boot, Piece(low, high, ranges), plan, newest)
                    yield from reversed(looks) if query.newest else looks

    def _looks(self, number: int, boot: Boot, piece: Piece, plan: Plan, newest: int) -> list[Piece]:
        """What the index leaves of a piece, in order."""
        assert self._index is not None, "there is a plan"  # noqa: S101 -- our own mistake
        made_of = self._index.last(number)
        if made_of is None or made_of[0] > newest:  # made of records that are gone: an older copy was restored
            return [piece]
        row = self._db.execute("SELECT hash FROM record WHERE seq = ?", [made_of[0]]).fetchone()
        if row is not None and row[0] != made_of[1]:  # made of other records: the log went on after a restore
            return [piece]
        if piece.ranges:
            first_ns, last_ns = self._index.happened(number, boot.boot)
            if not any(start <= last_ns and first_ns < end for start, end in piece.ranges):
                return []
        return piece.within(self._index.look(number, plan))

    def _open_index(self) -> LogIndex:
        """The index as it is now: it may be made, or made anew, while we read."""
        inode = lookup.place(self._path).stat().st_ino
        if self._index is not None and self._index.inode != inode:
            self._drop_index()
        self._index = self._index or LogIndex(self._path, self.epochs.now)
        return self._index

    def _drop_index(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def records(self, query: Query) -> Iterator[Record]:
        """All records that the query finds, up to `query.limit`, page by page."""
        left = query.limit
        while left > 0:
            page = self.page(replace(query, limit=min(left, MAX_PAGE)))
            yield from page.records
            left -= len(page.records)
            if page.next is None:
                return
            query = replace(query, skip=query.skip - page.skipped)
            query = replace(query, before=page.next) if query.newest else replace(query, after=page.next)

    # --- rows to records ---

    def _records(self, rows: Sequence[Sequence[Any]], before: Sequence[Any] | None) -> list[Record]:
        timeline, records = self.timeline(), []
        last = before
        for row in rows:
            prev = last[-1] if last is not None and last[0] == row[0] - 1 else self._hash_before(row[0])
            time_us, quality = timeline.time(row[1], row[2])
            recorded_us, _ = timeline.time(row[1], row[3])
            event = schema.event_of(row)
            records.append(
                Record(
                    row[0],
                    event,
                    row[1],
                    row[3],
                    prev.hex(),
                    row[-1].hex(),
                    time_us,
                    recorded_us,
                    quality,
                    self.epochs.of(row[0]),
                )
            )
            last = row
        return records

    def _hash_before(self, sequence: int) -> bytes:
        """The hash that the record of this sequence number is chained to; empty when it is lost."""
        if sequence == 1:
            return schema.genesis(self.epochs.origin)
        row = self._db.execute("SELECT hash FROM record WHERE seq = ?", [sequence - 1]).fetchone()
        row = row or self._db.execute("SELECT hash FROM hole WHERE last = ?", [sequence - 1]).fetchone()
        return bytes(row[0]) if row else b""
