"""History: every filter against the plain meaning of it, page by page, live, dead and copied."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.log.connections import connect, wrap
from edge.log.log import LogUnavailableError
from edge.log.reading.query import MAX_PAGE, LogReader, Query
from edge.log.schema import migrate
from edge.model.catalogue import CATALOGUE
from edge.model.messages import ClockQuality, Event, Record, Subject
from tests.support.clock import START_US, FakeClock
from tests.support.logs import PATIENT, Disk, forced, journal, opened

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Three boots; the second is synced late, the third is set back by an hour on its way."""
    path = tmp_path_factory.mktemp("history") / "log.db"

    async def boot(clock: FakeClock, count: int, change: int) -> list[Record]:
        async with journal(path, clock) as held:
            for number in range(count):
                clock.tick(1)
                now_ns = clock.now_ns()
                if number == change:
                    late_sync = clock.quality() is ClockQuality.UNSYNCED
                    clock.step(START_US - clock.wall_us() if late_sync else -3_600 * SECOND, ClockQuality.SYNCED)
                    held.log.note_clock(now_ns, clock.wall_us(), clock.quality())
                door = ("front", "back")[number % 2]
                late = now_ns - 500_000_000 * (number % 3)
                event = forced(late, number, door) if number % 7 == 0 else opened(late, number, door)
                start = Event("controller.start", now_ns, Subject("controller", "hq", "HQ"))
                held.log.append([start if number % 10 == 0 else event])
                await held.until(lambda: held.log.health().waiting == 0)
            return await held.log.read(0, 10_000)

    async def run() -> list[Record]:
        await boot(FakeClock(boot_id="a", wall_us=START_US - 5_000 * SECOND), 40, -1)
        await boot(FakeClock(boot_id="b", wall_us=0, quality=ClockQuality.UNSYNCED), 40, 20)
        return await boot(FakeClock(boot_id="c", wall_us=START_US + 4_000 * SECOND), 40, 20)

    return path, asyncio.run(run())


def plain(records: list[Record], query: Query) -> list[Record]:
    """The meaning of a query, without any cleverness."""
    found = [
        record
        for record in records
        if (query.since_us is None or record.time_us >= query.since_us)
        and (query.until_us is None or record.time_us < query.until_us)
        and (not query.doors or record.event.door in query.doors)
        and (not query.types or record.event.type in query.types)
        and (query.event_class is None or CATALOGUE[record.event.type].event_class == query.event_class)
        and (not query.actors or (record.event.actor is not None and record.event.actor.email in query.actors))
        and record.sequence > query.after
        and (query.before is None or record.sequence < query.before)
    ]
    return (found[::-1] if query.newest else found)[query.skip : query.skip + query.limit]


TIMES = st.none() | st.just(20 * SECOND) | st.integers(-6_000, 6_000).map(lambda half: START_US + half * SECOND // 2)
QUERIES = st.builds(
    Query,
    since_us=TIMES,
    until_us=TIMES,
    doors=st.sampled_from([(), ("front",), ("front", "back"), ("none",)]),
    types=st.sampled_from([(), ("lock.opened",), ("lock.forced_open", "controller.start")]),
    event_class=st.sampled_from([None, "access", "audit"]),
    actors=st.sampled_from([(), ("ann@example.org",), ("nobody",)]),
    after=st.integers(0, 130),
    before=st.none() | st.integers(0, 130),
    limit=st.integers(1, 130),
    newest=st.booleans(),
    skip=st.sampled_from([0, 0, 1, 40, 200]),
)


@settings(max_examples=300, deadline=None)
@given(query=QUERIES, page=st.integers(1, 50))
def test_every_filter_means_what_it_says(written: tuple[Path, list[Record]], query: Query, page: int):
    path, records = written
    with closing(LogReader(path)) as reader:
        assert list(reader.records(query)) == plain(records, query)
        found, following = [], query
        while True:
            one = reader.page(replace(following, limit=page))
            assert len(one.records) <= page
            found += one.records
            if one.next is None:
                break
            following = replace(following, skip=following.skip - one.skipped)
            following = replace(following, **({"before": one.next} if query.newest else {"after": one.next}))
        assert found == plain(records, replace(query, limit=1_000))


def test_a_page_is_bounded_whatever_is_asked(tmp_path: Path):
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            held.log.append([opened()] * (MAX_PAGE + 10))
            await held.until(lambda: held.log.committed == MAX_PAGE + 10)
            page = await held.log.query(Query(limit=10**9))
            assert (len(page.records), page.next) == (MAX_PAGE, MAX_PAGE)

    asyncio.run(run())


def test_a_copy_is_read_without_a_byte_written_beside_it(written: tuple[Path, list[Record]], tmp_path: Path):
    path, records = written
    copy = tmp_path / "copied.db"
    shutil.copy(path, copy)
    copy.chmod(0o444)
    with closing(LogReader(copy)) as reader:
        assert list(reader.records(Query(limit=1_000))) == records
        assert reader.bounds() == (1, len(records))
    assert [entry.name for entry in tmp_path.iterdir()] == ["copied.db"]


def test_a_live_log_is_read_as_far_as_it_is_committed(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(opened())
            with closing(LogReader(path)) as reader:
                assert reader.after(0, 10) == held.records
                await held.write(opened())
                assert reader.after(0, 10) == held.records
                held.log.advance("mqtt", 2)
                await held.eventually(lambda: reader.cursors() == {"mqtt": 2})

    asyncio.run(run())


def test_the_writers_own_reader_follows_a_file_that_is_closed_and_opened_again(tmp_path: Path):
    """While the writer tries again there is no `-wal`; a reader that opens just then must see what comes."""
    path, disk = tmp_path / "log.db", Disk()

    async def run() -> None:
        async with journal(path, options=replace(PATIENT, connect=disk.connect, retry_first_s=0.2)) as held:
            await held.write(opened(0, 0))
            check = held.log._writer._check
            assert check is not None
            await asyncio.to_thread(check._thread.join)  # it has the file open, behind everybody else
            disk.fail = lambda _number, _sql: True
            held.log.append([opened(1, 1)])
            await held.eventually(
                lambda: held.log.health().writer == "failed" and not (tmp_path / "log.db-wal").exists()
            )
            assert len(await held.log.read(0, 10)) == 1
            disk.fail = lambda _number, _sql: False
            await held.until(lambda: len(held.records) == 3)
            assert len(await held.log.read(0, 10)) == 3

    asyncio.run(run())


def test_a_log_that_has_no_record_yet_is_asked_like_any_other(tmp_path: Path):
    with closing(connect(tmp_path / "log.db")) as db:
        migrate(wrap(db))
    with closing(LogReader(tmp_path / "log.db")) as reader:
        page = reader.page(Query(types=("lock.opened",)))
    assert (page.records, page.next) == ([], None)


def test_a_closed_log_says_so(tmp_path: Path):
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.log.close()
            with pytest.raises(LogUnavailableError):
                await held.log.read(0, 1)
            with pytest.raises(LogUnavailableError):
                await held.log.admit("id-1")

    asyncio.run(run())
