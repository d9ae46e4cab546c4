"""A whole daemon in virtual time: real configuration, real log file, simulated hardware."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from edge.config.reading import load
from edge.daemon.daemon import Daemon
from edge.log.reading.query import Query
from edge.model.messages import Actor
from tests.support import virtual
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from edge.log.log import LogOptions
    from edge.model.messages import Event, Record

OTTO = Actor("operator", "uid:1000", "otto")
WRITERS_OWN = {"controller.storage", "controller.gap"}

HEAD = """
[controller]
id = "test"
site = "lab"
name = "Test"
{controller}
[log]
path = "log.db"
[control]
socket = "doord.sock"
[driver.bench]
kind = "simulated"
"""
DOOR = """
[door.{id}]
name = "{id} door"
lock = {{ driver = "bench", resting = "locked" }}
contact = {{ driver = "bench" }}
rex = {{ driver = "bench"{rex} }}
tamper = {{ driver = "bench" }}
buzzer = {{ driver = "bench" }}
{policy}
"""


def write_config(
    folder: Path, *, rex: str = "", controller: str = "", doors: Sequence[str] = ("front",), **policy: Any
) -> Path:
    """A configuration with simulated doors; `policy` holds the door's keys."""
    lines = "\n".join(f"{key} = {_toml(value)}" for key, value in policy.items())
    text = HEAD.format(controller=controller) + "".join(DOOR.format(id=door, rex=rex, policy=lines) for door in doors)
    path = folder / "doorward.toml"
    path.write_text(text)
    return path


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


class House:
    """One running daemon and a technician beside it."""

    def __init__(
        self, loop: virtual.VirtualLoop, config: Path, options: LogOptions | None = None, notifier: Any = None
    ) -> None:
        self.loop = loop
        self.clock = FakeClock(loop.now_ns)
        self.daemon = Daemon(load(config), self.clock, options=options, notifier=notifier)
        self.records: list[Record] = []
        self._appended = 0
        self._delivered = 0
        self._opened = False
        self._append = self.daemon.log.append
        self.daemon.log.append = self._count  # type: ignore[method-assign]
        self.daemon.log.on_commit(self._commit)
        self._waiting = 0
        self._durable = self.daemon.log.durable
        self.daemon.log.durable = self._until_durable  # type: ignore[method-assign]
        loop.waits_for = [lambda: not self._opened or self._appended > self._delivered or self._waiting > 0]
        self._service = self.daemon.service

    def disk_is_not_waited_for(self) -> None:
        """From now on virtual time goes on although the disk does not."""
        self.loop.waits_for = []

    async def _until_durable(self) -> None:
        self._waiting += 1
        try:
            await self._durable()
        finally:
            self._waiting -= 1

    def _count(self, events: Sequence[Event], modes: Any = None) -> None:
        self._appended += len(events)
        self._append(events, modes)

    def _commit(self, records: Sequence[Record]) -> None:
        self._delivered += sum(record.event.type not in WRITERS_OWN for record in records)
        self.records += records

    @property
    def types(self) -> list[str]:
        """The types of the doors' events so far, in order."""
        return [r.event.type for r in self.records if not r.event.type.startswith(("controller.", "gateway."))]

    def last(self, event_type: str) -> Event:
        return next(r.event for r in reversed(self.records) if r.event.type == event_type)

    def door(self, door: str = "front") -> dict[str, Any]:
        """What `doorctl status` says of a door."""
        status: Any = self.daemon.status.whole()
        return dict(status["doors"][door])

    async def sim(self, action: str, argument: str | None = None, door: str = "front") -> None:
        """Move the simulated hardware and let it settle."""
        await self._service.request("sim", {"door": door, "action": action, "argument": argument}, OTTO)
        await asyncio.sleep(0.1)

    async def ask(self, command: str, door: str = "front", **more: Any) -> dict[str, Any]:
        """A command as `doorctl` sends it; the outcome at this door."""
        body = {"command": command, "door": door, **more}
        answer: Any = await self._service.request("command", body, OTTO)
        await asyncio.sleep(0)
        return dict(answer["outcomes"][door])

    async def request(self, op: str, **body: Any) -> Any:
        return await self._service.request(op, body, OTTO)

    async def history(self) -> list[str]:
        """The types in the log file, as `doorctl events` reads them."""
        page = await self.daemon.log.query(Query())
        return [record.event.type for record in page.records]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.ensure_future(self.daemon.run(stop))
        opened = asyncio.ensure_future(self.daemon.log.opened())
        await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
        self._opened = True
        opened.cancel()
        await asyncio.sleep(0.5)
        try:
            yield
            await asyncio.sleep(0.5)
        finally:
            stop.set()
            await task


def live(
    config: Path, script: Callable[[House], Coroutine[Any, Any, None]], options: LogOptions | None = None
) -> House:
    """Run a daemon, let `script` act on it, stop it; the house is left to be looked at."""
    kept: list[House] = []

    async def main(loop: virtual.VirtualLoop) -> None:
        house = House(loop, config, options)
        kept.append(house)
        async with house.running():
            await script(house)

    virtual.run(main)
    return kept[0]
