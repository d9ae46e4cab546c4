"""Questions to doord: so many at a time, and none that is short waits for those that are long."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from edge.client.connection import Unreachable
from edge.web import link
from edge.web.link import MOST_LONG, MOST_SHORT, DaemonLink
from tests.support import virtual
from tests.support.control import FakeDaemon
from tests.support.waiting import PATIENCE_S
from tests.support.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = {"command": "lock_down", "all": True}


class Held:
    """An answer that comes when a test lets it."""

    def __init__(self, result: Any) -> None:
        self._result, self._free = result, threading.Event()

    def __call__(self, _ask: dict[str, Any]) -> Any:
        assert self._free.wait(PATIENCE_S)
        return self._result

    def let(self) -> None:
        self._free.set()


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held({"records": [], "next": None})
    yield made
    made.let()


@pytest.fixture
def doord(tmp_path: Path, held: Held) -> Iterator[FakeDaemon]:
    with FakeDaemon(
        tmp_path / "doord.sock", **answers(events=held, picture=held, metrics=held, people=held, access=held)
    ) as daemon:
        yield daemon
        held.let()


async def ended(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def arrived(doord: FakeDaemon, op: str, count: int) -> None:
    while len(doord.of(op)) < count:  # noqa: ASYNC110 -- it runs in a thread that tells nobody
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("op", ["events", "picture", "people", "access"])
def test_a_command_waits_for_no_search_and_no_picture(doord: FakeDaemon, held: Held, op: str) -> None:
    async def run() -> None:
        asks = DaemonLink(doord.path)
        long = [asyncio.create_task(asks.ask(op)) for _ in range(90)]
        await arrived(doord, op, MOST_LONG)
        assert (await asks.ask("command", "olga", **COMMAND))["outcomes"]["front"]["done"]
        assert await asks.ask("login", "olga", action="sign_in", login="olga") == {}
        assert (await asks.ask("status"))["doors"]
        assert (await asks.ask("export", action="create"))["export"]
        assert len(doord.of(op)) == MOST_LONG, "and no more than so many were asked"
        held.let()
        assert all(isinstance(one, dict) for one in await ended(long)), "they come in their turn"

    asyncio.run(run())


def test_who_finds_no_place_for_long_is_told_so(doord: FakeDaemon, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        asks = DaemonLink(doord.path)
        busy = [asyncio.create_task(asks.ask("metrics")) for _ in range(MOST_SHORT)]
        await arrived(doord, "metrics", MOST_SHORT)
        monkeypatch.setattr(link, "PLACE_WITHIN_S", 0)
        with pytest.raises(Unreachable, match="too many ask"):
            await asks.ask("status")
        held.let()
        await ended(busy)
        monkeypatch.undo()
        for _ in range(MOST_SHORT + 1):
            assert await asks.ask("status"), "what was not had is not given back"

    asyncio.run(run())


def test_who_watches_hears_something_every_beat_also_without_news(tmp_path: Path) -> None:
    async def main(loop: virtual.VirtualLoop) -> list[float]:
        told = []
        async with contextlib.aclosing(DaemonLink(tmp_path / "none.sock").changes(5.0)) as changes:
            async for _ in changes:
                told.append(loop.time())
                if len(told) > 20:
                    break
        return told

    told = virtual.run(main)
    assert all(later - sooner <= 5.0 for sooner, later in itertools.pairwise(told))
    assert told[-1] > told[0]
