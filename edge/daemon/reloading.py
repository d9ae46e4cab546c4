"""Applies a changed configuration while doors are guarded, and records one that could not be used at the start.

One rule: a bad file changes nothing. The configuration in force is kept on the disk for the next start; no door
waits for that.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

from edge.config.reading import settings_from
from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_FAULT_CLEARED
from edge.model.messages import SYSTEM, Event, Subject
from edge.model.printable import spelt
from edge.model.problems import ConfigError
from edge.settings.controller import difference
from edge.settings.door_changes import lock_facts
from edge.socket.peers import RequestError
from edge.system.background import in_background

if TYPE_CHECKING:
    from edge.access.people import People
    from edge.commands.intake import CommandIntake
    from edge.commands.parsing import TokenVerifier
    from edge.daemon.broker import Broker
    from edge.daemon.configuration import Configuration
    from edge.daemon.consumers import Consumers
    from edge.daemon.new_doors import NewDoors
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Actor, Json
    from edge.settings.controller import Settings
    from edge.system.clock import Clock
    from edge.system.systemd import Notifier

LOG: Final = logging.getLogger("doord")


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str


class Reloading:
    """Applies new configurations, one after the other."""

    def __init__(  # noqa: PLR0913 -- each applies its part of a configuration
        self,
        configuration: Configuration,
        new_doors: NewDoors,
        *,
        runner: Runner,
        people: People,
        consumers: Consumers,
        broker: Broker,
        intake: CommandIntake,
        notifier: Notifier,
        log: Log,
        clock: Clock,
    ) -> None:
        """Nothing is read before `reload`."""
        self._configuration, self._new_doors, self._runner, self._people = configuration, new_doors, runner, people
        self._consumers, self._broker, self._intake, self._notifier = consumers, broker, intake, notifier
        self._log, self._clock = log, clock
        self._one_at_a_time = asyncio.Lock()
        self._unkept = False

    async def started(self) -> None:
        """Record a fault if the file was refused at the start; otherwise keep its configuration for the next start."""
        if self._configuration.source.refused:
            problems = [str(problem) for problem in self._configuration.source.refused]
            self._say(
                CONTROLLER_FAULT,
                {"reason": problems[0], "more": len(problems) - 1, "left_out": [*self._configuration.source.left_out]},
            )
        else:
            await self._keep()

    async def reload(self, actor: Actor) -> Json:
        """Read the file and apply what can change without a restart; `actor` is recorded with the changes."""
        async with self._one_at_a_time:
            self._notifier.reloading()
            try:
                new, content = await asyncio.to_thread(self._configuration.source.read)
                keyring = await self._intake.read_keys(new)
            except ConfigError as error:
                for problem in error.problems:
                    LOG.warning("%s", problem)
                return {"applied": [], "needs_restart": [], "errors": [str(problem) for problem in error.problems]}
            finally:
                self._notifier.ready()
            answer = await self._take_over(new, keyring, actor)
            mended = bool(self._configuration.source.refused)
            self._configuration.source.accept(content)
            if mended:
                self._say(CONTROLLER_FAULT_CLEARED, {"reason": None})
            await self._keep()
            return answer

    async def compare(self, body: dict[str, Any], _actor: Actor) -> Json:
        """Serve `compare` at the socket: what a reload with this text would apply, refuse, and leave to a restart."""
        content = _Text.model_validate(body).text.encode()
        try:
            new = await asyncio.to_thread(settings_from, content, self._configuration.source.file)
        except ConfigError as error:
            raise RequestError("invalid_configuration", str(error.problems[0])) from None
        changes = difference(self._configuration.settings, new)
        file = new.directory.file
        refused: list[Json] = [] if file is None else [*await self._people.directory.refused(file)]
        return {"applied": [*changes.applied], "needs_restart": [*changes.restart], "refused": refused}

    async def _take_over(self, new: Settings, keyring: TokenVerifier | None, actor: Actor) -> Json:
        configuration = self._configuration
        changes, before = difference(configuration.settings, new), lock_facts(configuration.settings)
        await self._new_doors.guard(changes.settings, changes.added)
        for door in changes.doors:
            self._runner.reload(changes.settings.doors[door])
        self._consumers.reload(changes.applied)
        sections = {key.partition(".")[0] for key in changes.applied}
        if sections & {"mqtt", "home_assistant"}:
            await self._broker.restart()
        else:
            self._broker.settings_changed()
        if "directory" in sections:
            self._people.follow(configuration.settings.directory)
        configuration.audit(before, actor)
        applied = list(changes.applied)
        if self._intake.obey(keyring, new) and not any(key.startswith("commands.") for key in applied):
            applied.append("commands")  # the content of a key file has changed
        for key in applied:
            LOG.info("%s applied", key)
        for key in changes.restart:
            LOG.warning("%s changed; it takes effect after systemctl restart doord", key)
        version = self._people.directory.in_force.version
        errors: list[Json] = [*await self._people.directory.reload(actor)]
        if self._people.directory.in_force.version != version:
            applied.append("directory")
        return {"applied": [*applied], "needs_restart": list(changes.restart), "errors": errors}

    async def _keep(self) -> None:
        """Keep the configuration in force on the disk. A failure is logged once."""
        try:
            await in_background(self._configuration.source.keep, "configuration")
        except OSError as error:
            if not self._unkept:
                LOG.error("%s: the configuration in force cannot be kept for the next start", error)  # noqa: TRY400 -- a traceback would not help
            self._unkept = True
        else:
            self._unkept = False

    def _say(self, kind: str, details: dict[str, Json]) -> None:
        name = spelt(self._configuration.source.file.name)
        subject = Subject("configuration", name, name)
        self._log.append([Event(kind, self._clock.now_ns(), subject, SYSTEM, details=details)])
