"""Whatever records go to beside the broker, wired to the log: integrations, alerts, reports, the index.

One rule: each reads the log with a cursor of its own; none of them is waited for by a door or by another,
and a mistake in one ends that one (`edge.system.isolation`).
"""

from __future__ import annotations

import asyncio
import os
import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from zoneinfo import ZoneInfo

from edge.delivery.errors import DeliveryError
from edge.log.index.indexer import Indexer
from edge.model.ports import LinkError
from edge.reports.runner import ReportRunner
from edge.socket.server import RequestError
from edge.system.background import in_background
from edge.system.isolation import Isolation
from edge.system.metrics import Counters, text
from edge.system.metrics_file import MetricsFile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from edge.alerts.channels import Channels
    from edge.alerts.runner import AlertRunner
    from edge.cameras.pictures import Cameras
    from edge.delivery.integrations import Deliveries
    from edge.delivery.receivers.chat import ChatMessage
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.cloudevents import Identity
    from edge.model.messages import Actor, Json, Record
    from edge.settings.controller import Settings
    from edge.system.clock import Clock
    from edge.upstream.sync import Upstream

ALERTS: Final = "alerts.state"
"""`edge.alerts.runner.MODE`, which few ever need."""
LOOK_EVERY_S: Final = 5.0
"""How often the loop's delay is looked at."""
WRITE_EVERY: Final = 3
"""After so many looks the figures are written: 15 s is what Prometheus asks in."""

_NOTHING: Final[dict[str, Json]] = {
    "integrations": {},
    "alerts": {"open": [], "waiting": {}, "last_errors": {}},
    "cameras": {"cameras": {}, "kept": None},
    "pictures": {"pictures": []},
}
"""What is answered where there is no such part."""


class Host(Protocol):
    """What the daemon lends."""

    settings: Settings
    runner: Runner
    log: Log
    clock: Clock
    upstream: Upstream | None

    def identity(self) -> Identity:
        """Who we are."""

    def is_late(self, record: Record) -> bool:
        """Whether it happened long before it leaves."""

    def cloudevent(self, record: Record) -> Json:
        """A record as it looks on the wire."""

    def directory(self) -> Directory:
        """Who there is, as it is in force."""

    def status(self) -> dict[str, Json]:
        """The whole status."""


class Consumers:
    """The parts, made when they are needed: most controllers have none of them."""

    def __init__(self, host: Host) -> None:
        """Nothing begins before `start`."""
        self._host = host
        self._deliveries: Deliveries | None = None
        self._alerts: AlertRunner | None = None
        self._cameras: Cameras | None = None
        self._modes: Mapping[str, str] | None = None
        self._retained: Sequence[str] = ()
        """The integrations for which the log keeps records, as was told last."""
        self._isolation = Isolation()
        self._counts = Counters()
        host.log.on_commit(lambda records: self._counts.committed(records, host.clock.now_ns()))
        self._directory: Directory | None = None
        """None until one is known: before that nobody can say that an integration is gone."""

    async def index(self) -> None:
        """Keep the index of the log behind it."""
        with self._isolation.part("index"):
            await self._host.log.opened()
            await Indexer(self._host.settings.log.path).run()

    async def measure(self) -> None:
        """Notice how late the loop is, and write the figures for node-exporter where that is wanted."""
        with self._isolation.part("metrics"):
            await self._measure()

    async def _measure(self) -> None:
        loop, path = asyncio.get_running_loop(), self._host.settings.metrics.file
        file = None if path is None else MetricsFile(path)
        while True:
            for _ in range(WRITE_EVERY):
                due_s = loop.time() + LOOK_EVERY_S
                await asyncio.sleep(LOOK_EVERY_S)
                self._counts.late(loop.time() - due_s)
            if file is not None:
                await in_background(partial(file.write, self.metrics()), "metrics")  # a stop waits for no disk

    def metrics(self) -> str:
        """Every figure as Prometheus reads it."""
        return text(self._host.status(), self._counts, self._host.clock.now_ns())

    async def reports(self) -> None:
        """Write the reports that are due."""
        with self._isolation.part("reports"):
            zone = ZoneInfo(self._host.settings.controller.time_zone)
            host = self._host
            await ReportRunner(
                host.settings.reports,
                zone,
                log=host.log,
                clock=host.clock,
                directory=host.directory,
                cloudevent=host.cloudevent,
            ).run()

    def start(self, modes: Mapping[str, str]) -> None:
        """The log is open, and this is what it remembers."""
        self._modes = modes
        with self._isolation.part("alerts"):
            if self._host.settings.alerts:
                self._begin_alerts(modes)
            elif modes.get(ALERTS):  # once wanted again, they would tell all that was in between
                self._host.log.append([], {ALERTS: ""})
        with self._isolation.part("cameras"):
            if self._host.settings.cameras:
                self._cameras = self._make_cameras()
                self._cameras.start()
        if self._directory is not None:
            self.directory(self._directory)

    def directory(self, directory: Directory) -> None:
        """Another directory is in force, with other integrations perhaps."""
        self._directory = directory
        if self._modes is None:
            return
        with self._isolation.part("integrations"):
            if self._deliveries is None and any(one.kind is not None for one in directory.integrations.values()):
                self._deliveries = self._make_deliveries()
                self._deliveries.start(self._modes)
            if self._deliveries is not None:
                self._deliveries.apply(directory.integrations)
            else:
                self._retain_for([])

    def reload(self, keys: Iterable[str]) -> None:
        """Other settings are in force, and these keys of theirs are others: take over what is ours."""
        sections = {key.partition(".")[0] for key in keys}
        if self._modes is None:  # `start` finds them
            return
        with self._isolation.part("integrations"):
            if "integrations" in sections and self._deliveries is not None:
                from edge.delivery.integrations import chosen  # noqa: PLC0415 -- it is there already

                self._deliveries.reload(*chosen(self._host.settings.integrations))
        if "mqtt" in sections:
            self._retain_for(self._retained)
        with self._isolation.part("alerts"):
            if self._alerts is not None and sections & {"alert", "smtp"}:
                self._alerts.reload(dict(self._host.settings.alerts), self._channels())
            elif "alert" in sections:
                self._begin_alerts({})
            if "alert" in sections:
                self._retain_for(self._retained)

    def settled(self) -> None:
        """Everything there is has been taken up: without a directory no integration holds records back."""
        if self._directory is None:
            self._retain_for([])

    async def close(self) -> None:
        """What is under way is sent again after the next start."""
        closing = [part.close() for part in (self._deliveries, self._alerts, self._cameras) if part is not None]
        await asyncio.gather(*closing)

    @property
    def ops(self) -> dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """What the control socket serves of this."""
        names = (*_NOTHING, "enable_integration", "acknowledge", "try_camera", "picture")
        return {**{name: self._serve(name) for name in names}, "metrics": self._metrics}

    def facts(self) -> dict[str, Json]:
        """For `doorctl status`."""
        return {
            "failed_parts": {**self._isolation.failed},
            "integrations": {} if self._deliveries is None else self._deliveries.facts(),
            "alerts": _NOTHING["alerts"] if self._alerts is None else self._alerts.facts(),
            "cameras": {} if self._cameras is None else self._cameras.facts(),
        }

    async def _metrics(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return {"text": self.metrics()}

    # --- what the parts ask ------------------------------------------------------------------------

    async def _publish(self, payload: bytes) -> None:
        if self._host.upstream is None:
            raise DeliveryError("there is no broker")
        try:
            await self._host.upstream.alert(payload)
        except LinkError as error:
            raise DeliveryError(str(error)) from error

    async def _post(self, integration: str, message: ChatMessage) -> None:
        if self._deliveries is None:
            raise DeliveryError(f"the directory has no webhook {integration}", ours=True)
        await self._deliveries.post(integration, message)

    def _retain_for(self, sinks: Sequence[str]) -> None:
        """Disabled integrations hold no record back."""
        settings, self._retained = self._host.settings, sinks
        always = [*(["mqtt"] if settings.mqtt else []), *(["alerts"] if settings.alerts else [])]
        self._host.log.retain_for([*always, *sinks])

    # --- making them: what they import is loaded only where they are wanted ------------------------------

    def _make_deliveries(self) -> Deliveries:
        from edge.delivery.integrations import Deliveries, chosen  # noqa: PLC0415 -- see above
        from edge.delivery.secrets import Secrets  # noqa: PLC0415 -- see above

        settings, credentials = self._host.settings, os.environ.get("CREDENTIALS_DIRECTORY")
        network, options = chosen(settings.integrations)
        return Deliveries(
            self._host.log,
            self._host,
            network=network,
            secrets=Secrets(settings.file.parent, Path(credentials) if credentials else None),
            chance=random.Random(),  # noqa: S311 -- jitter keeps no secret
            now_ns=self._host.clock.now_ns,
            retain_for=self._retain_for,
            options=options,
            zone=ZoneInfo(settings.controller.time_zone),
        )

    def _begin_alerts(self, modes: Mapping[str, str]) -> None:
        from edge.alerts.directory_view import LiveDirectoryView  # noqa: PLC0415 -- see above
        from edge.alerts.runner import AlertRunner  # noqa: PLC0415 -- see above

        self._alerts = AlertRunner(
            dict(self._host.settings.alerts),
            log=self._host.log,
            clock=self._host.clock,
            identity=self._host.identity,
            sound=self._host.runner.sound,
            where=LiveDirectoryView(self._host.directory),
            channels=self._channels(),
            chance=random.Random(),  # noqa: S311 -- jitter keeps no secret
        )
        self._isolation.watch("alerts", self._alerts.start(modes))

    def _channels(self) -> Channels:
        from edge.alerts.channels import Channels  # noqa: PLC0415 -- see above

        zone, clock = ZoneInfo(self._host.settings.controller.time_zone), self._host.clock
        smtp = self._host.settings.smtp
        if smtp is None:
            return Channels(publish=self._publish, post=self._post, zone=zone, now_us=clock.wall_us)
        from edge.alerts.mail import Mailer, MailServer  # noqa: PLC0415 -- see above

        signs_in = (smtp.username, smtp.password_file)
        server = MailServer(smtp.host, smtp.port, smtp.sender, smtp.tls, *signs_in, smtp.ca_file, smtp.tls_strict)
        mailer = Mailer(server)
        return Channels(publish=self._publish, post=self._post, mailer=mailer, zone=zone, now_us=clock.wall_us)

    def _make_cameras(self) -> Cameras:
        from edge.cameras.pictures import Cameras  # noqa: PLC0415 -- see above

        settings = self._host.settings
        return Cameras(
            settings.cameras,
            settings.pictures,
            settings.log.path,
            log=self._host.log,
            clock=self._host.clock,
            identity=self._host.identity,
            directory=self._host.directory,
        )

    # --- requests ---------------------------------------------------------------------------------------

    def _serve(self, op: str) -> Callable[[dict[str, Any], Actor], Awaitable[Json]]:
        async def serve(body: dict[str, Any], actor: Actor) -> Json:
            ops: dict[str, Any] = {}
            for part in (self._deliveries, self._alerts, self._cameras):
                ops |= {} if part is None else part.ops
            if op in ops:
                found: Json = await ops[op](body, actor)
                return found
            if op in _NOTHING:
                return _NOTHING[op]
            raise RequestError("not_found", "there is none")

        return serve
