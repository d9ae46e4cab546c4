"""A directory keeper over a real log and a real store, for a block."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.directory.faults import SUBJECT
from edge.directory.in_force import LiveDirectory
from edge.model.messages import Actor
from tests.support.directories import BERLIN
from tests.support.logs import PATIENT, journal, opened
from tests.support.people import document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.directory.directory import Directory
    from edge.log.log import LogOptions
    from edge.model.messages import Event
    from tests.support.logs import Journal

CLERK = Actor("operator", "clerk", "Clerk")
DOORS = {"front": "Front door", "back": "Back door"}


def paper(version: int = 1, **changes: Any) -> bytes:
    """The document of `tests.support.people` in some version."""
    return json.dumps(document() | {"version": version} | changes).encode()


class Kept:
    """A keeper and what it recorded."""

    def __init__(self, log: Journal, keeper: LiveDirectory) -> None:
        self.log, self.keeper = log, keeper
        self.seen: list[int] = []
        keeper.listeners.append(lambda directory: self.seen.append(directory.version))

    async def apply(self, document: bytes) -> Directory:
        """Put it in force, and wait until it is recorded."""
        directory = await self.keeper.apply(document, Path("command 7"), CLERK)
        await self.ready()
        return directory

    async def edit(self, changes: list[dict[str, Any]], base: int | None = None) -> Directory:
        """Put these changes in force, and wait until they are recorded."""
        directory = await self.keeper.edit(changes, base, Path("edit"), CLERK)
        await self.ready()
        return directory

    async def ready(self) -> None:
        await self.log.eventually(lambda: self.keeper.facts()["state"] == "ready")

    async def changes(self, version: int) -> list[Event]:
        """What the log says that this version changed, all starts together."""
        records = await self.log.log.read(0, 100_000)
        return [one.event for one in records if one.event.correlation == f"directory-{version}"]

    async def faults(self) -> list[str]:
        """Faults of the directory, and their ends."""
        await self.log.write(opened())  # behind everything that waits
        records = await self.log.log.read(0, 100_000)
        return [one.event.type for one in records if one.event.object == SUBJECT]


@asynccontextmanager
async def kept(  # noqa: PLR0913 -- what differs from test to test, by name
    folder: Path,
    file: Path | None = None,
    options: LogOptions = PATIENT,
    *,
    store: Path | None = None,
    wait: bool = True,
    started: bool = True,
) -> AsyncIterator[Kept]:
    """Log and store stand in `folder`, unless the store is elsewhere; `wait` for the log to open."""
    async with journal(folder / "log.db", options=options, wait=wait) as log:
        keeper = LiveDirectory(
            store or folder / "directory.db",
            file,
            BERLIN,
            doors=lambda: DOORS,
            log=log.log,
            now_ns=log.clock.now_ns,
            wall_us=log.clock.wall_us,
        )
        held = Kept(log, keeper)
        try:
            if started:
                await keeper.start()
            yield held
        finally:
            keeper.stop()
            await asyncio.sleep(0)
