"""A running controller: makes all parts, gives each what it needs, starts and stops them in order.

One rule: the order. Locks come to rest, then doors are guarded, then the log and all communication start. A stop
begins with the locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from typing import TYPE_CHECKING, Final

from edge.access.elevators import Elevators
from edge.access.enrolment.enrolments import Enrolments
from edge.access.people import People
from edge.commands.intake import CommandIntake
from edge.config.source import ConfigSource
from edge.daemon.broker import FAREWELL_S, Broker
from edge.daemon.clock_changes import ClockChanges
from edge.daemon.configuration import Configuration
from edge.daemon.consumers import Consumers
from edge.daemon.controller_events import ControllerEvents
from edge.daemon.drivers import Drivers, SignalRouter
from edge.daemon.figures import Figures
from edge.daemon.new_doors import NewDoors
from edge.daemon.reloading import Reloading
from edge.daemon.remembering import Remembering
from edge.daemon.requests.page_rights import PageRights
from edge.daemon.requests.service import Service
from edge.daemon.status import RetainedStatus, Status
from edge.daemon.visitors import Visitors
from edge.daemon.watchdog import Watchdog
from edge.daemon.wire_form import WireForm
from edge.doors.driver_supervisor import open_all
from edge.doors.runner import Runner
from edge.log.log import Log, LogOptions
from edge.model.messages import Subject
from edge.socket.server import ControlServer
from edge.socket.watchers import Watchers
from edge.system.isolation import Isolation
from edge.system.systemd import Notifier, killed_by
from edge.system.tasks import BackgroundTasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from edge.doors.driver_supervisor import DriverSupervisor
    from edge.model.messages import Actor, Json, Record
    from edge.settings.controller import Settings
    from edge.system.clock import Clock

LOG: Final = logging.getLogger("doord")


class Daemon:
    """One controller with all its parts."""

    def __init__(  # noqa: PLR0913 -- given by doord, or by a test
        self,
        settings: Settings,
        clock: Clock,
        *,
        options: LogOptions | None = None,
        supervisors: Mapping[str, DriverSupervisor] | None = None,
        source: ConfigSource | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        """`supervisors` are open drivers; None: they are opened here. Every lock is then at its resting level (R14)."""
        who = settings.controller
        controller = Subject("controller", who.id, who.name)
        self.tasks = BackgroundTasks()
        self._isolation = Isolation()
        opened = open_all(settings.drivers, clock.now_ns) if supervisors is None else supervisors
        self.drivers = Drivers(settings.drivers, opened)
        self.log = Log(settings.log.path, who.id, clock, options or _log_options(settings))
        self.configuration = Configuration(settings, source or ConfigSource(settings.file), self.log, clock)
        self._events = ControllerEvents(controller, self.log, clock)

        # doors, elevators and people
        self.runner = Runner(
            settings.doors,
            {"release": settings.release_timing} if settings.release else {},
            wires=self.drivers,
            journal=self.log,
            now_ns=clock.now_ns,
            run=secrets.token_hex(4),
            wall_us=clock.wall_us,
        )
        self.runner.on_shown = self.drivers.show
        self.elevators = Elevators(
            settings.elevators, wires=self.drivers, journal=self.log, now_ns=clock.now_ns, run=secrets.token_hex(4)
        )
        self.signals = SignalRouter(self.runner, self.elevators)
        self.people = People(
            settings,
            clock,
            runner=self.runner,
            log=self.log,
            elevators=self.elevators,
            light=self.drivers.light,
            enrolments=Enrolments(clock, self.drivers.readers, self.drivers.listen),
        )

        # the broker, and the other consumers of the log
        self.origin = WireForm(who, self.log, clock)
        self.retained = RetainedStatus(clock, self.log, self.runner, lambda one: self.consumers.alerts_at(one))  # noqa: PLW0108 -- as below
        self.intake = CommandIntake(
            controller,
            runner=self.runner,
            people=self.people,
            log=self.log,
            clock=clock,
            way_back=lambda: self.broker.upstream,  # made below: it needs the intake
            status=lambda: self.status.whole(),  # noqa: PLW0108 -- made below
            acknowledge=lambda *about: self.consumers.acknowledge(*about),  # noqa: PLW0108 -- as above
            signatures_required=bool(settings.commands.keys),
        )
        self.broker: Broker = Broker(
            self.configuration,
            log=self.log,
            runner=self.runner,
            intake=self.intake,
            origin=self.origin,
            retained=self.retained,
            faults=self._events,
            tasks=self.tasks,
        )
        self.consumers: Consumers = Consumers(
            self.configuration,
            log=self.log,
            clock=clock,
            runner=self.runner,
            people=self.people,
            origin=self.origin,
            broker=self.broker,
            isolation=self._isolation,
        )
        self.people.directory.listeners.append(self.consumers.directory)

        # the status, and the requests at the socket
        self.status: Status = Status(
            self.configuration,
            clock,
            log=self.log,
            drivers=self.drivers,
            runner=self.runner,
            elevators=self.elevators,
            people=self.people,
            broker=self.broker,
            consumers=self.consumers,
            isolation=self._isolation,
        )
        self._figures = Figures(self.status, clock, self._isolation, settings.metrics.file)
        self.watchers = Watchers(self.status.whole)
        self.rights = PageRights()
        self._notifier = notifier or Notifier(monotonic_ns=clock.monotonic_ns)
        self._reloading = Reloading(
            self.configuration,
            NewDoors(
                self.configuration,
                drivers=self.drivers,
                runner=self.runner,
                people=self.people,
                log=self.log,
                clock=clock,
                tasks=self.tasks,
                take=self.signals.take,
            ),
            runner=self.runner,
            people=self.people,
            consumers=self.consumers,
            broker=self.broker,
            intake=self.intake,
            notifier=self._notifier,
            log=self.log,
            clock=clock,
        )
        self.service = Service(
            self.status,
            runner=self.runner,
            elevators=self.elevators,
            people=self.people,
            log=self.log,
            clock=clock,
            drivers=self.drivers,
            origin=self.origin,
            broker=self.broker,
            watchers=self.watchers,
            rights=self.rights,
            more={
                "reload": self._reload,
                "compare": self._reloading.compare,
                "metrics": self._figures.serve,
                **self.consumers.ops,
            },
        )
        self._remembering = Remembering(
            self.configuration,
            log=self.log,
            runner=self.runner,
            people=self.people,
            consumers=self.consumers,
            rights=self.rights,
            events=self._events,
        )
        self._clock_changes = ClockChanges(
            clock, log=self.log, people=self.people, runner=self.runner, events=self._events, watchers=self.watchers
        )
        self._watchdog = Watchdog(
            self._notifier, log=self.log, clock=clock, runner=self.runner, tasks=self.tasks, watchers=self.watchers
        )
        self._visitors = Visitors(self.people, self.runner.mistake)
        self.unwritten = 0
        """Events that could not be written before the stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises OSError when another doord has the socket or the log."""
        settings = self.configuration.settings
        control = ControlServer(settings.control.socket, self.service)
        self._events.started(settings.file.name, killed_by())
        self._guard()
        try:
            self.log.start()
            self.tasks.spawn(self._remembering.doors(), "people")
            self.tasks.spawn(self._remembering.rest(), "memory")
            await self._remembering.soon()
            self.tasks.spawn(self.consumers.index(), "index")
            self.tasks.spawn(self.consumers.reports(), "reports")
            self.tasks.spawn(self._figures.run(), "metrics")
            await control.start()
            await self.intake.start(settings)
            self.broker.start()
            self.tasks.spawn(self._clock_changes.run(), "clock")
            self.tasks.spawn(self._watchdog.run(), "watchdog")
            self.tasks.spawn(self._visitors.run(), "visitors")
            self._notifier.ready()
            self.tasks.spawn(self._reloading.started(), "configuration")
            LOG.info("guarding %d doors; log %s", len(settings.doors), settings.log.path)
            if not settings.doors:
                LOG.warning("no door is guarded: %s has no [door.NAME]", settings.file)
            await stop.wait()
        finally:
            await self._farewell(control)

    def _guard(self) -> None:
        """Start doors and elevators. All access is refused until it is known which doors were locked down."""
        self.log.on_commit(self._committed)
        self.log.on_commit(self._figures.committed)
        self.runner.waits_for_memory = True
        for guarded in (self.runner, self.elevators):
            guarded.listeners.append(lambda _what: self.watchers.changed())
            guarded.start()
        for name, supervisor in self.drivers.items():
            self.tasks.spawn(supervisor.run(self.signals.take), f"driver {name}")

    async def _farewell(self, control: ControlServer) -> None:
        """Stop (R15): locks to rest first, then the last record, then the disk."""
        self._notifier.stopping()
        await self.tasks.cancel(FAREWELL_S)  # no lock waits for a driver whose task hangs
        self.people.stop()
        self.runner.stop()
        self.elevators.stop()
        self.drivers.close()
        self._events.stopped()
        await control.close()
        with contextlib.suppress(TimeoutError):  # a dead disk: only written records are sent
            await asyncio.wait_for(self._events.stop_stored(), FAREWELL_S)
        await self.consumers.close()
        await self.broker.close()
        self.unwritten = await self.log.close()
        if self.unwritten:
            LOG.error("%d events could not be written before the stop", self.unwritten)

    def _committed(self, records: Sequence[Record]) -> None:
        """Tell the parts that need each commit at once. Consumers read the log with their own cursors."""
        self.people.witnessed(records)
        self.retained.committed(records)
        self.status.committed(records)
        self._events.committed(records)
        if self.watchers:
            self.watchers.records([self.origin.cloudevent(record) for record in records])
            self.watchers.changed()

    async def _reload(self, _body: dict[str, Any], actor: Actor) -> Json:
        return await self._reloading.reload(actor)

    def hang_up(self) -> None:
        """Reload, as SIGHUP asks."""
        self.tasks.spawn(self._reloading.reload(self.configuration.file_actor), "reload")


def _log_options(settings: Settings) -> LogOptions:
    kept, name = settings.log, settings.controller.name  # sinks: until the directory names them
    return LogOptions(name=name, sinks=None, retention_days=kept.retention_days, max_mib=kept.max_mib)
