"""The consumers of the log other than the broker: integrations, alerts, cameras, reports, the index.

One rule: each reads the log with its own cursor. No door and no other consumer waits for it, and an error in one
stops only that one (`edge.system.isolation`).
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from edge.delivery.errors import DeliveryError
from edge.log.index.indexer import Indexer
from edge.model.ports import LinkError
from edge.reports.runner import ReportRunner
from edge.socket.server import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from edge.access.people import People
    from edge.alerts.channels import Channels
    from edge.alerts.runner import AlertRunner
    from edge.cameras.pictures import Cameras
    from edge.daemon.broker import Broker
    from edge.daemon.configuration import Configuration
    from edge.daemon.wire_form import WireForm
    from edge.delivery.integrations import Deliveries
    from edge.delivery.receivers.chat import ChatMessage
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Actor, Json
    from edge.settings.controller import Settings
    from edge.system.clock import Clock
    from edge.system.isolation import Isolation

_NOTHING: Final[dict[str, Json]] = {
    "integrations": {},
    "alerts": {"open": [], "waiting": {}, "last_errors": {}},
    "cameras": {"cameras": {}, "kept": None},
    "pictures": {"pictures": []},
}
"""The answers where there is no such consumer."""


class Consumers:
    """The consumers. All but the alerts are made only when they are configured: most controllers have none."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        configuration: Configuration,
        *,
        log: Log,
        clock: Clock,
        runner: Runner,
        people: People,
        origin: WireForm,
        broker: Broker,
        isolation: Isolation,
    ) -> None:
        """Nothing runs before `start`. Alerts sound at doors of `runner` and are published by `broker`."""
        self._configuration, self._log, self._clock, self._runner = configuration, log, clock, runner
        self._people, self._origin, self._broker, self._isolation = people, origin, broker, isolation
        self._deliveries: Deliveries | None = None
        self._alerts: AlertRunner | None = None
        self._cameras: Cameras | None = None
        self._modes: Mapping[str, str] | None = None
        self._retained: Sequence[str] = ()
        """The integrations for which the log keeps records."""
        self._directory: Directory | None = None
        """None until it is loaded: until then no integration counts as removed."""

    @property
    def _settings(self) -> Settings:
        return self._configuration.settings

    def _in_force(self) -> Directory:
        return self._people.directory.in_force

    async def index(self) -> None:
        """Keep the index of the log up to date."""
        with self._isolation.part("index"):
            await self._log.opened()
            await Indexer(self._settings.log.path).run()

    async def reports(self) -> None:
        """Write the reports that are due."""
        with self._isolation.part("reports"):
            zone = ZoneInfo(self._settings.controller.time_zone)
            await ReportRunner(
                self._settings.reports,
                zone,
                log=self._log,
                clock=self._clock,
                directory=self._in_force,
                cloudevent=self._origin.cloudevent,
            ).run()

    def start(self, modes: Mapping[str, str]) -> None:
        """Start the consumers once the log is open. `modes` is the state that the log stored."""
        self._modes = modes
        with self._isolation.part("alerts"):
            self._begin_alerts(modes)
        with self._isolation.part("cameras"):
            if self._settings.cameras:
                self._cameras = self._make_cameras()
                self._cameras.start()
        if self._directory is not None:
            self.directory(self._directory)

    def directory(self, directory: Directory) -> None:
        """Apply the integrations of a new directory."""
        self._directory = directory
        if self._modes is None:
            return
        with self._isolation.part("integrations"):
            if self._deliveries is None and any(entry.kind is not None for entry in directory.integrations.values()):
                self._deliveries = self._make_deliveries()
                self._deliveries.start(self._modes)
            if self._deliveries is not None:
                self._deliveries.apply(directory.integrations)
            else:
                self._retain_for([])

    def reload(self, keys: Iterable[str]) -> None:
        """Apply the changed settings with these keys, as far as they concern consumers."""
        sections = {key.partition(".")[0] for key in keys}
        if self._modes is None:  # `start` will read them
            return
        with self._isolation.part("integrations"):
            if "integrations" in sections and self._deliveries is not None:
                from edge.delivery.integrations import chosen  # noqa: PLC0415 -- loaded already

                self._deliveries.reload(*chosen(self._settings.integrations))
        if "mqtt" in sections:
            self._retain_for(self._retained)
        with self._isolation.part("alerts"):
            if self._alerts is not None and sections & {"alert", "smtp", "ntfy"}:
                from edge.alerts.untold import with_untold  # noqa: PLC0415 -- loaded already

                self._alerts.reload(with_untold(self._settings.alerts), self._channels())
            if "alert" in sections:
                self._retain_for(self._retained)

    def settled(self) -> None:
        """Note that the start is over: without a directory the log keeps records for no integration."""
        if self._directory is None:
            self._retain_for([])

    async def close(self) -> None:
        """Stop the consumers. What is under way is sent again after the next start."""
        closing = [part.close() for part in (self._deliveries, self._alerts, self._cameras) if part is not None]
        await asyncio.gather(*closing)

    @property
    def ops(self) -> dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """The operations that the control socket serves."""
        names = (*_NOTHING, "enable_integration", "acknowledge", "test_alert", "try_camera", "picture")
        return {name: self._serve(name) for name in names}

    def facts(self) -> dict[str, Json]:
        """The state of each consumer, for the status."""
        return {
            "integrations": {} if self._deliveries is None else self._deliveries.facts(),
            "alerts": _NOTHING["alerts"] if self._alerts is None else self._alerts.facts(),
            "cameras": {} if self._cameras is None else self._cameras.facts(),
        }

    def alerts_at(self, door: str) -> list[Json]:
        """The open alerts of a door, for its retained state."""
        return [] if self._alerts is None else self._alerts.open_at(door)

    def acknowledge(
        self, alert: str, actor: Actor, doors: frozenset[str] | None, details: Mapping[str, Json]
    ) -> tuple[str, str] | None:
        """See `edge.commands.refusals.Acknowledge`."""
        if self._alerts is None:
            return "unknown_alert", "alerts have not begun yet"
        return self._alerts.acknowledge_for_key(alert, actor, doors, details)

    # --- what consumers call -----------------------------------------------------------------------

    async def _publish(self, payload: bytes) -> None:
        if self._broker.upstream is None:
            raise DeliveryError("there is no broker")
        try:
            await self._broker.upstream.alert(payload)
        except LinkError as error:
            raise DeliveryError(str(error)) from error

    async def _post(self, integration: str, message: ChatMessage) -> None:
        if self._deliveries is None:
            raise DeliveryError(f"the directory has no webhook {integration}", ours=True)
        await self._deliveries.post(integration, message)

    def _retain_for(self, sinks: Sequence[str]) -> None:
        """Let the log keep records for these integrations; disabled ones are not among them."""
        settings, self._retained = self._settings, sinks
        always = [*(["mqtt"] if settings.mqtt else []), *(["alerts"] if settings.alerts else [])]
        self._log.retain_for([*always, *sinks])

    # --- making them: after the start of the doors, and most only where they are configured -------------

    def _make_deliveries(self) -> Deliveries:
        from edge.delivery.integrations import Deliveries, chosen  # noqa: PLC0415 -- see above
        from edge.delivery.secrets import Secrets  # noqa: PLC0415 -- see above

        settings, credentials = self._settings, os.environ.get("CREDENTIALS_DIRECTORY")
        network, options = chosen(settings.integrations)
        return Deliveries(
            self._log,
            self._origin,
            network=network,
            secrets=Secrets(settings.file.parent, Path(credentials) if credentials else None),
            chance=random.Random(),  # noqa: S311 -- jitter keeps no secret
            now_ns=self._clock.now_ns,
            retain_for=self._retain_for,
            options=options,
            zone=ZoneInfo(settings.controller.time_zone),
        )

    def _begin_alerts(self, modes: Mapping[str, str]) -> None:
        from edge.alerts.directory_view import LiveDirectoryView  # noqa: PLC0415 -- see above
        from edge.alerts.runner import AlertRunner  # noqa: PLC0415 -- see above
        from edge.alerts.untold import with_untold  # noqa: PLC0415 -- see above

        self._alerts = AlertRunner(
            with_untold(self._settings.alerts),
            log=self._log,
            clock=self._clock,
            identity=self._origin.identity,
            sound=self._runner.sound,
            where=LiveDirectoryView(self._in_force),
            channels=self._channels(),
            chance=random.Random(),  # noqa: S311 -- jitter keeps no secret
            changed=self._broker.door_changed,
        )
        self._isolation.watch("alerts", self._alerts.start(modes))

    def _channels(self) -> Channels:
        from edge.alerts.channels import Channels  # noqa: PLC0415 -- see above

        zone, clock = ZoneInfo(self._settings.controller.time_zone), self._clock
        mailer: Mailer | None = None
        ntfy: Ntfy | None = None
        if (smtp := self._settings.smtp) is not None:
            from edge.alerts.mail import Mailer, MailServer  # noqa: PLC0415 -- see above

            signs_in = (smtp.username, smtp.password_file)
            server = MailServer(smtp.host, smtp.port, smtp.sender, smtp.tls, *signs_in, smtp.ca_file, smtp.tls_strict)
            mailer = Mailer(server)
        if self._settings.ntfy is not None:
            from edge.alerts.ntfy import Ntfy  # noqa: PLC0415 -- see above

            ntfy = Ntfy(self._settings.ntfy)
        return Channels(self._publish, self._post, mailer, ntfy, zone=zone, now_us=clock.wall_us)

    def _make_cameras(self) -> Cameras:
        from edge.cameras.pictures import Cameras  # noqa: PLC0415 -- see above

        settings = self._settings
        return Cameras(
            settings.cameras,
            settings.pictures,
            settings.log.path,
            log=self._log,
            clock=self._clock,
            identity=self._origin.identity,
            directory=self._in_force,
        )

    # --- requests ---------------------------------------------------------------------------------------

    def _serve(self, op: str) -> Callable[[dict[str, Any], Actor], Awaitable[Json]]:
        async def serve(body: dict[str, Any], actor: Actor) -> Json:
            ops: dict[str, Any] = {}
            for part in (self._deliveries, self._alerts, self._cameras):
                ops |= {} if part is None else part.ops
            if op in ops:
                answer: Json = await ops[op](body, actor)
                return answer
            if op in _NOTHING:
                return _NOTHING[op]
            raise RequestError("not_found", f"{op}: none is configured")

        return serve
