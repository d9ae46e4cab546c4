"""Passages: the records that share a correlation, found in pages, however a search restricts them.

One rule: what belongs together depends on the log alone, never on where a page begins. So going through the pages
shows each passage once and whole. A passage stands where its first record does that the search finds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edge.log.reading.filters import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.log.reading.query import LogReader, Query
    from edge.model.records import Record

    Stretch = Callable[[int], Mapping[str, Sequence[int]]]
    """Number of a stretch -> correlation -> its sequence numbers there, in order."""

STRETCH: Final = 32
"""Sequence numbers that are read at once."""
NEAR: Final = 128
"""Records of one correlation that are further apart are two passages: a door may be held unlocked for days."""
LONGEST: Final = 1_024
"""A passage that spans more sequence numbers (an exit that is never still) is cut where they are divisible by this."""
AT_ONCE: Final = 64
"""Matching records that are looked for first; each time twice as many."""
MOST_RECORDS: Final = 2_000
"""Records in the passages of a page, if these are more than one."""


@dataclass(frozen=True, slots=True)
class PassagesPage:
    """Passages, the newest first. `next` is the `before` of the next page; None at the end.

    A page may be short or even empty and not be the last, as `QueryPage`.
    """

    passages: list[list[Record]]
    next: int | None


def passage_of(sequence: int, correlation: str, stretch: Stretch) -> tuple[int, ...]:
    """The sequence numbers of the passage that a record is of, in order; of one without correlation its own."""
    if not correlation:
        return (sequence,)
    before = _reached(sequence, correlation, stretch, -1)
    after = _reached(sequence, correlation, stretch, 1)
    members = (*reversed(before), sequence, *after)
    if members[-1] - members[0] < LONGEST:
        return members
    return tuple(member for member in members if member // LONGEST == sequence // LONGEST)


def _reached(sequence: int, correlation: str, stretch: Stretch, way: int) -> list[int]:
    """The members before (-1) or after (1) a record, one near the other, as far as `LONGEST`."""
    found: list[int] = []
    last, number = sequence, sequence // STRETCH
    while abs(number * STRETCH - last) <= NEAR + STRETCH and abs(last - sequence) < LONGEST:
        members = stretch(number).get(correlation, ())
        for member in members if way > 0 else reversed(members):
            if (member - last) * way > NEAR:
                return found
            if (member - last) * way > 0:
                found.append(member)
                last = member
        number += way
    return found


def passages(reader: LogReader, query: Query) -> PassagesPage:
    """At most `query.limit` passages of which a record is found, the newest first. `query.after` ends it there."""
    walk = _Walk(reader)
    before, limit = query.before, AT_ONCE
    while True:
        page = reader.page(replace(query, newest=True, before=before, limit=limit))
        for record in page.records:
            walk.take(record)
        before = page.next
        shown, whole = walk.settled(before or 0, query.limit)
        if whole or before is None or len(page.records) < limit:
            break
        limit = min(2 * limit, MAX_PAGE)
    following = walk.rest(len(shown), before)
    return PassagesPage([records for one in shown if (records := reader.these(one))], following)


@dataclass(slots=True)
class _Found:
    """A passage, and the lowest of its records that the search found so far."""

    members: tuple[int, ...]
    key: int


class _Walk:
    """The passages found so far, from the newest record down."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._stretches: dict[int, dict[str, list[int]]] = {}
        self._found: list[_Found] = []
        self._of: dict[int, _Found] = {}
        """Member -> its passage."""

    def take(self, record: Record) -> None:
        """Note a record that the search found; each is lower than the one before."""
        known = self._of.get(record.sequence)
        if known is None:
            known = _Found(passage_of(record.sequence, record.event.correlation, self._stretch), record.sequence)
            self._found.append(known)
            self._of.update(dict.fromkeys(known.members, known))
        known.key = record.sequence

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

    def _stretch(self, number: int) -> dict[str, list[int]]:
        if number not in self._stretches:
            found: dict[str, list[int]] = {}
            self._stretches[number] = found
            first = number * STRETCH
            for sequence, correlation in self._reader.correlations(first, first + STRETCH - 1):
                found.setdefault(correlation, []).append(sequence)
        return self._stretches[number]
