"""The conversation with the broker: started, restarted with other settings, ended.

One rule: the MQTT library is imported only after doors are guarded.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.model.messages import NS_PER_S
from edge.socket.peers import RequestError
from edge.system.tasks import say_why
from edge.upstream.messages import UpstreamOptions
from edge.upstream.sync import Upstream

if TYPE_CHECKING:
    from edge.commands.intake import CommandIntake
    from edge.daemon.configuration import Configuration
    from edge.daemon.controller_events import ControllerEvents
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Json
    from edge.model.ports import Origin
    from edge.system.calendar import Calendar
    from edge.system.tasks import BackgroundTasks
    from edge.upstream.home_assistant.discovery import DiscoveryMessages
    from edge.upstream.messages import RetainedFacts

FAREWELL_S: Final = 1.0
"""How long the end of a conversation waits for the broker to take the last records."""


class Broker:
    """The conversation with the broker, if one is configured."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        configuration: Configuration,
        *,
        log: Log,
        runner: Runner,
        intake: CommandIntake,
        origin: Origin,
        retained: RetainedFacts,
        faults: ControllerEvents,
        tasks: BackgroundTasks,
    ) -> None:
        """Nothing is sent before `start`. `tasks` knows whether the daemon is stopping."""
        self._configuration, self._log, self._runner, self._intake = configuration, log, runner, intake
        self._origin, self._retained, self._faults, self._tasks = origin, retained, faults, tasks
        self.upstream: Upstream | None = None
        """None without an [mqtt] section."""

    def start(self) -> None:
        """Start the conversation, if the settings name a broker and the daemon is not stopping."""
        settings = self._configuration.settings
        if settings.mqtt is None or self.upstream is not None or self._tasks.stopping:
            return
        from edge.upstream.mqtt.link import MqttLink  # noqa: PLC0415 -- doors are guarded before paho is imported

        chosen, who = settings.mqtt, settings.controller
        options = UpstreamOptions(
            chosen.url, f"{chosen.prefix}/{who.site}/{who.id}", chosen.ack == "application", chosen.window
        )
        client_id = f"doorward-{who.site}-{who.id}"
        self.upstream = Upstream(
            options,
            self._log,
            tuple(settings.doors),
            lambda upstream: MqttLink(chosen, client_id, upstream),
            random.Random(),  # noqa: S311 -- jitter is not a secret
            self._home_assistant(),
            origin=self._origin,
            retained=self._retained,
            inbound=self._intake,
            faults=self._faults,
        )
        self._runner.listeners.append(self.upstream.door_changed)
        self.upstream.start().add_done_callback(say_why)

    def _home_assistant(self) -> DiscoveryMessages | None:
        if self._configuration.settings.home_assistant is None:
            return None
        from edge.upstream.home_assistant.discovery import DiscoveryMessages  # noqa: PLC0415 -- few use it

        return DiscoveryMessages(lambda: self._configuration.settings, __version__)

    async def restart(self) -> None:
        """Use other settings: the old conversation ends as at a stop, and a new one goes on from its cursor."""
        if (old := self.upstream) is not None:
            if old.door_changed in self._runner.listeners:
                self._runner.listeners.remove(old.door_changed)
            await old.close(FAREWELL_S)
            self._faults.refuses(None)  # a refusal of the old broker says nothing about the new one
        self.upstream = None
        self.start()

    def door_changed(self, door: str) -> None:
        """What the retained state of a door says is no longer so. An alert may be of a door that is removed."""
        if self.upstream is not None and door in self._runner.doors:
            self.upstream.door_changed(door)

    def settings_changed(self) -> None:
        """Note that other settings than the broker's changed, such as new doors or other names."""
        if self.upstream is not None:
            self.upstream.settings_changed(tuple(self._configuration.settings.doors))

    async def close(self) -> None:
        """Wait a moment for the last records to be sent, and disconnect."""
        if self.upstream is not None:
            await self.upstream.close(FAREWELL_S)

    def replay(self, first: int) -> Json:
        """Send records again, from `first` to the newest. Raises RequestError."""
        if self.upstream is None:
            raise RequestError("no_upstream", "there is no [mqtt] section, so nothing can be replayed")
        last = self._log.committed
        if first > last:
            raise RequestError("malformed", f"from is {first}, but the newest record is {last}")
        self.upstream.replay(first, last)
        return {"from": first, "to": last}

    def facts(self, calendar: Calendar) -> Json:
        """The `upstream` part of the status; None without a broker."""
        if self.upstream is None:
            return None
        ago_s = asyncio.get_running_loop().time() - self.upstream.conversation.since_s
        since = calendar.at(calendar.now_ns - round(ago_s * NS_PER_S))
        return {**self.upstream.facts(), "since": since, "unrecorded_refusals": self._intake.unrecorded}
