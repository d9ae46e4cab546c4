"""A stream and a sequence number name one record for ever: files that are damaged, moved, or go back in time."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge.daemon.requests.restored import begin_anew
from edge.log.epochs import Epochs
from edge.log.file import LogInUseError
from edge.log.mark import place, read_mark
from edge.log.reading.query import LogReader, Query
from edge.log.remembered import say_restored
from edge.log.verify import verify
from edge.model.cloudevents import Identity, cloudevent, encode, to_bytes
from edge.model.messages import Actor
from edge.socket.server import RequestError
from tests.support.clock import FakeClock
from tests.support.logs import PATIENT, Disk, Journal, journal, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path

DOWN = '{"locked_down": true, "operator": "none"}'


def _ids(path: Path) -> dict[str, str]:
    """Every id in a log, and the hash of the record that it names."""
    with closing(LogReader(path)) as reader:
        records = list(reader.records(Query(limit=10_000, newest=False)))
        identity = Identity("site", "hq", reader.epoch)
    return {str(cloudevent(record, identity, replayed=False)["id"]): record.hash for record in records}


def _malformed(tmp_path: Path, statement: str) -> Disk:
    """Says at this statement that the file is damaged, until it has been set aside."""
    disk = Disk()

    def fail(_number: int, sql: str) -> bool:
        if sql == statement and not list(tmp_path.glob("*damaged*")):
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        return False

    disk.fail = fail
    return disk


async def _move_away(path: Path, into: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        one = path.with_name(path.name + suffix)
        if one.exists():
            one.rename(into / one.name)


@pytest.mark.parametrize("after", [0, 10])
def test_the_cursor_of_a_damaged_file_says_nothing_about_the_next_one(tmp_path: Path, after: int) -> None:
    path, disk = tmp_path / "log.db", Disk()

    async def run() -> str:
        async with journal(path, options=replace(PATIENT, connect=disk.connect, lazy_s=60)) as held:
            await held.write(*(opened(n, n) for n in range(5)))
            before = held.log.stream
            disk.fail = _malformed(tmp_path, "COMMIT").fail
            held.log.advance("mqtt", 5)
            held.log.append([opened(100, 100)])
            await held.until(lambda: any(record.event.code == "damaged" for record in held.records))
            assert held.log.stream != before
            assert held.log.cursor("mqtt") == 0
            await held.write(*(opened(200 + n, 200 + n) for n in range(after)))
            return held.log.stream

    stream = asyncio.run(run())

    async def again() -> None:
        async with journal(path) as held:
            assert held.log.stream == stream, "the new file is well"
            assert held.log.cursor("mqtt") == 0, "nothing of it was sent yet"

    asyncio.run(again())


@pytest.mark.parametrize("leave", ["nothing", "another log"])
def test_what_outlives_a_file_that_is_moved_away_under_the_writer(tmp_path: Path, leave: str) -> None:
    path, gone = tmp_path / "log.db", tmp_path / "gone"
    gone.mkdir()

    async def other() -> None:
        async with journal(path) as held:
            held.log.append([opened(0, 0)], {"front": "{}"})

    async def run() -> None:
        async with journal(path) as held:
            held.log.append([opened(0, 0)], {"front": DOWN})
            assert (await held.log.admit("id-1")).first
            held.log.settle("id-1", b"answer")
            await held.log.durable()
            stream = held.log.stream
            await _move_away(path, gone)
            if leave == "another log":
                shutil.copytree(tmp_path / "other", tmp_path, dirs_exist_ok=True)
            held.log.append([opened(n, n) for n in range(1, 200)])
            await held.eventually(lambda: held.log.stream != stream)
            await held.write(opened(300, 300))
            again = await held.log.admit("id-1")
            assert (again.first, again.reply) == (False, b"answer")
        async with journal(path) as held:
            assert held.log.modes()["front"] == DOWN

    if leave == "another log":
        asyncio.run(other())
        (tmp_path / "other").mkdir()
        asyncio.run(_move_away(path, tmp_path / "other"))
        place(path).unlink()
    asyncio.run(run())


def test_a_log_that_is_gone_at_the_start_leaves_the_modes_in_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            held.log.append([opened()], {"front": DOWN})
        path.unlink()
        async with journal(path) as held:
            assert held.log.modes() == {"front": DOWN}
        place(path).unlink()
        async with journal(path) as held:
            assert held.log.modes() == {"front": DOWN}, "they stand in the new log by now"

    asyncio.run(run())


def test_an_image_that_is_put_back_goes_on_as_another_stream(tmp_path: Path) -> None:
    """Written, copied, written on, copied back, written on: no id names two records, and none has two ids."""
    path, image = tmp_path / "log.db", tmp_path / "image"
    seen: dict[str, str] = {}

    async def life(first: int, mode: str) -> Journal:
        async with journal(path) as held:
            held.log.append([], {"front": mode})
            await held.write(*(opened(n, n) for n in range(first, first + 10)))
            held.log.advance("mqtt", held.log.committed - 2)
            return held

    def look() -> None:
        for record_id, digest in _ids(path).items():
            assert seen.setdefault(record_id, digest) == digest, record_id
        assert len(set(seen.values())) == len(seen), "a record keeps its id"
        assert verify(path).ok

    first = asyncio.run(life(0, "first"))
    look()
    shutil.copy(path, image)
    asyncio.run(life(10, "second"))
    look()
    shutil.copy(image, path)
    back = asyncio.run(life(100, "third"))
    look()
    assert back.log.stream != first.log.stream
    told = next(record.event for record in back.records if record.event.code == "restored")
    assert (told.type, told.success) == ("controller.storage", False)
    assert told.details["epoch_before"] == first.log.stream.partition("/")[2]
    assert "the log ends at record 10, and it had come to 20" in str(told.details["message"])
    assert back.records[0].sequence == 11, "numbers go on"
    assert back.log.cursor("mqtt") == back.log.committed - 2


def test_what_the_mark_knows_better_counts_after_a_log_went_back(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            held.log.append([], {"front": "old", "back": "old"})
            await held.write(*(opened(n, n) for n in range(5)))
            held.log.advance("mqtt", 2)
        shutil.copy(path, tmp_path / "image")
        async with journal(path) as held:
            held.log.append([], {"front": DOWN})
            await held.write(*(opened(n, n) for n in range(5, 10)))
            held.log.advance("mqtt", 7)
        shutil.copy(tmp_path / "image", path)
        async with journal(path) as held:
            assert held.log.modes() == {"front": DOWN, "back": "old"}, "a lockdown is not forgotten"
            assert held.log.cursor("mqtt") == 5, "all that is left was acknowledged"

    asyncio.run(run())


def test_a_record_that_is_another_one_than_the_mark_says_begins_another_stream(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(*(opened(n, n) for n in range(5)))
            held.log.advance("mqtt", 3)
            stream = held.log.stream
        shutil.copy(path, tmp_path / "image")
        async with journal(path) as held:
            await held.write(*(opened(n, n) for n in range(10, 15)))
        mark = place(path).read_bytes()
        shutil.copy(tmp_path / "image", path)
        place(path).unlink()
        async with journal(path) as held:  # without any witness: ids 6 to 13 are used again
            await held.write(*(opened(n, n) for n in range(20, 28)))
            assert held.log.stream == stream
        place(path).write_bytes(mark)
        async with journal(path) as held:
            assert held.log.stream != stream
            assert [r.epoch == stream.partition("/")[2] for r in await held.log.read(0, 6)] == [True] * 3 + [False] * 3

    asyncio.run(run())


def test_another_stream_on_a_witness_s_word(tmp_path: Path) -> None:
    """What this run wrote is told anew; what was there before keeps the name under which it was told."""
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(*(opened(n, n) for n in range(5)))
        async with journal(path) as held:
            await held.write(*(opened(n, n) for n in range(5, 8)))
            held.log.advance("mqtt", 7)
            before = held.log.stream.partition("/")[2]
            await asyncio.wait_for(held.log.new_epoch("the broker has seen record 40"), 30)
            now = held.log.stream.partition("/")[2]
            assert now != before
            assert held.log.cursor("mqtt") == 5
            await held.write(opened(9, 9))
            epochs = [record.epoch for record in await held.log.read(0, 100)]
            assert epochs == [before] * 5 + [now] * (held.log.committed - 5)
            await held.log.new_epoch("once more", after=2)
            assert held.log.stream.partition("/")[2] not in {before, now}
            assert [record.epoch for record in await held.log.read(0, 2)] == [before] * 2
            assert verify(path).ok
        assert [record.event.code for record in held.records if record.event.code] == ["restored"] * 2

    asyncio.run(run())


def test_two_witnesses_of_one_accident_make_one_new_stream(tmp_path: Path) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.write(opened())
            await asyncio.gather(held.log.new_epoch("one"), held.log.new_epoch("two"))
            await held.log.durable()
            assert sum(record.event.code == "restored" for record in held.records) == 1

    asyncio.run(run())


def test_epochs_in_order() -> None:
    epochs = Epochs("a").renewed(10, "b").renewed(20, "c")
    assert [epochs.of(n) for n in (1, 10, 11, 20, 21)] == ["a", "a", "b", "b", "c"]
    assert epochs.origin == "a"
    back = epochs.renewed(5, "d")
    assert [back.of(n) for n in (5, 6, 15)] == ["a", "d", "d"]


def test_a_record_is_told_under_its_own_epoch(tmp_path: Path) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.write(opened())
            await held.log.new_epoch("test")
            (record,) = await held.log.read(0, 1)
            identity = Identity("site", "hq", held.log.stream.partition("/")[2])
            said = cloudevent(record, identity, replayed=True)
            assert said["id"] == f"{record.epoch}-1"
            assert said["stream"] == f"hq/{record.epoch}"
            assert encode(record, identity, replayed=True) == to_bytes(said)

    asyncio.run(run())


@pytest.mark.parametrize("spoil", [b"", b"x", b"\0" * 100])
def test_a_spoiled_mark_counts_for_nothing(tmp_path: Path, spoil: bytes) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(opened())
            stream = held.log.stream
        text = place(path).read_bytes()
        assert read_mark(path) is not None
        place(path).write_bytes(text[:-1] + spoil)
        assert read_mark(path) is None
        async with journal(path) as held:
            assert held.log.stream == stream

    asyncio.run(run())


def test_a_failed_commit_that_shows_in_the_file_is_flushed_before_it_is_told(tmp_path: Path) -> None:
    """After a failed flush the kernel may have it in its memory only, and would say that all is well."""
    path, disk, checkpoints = tmp_path / "log.db", Disk(), []

    async def run() -> None:
        async with journal(path, options=replace(PATIENT, connect=disk.connect)) as held:
            await held.write(opened(0, 0))
            failed: list[int] = []

            def lie(number: int, sql: str) -> bool:
                if sql.startswith("PRAGMA wal_checkpoint"):
                    checkpoints.append(len(numbers(held.records)))
                if sql == "COMMIT" and not failed:
                    failed.append(number)
                    return True
                return False

            disk.lie = lie
            await held.write(opened(1, 1))
            assert checkpoints == [1], "before the second one was told"

    asyncio.run(run())


def test_a_file_system_that_has_become_read_only_is_noticed_although_writing_says_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read_only = tmp_path / "log.db", asyncio.Event()

    def refuse(_folder: Path) -> None:
        if read_only.is_set():
            raise OSError(30, "Read-only file system")

    monkeypatch.setattr("edge.log.store.refuse_read_only", refuse)

    async def run() -> None:
        async with journal(path, FakeClock()) as held:
            await held.write(opened(0, 0))
            read_only.set()
            held.log.append([opened(1, 1)])
            await held.eventually(lambda: held.log.health().writer == "failed")
            assert "Read-only" in str(held.log.health().error)
            assert numbers(held.records) == [0], "nothing is told that is not on the medium"
            assert numbers(await held.log.read(0, 10)) == [0, 1]
            read_only.clear()
            await held.until(lambda: numbers(held.records) == [0, 1])

    asyncio.run(run())


@pytest.mark.parametrize("told", ["running", "stopped"])
def test_somebody_says_that_a_log_was_restored(tmp_path: Path, told: str) -> None:
    """Nothing beside the log shows it: the whole card was written from an image."""
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            held.log.append([], {"front": DOWN})
            await held.write(*(opened(n, n) for n in range(5)))
            stream = held.log.stream
        if told == "stopped":
            say_restored(path)
        async with journal(path) as held:
            if told == "running":
                await held.write(opened(5, 5))
                with pytest.raises(LogInUseError):
                    say_restored(path)
                await begin_anew(held.log, Actor("operator", "uid:0", "root"))
            now = held.log.stream
            assert now != stream
            assert held.log.modes()["front"] == DOWN
        async with journal(path) as held:
            assert held.log.stream == now, "once"
        assert verify(path).ok

    asyncio.run(run())


def test_not_everybody_says_that_a_log_was_restored(tmp_path: Path) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            stream = held.log.stream
            with pytest.raises(RequestError, match="only root"):
                await begin_anew(held.log, Actor("operator", "uid:4711", "otto"))
            assert held.log.stream == stream

    asyncio.run(run())


@pytest.mark.parametrize("witness", ["mark", "status"])
def test_a_log_that_was_cut_off_at_its_end_does_not_verify(tmp_path: Path, witness: str) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with journal(path) as held:
            await held.write(*(opened(n, n) for n in range(5)))

    asyncio.run(run())
    assert verify(path).ok
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM record WHERE seq > 3")
    if witness == "status":
        place(path).unlink()
        assert verify(path).ok, "nothing tells"
    broken = verify(path, reached=5 if witness == "status" else 0).broken
    assert broken is not None
    assert (broken.sequence, broken.what) == (4, "the log ends here, but it had come to record 5")
