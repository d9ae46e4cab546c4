"""Restores state from the log at the start: the doors' modes first, everything else once the log is open.

One rule: until the modes are known, cards, PINs and unlock commands are refused; exits work. If the log cannot be
read within 30 s, doors are guarded as locked.
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
"""How long the start waits for the doors' modes. If they come later, they are restored then."""
LEARN_AGAIN_S: Final = 10.0
SOON_S: Final = 1.0
"""How long socket and broker wait for the log, which usually takes milliseconds."""


class Remembering:
    """Two tasks: `doors` restores the modes, then people; `rest` restores everything that needs an open log."""

    def __init__(  # noqa: PLR0913 -- each is restored
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
        """`log` has been started."""
        self._configuration, self._log, self._runner, self._people = configuration, log, runner, people
        self._consumers, self._rights, self._events = consumers, rights, events
        self._taken_up: Mapping[str, str] | None = None
        self._decided = asyncio.Event()

    async def soon(self) -> None:
        """Wait a moment for the log, so that the first answers have the restored state."""
        parts = [asyncio.ensure_future(self._log.remembered()), asyncio.ensure_future(self._log.settled())]
        _, late = await asyncio.wait(parts, timeout=SOON_S)
        for part in late:
            part.cancel()

    async def doors(self) -> None:
        """Restore the modes (R14). All access is refused until they are known, or the wait is over."""
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
        reason = f"the log at {health.path} cannot be read: {health.error or 'its disk does not answer'}"
        LOG.error("%s; all doors are guarded as locked, whatever mode they were in", reason)
        self._events.log_unreadable(reason)
        self._runner.waits_for_memory = False

    async def rest(self) -> None:
        """Restore everything else, and record what changed since the last run."""
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
        """Learn the accounts of the local page from the records: release 0.1.0 kept no list."""
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
        """Restore what can be read so far. Called again when the log is open, which may have more."""
        memories = dict(self._log.modes())
        if memories != self._taken_up:
            self._taken_up = memories
            self._runner.restore(memories)
            self._people.restore(memories)
            if MEMORY in memories:
                self._rights.restore(memories[MEMORY])


def _locks(text: str) -> Locks | None:
    """The stored configuration of doors; None: not known."""
    stored = memory_of(text)
    return {door: facts for door, facts in stored.items() if isinstance(facts, dict)} or None
