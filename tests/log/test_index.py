"""The index beside the log: it hides nothing, whatever it is asked, wherever it ends, whatever became of it."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.log import connections, schema
from edge.log.index import check, lookup, making
from edge.log.index.indexer import Indexer
from edge.log.index.lookup import LogIndex, place
from edge.log.reading import query as log_query
from edge.log.reading.query import LogReader, Query
from edge.model.catalogue import CATALOGUE
from edge.model.messages import Actor, ClockQuality, Event, Record, Subject
from tests.support.clock import START_US, FakeClock
from tests.support.logs import journal, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECOND = 1_000_000
SEGMENT, BLOCK = 64, 16
PEOPLE = [
    Actor("user", "u-1", "Ann Example", "ann@example.org"),
    Actor("user", "u-2", "Émile 50%_off", None),
    Actor("user", "u-3", "Jürgen", "JUERGEN@example.org"),
    Actor("operator", "u-1", "root"),
    None,
]
TYPES = ["reader.access", "lock.opened", "lock.opened", "lock.opened", "user.update", "lock.forced_open"]
DETAILS = [
    {},
    {"group": "staff"},
    {"group": "board", "number": "…4711"},
    {"group": ["staff"]},
    {"note": 'says "group": x'},
]


class Written(NamedTuple):
    """A log and what is in it; said in short, as it is an argument of tests that are run again and again."""

    path: Path
    records: list[Record]

    def __repr__(self) -> str:
        return f"{len(self.records)} records"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Segments of 64 records: a test has many of them."""
    for module in (lookup, check, making, log_query):
        patch.setattr(module, "SEGMENT", SEGMENT)
    for module in (lookup, check, making):
        patch.setattr(module, "BLOCK", BLOCK)
    patch.setattr(log_query, "MOST_READ", 2 * SEGMENT)
    patch.setattr(lookup, "MOST_TERMS", 2)


def event(dice: random.Random, at_ns: int, number: int) -> Event:
    door = dice.choice(["front", "back", None])
    code = dice.choice([None, None, None, "unknown_card", "LOCKED_down"])
    return Event(
        dice.choice(TYPES) if number % 50 else "controller.start",
        at_ns,
        Subject("lock", door or "hq", f"{door} Tür"),
        dice.choice(PEOPLE) if number != 100 else Actor("user", "u-rare", "Zoë", "zoe@example.org"),
        success=code is None,
        code=code,
        door=door,
        correlation=f"run-{number // 3}" if number % 5 else "",
        details=dice.choice(DETAILS),
    )


def index(path: Path) -> int:
    with closing(connections.connect_read_only(path)) as db:
        (epoch,) = db.execute("SELECT epoch FROM log").fetchone()
        check.sound(path, lambda: True)
        return making.catch_up(db, path, epoch, lambda: True)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """Three boots, one with a late clock; five full segments with an index, and a bit; late records among them."""
    path = tmp_path_factory.mktemp("indexed") / "log.db"
    dice = random.Random(7)

    async def boot(clock: FakeClock, count: int) -> list[Record]:
        async with journal(path, clock) as held:
            for number in range(count):
                clock.tick(1)
                if number == count // 2 and clock.quality() is ClockQuality.UNSYNCED:
                    clock.step(START_US - clock.wall_us(), ClockQuality.SYNCED)
                    held.log.note_clock(clock.now_ns(), clock.wall_us(), clock.quality())
                late_ns = dice.choice([0, 0, 500_000_000, 90_000_000_000])
                only_first = number if clock.boot_id == "a" else 1_000 + number
                held.log.append([event(dice, max(0, clock.now_ns() - late_ns), only_first)])
                await held.until(lambda: held.log.health().waiting == 0)
            return await held.log.read(0, 10_000)

    async def run() -> list[Record]:
        await boot(FakeClock(boot_id="a", wall_us=START_US - 5_000 * SECOND), 150)
        await boot(FakeClock(boot_id="b", wall_us=0, quality=ClockQuality.UNSYNCED), 60)
        return await boot(FakeClock(boot_id="c", wall_us=START_US + 4_000 * SECOND), 150)

    records = asyncio.run(run())
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        assert index(path) == 361 // SEGMENT
        yield Written(path, records)


def plain(records: list[Record], query: Query) -> list[Record]:
    """The meaning of a query, without any cleverness."""

    def fits(record: Record) -> bool:
        one, who = record.event, record.event.actor
        names = () if who is None else (who.id, who.name, who.email)
        texts = (one.object.name, *names[1:], one.code, one.type, schema.details_text(one.details))
        passed = who is not None and who.kind == "user" and who.id in (query.people or ())
        return (
            (query.since_us is None or record.time_us >= query.since_us)
            and (query.until_us is None or record.time_us < query.until_us)
            and (not query.doors or one.door in query.doors)
            and (not query.types or one.type in query.types)
            and (query.event_class is None or CATALOGUE[one.type].event_class == query.event_class)
            and (not query.actors or any(name in query.actors for name in names))
            and (query.success is None or one.success is query.success)
            and (not query.codes or one.code in query.codes)
            and (
                (query.people is None and not query.groups)
                or passed
                or any(group == one.details.get("group") for group in query.groups)
            )
            and (not query.correlation or one.correlation == query.correlation)
            and any(query.text.lower() in text.lower() for text in texts if text is not None)
            and record.sequence > query.after
            and (query.before is None or record.sequence < query.before)
        )

    found = [record for record in records if fits(record)]
    return (found[::-1] if query.newest else found)[query.skip :]


TIMES = st.none() | st.just(20 * SECOND) | st.integers(-6_000, 6_000).map(lambda half: START_US + half * SECOND // 2)
TEXTS = [
    "ann",
    "TÜR",
    "É",
    "50%_",
    "_",
    "%",
    "4711",
    "…47",
    "locked_D",
    "\\",
    "group",
    "jürgen",
    "example.org",
    "nope",
    "zoË",
]
QUERIES = st.builds(
    Query,
    since_us=TIMES,
    until_us=TIMES,
    doors=st.sampled_from([(), (), ("front",), ("front", "back"), ("none",)]),
    types=st.sampled_from([(), (), ("lock.opened",), ("lock.forced_open", "controller.start"), ("user.update",)]),
    event_class=st.sampled_from([None, None, "access", "audit"]),
    actors=st.sampled_from(
        [(), (), ("ann@example.org",), ("u-1",), ("Jürgen", "root"), ("nobody",), ("zoe@example.org",)]
    ),
    after=st.just(0) | st.integers(0, 400),
    before=st.none() | st.integers(0, 400),
    newest=st.booleans(),
    skip=st.sampled_from([0, 0, 1, 7, 150, 1_000]),
    people=st.sampled_from([None, None, (), ("u-1",), ("u-2", "u-3"), ("u-1", "u-2", "u-3", "u-4"), ("nobody",)]),
    groups=st.sampled_from([(), (), ("staff",), ("board", "none")]),
    success=st.sampled_from([None, None, True, False]),
    codes=st.sampled_from([(), (), ("unknown_card",), ("LOCKED_down", "never"), ("never",)]),
    text=st.just("") | st.sampled_from(TEXTS),
    correlation=st.sampled_from(["", "", "", "run-17", "run-119", "RUN-17", "run-1"]),
)


def every_page(reader: LogReader, query: Query, size: int) -> list[Record]:
    found: list[Record] = []
    edge = None
    while True:
        page = reader.page(replace(query, limit=size))
        assert len(page.records) <= size
        found += page.records
        if page.next is None:
            return found
        assert edge is None or (page.next < edge if query.newest else page.next > edge), "it goes on"
        edge = page.next
        query = replace(
            query, skip=query.skip - page.skipped, **({"before": edge} if query.newest else {"after": edge})
        )


@settings(max_examples=400, deadline=None)
@given(query=QUERIES, size=st.integers(1, 60))
@example(Query(actors=("zoe@example.org",)), 10)
@example(Query(text="zoë", newest=True), 10)
@example(Query(correlation="run-30"), 1)
@example(Query(people=("u-1", "u-2", "u-3"), groups=("board",)), 7)
def test_all_pages_together_are_what_a_plain_look_finds(written: Written, query: Query, size: int):
    path, records = written
    with closing(LogReader(path)) as reader:
        assert every_page(reader, query, size) == plain(records, query)
        asked = query != Query(after=query.after, before=query.before, newest=query.newest)
        assert asked or reader._index is None  # where nothing can lie it is not opened either


@settings(max_examples=100, deadline=None)
@given(query=QUERIES, size=st.integers(1, 60))
def test_without_the_index_it_is_the_same(written: Written, query: Query, size: int):
    path, records = written
    bare = path.with_name("bare.db")
    if not bare.exists():
        shutil.copy(path, bare)
    with closing(LogReader(bare)) as reader:
        assert every_page(reader, query, size) == plain(records, query)
        assert reader._index is None


def test_a_page_answers_after_a_bounded_look(written: Written, monkeypatch: pytest.MonkeyPatch):
    """Two letters are in no index: all of the log is read, but not for one page."""
    path, _ = written
    with closing(LogReader(path)) as reader:
        found = []
        monkeypatch.setattr(reader, "_find", lambda piece, *_, **__: found.append(piece.size) or [])
        page = reader.page(Query(text="~~", newest=True))
        assert page.records == []
        assert page.next is not None
        assert sum(found) <= 3 * SEGMENT


def test_the_index_keeps_a_search_from_reading_what_cannot_fit(written: Written, monkeypatch: pytest.MonkeyPatch):
    path, records = written
    with closing(LogReader(path)) as reader:
        found: list[int] = []
        real = reader._find
        monkeypatch.setattr(
            reader, "_find", lambda piece, *given, **more: (found.append(piece.size), real(piece, *given, **more))[1]
        )
        assert len(reader.page(Query(actors=("u-rare",), before=SEGMENT * 5)).records) == 1
        assert found == [1]
        found.clear()
        reader.page(Query(text="no such words", before=SEGMENT * 5))
        assert sum(found) < SEGMENT
        found.clear()
        assert len(reader.page(Query(correlation="run-30", before=SEGMENT * 5)).records) == 2
        assert 0 < sum(found) < SEGMENT
        found.clear()
        day = records[70].time_us
        reader.page(Query(since_us=day, until_us=day + SECOND, before=SEGMENT * 5))
        assert sum(found) <= 3 * SEGMENT


def damaged(path: Path) -> None:
    data = bytearray(place(path).read_bytes())
    data[2_000:] = random.Random(1).randbytes(len(data) - 2_000)
    place(path).write_bytes(data)


def anothers(path: Path) -> None:
    with closing(sqlite3.connect(place(path), isolation_level=None)) as db:
        db.execute("UPDATE made_for SET epoch = '0000000000'")


def of_tomorrow(path: Path) -> None:
    with closing(sqlite3.connect(place(path), isolation_level=None)) as db:
        db.execute("PRAGMA user_version=99")


def empty(path: Path) -> None:
    place(path).write_bytes(b"")


def no_database(path: Path) -> None:
    place(path).write_bytes(b"not a database" * 1_000)


def spoiled_by(sql: str) -> Callable[[Path], None]:
    """A change that SQLite takes for the most natural thing."""

    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(place(path), isolation_level=None)) as db:
            db.execute(sql)

    return spoil


TORN = [
    spoiled_by("UPDATE posting SET offsets = substr(offsets, 1, length(offsets) - 1)"),
    spoiled_by("UPDATE block SET bits = substr(bits, 1, 3)"),
    spoiled_by("DELETE FROM made_for"),
    spoiled_by("DROP TABLE posting"),
]


@pytest.mark.parametrize("spoil", [damaged, anothers, of_tomorrow, empty, no_database, *TORN])
def test_a_bad_index_is_done_without_and_made_anew(written: Written, tmp_path: Path, spoil: Callable[[Path], None]):
    source, records = written
    path = tmp_path / "log.db"
    shutil.copy(source, path)
    assert index(path) == 5
    query = Query(actors=("u-1",), text="tür")
    with closing(LogReader(path)) as reader:
        assert every_page(reader, query, 50) == plain(records, query)
        spoil(path)
        assert every_page(reader, query, 50) == plain(records, query)
        assert index(path) == 5
        assert every_page(reader, query, 50) == plain(records, query)
    assert full_now(path) == 5


@pytest.mark.parametrize(
    "spoil",
    [
        spoiled_by("UPDATE posting SET offsets = zeroblob(length(offsets))"),
        spoiled_by("UPDATE block SET bits = zeroblob(length(bits))"),
        spoiled_by("UPDATE span SET last_ns = first_ns"),
        spoiled_by("UPDATE term SET value = value || 'x'"),
        spoiled_by("DELETE FROM posting WHERE segment = 2"),
    ],
)
def test_an_index_that_hides_something_is_found_out_and_made_anew(
    written: Written, tmp_path: Path, spoil: Callable[[Path], None]
):
    source, records = written
    path = tmp_path / "log.db"
    shutil.copy(source, path)
    index(path)
    assert check.sound(path, lambda: True)
    spoil(path)
    assert check.sound(path, lambda: False), "nobody had the time"
    assert place(path).exists()
    assert not check.sound(path, lambda: True)
    assert not place(path).exists()
    assert index(path) == 5
    query = Query(actors=("u-1",), text="tür")
    with closing(LogReader(path)) as reader:
        assert every_page(reader, query, 50) == plain(records, query)


def test_an_index_of_more_than_there_is_hides_nothing_and_is_made_anew(written: Written, tmp_path: Path):
    """An older copy of the log was put back, and the index stayed beside it."""
    source, _ = written
    path = tmp_path / "log.db"
    shutil.copy(source, path)
    index(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM record WHERE seq > 150")
        db.execute("UPDATE record SET actor_id = 'u-new', actor_kind = 'user' WHERE seq > 140")
    query = Query(actors=("u-new",))
    with closing(LogReader(path)) as reader:
        assert [one.sequence for one in every_page(reader, query, 50)] == list(range(141, 151))
        assert index(path) == 0
        assert full_now(path) == 2, "what ends behind the log's end is gone"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        columns = ", ".join(name for _, name, *_ in db.execute("PRAGMA table_info(record)") if name != "seq")
        for number in range(151, 301):
            db.execute(f"INSERT INTO record(seq, {columns}) SELECT {number}, {columns} FROM record WHERE seq = 150")
    assert index(path) == 2
    with closing(LogReader(path)) as reader:
        assert [one.sequence for one in every_page(reader, query, 50)] == list(range(141, 301))


def test_a_segment_that_is_finished_in_the_middle_of_a_search_is_not_asked_for_what_was_looked_up_before(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source, _ = written
    path = tmp_path / "log.db"
    shutil.copy(source, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE record SET actor_id = 'u-late', actor_kind = 'user' WHERE seq BETWEEN 260 AND 265")
    index(path)
    with closing(sqlite3.connect(place(path), isolation_level=None)) as db:
        for table, column in (("posting", "segment"), ("span", "segment"), ("segment", "number")):
            db.execute(f"DELETE FROM {table} WHERE {column} = 4")
        db.execute("DELETE FROM block WHERE number >= 16")
        db.execute("DELETE FROM term WHERE value = 'u-late'")
    real = LogIndex.plan

    def plan(self: LogIndex, wanted: lookup.Wanted) -> lookup.Plan:
        made = real(self, wanted)
        assert index(path) == 1
        return made

    monkeypatch.setattr(LogIndex, "plan", plan)
    with closing(LogReader(path)) as reader:
        assert len(reader.page(Query(actors=("u-late",))).records) == 6


def test_the_index_of_a_history_that_went_another_way_is_not_believed(written: Written, tmp_path: Path):
    """An old copy of the log was put back: from there on other things happened under the same numbers."""
    source, records = written
    path = tmp_path / "log.db"
    shutil.copy(source, path)
    index(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE record SET type = 'user.update', hash = randomblob(32) WHERE seq >= 192")
    with closing(LogReader(path)) as reader:
        found = every_page(reader, Query(types=("user.update",), after=191), 50)
        assert len(found) == len(records) - 191


def test_what_retention_removed_is_in_no_index(written: Written, tmp_path: Path):
    source, records = written
    path = tmp_path / "log.db"
    shutil.copy(source, path)
    index(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM record WHERE seq < 200")
    left = records[199:]
    query = Query(types=("reader.access",), newest=True)
    with closing(LogReader(path)) as reader:
        assert [one.sequence for one in every_page(reader, query, 50)] == [r.sequence for r in plain(left, query)]
    assert index(path) == 0
    with closing(sqlite3.connect(place(path))) as db:
        assert db.execute("SELECT min(segment) FROM posting").fetchone() == (200 // SEGMENT,)
        assert not db.execute("SELECT 1 FROM term WHERE value = 'u-rare'").fetchall(), "no name outlives its records"
        assert db.execute("SELECT 1 FROM term WHERE value = 'u-1'").fetchall()


def test_what_retention_removes_meanwhile_is_skipped(written: Written, tmp_path: Path):
    path = tmp_path / "log.db"
    shutil.copy(written.path, path)
    breaths = 0

    def breathe() -> bool:
        nonlocal breaths
        breaths += 1
        if breaths == 1:
            with closing(sqlite3.connect(path, isolation_level=None)) as db:
                db.execute("DELETE FROM record WHERE seq < 200")
        return True

    with closing(connections.connect_read_only(path, live=True)) as db:
        (epoch,) = db.execute("SELECT epoch FROM log").fetchone()
        assert making.catch_up(db, path, epoch, breathe) == 3, "the first, and the two that are left"
    assert breaths == 3
    with closing(LogIndex(path, epoch)) as made:
        assert [number for number in range(6) if made.last(number)] == [3, 4]


def test_it_is_made_while_the_log_is_written_and_stops_when_told(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            indexer = Indexer(path, every_s=0.001, breath_s=0.0)
            task = asyncio.create_task(indexer.run())
            for number in range(3):
                held.log.append([event(random.Random(number), 0, 1)] * SEGMENT)
                await held.until(lambda: held.log.health().waiting == 0)
                await held.eventually(lambda full=number + 1: full_now(path) >= full)
            found = await held.log.query(Query(actors=("u-1",)))
            assert indexer.error is None
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(found.records) <= len(held.records)

    asyncio.run(run())


def full_now(path: Path) -> int:
    """How many segments there are, from 0 on."""
    try:
        with closing(sqlite3.connect(f"{place(path).as_uri()}?mode=ro", uri=True)) as made:
            return lookup.full_of(made)
    except sqlite3.Error:
        return 0


def test_an_index_that_cannot_be_made_is_said_and_harms_nobody(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            place(path).mkdir()
            indexer = Indexer(path, every_s=0.001, breath_s=0.0)
            task = asyncio.create_task(indexer.run())
            await held.eventually(lambda: indexer.error is not None)
            await held.write(opened())
            assert (await held.log.query(Query(types=("reader.access", "lock.opened", "user.update")))).next is None
            task.cancel()
            place(path).rmdir()

    asyncio.run(run())


def test_a_damaged_index_is_found_when_the_daemon_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            held.log.append([event(random.Random(1), 0, 1)] * SEGMENT)
            await held.until(lambda: held.log.health().waiting == 0)
            for hidden in (False, True):
                if hidden:
                    spoiled_by("UPDATE posting SET offsets = zeroblob(length(offsets))")(path)
                    spoiled_by("UPDATE block SET bits = zeroblob(length(bits))")(path)
                task = asyncio.create_task(Indexer(path, every_s=0.001, breath_s=0.0).run())
                await held.eventually(
                    lambda hidden=hidden: full_now(path) == 1 and ("damaged" in caplog.text) is hidden
                )
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
