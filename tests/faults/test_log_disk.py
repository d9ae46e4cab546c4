"""A disk that fails, stalls, fills up, is not there or lies: nothing handed over is lost or written twice."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.log.verify import verify
from tests.support.clock import FakeClock
from tests.support.logs import PATIENT, WITHIN_S, Disk, Journal, forced, journal, numbers, opened

ROOT = Path(__file__).parents[2]


async def _whole(held: Journal, path: Path, count: int) -> None:
    """Every event once, in order, told once, chained."""
    await held.until(lambda: len(numbers(held.records)) >= count)
    assert numbers(held.records) == list(range(count))
    stored = await held.log.read(0, 10_000)
    assert numbers(stored) == list(range(count))
    both = min(len(stored), len(held.records))  # the log's own last word may be read before it is told, or after
    assert stored[:both] == held.records[:both]
    result = verify(path)
    assert result.ok, result


@pytest.mark.parametrize("how", ["fail", "lie"])
def test_whichever_statement_fails_nothing_is_lost_or_doubled(tmp_path: Path, how: str):
    """The Nth statement fails, N rising until a run meets no failure (https://www.sqlite.org/testing.html)."""

    async def run(path: Path, disk: Disk) -> bool:
        async with journal(path, options=replace(PATIENT, connect=disk.connect), wait=False) as held:
            held.log.append([opened(1, 0)], {"front": "locked"})
            admitted = asyncio.ensure_future(held.log.admit("id-1"))
            held.log.append([opened(2, 1), forced(3, 2)], {"front": "locked_down"})
            await held.until(lambda: len(numbers(held.records)) >= 3)
            assert (await asyncio.wait_for(admitted, WITHIN_S)).first
            held.log.settle("id-1", b"reply")
            held.log.append([opened(4, 3)])
            await _whole(held, path, 4)
            met = disk.statements
        async with journal(path) as held:
            assert held.log.modes() == {"front": "locked_down"}
            again = await held.log.admit("id-1")
            assert (again.first, again.reply) == (False, b"reply")
        return met >= disk.nth  # type: ignore[attr-defined]  # set below

    n, more = 0, True
    while more:
        n += 1
        disk = Disk()
        disk.nth = n  # type: ignore[attr-defined]  # only this test counts
        setattr(disk, how, lambda number, _sql, n=n: number == n)
        more = asyncio.run(run(tmp_path / f"{n}.db", disk))
    assert n > 40  # it went through opening, schema and several commits


def test_a_disk_that_fails_for_a_while_is_told_of_once_it_works(tmp_path: Path):
    path, disk, clock = tmp_path / "log.db", Disk(), FakeClock()

    async def run() -> None:
        async with journal(path, clock, replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            disk.fail = lambda _number, sql: sql == "COMMIT"
            held.log.append([opened(1, 1)])
            await held.eventually(lambda: held.log.health().writer == "failed")
            assert "disk I/O error" in str(held.log.health().error)
            assert held.log.health().waiting == 1
            clock.tick(30)
            held.log.append([opened(2, 2)])
            disk.fail = lambda _number, _sql: False
            await held.until(lambda: held.records[-1].event.type == "controller.storage")
            told = held.records[-1].event
            assert told.code == "write_failed"
            assert told.details["lasted_s"] == 30.0
            assert "disk I/O error" in str(told.details["message"])
            assert held.log.health().writer == "ok"
            assert held.log.health().error is None
            await _whole(held, path, 3)

    asyncio.run(run())


def test_a_stalled_disk_stops_nobody(tmp_path: Path):
    path, disk, clock = tmp_path / "log.db", Disk(), FakeClock()

    async def run() -> None:
        async with journal(path, clock, replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            disk.go.clear()
            held.log.append([opened(1, 1)])
            await held.eventually(disk.waiting.is_set)
            for number in range(2, 1_000):  # returns at once, or this test never ends
                held.log.append([opened(number, number)])
            assert held.log.committed == 1
            clock.tick(20)
            assert held.log.health().writer == "stalled"
            assert [record.sequence for record in await held.log.read(0, 10)] == [1]
            disk.go.set()
            await held.until(lambda: any(record.event.code == "slow" for record in held.records))
            assert held.log.health().writer == "ok"
            await _whole(held, path, 1_000)

    asyncio.run(run())


def test_when_the_memory_is_full_too_alarms_stay_and_the_gap_is_counted(tmp_path: Path):
    path, disk, clock = tmp_path / "log.db", Disk(), FakeClock()
    options = replace(PATIENT, connect=disk.connect, max_waiting=10)

    async def run() -> None:
        async with journal(path, clock, options) as held:
            disk.go.clear()
            held.log.append([opened(0, 0)])
            await held.eventually(disk.waiting.is_set)
            for number in range(1, 31):
                held.log.append([forced(number, number) if number % 5 == 0 else opened(number, number)])
            health = held.log.health()
            assert (health.waiting, health.dropped) == (10, 21)
            disk.go.set()
            await held.until(lambda: any(record.event.type == "controller.gap" for record in held.records))
            gap = next(record.event for record in held.records if record.event.type == "controller.gap")
            kept = numbers(held.records)
            assert [number for number in kept if number % 5 == 0 and number] == [5, 10, 15, 20, 25, 30]
            assert len(kept) == 10
            assert (gap.details["events"], gap.details["alarms"]) == (21, 0)
            lost = [number for number in range(31) if number not in kept]
            assert (gap.details["first_uptime_ns"], gap.details["last_uptime_ns"]) == (min(lost), max(lost))
            await held.write(opened(99, 99))
            assert verify(path).ok

    asyncio.run(run())


def test_a_missing_directory_is_waited_for(tmp_path: Path):
    path = tmp_path / "not mounted yet" / "log.db"

    async def run() -> None:
        async with journal(path, wait=False) as held:
            held.log.append([opened(0, 0)])
            await held.eventually(lambda: held.log.health().writer == "failed")
            path.parent.mkdir()
            await _whole(held, path, 1)
            await held.until(lambda: held.records[-1].event.code == "write_failed")

    asyncio.run(run())


def test_closing_while_the_disk_is_away_ends_and_counts(tmp_path: Path):
    async def run() -> None:
        async with journal(tmp_path / "missing" / "log.db", wait=False) as held:
            held.log.append([opened(), opened()])
            await held.eventually(lambda: held.log.health().writer == "failed")
            assert await held.log.close() == 2

    asyncio.run(run())


def test_a_file_replaced_under_us_is_noticed(tmp_path: Path):
    path, clock = tmp_path / "log.db", FakeClock()

    async def run() -> None:
        async with journal(path, clock) as held:
            await held.write(opened(0, 0))
            stream = held.log.stream
            for name in ("log.db", "log.db-wal", "log.db-shm"):
                (tmp_path / name).unlink()
            await held.write(*(opened(n, n) for n in range(1, 100)))
            await held.until(lambda: held.log.stream != stream)
            await held.write(opened(100, 100))
            assert numbers(await held.log.read(0, 1_000))[-1] == 100

    asyncio.run(run())


@pytest.mark.parametrize("where", ["header", "middle", "all"])
def test_a_damaged_database_is_set_aside_and_lockdowns_survive_if_they_can(tmp_path: Path, where: str):
    path = tmp_path / "log.db"

    async def write() -> str:
        async with journal(path) as held:
            await held.write(*(opened(n, n) for n in range(500)))
            held.log.append([opened(500, 500)], {"front": "locked_down"})
            assert (await held.log.admit("id-1")).first
            held.log.advance("mqtt", 100)
            return held.log.stream

    async def reopen(stream: str) -> None:
        async with journal(path, wait=False) as held:
            held.log.append([opened(0, 0)])
            await held.until(lambda: {"controller.storage", "lock.opened"} <= {r.event.type for r in held.records})
            assert held.log.stream != stream
            assert held.records[0].sequence == 1
            assert held.log.cursor("mqtt") == 0
            aside = Path(str(held.log.health().set_aside))
            assert aside.name.startswith("log.db.damaged-2026")
            told = next(record.event for record in held.records if record.event.type == "controller.storage")
            assert told.code == "damaged"
            assert str(aside) in str(told.details["message"])
            if where == "middle":
                assert held.log.modes() == {"front": "locked_down"}
                assert not (await held.log.admit("id-1")).first
            assert verify(path).ok

    stream = asyncio.run(write())
    damaged = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'record'").fetchone()
    at, length = {"header": (0, 64), "middle": ((root - 1) * 2_048, 2_048), "all": (0, len(damaged))}[where]
    damaged[at : at + length] = b"\xa5" * length
    path.write_bytes(damaged)
    asyncio.run(reopen(stream))
    (aside,) = tmp_path.glob("log.db.damaged-*Z")
    kept = aside.read_bytes()
    assert kept[100:] == damaged[100:], "nothing but SQLite's own header may differ, which counts openings"


def test_damage_met_while_running_starts_a_new_stream_and_keeps_what_waits(tmp_path: Path):
    path, disk = tmp_path / "log.db", Disk()

    def broken(_number: int, sql: str) -> bool:
        if sql == "COMMIT" and not list(tmp_path.glob("*damaged*")):
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        return False

    async def run() -> None:
        async with journal(path, options=replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            stream = held.log.stream
            disk.fail = broken
            held.log.append([opened(1, 1)], {"front": "locked_down"})
            await held.until(lambda: len(numbers(held.records)) == 2)
            assert held.log.stream != stream
            await held.until(lambda: any(record.event.code == "damaged" for record in held.records))
            assert numbers(await held.log.read(0, 10)) == [1]
            assert held.log.committed == held.records[-1].sequence

    asyncio.run(run())


def test_a_disk_that_spoils_every_file_is_not_filled_with_them(tmp_path: Path):
    path, disk = tmp_path / "log.db", Disk()
    tries = 0

    def broken(_number: int, sql: str) -> bool:
        nonlocal tries
        if sql.startswith("PRAGMA page_size") and tries < 6:
            tries += 1
            error = sqlite3.DatabaseError("file is not a database")
            error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
            raise error
        return False

    async def run() -> None:
        async with journal(path) as held:
            held.log.append([opened(0, 0)], {"front": "locked_down"})
        disk.fail = broken
        async with journal(path, options=replace(PATIENT, connect=disk.connect), wait=False) as held:
            await held.write(opened(1, 1))
            assert held.log.modes() == {"front": "locked_down"}

    asyncio.run(run())
    assert tries == 6
    assert len(list(tmp_path.glob("*damaged*"))) == 1


def test_acknowledged_records_that_are_gone_make_a_new_stream(tmp_path: Path):
    """A medium that lost what it had confirmed: numbers that went upstream must not be used again."""
    path = tmp_path / "log.db"

    async def write() -> str:
        async with journal(path) as held:
            await held.write(*[opened()] * 5)
            held.log.advance("mqtt", 5)
            return held.log.stream

    async def reopen() -> str:
        async with journal(path) as held:
            return held.log.stream

    stream = asyncio.run(write())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM record WHERE seq > 3")
    assert asyncio.run(reopen()) != stream


FULL = """
    import asyncio, resource, signal, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from edge.log.verify import verify
    from tests.support.logs import journal, numbers, opened

    def room(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def main():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        path = Path(sys.argv[1])
        async with journal(path) as held:
            await held.write(opened(0, 0))
            room(300_000)
            for number in range(1, 3_000):
                held.log.append([opened(number, number)])
            await held.eventually(lambda: held.log.health().writer == "failed")
            print(held.log.health().error, flush=True)
            assert held.log.health().waiting > 0
            room(resource.RLIM_INFINITY)
            await held.until(lambda: len(numbers(held.records)) >= 3_000)
            assert numbers(held.records) == list(range(3_000))
            assert verify(path).ok

    asyncio.run(main())
"""


def test_a_full_disk_is_waited_out(tmp_path: Path):
    """Really full for the process: the kernel lets no file grow beyond a limit (setrlimit(2), RLIMIT_FSIZE)."""
    assert signal.SIGXFSZ
    assert resource.RLIMIT_FSIZE >= 0
    program = textwrap.dedent(FULL).format(root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "log.db")],
        capture_output=True,
        text=True,
        timeout=4 * WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "full" in done.stdout or "I/O" in done.stdout
