"""The log as the daemon has it: dense, chained, remembered; each id once; cursors never back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.log.log import Log, LogUnavailableError
from edge.log.verify import verify
from edge.model.messages import ClockQuality, Event, Subject
from edge.model.ports import Admission, Journal
from tests.support.clock import FakeClock
from tests.support.logs import PATIENT, WITHIN_S, forced, journal, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path

Factory = pytest.TempPathFactory
SOME = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_it_is_the_journal_that_the_daemon_asks_for(tmp_path: Path):
    def takes(journal: Journal) -> Journal:
        return journal

    assert takes(Log(tmp_path / "log.db", "hq", FakeClock())).committed == 0


def test_records_are_dense_and_in_order_and_read_back_as_they_were_told(tmp_path: Path):
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            for call in range(40):
                held.log.append([opened(call, 2 * call), forced(call, 2 * call + 1)])
            await held.until(lambda: len(held.records) == 80)
            assert numbers(held.records) == list(range(80))
            assert [record.sequence for record in held.records] == list(range(1, 81))
            assert held.log.committed == 80
            assert await held.log.read(0, 100) == held.records
            assert await held.log.read(17, 5) == held.records[17:22]
            assert await held.log.read(80, 5) == []

    asyncio.run(run())


def test_the_chain_is_what_the_documents_say(tmp_path: Path):
    """Recomputed with nothing of ours: SHA-256 over sorted, spaceless JSON of the row's fields and `prev`."""
    path = tmp_path / "log.db"

    async def run() -> str:
        async with journal(path) as held:
            await held.write(opened(5, 1), forced(6, 2), replace(opened(7, 3), actor=None, success=False, code="é"))
            return held.log.stream

    epoch = asyncio.run(run()).split("/")[1]
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        boots = dict(db.execute("SELECT id, boot FROM boot").fetchall())
        rows = [dict(row) for row in db.execute("SELECT * FROM record ORDER BY seq")]
    prev = hashlib.sha256(f"doorward {epoch}".encode()).hexdigest()
    assert len(rows) == 3
    for row in rows:
        stored = row.pop("hash").hex()
        fields = {**row, "boot": boots[row["boot"]], "prev": prev}
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        prev = hashlib.sha256(text.encode()).hexdigest()
        assert prev == stored


@SOME
@given(calls=st.lists(st.lists(st.booleans(), max_size=5), max_size=12))
def test_whatever_the_calls_the_chain_holds_through_a_restart(tmp_path_factory: Factory, calls: list[list[bool]]):
    path = tmp_path_factory.mktemp("log") / "log.db"
    total = sum(map(len, calls))

    async def run() -> None:
        before: list = []
        for part in (calls[::2], calls[1::2]):
            async with journal(path) as held:
                seen = held.log.committed
                for call in part:
                    held.log.append([forced() if alarm else opened() for alarm in call])
                await held.until(lambda: held.log.committed == seen + sum(map(len, part)))  # noqa: B023 -- awaited here
                before += held.records
                everything = await held.log.read(0, 1000)
        assert everything == before
        assert [record.sequence for record in everything] == list(range(1, total + 1))
        assert all(one.hash == two.prev for one, two in pairwise(everything))

    asyncio.run(run())


def test_modes_of_the_latest_call_are_there_after_a_restart(tmp_path: Path):
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            assert held.log.modes() == {}
            held.log.append([opened()], {"front": "locked_down", "back": "locked"})
            held.log.append([], {"front": "locked"})
            held.log.append([opened()], {"front": "blocked"})
        async with journal(tmp_path / "log.db") as held:
            assert held.log.modes() == {"front": "blocked", "back": "locked"}

    asyncio.run(run())


def test_a_new_file_is_a_new_stream_and_the_same_file_the_same(tmp_path: Path):
    async def stream(name: str) -> str:
        async with journal(tmp_path / name) as held:
            return held.log.stream

    first, again, other = (asyncio.run(stream(name)) for name in ("a.db", "a.db", "b.db"))
    assert first == again != other
    assert first.startswith("hq/")


@SOME
@given(moves=st.lists(st.integers(-1, 12), max_size=20))
def test_a_cursor_never_goes_back_nor_beyond_what_is_committed(tmp_path_factory: Factory, moves: list[int]):
    path = tmp_path_factory.mktemp("log") / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(*[opened()] * 9)
            highest = 0
            for move in moves:
                held.log.advance("mqtt", move)
                highest = max(highest, move if move <= 9 else 0)
                assert held.log.cursor("mqtt") == highest
            assert held.log.cursor("other") == 0
        async with journal(path) as held:
            assert held.log.cursor("mqtt") == highest

    asyncio.run(run())


def test_a_cursor_becomes_durable_by_itself(tmp_path: Path):
    path = tmp_path / "log.db"

    def stored() -> list[tuple[str, int]]:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT sink, seq FROM cursor").fetchall()

    async def run() -> None:
        async with journal(path) as held:
            await held.write(opened())
            held.log.advance("mqtt", 1)
            await held.eventually(lambda: stored() == [("mqtt", 1)])

    asyncio.run(run())


def test_a_command_id_is_first_once_and_gets_its_answer_again_even_after_a_restart(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            both = await asyncio.gather(held.log.admit("id-1"), held.log.admit("id-1"))
            assert both == [Admission(first=True), Admission(first=False)]
            held.log.settle("id-1", b"done")
            assert await held.log.admit("id-1") == Admission(first=False, reply=b"done")
        async with journal(path) as held:
            assert await held.log.admit("id-1") == Admission(first=False, reply=b"done")
            assert await held.log.admit("id-2") == Admission(first=True)

    asyncio.run(run())


def test_a_forgotten_command_is_never_first_again(tmp_path: Path):
    """Ids are forgotten a week after their expiry; who comes as late is turned away all the same."""
    path, clock = tmp_path / "log.db", FakeClock()
    expires_us = clock.wall_us() + 60_000_000

    def stored() -> list[tuple[str]]:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT id FROM command").fetchall()

    async def run() -> None:
        async with journal(path, clock) as held:
            assert (await held.log.admit("old", expires_us)).first
            assert (await held.log.admit("kept")).first
            clock.tick(8 * 86_400)
            held.log.append([opened()])  # whatever is written, the log looks after itself then
            await held.eventually(lambda: stored() == [("kept",)])
            assert not (await held.log.admit("old", expires_us)).first
            assert not (await held.log.admit("kept")).first
            assert (await held.log.admit("new", expires_us + 1)).first

    asyncio.run(run())


def test_a_second_writer_is_refused_and_takes_over_when_the_first_is_gone(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as first, journal(path, wait=False) as second:
            second.log.append([opened()])
            await second.eventually(lambda: second.log.health().writer == "failed")
            assert "another process" in str(second.log.health().error)
            assert second.log.stream == ""
            await first.write(opened())
            assert first.log.health().writer == "ok"
            await first.log.close(WITHIN_S)
            await second.until(lambda: bool(numbers(second.records)))
            assert second.records[0].sequence == 2
            assert second.log.stream == first.log.stream

    asyncio.run(run())


def test_what_cannot_be_stored_as_it_is_is_stored_as_text(tmp_path: Path):
    """A card holder's name may be half a surrogate pair; details may hold what JSON cannot say."""
    loop: dict = {}
    loop["self"] = loop
    odd = [
        replace(opened(), object=Subject("lock", "front", "\ud800"), details={}),
        replace(opened(), details={"temperature": float("nan")}),
        replace(opened(), details=loop),
        replace(opened(), details={"\udfff": "\ud800"}),
        replace(opened(), code="a\x00b"),
        replace(opened(), code=ClockQuality.RTC),
    ]

    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            held.log.append(odd)
            assert (await held.log.admit("\ud800", 2**80)).first
            assert not (await held.log.admit("\ud800", -(2**80))).first
            held.log.settle("\ud800", b"done")
            held.log.append([], {"front": "\ud800"})
            await held.until(lambda: len(held.records) == len(odd))
            read = await held.log.read(0, 10)
        assert read[0].event.object.name == r"\ud800"
        assert "unreadable" in read[1].event.details
        assert "unreadable" in read[2].event.details
        assert read[4].event.code == "a\x00b"
        assert read[5].event.code == "rtc"
        assert len(read) == len(odd)
        assert verify(tmp_path / "log.db").ok

    asyncio.run(run())


def test_an_event_outside_the_catalogue_is_refused_at_once(tmp_path: Path):
    log = Log(tmp_path / "log.db", "hq", FakeClock(), PATIENT)
    with pytest.raises(KeyError):
        log.append([Event("lock.exploded", 0, Subject("lock", "front", "Front"))])


def test_health_tells_where_the_log_stands(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(opened(), opened())
            health = held.log.health()
            assert (health.path, health.committed, health.waiting) == (str(path), 2, 0)
            assert (health.writer, health.error, health.dropped) == ("ok", None, 0)
            await held.eventually(lambda: held.log.health().oldest == 1)
            assert held.log.health().bytes >= 2_048

    asyncio.run(run())


def test_closing_writes_what_waits_and_leaves_one_whole_file(tmp_path: Path):
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.log.read(0, 1)
            for number in range(1_000):
                held.log.append([opened(number, number)])
            assert await held.log.close(WITHIN_S) == 0

    asyncio.run(run())
    assert not (tmp_path / "log.db-wal").exists()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        assert db.execute("SELECT count(*), max(seq) FROM record").fetchone() == (1_000, 1_000)


def test_a_log_that_is_closing_opens_no_reader_again(tmp_path: Path):
    """Nobody would close it, and SQLite would not fold the write-ahead log into the file."""

    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.write(opened())
            ending = asyncio.ensure_future(held.log.close(WITHIN_S))
            await asyncio.sleep(0)
            with pytest.raises(LogUnavailableError):
                await held.log.read(0, 10)
            await ending
            assert held.log._reading._reader is None

    asyncio.run(run())
