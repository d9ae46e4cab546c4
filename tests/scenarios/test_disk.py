"""A door never waits for the disk."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

from edge.log.connections import connect
from edge.log.log import LogOptions
from tests.support import virtual
from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path


class StallingDisk:
    """A disk under the writer that hangs in COMMIT while `moving` is clear."""

    def __init__(self) -> None:
        self.moving, self.stuck = threading.Event(), threading.Event()
        self.moving.set()

    def wait(self) -> None:
        if not self.moving.is_set():
            self.stuck.set()
        self.moving.wait()

    def connect(self, path: Path) -> sqlite3.Connection:
        disk = self

        class Slow(sqlite3.Connection):
            def execute(self, sql: str, *more: object) -> sqlite3.Cursor:
                if sql.startswith("COMMIT"):
                    disk.wait()
                return super().execute(sql, *more)  # type: ignore[arg-type]

            def commit(self) -> None:
                disk.wait()
                super().commit()

        db = connect(path)
        db.close()
        found = sqlite3.connect(path, factory=Slow, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            found.execute(f"PRAGMA {pragma}").fetchall()
        return found


def test_a_disk_that_stalls_for_20_s_delays_no_unlock_no_relock_and_loses_nothing(tmp_path: Path) -> None:
    disk = StallingDisk()

    async def script(house: House) -> None:
        await house.ask("unlock", "back")
        await asyncio.sleep(10)
        house.disk_is_not_waited_for()
        disk.moving.clear()
        began_s = house.loop.time()
        asked = asyncio.ensure_future(house.ask("unlock"))
        await asyncio.sleep(0.01)
        assert house.door()["lock"] == "unlocked", "at once"
        disk.stuck.wait()  # virtual time is so fast that it would be over before the writer's thread ran
        await asyncio.sleep(4.9)
        answer = await asked
        assert (answer["done"], answer["code"]) == (True, "not_stored"), "and it is said that the disk has not got it"
        assert house.door()["lock"] == "unlocked"
        await asyncio.sleep(0.2)
        assert house.door()["lock"] == "locked", "in time"
        await house.sim("rex")
        assert house.door()["lock"] == "unlocked"
        await house.sim("open")
        await house.sim("close")
        assert house.door()["lock"] == "locked"
        await asyncio.sleep(20 - (house.loop.time() - began_s))
        assert house.daemon.log.health().writer == "stalled"
        assert house.types == ["lock.unlock", "lock.locked", "lock.access_not_taken"], "told only once it is written"
        disk.moving.set()
        while "lock.closed" not in house.types:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    house = live(
        write_config(tmp_path, doors=("front", "back"), unlock_s=5.0), script, LogOptions(connect=disk.connect)
    )
    assert house.types[3:] == [
        *("lock.unlock", "lock.locked", "lock.access_not_taken"),
        *("lock.unlock", "lock.opened", "lock.closed", "lock.locked"),
    ]


def test_without_any_disk_doors_are_guarded(tmp_path: Path) -> None:
    """A log that cannot be opened at all: exits and unlocks work, and it is said."""

    def broken(_path: Path) -> sqlite3.Connection:
        raise OSError("Read-only file system")

    async def script(house: House) -> None:
        house.loop.waits_for = [lambda: house.daemon.log.health().writer == "ok"]  # until its thread has tried
        await asyncio.sleep(6)
        await house.sim("rex")
        assert house.door()["lock"] == "unlocked"
        await asyncio.sleep(6)
        assert house.door()["lock"] == "locked"
        assert (await house.ask("unlock"))["done"]
        assert house.daemon.log.health().writer != "ok"

    async def run(loop: virtual.VirtualLoop) -> None:
        house = House(loop, write_config(tmp_path), LogOptions(connect=broken))
        loop.waits_for = []
        stop = asyncio.Event()
        task = asyncio.ensure_future(house.daemon.run(stop))
        await asyncio.sleep(1)
        try:
            await script(house)
        finally:
            stop.set()
            await task

    virtual.run(run)
