"""Passages: the records that share a correlation, found in pages, however a search restricts them.

A page looks at sequence numbers and correlations only, a batch at once; it reads the records that it shows in one go.
One rule: what belongs together depends on the log alone, never on where a page begins. So going through the pages
shows each passage once and whole. A passage stands where its first record does that the search finds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from edge.log.reading.filters import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log.reading.query import LogReader, Query
    from edge.model.records import Record

    Sharing = Callable[[str, int, int], Sequence[int]]
    """Correlation, first and last sequence number -> the sequence numbers among these that have it, in order."""

NEAR: Final = 128
"""Records of one correlation that are further apart are two passages: a door may be held unlocked for days."""
REACH: Final = NEAR + 32
"""Sequence numbers before and after a record that are looked at first; few passages need more."""
LONGEST: Final = 1_024
"""A passage that spans more sequence numbers (an exit that is never still) is cut where they are divisible by this."""
MORE: Final = 4
"""First as many matching records are looked for as passages; each time this many times more, up to `MAX_PAGE`."""
MOST_RECORDS: Final = 2_000
"""Records in the passages of a page, if these are more than one."""


@dataclass(frozen=True, slots=True)
class PassagesPage:
    """Passages, the newest first. `next` is the `before` of the next page; None at the end.

    A page may be short or even empty and not be the last, as `QueryPage`.
    """

    passages: list[list[Record]]
    next: int | None


def passage_of(sequence: int, correlation: str, sharing: Sharing) -> tuple[int, ...]:
    """The sequence numbers of the passage that a record is of, in order; of one without correlation its own."""
    if not correlation:
        return (sequence,)
    before = _reached(sequence, correlation, sharing, -1)
    after = _reached(sequence, correlation, sharing, 1)
    members = (*reversed(before), sequence, *after)
    if members[-1] - members[0] < LONGEST:
        return members
    return tuple(member for member in members if member // LONGEST == sequence // LONGEST)


def _reached(sequence: int, correlation: str, sharing: Sharing, way: int) -> list[int]:
    """The members before (-1) or after (1) a record, one near the other, as far as `LONGEST`."""
    found: list[int] = []
    last = looked = sequence
    while abs(last - sequence) < LONGEST and abs(looked - last) < NEAR:
        ends = sorted((looked + way, last + way * REACH))
        looked = last + way * REACH
        members = sharing(correlation, *ends)
        for member in members if way > 0 else reversed(members):
            if (member - last) * way > NEAR:
                return found
            found.append(member)
            last = member
    return found


def passages(reader: LogReader, query: Query) -> PassagesPage:
    """At most `query.limit` passages of which a record is found, the newest first. `query.after` ends it there."""
    walk = _Walk(reader)
    before, limit = query.before, max(1, min(query.limit + 1, MAX_PAGE))
    while True:
        places, before = reader.places(replace(query, newest=True, before=before, limit=limit))
        walk.take(places)
        shown, whole = walk.settled(before or 0, query.limit)
        if whole or before is None or len(places) < limit:
            break
        limit = min(MORE * limit, MAX_PAGE)
    following = walk.rest(len(shown), before)
    read = {record.sequence: record for record in reader.these([member for one in shown for member in one])}
    told = ([read[member] for member in one if member in read] for one in shown)
    return PassagesPage([records for records in told if records], following)


@dataclass(slots=True)
class _Found:
    """A passage, and the lowest of its records that the search found so far."""

    members: tuple[int, ...]
    key: int


class _Walk:
    """The passages found so far, from the newest record down."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._found: list[_Found] = []
        self._of: dict[int, _Found] = {}
        """Member -> its passage."""

    def take(self, places: Sequence[tuple[int, str]]) -> None:
        """Note records that the search found; each is lower than the one before."""
        near = _Near(self._reader, [one for one in places if one[1] and one[0] not in self._of])
        for sequence, correlation in places:
            known = self._of.get(sequence)
            if known is None:
                known = _Found(passage_of(sequence, correlation, near.sharing), sequence)
                self._found.append(known)
                self._of.update(dict.fromkeys(known.members, known))
            known.key = sequence

    def settled(self, through: int, limit: int) -> tuple[list[tuple[int, ...]], bool]:
        """The first passages whose place is known when all records from `through` on were looked at, in order.

        With whether a page has no room for more: of passages, or of records.
        """
        shown: list[tuple[int, ...]] = []
        records = 0
        self._found.sort(key=lambda one: -one.key)
        for one in self._found:
            if one.members[0] < through and one.key != one.members[0]:
                return shown, False
            records += len(one.members)
            if len(shown) == limit or (shown and records > MOST_RECORDS):
                return shown, True
            shown.append(one.members)
        return shown, len(shown) == limit

    def rest(self, shown: int, before: int | None) -> int | None:
        """Where the next page begins, after the first `shown` passages."""
        left = self._found[shown:]
        return left[0].key + 1 if left else before


class _Near:
    """The correlations around some records, read at once."""

    def __init__(self, reader: LogReader, places: Sequence[tuple[int, str]]) -> None:
        """`places`: sequence number and correlation, the newest first."""
        self._reader = reader
        self._ranges: list[tuple[int, int]] = []
        self._members: dict[str, list[int]] = {}
        for sequence, _ in reversed(places):
            first, last = sequence - REACH, sequence + REACH
            if self._ranges and first <= self._ranges[-1][1]:
                first = self._ranges.pop()[0]
            self._ranges.append((first, last))
        for sequence, correlation in reader.sharing({one for _, one in places}, self._ranges) if places else ():
            self._members.setdefault(correlation, []).append(sequence)

    def sharing(self, correlation: str, first: int, last: int) -> Sequence[int]:
        """The records with a correlation, in order; reads once more where it has not looked yet."""
        place = bisect_right(self._ranges, first, key=itemgetter(0)) - 1
        if place < 0 or last > self._ranges[place][1]:
            return [sequence for sequence, _ in self._reader.sharing([correlation], [(first, last)])]
        members = self._members.get(correlation, [])
        return members[bisect_left(members, first) : bisect_right(members, last)]
