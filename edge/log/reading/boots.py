"""In which boots of the computer, and where in each, the records of a time were written.

One rule: calendar times become ranges of the boot clock here, because a record has only the boot clock (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from edge.log.reading.filters import Query
    from edge.log.reading.times import Timeline

END: Final = 2**62
"""Beyond every sequence number."""


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot, and the first and last sequence number in it to look at."""

    boot: str
    first: int
    last: int


def boots(db: sqlite3.Connection, timeline: Timeline, query: Query) -> Iterator[tuple[Boot, list[tuple[int, int]]]]:
    """The boots in which records may lie, in the query's order, with the boot-clock ranges to look in; []: all."""
    rows = db.execute("SELECT boot, first_seq FROM boot ORDER BY id").fetchall()
    ends = [*(row[1] - 1 for row in rows[1:]), *([END] if rows else [])]  # no boot in an empty log
    every = [Boot(row[0], row[1], last) for row, last in zip(rows, ends, strict=True)]
    for boot in reversed(every) if query.newest else every:
        if boot.last <= query.after or (query.before is not None and boot.first >= query.before):
            continue
        if query.since_us is None and query.until_us is None:
            yield boot, []
        elif ranges := timeline.ranges(boot.boot, query.since_us, query.until_us):
            yield replace(boot, first=_first_recorded(db, boot, ranges[0][0])), ranges


def _first_recorded(db: sqlite3.Connection, boot: Boot, at_ns: int) -> int:
    """The first record of the boot that was written at `at_ns` or later, by bisection.

    No event is written before it happened, and `recorded_ns` grows with the sequence number.
    So no earlier record can have happened at `at_ns` or later.
    """
    low = boot.first
    (high,) = db.execute("SELECT ifnull(max(seq), 0) + 1 FROM record WHERE seq <= ?", [boot.last]).fetchone()
    while low < high:
        middle = (low + high) // 2
        row = db.execute("SELECT seq, recorded_ns FROM record WHERE seq >= ? ORDER BY seq LIMIT 1", [middle]).fetchone()
        if row is None or row[0] >= high or row[1] >= at_ns:
            high = middle
        else:
            low = row[0] + 1
    return low
