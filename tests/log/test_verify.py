"""Whoever changes a record by hand is found, and the record is named."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.log.schema import FIELDS
from edge.log.verify import verify
from tests.support.logs import forced, journal, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.write(*(forced(n, n) if n % 3 else opened(n, n) for n in range(20)))
            held.log.advance("mqtt", 10)

    asyncio.run(run())
    return tmp_path / "log.db"


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(sql, values).rowcount


def test_an_untouched_log_holds(path: Path):
    result = verify(path)
    assert result.ok
    assert (result.checked, result.first, result.last, result.removed) == (20, 1, 20, 0)


@pytest.mark.parametrize(("sequence", "found"), [(7, False), (15, False), (16, True), (20, True)])
def test_a_look_at_the_newest_records_finds_what_is_wrong_with_them(path: Path, sequence: int, found: bool):
    assert verify(path, newest=5).checked == 5
    change(path, f"UPDATE record SET object_name = 'other' WHERE seq = {sequence}")
    broken = verify(path, newest=5).broken
    assert (broken.sequence if broken else None) == (sequence if found else None)


OTHER = {int: 77, str: "other", bytes: bytes(32)}


@pytest.mark.parametrize("column", [*(field for field in FIELDS if field not in {"seq", "boot"}), "hash"])
def test_any_field_changed_by_hand_is_found_and_the_record_named(path: Path, column: str):
    with closing(sqlite3.connect(path)) as db:
        (value,) = db.execute(f"SELECT {column} FROM record WHERE seq = 7").fetchone()
    change(path, f"UPDATE record SET {column} = ? WHERE seq = 7", OTHER[type(value or "")])
    result = verify(path)
    assert result.broken is not None
    assert result.broken.sequence == 7
    assert "does not match its hash" in result.broken.what
    assert result.checked == 6


@pytest.mark.parametrize(
    ("sql", "sequence", "what"),
    [
        ("DELETE FROM record WHERE seq = 7", 7, "missing"),
        ("DELETE FROM record WHERE seq <= 7", 1, "records 1 to 7 are missing"),
        ("DELETE FROM record WHERE seq > 7", 8, "mqtt has acknowledged records up to 10"),
        ("UPDATE record SET seq = 99 WHERE seq = 7", 7, "missing"),
        ("UPDATE boot SET boot = 'another'", 1, "does not match"),
        ("DELETE FROM boot", 1, "boot is not known"),
        ("UPDATE clock SET offset_us = offset_us + 1", 0, "note 1 of the clock"),
        ("UPDATE log SET epoch = 'another'", 1, "does not match"),
    ],
)
def test_other_ways_to_tamper_are_named_too(path: Path, sql: str, sequence: int, what: str):
    change(path, sql)
    broken = verify(path).broken
    assert broken is not None
    assert broken.sequence == sequence
    assert what in broken.what


def test_a_swap_of_two_records_is_found(path: Path):
    for sql in ("seq = -1 WHERE seq = 7", "seq = 7 WHERE seq = 8", "seq = 8 WHERE seq = -1"):
        change(path, f"UPDATE record SET {sql}")
    broken = verify(path).broken
    assert broken is not None
    assert broken.sequence == 7


def test_what_is_no_log_is_broken_and_what_is_not_there_is_an_error(tmp_path: Path):
    (tmp_path / "text").write_text("no database " * 1_000)
    assert "damaged" in verify(tmp_path / "text").broken.what
    sqlite3.connect(tmp_path / "other.db").close()
    (tmp_path / "other.db").touch()
    assert "damaged" in verify(tmp_path / "other.db").broken.what
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "nothing")


def test_it_walks_a_log_that_is_being_written(tmp_path: Path):
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            for number in range(1_200):
                held.log.append([opened(number, number)])
            result = await asyncio.to_thread(verify, tmp_path / "log.db")
            assert result.ok, result
            await held.until(lambda: held.log.committed == 1_200)
            assert verify(tmp_path / "log.db").checked == 1_200

    asyncio.run(run())
