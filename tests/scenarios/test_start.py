"""A start on a disk that hangs or fails: no card slips in before the doors' modes are known, and everybody gets out."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from edge.daemon.remembering import MEMORY_WITHIN_S
from edge.log.log import LogOptions
from edge.log.mark import place
from tests.scenarios.test_people import ADA, config_of, people, ready
from tests.support import virtual
from tests.support.house import House, live

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine
    from pathlib import Path


@pytest.fixture
def down(tmp_path: Path) -> Path:
    """A controller whose front door was locked down before it stopped."""
    people(tmp_path)

    async def before(house: House) -> None:
        await ready(house)
        await house.ask("lock_down", "front")

    live(config_of(tmp_path), before)
    return config_of(tmp_path)


def _run(
    config: Path, connect: Callable[[Path], sqlite3.Connection], script: Callable[[House], Coroutine[Any, Any, None]]
) -> None:
    async def run(loop: virtual.VirtualLoop) -> None:
        house = House(loop, config, LogOptions(connect=connect))
        house.disk_is_not_waited_for()
        stop = asyncio.Event()
        task = asyncio.ensure_future(house.daemon.run(stop))
        try:
            await script(house)
        finally:
            stop.set()
            await task

    virtual.run(run)


async def _knock(house: House, door: str) -> str:
    """Show a card, whether or not anybody is there to answer."""
    simulator = house.daemon.drivers.simulator(door)
    assert simulator is not None
    simulator.simulate(door, "card", ADA)
    await asyncio.sleep(0.1)
    return str(house.door(door)["lock"])


@pytest.mark.parametrize("readable", [True, False])
def test_a_locked_down_door_refuses_every_card_while_the_disk_hangs(
    down: Path, readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing at all to be read, until it has been waited for long enough."""
    go = threading.Event()

    def hang(_path: Path) -> sqlite3.Connection:
        go.wait()
        raise OSError("Input/output error")

    if not readable:
        monkeypatch.setattr("edge.log.writer.recall", lambda _path: go.wait() and None)

    async def script(house: House) -> None:
        if readable:  # however slow the thread is that reads them
            house.loop.waits_for = [lambda: not house.daemon.log._remembered.is_set()]
        await asyncio.sleep(0)  # the drivers report their inputs
        try:
            for number in range(round(MEMORY_WITHIN_S * 10) - 1):
                assert await _knock(house, "front") != "unlocked", number
            if readable:
                assert house.door("front")["mode"] == "locked_down"
                assert await _knock(house, "back") == "unlocked", "who may pass is let in elsewhere"
            else:
                assert (await house.ask("unlock", "back"))["code"] == "starting"
                assert (await house.ask("hold_unlocked", "front"))["code"] == "starting"
            assert house.daemon.log.health().writer == "stalled"
            await house.sim("rex", door="front")
            assert house.door("front")["lock"] == "unlocked", "everybody gets out"
            if not readable:
                await asyncio.sleep(20)
                assert await _knock(house, "back") == "unlocked", "nobody is kept out for ever"
                assert (await house.ask("unlock", "back"))["done"]
        finally:
            go.set()

    _run(down, hang, script)


@pytest.mark.parametrize("lost", ["log", "log header", "mark"])
def test_modes_are_known_from_the_log_or_from_the_mark_beside_it(down: Path, lost: str) -> None:
    log = down.with_name("log.db")
    if lost == "mark":
        place(log).unlink()
    elif lost == "log":
        log.unlink()
    else:
        with log.open("r+b") as file:
            file.write(b"\xa5" * 100)

    async def script(house: House) -> None:
        assert house.door("front")["mode"] == "locked_down"
        assert house.door("back")["mode"] == "locked"

    live(down, script)
    live(down, script)


def test_a_newer_word_than_what_is_remembered_late_counts(down: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def hang(_path: Path) -> Any:
        go.wait()

    monkeypatch.setattr("edge.log.writer.recall", hang)

    async def run(loop: virtual.VirtualLoop) -> None:
        house = House(loop, down)
        house.disk_is_not_waited_for()
        stop = asyncio.Event()
        task = asyncio.ensure_future(house.daemon.run(stop))
        await asyncio.sleep(3)
        assert (await house.ask("cancel_lockdown", "front"))["done"]
        assert (await house.ask("lock_down", "back"))["done"]
        go.set()
        while not house.daemon.log.stream:
            await asyncio.sleep(0.01)
            await loop.run_in_executor(None, lambda: None)
        await asyncio.sleep(1)
        assert house.door("front")["mode"] == "locked"
        assert house.door("back")["mode"] == "locked_down"
        stop.set()
        await task

    virtual.run(run)
