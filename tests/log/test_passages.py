"""Passages in the log: whole, each once, wherever a page begins and whatever a search restricts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.log import schema
from edge.log.connections import connect, wrap
from edge.log.reading.filters import Query
from edge.log.reading.passages import LONGEST, MOST_RECORDS, NEAR, REACH, passage_of, passages
from edge.log.reading.query import LogReader
from edge.model.messages import Event, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DOOR = Subject("lock", "front", "Front")


def plain(correlations: Mapping[int, str]) -> set[tuple[int, ...]]:
    """The rule in few words: near ones belong together, a span that is too long is cut at fixed places."""
    found: set[tuple[int, ...]] = set()
    for correlation in set(correlations.values()):
        chain: list[list[int]] = []
        for sequence in sorted(one for one, text in correlations.items() if text == correlation):
            if correlation and chain and sequence - chain[-1][-1] <= NEAR:
                chain[-1].append(sequence)
            else:
                chain.append([sequence])
        for part in chain:
            whole = part[-1] - part[0] < LONGEST
            cuts = {0 if whole else sequence // LONGEST for sequence in part}
            found |= {tuple(one for one in part if whole or one // LONGEST == cut) for cut in cuts}
    return found


def shared(correlations: Mapping[int, str]) -> Callable[[str, int, int], list[int]]:
    return lambda text, first, last: [one for one in range(first, last + 1) if correlations.get(one) == text]


GAPS = st.sampled_from([1, 1, 2, 31, NEAR - 1, NEAR, NEAR + 1, REACH, REACH + 1, LONGEST])


@given(st.lists(st.tuples(GAPS, st.sampled_from(["", "a", "b"])), min_size=1, max_size=40), st.integers(1, 3_000))
@settings(max_examples=300, deadline=None)
def test_every_member_finds_the_same_passage(steps: list[tuple[int, str]], start: int) -> None:
    correlations: dict[int, str] = {}
    for gap, correlation in steps:
        correlations[start] = correlation
        start += gap
    near = shared(correlations)
    assert {passage_of(one, text, near) for one, text in correlations.items()} == plain(correlations)


def write(path: Path, rows: Sequence[tuple[str, str]]) -> LogReader:
    """Write a log with records of these (type, correlation), from 1 on."""
    with closing(connect(path)) as db:
        schema.migrate(wrap(db))
        db.execute("INSERT INTO boot VALUES (1, 'a', 1)")
        (epoch,) = db.execute("SELECT epoch FROM log").fetchone()
        prev = schema.genesis(epoch)
        db.execute("BEGIN")
        for sequence, (kind, correlation) in enumerate(rows, 1):
            event = Event(kind, sequence, DOOR, correlation=correlation, door="front")
            row, prev = schema.chained(event, sequence, "a", sequence, prev)
            db.execute(schema.INSERT_RECORD, (row[0], 1, *row[2:], prev))
        db.execute("COMMIT")
    return LogReader(path)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[Sequence[tuple[str, str]]], LogReader]]:
    """Writes a log of such rows; returns a reader."""
    readers: list[LogReader] = []

    def make(rows: Sequence[tuple[str, str]]) -> LogReader:
        readers.append(write(tmp_path / f"log-{len(readers)}.db", rows))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def expected(rows: Sequence[tuple[str, str]], kinds: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Every passage with a record of one of these types, each where its first such record stands."""
    correlations = {sequence: text for sequence, (_, text) in enumerate(rows, 1)}
    matching = {sequence for sequence, (one, _) in enumerate(rows, 1) if not kinds or one in kinds}
    found = [one for one in plain(correlations) if matching & {*one}]
    return sorted(found, key=lambda one: -min(matching & {*one}))


KINDS = ("lock.unlock", "lock.opened", "lock.closed")
PARTS = st.tuples(
    st.sampled_from([1, 2, 5, NEAR - 1, NEAR, REACH]), st.sampled_from(KINDS), st.sampled_from(["", "a", "b", "c"])
)


@given(st.lists(PARTS, min_size=1, max_size=12), st.sampled_from([(), *[(one,) for one in KINDS]]), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_pages_are_as_plain_grouping(parts: list[tuple[int, str, str]], kinds: tuple[str, ...], limit: int) -> None:
    """The searches that read correlations a batch at once find what reading everything finds."""
    rows = [(kind, text) for count, kind, text in parts for _ in range(count)]
    with TemporaryDirectory() as folder, closing(write(Path(folder) / "log.db", rows)) as reader:
        assert read(reader, Query(types=kinds, limit=limit)) == expected(rows, kinds)


def read(reader: LogReader, query: Query) -> list[tuple[int, ...]]:
    """Every page, one after the other."""
    found: list[tuple[int, ...]] = []
    while True:
        page = passages(reader, query)
        assert len(page.passages) <= query.limit
        found += [tuple(record.sequence for record in one) for one in page.passages]
        if page.next is None:
            return found
        assert query.before is None or page.next < query.before, "it goes on"
        query = replace(query, before=page.next)


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
@pytest.mark.parametrize("kind", [(), ("lock.closed",), ("lock.unlock",), ("lock.forced_open",)])
def test_pages_show_each_passage_once_and_whole(
    written: Callable[[Sequence[tuple[str, str]]], LogReader], limit: int, kind: tuple[str, ...]
) -> None:
    """Passages of three doors run into each other, one is cut by the pages everywhere, many stand alone."""
    rows = []
    for number in range(200):
        rows += [(one, f"{'abc'[number % 3]}-{(number - place) // 5}") for place, one in enumerate(KINDS)]
        rows += [("lock.forced_open", "")] if number % 40 == 0 else []
    reader = written(rows)
    assert read(reader, Query(types=kind, limit=limit)) == expected(rows, kind)


def test_what_comes_meanwhile_moves_no_passage_to_another_page(
    written: Callable[[Sequence[tuple[str, str]]], LogReader],
) -> None:
    rows = [("lock.unlock", f"c-{number}") for number in range(10)]
    page = passages(written(rows), Query(limit=5))
    later = written([*rows, ("lock.locked", "c-4"), ("lock.locked", "c-9")])
    older = passages(later, Query(limit=5, before=page.next))
    assert [one[0].event.correlation for one in older.passages] == ["c-4", "c-3", "c-2", "c-1", "c-0"]
    assert [record.event.type for record in older.passages[0]] == ["lock.unlock", "lock.locked"]


def test_news_bring_the_whole_passage(written: Callable[[Sequence[tuple[str, str]]], LogReader]) -> None:
    reader = written([("lock.unlock", "a"), ("lock.unlock", "b"), ("lock.closed", "a")])
    page = passages(reader, Query(after=2, limit=50))
    assert [[one.sequence for one in passage] for passage in page.passages] == [[1, 3]]
    assert page.next is None


def test_a_page_is_bounded_in_records(written: Callable[[Sequence[tuple[str, str]]], LogReader]) -> None:
    """An exit button that is pressed all day long."""
    rows = [("lock.unlock", "a")] * (4 * LONGEST)
    reader = written(rows)
    page = passages(reader, Query(limit=50))
    assert sum(map(len, page.passages)) <= MOST_RECORDS + LONGEST
    found = read(reader, Query(limit=50))
    assert [sequence for one in reversed(found) for sequence in one] == [*range(1, 4 * LONGEST + 1)], "nothing is lost"
