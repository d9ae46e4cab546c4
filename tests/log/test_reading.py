"""The reader of a running log: whatever hangs, its file is let go."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from edge.log import connections
from edge.log.reading.thread import ReadingThread
from tests.support.logs import journal

if TYPE_CHECKING:
    from pathlib import Path

    from edge.log.reading.query import LogReader


def test_a_reader_that_hangs_while_it_is_closed_is_closed_when_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    hangs, goes_on, connections = threading.Event(), threading.Event(), list[sqlite3.Connection]()

    def hang(reader: LogReader) -> None:
        connections.append(reader.db)
        hangs.set()
        goes_on.wait(60)

    async def main() -> None:
        async with journal(path):
            pass
        reading = ReadingThread(path)
        hanging = asyncio.ensure_future(reading.look(("e", True), hang))
        await asyncio.to_thread(hangs.wait, 60)
        await reading.close(0.0)
        goes_on.set()
        await hanging
        reading._thread.shutdown()

    asyncio.run(main())
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")


def test_a_file_that_is_no_database_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"no database" * 1000)
    opened, reading = list[sqlite3.Connection](), connections._reading

    def kept(*how: object) -> sqlite3.Connection:
        opened.append(reading(*how))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(connections, "_reading", kept)
    with pytest.raises(sqlite3.DatabaseError):
        connections.connect_read_only(path, live=True)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
