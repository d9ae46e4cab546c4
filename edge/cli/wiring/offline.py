"""The wiring check without a daemon: `doorctl` opens the drivers of one door itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.cli.meant import door_meant
from edge.cli.wiring.door import RELEASE_S
from edge.client.connection import Client, Unreachable
from edge.model.messages import CardRead, Confirmed, Level
from edge.model.roles import ROLES

if TYPE_CHECKING:
    import argparse

    from edge.cli.wiring.door import DoorUnderTest
    from edge.model.messages import Signal
    from edge.model.ports import Driver

CONFIG: Final = Path("/etc/doorward/doorward.toml")


class OfflineDoor:
    """The drivers of one door, on an event loop of their own. All their locks stay at rest but the tested one."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises ValueError for a bad configuration or an unknown door."""
        from edge.config.reading import load  # noqa: PLC0415 -- as above
        from edge.model.problems import ConfigError  # noqa: PLC0415 -- as above
        from edge.system.clock import Clock  # noqa: PLC0415 -- only without a daemon

        try:
            settings = load(arguments.config or CONFIG)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        arguments.door = self._door = door_meant(
            {key: door.name for key, door in settings.doors.items()}, arguments.door
        )
        _refuse_if_served(settings.control.socket)
        self._points = settings.doors[self._door].points
        now_ns = Clock().now_ns
        names = sorted(set(self._points.values()))
        self._drivers: dict[str, Driver] = {name: settings.drivers[name].create(now_ns) for name in names}
        self._levels: dict[str, bool] = {}
        self._counts: Counter[str] = Counter()
        self._tasks: list[asyncio.Future[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> DoorUnderTest:
        """Open the drivers, with every lock at rest."""
        self._thread.start()
        try:
            self._on_loop(self._open())
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """Bring every lock to rest, and close the drivers."""
        self._on_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def roles(self) -> set[str]:
        """See DoorUnderTest."""
        return set(self._points)

    def seen(self) -> dict[str, str]:
        """See DoorUnderTest."""
        return {role: ROLES[role].words[level] for role, level in self._levels.items()}

    def count(self, role: str) -> int:
        """See DoorUnderTest."""
        return self._counts[role]

    def release(self) -> str | None:
        """See DoorUnderTest."""
        self._on_loop(self._drive(released=True))
        self._loop.call_soon_threadsafe(
            self._loop.call_later, RELEASE_S, lambda: asyncio.ensure_future(self._drive(released=False))
        )
        return None

    def _on_loop(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()  # type: ignore[arg-type]  # always a coroutine

    async def _open(self) -> None:
        for driver in self._drivers.values():
            driver.open()
            self._tasks.append(asyncio.ensure_future(driver.run(self._take)))
        await self._drive(released=False)
        end_s = time.monotonic() + 1
        while "lock" not in self._levels and time.monotonic() < end_s:  # noqa: ASYNC110 -- a second at most
            await asyncio.sleep(0.01)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for driver in self._drivers.values():
            driver.close()

    async def _drive(self, *, released: bool) -> None:
        with contextlib.suppress(OSError):  # a lost line shows as a lock that does not switch
            self._drivers[self._points["lock"]].apply({f"{self._door}.lock": released})

    def _take(self, signal: Signal) -> None:
        if not isinstance(signal, Level | Confirmed | CardRead):
            return
        door, _, role = signal.point.rpartition(".")
        if door != self._door:
            return
        if isinstance(signal, CardRead):
            self._counts[role] += 1
            return
        self._counts[role] += signal.asserted and not getattr(signal, "initial", False)
        self._levels[role] = signal.asserted


def _refuse_if_served(socket: Path) -> None:
    """Raises ValueError when a daemon runs at the configured socket: it uses the hardware already."""
    try:
        Client(socket).close()
    except Unreachable as error:
        if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            raise
    else:
        raise ValueError(f"a daemon with this configuration runs: doorctl --socket {socket} test ...")
