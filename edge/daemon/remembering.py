"""What a start takes up from the log: the doors' modes first, everything else once its file is open.

One rule: until the modes are known no card and no pulse releases a door; exits always do. A log of which
nothing can be read is waited for so long, and then doors guard as locked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.daemon.configuration import LOCKS
from edge.daemon.requests.page_rights import MEMORY
from edge.doors.memory import memory_of
from edge.log.log import LogUnavailableError
from edge.log.reading.filters import Query
from edge.model.event_types import LOGIN_CREATE, LOGIN_DESTROY
from edge.model.roles import SITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.access.people import People
    from edge.daemon.configuration import Configuration
    from edge.daemon.consumers import Consumers
    from edge.daemon.controller_events import ControllerEvents
    from edge.daemon.requests.page_rights import PageRights
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Json, Record
    from edge.settings.door_changes import Locks

LOG: Final = logging.getLogger("doord")
MEMORY_WITHIN_S: Final = 30.0
"""How long the doors' modes are waited for; a disk that takes longer gives them back when it can."""
LEARN_AGAIN_S: Final = 10.0
SOON_S: Final = 1.0
"""So long everything that talks waits for the log: commonly it is there after milliseconds."""


class Remembering:
    """Two tasks: the doors' modes, then people; and the rest, for which the log must be open."""

    def __init__(  # noqa: PLR0913 -- whoever takes up something
        self,
        configuration: Configuration,
        *,
        log: Log,
        runner: Runner,
        people: People,
        consumers: Consumers,
        rights: PageRights,
        events: ControllerEvents,
    ) -> None:
        """The log has been started."""
        self._configuration, self._log, self._runner, self._people = configuration, log, runner, people
        self._consumers, self._rights, self._events = consumers, rights, events
        self._taken_up: Mapping[str, str] | None = None
        self._decided = asyncio.Event()

    async def soon(self) -> None:
        """Give the log a moment, so that whoever asks at once finds everything as it was."""
        parts = [asyncio.ensure_future(self._log.remembered()), asyncio.ensure_future(self._log.settled())]
        _, late = await asyncio.wait(parts, timeout=SOON_S)
        for part in late:
            part.cancel()

    async def doors(self) -> None:
        """R14: take up the modes from before; nobody is let in until they are known, or too late."""
        remembered = asyncio.ensure_future(self._log.remembered())
        await asyncio.wait({remembered}, timeout=MEMORY_WITHIN_S)
        if remembered.done():
            self._restore()
        else:
            self._give_up()
        self._decided.set()
        await self._people.start()
        self._consumers.settled()
        await remembered
        self._restore()

    def _give_up(self) -> None:
        health = self._log.health()
        reason = f"nothing can be read of the log at {health.path}: {health.error or 'its disk does not answer'}"
        LOG.error("%s; doors guard as locked, whatever mode they were in", reason)
        self._events.log_unreadable(reason)
        self._runner.waits_for_memory = False

    async def rest(self) -> None:
        """What else is remembered, and what is new since the last run."""
        configuration = self._configuration
        await self._decided.wait()
        await self._log.opened()
        self._restore()
        memories = self._log.modes()
        self._consumers.start(memories)
        configuration.audit(_locks(memories.get(LOCKS, "{}")), configuration.file_actor)
        who, before = configuration.settings.controller, memory_of(memories.get(SITE, "{}"))
        now: dict[str, Json] = {"version": __version__, "site": who.site, "id": who.id}
        if before != now:
            self._events.version_is(before.get("version"), {SITE: json.dumps(now)})
        if MEMORY not in memories:
            await self._learn_accounts()

    async def _learn_accounts(self) -> None:
        """Who was made and removed at the local page, by the records: release 0.1.0 kept no list."""
        records: list[Record] = []
        after: int | None = 0
        while after is not None:
            try:
                page = await self._log.query(Query(types=(LOGIN_CREATE, LOGIN_DESTROY), after=after))
            except LogUnavailableError:
                await asyncio.sleep(LEARN_AGAIN_S)
                continue
            records += page.records
            after = page.next
        self._log.append([], self._rights.learn(records))

    def _restore(self) -> None:
        """Take up what can be read; done again if the open log has something else."""
        memories = dict(self._log.modes())
        if memories != self._taken_up:
            self._taken_up = memories
            self._runner.restore(memories)
            self._people.restore(memories)
            if MEMORY in memories:
                self._rights.restore(memories[MEMORY])


def _locks(text: str) -> Locks | None:
    """What is remembered of the doors' configuration; None when it is not known."""
    found = memory_of(text)
    return {door: facts for door, facts in found.items() if isinstance(facts, dict)} or None
