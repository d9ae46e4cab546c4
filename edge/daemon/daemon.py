"""The wiring of a running controller. The only module that knows everybody; it decides who starts when.

One rule: the order. Locks at rest, then doors guarded, then the log, then everything that talks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.access.elevators import Elevators
from edge.access.people import People
from edge.commands.intake import CommandIntake
from edge.config.source import ConfigSource
from edge.daemon.consumers import Consumers
from edge.daemon.page_rights import PageRights
from edge.daemon.reloading import Reloading
from edge.daemon.remembering import LOCKS, Remembering
from edge.daemon.service import Service, Simulator
from edge.daemon.status import all_doors, controller_facts, door_facts, driver_facts
from edge.doors.driver_supervisor import open_all
from edge.doors.memory import schedule_memory
from edge.doors.runner import Runner
from edge.log.log import Log, LogOptions
from edge.model.cloudevents import Identity, cloudevent
from edge.model.event_types import (
    CONTROLLER_CLOCK_ADJUSTED,
    CONTROLLER_FAULT,
    CONTROLLER_FAULT_CLEARED,
    CONTROLLER_START,
    CONTROLLER_STOP,
)
from edge.model.messages import NS_PER_S, SYSTEM, Actor, Back, CardRead, ClockQuality, Event, KeysPressed, Lost, Subject
from edge.model.printable import spelt
from edge.settings.door_changes import lock_changes, lock_facts
from edge.socket.server import ControlServer, RequestError
from edge.socket.watchers import Watchers
from edge.system.calendar import Calendar
from edge.system.systemd import Notifier, killed_by
from edge.system.tasks import say_why
from edge.upstream.messages import UpstreamOptions
from edge.upstream.sync import Upstream

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from typing import Any

    from edge.directory.directory import Directory
    from edge.doors.driver_supervisor import DriverSupervisor
    from edge.model.messages import Json, ReaderDisplay, Record, Signal
    from edge.settings.controller import Settings
    from edge.settings.door_changes import Locks
    from edge.system.clock import Clock
    from edge.upstream.home_assistant import DiscoveryMessages

LOG: Final = logging.getLogger("doord")
FAREWELL_S: Final = 1.0
"""How long a stop waits for the upstream to take the last records."""
STEP_TO_RECORD_US: Final = 2_000_000
"""R19: a smaller step of the calendar is not worth a record."""
LATE_NS: Final = 10 * NS_PER_S
"""A record that leaves later than this after it happened is called replayed."""
WRITER_PATIENCE_NS: Final = 300 * NS_PER_S
"""A disk that keeps the writer longer than this in one call is a reason to start again."""


class Daemon:
    """One controller, from its wires to its upstream."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        options: LogOptions | None = None,
        supervisors: Mapping[str, DriverSupervisor] | None = None,
        source: ConfigSource | None = None,
    ) -> None:
        """`supervisors` are open already, or opened here: every lock is at its resting level (R14)."""
        self.settings = settings
        self.clock = clock
        self.started_ns = clock.now_ns()
        self._drivers = {point: name for name, driver in settings.drivers.items() for point in driver.points}
        self.supervisors = open_all(settings.drivers, clock.now_ns) if supervisors is None else supervisors
        chosen, who = settings.log, settings.controller
        self.log = Log(
            chosen.path,
            who.id,
            clock,
            options
            or LogOptions(
                name=who.name,
                sinks=None,  # until it is known who there is (`edge.daemon.consumers`)
                retention_days=chosen.retention_days,
                max_mib=chosen.max_mib,
            ),
        )
        site = {"release": settings.release_timing} if settings.release else {}
        self.runner = Runner(
            settings.doors,
            site,
            wires=self,
            journal=self.log,
            now_ns=clock.now_ns,
            run=secrets.token_hex(4),
            wall_us=clock.wall_us,
        )
        self.runner.on_shown = self._show
        self.elevators = Elevators(
            settings.elevators, wires=self, journal=self.log, now_ns=clock.now_ns, run=secrets.token_hex(4)
        )
        self.people = People(
            settings, clock, runner=self.runner, log=self.log, elevators=self.elevators, light=self._light
        )
        self.consumers = Consumers(self)
        self.people.directory.listeners.append(self.consumers.directory)
        self.watchers = Watchers(self.status)
        self.rights = PageRights()
        self.upstream: Upstream | None = None
        self._last_of: dict[str, int] = {}
        """The latest record about each door."""
        self._last_words = asyncio.Event()
        """`controller.stop` is on the disk."""
        self.unwritten = 0
        """Events that the disk did not take before the stop."""
        self._refused: str | None = None
        self.intake = CommandIntake(
            self.controller(),
            runner=self.runner,
            people=self.people,
            log=self.log,
            clock=clock,
            way_back=lambda: self.upstream,
            status=self.status,
            signatures_required=bool(settings.commands.keys),
        )
        self.notifier = Notifier(monotonic_ns=clock.monotonic_ns)
        self._reloading = Reloading(self, source or ConfigSource(settings.file))
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    # --- wires ----------------------------------------------------------------------------------

    def apply(self, driver: str, outputs: Mapping[str, bool]) -> bool:
        """See `edge.model.ports.Wires`."""
        return self.supervisors[driver].apply(outputs)

    def level(self, point: str) -> bool | None:
        """See `edge.model.ports.Wires`."""
        return self.supervisors[self._drivers[point]].level(point)

    def driver_of(self, point: str) -> str:
        """See `edge.model.ports.Wires`."""
        return self._drivers[point]

    def take(self, signal: Signal) -> None:
        """What a driver saw, to whom it concerns: doors and credentials, or elevators."""
        if isinstance(signal, Lost | Back):
            self.runner.take(signal)
            self.elevators.take(signal)
        elif signal.point in self.elevators.points and not isinstance(signal, CardRead | KeysPressed):
            self.elevators.take(signal)
        else:
            self.runner.take(signal)

    def _show(self, door: str, shown: ReaderDisplay) -> None:
        point = f"{door}.reader"
        if point in self._drivers:
            self.supervisors[self._drivers[point]].show(point, shown)

    def _light(self, point: str, granted: bool) -> None:
        self.supervisors[self._drivers[point]].answer(point, granted=granted)

    # --- life -----------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Guard until `stop` is set. Raises OSError when the socket or the log belong to another doord."""
        details: dict[str, Json] = {"version": __version__, "config": spelt(self.settings.file.name)}
        if (ended := killed_by()) is not None:
            details["ended"] = ended
        self._record(CONTROLLER_START, details=details)
        self.log.on_commit(self._committed)
        self.runner.waits_for_memory = True
        for shell in (self.runner, self.elevators):
            shell.listeners.append(lambda _what: self.watchers.changed())
            shell.start()
        for name, supervisor in self.supervisors.items():
            self._spawn(supervisor.run(self.take), f"driver {name}")
        control = ControlServer(
            self.settings.control.socket, Service(self, {**self.consumers.ops, "compare": self._reloading.compare})
        )
        try:
            self.log.start()
            remembering = Remembering(self)
            self._spawn(remembering.doors(), "people")
            self._spawn(remembering.rest(), "memory")
            await remembering.soon()
            self._spawn(self.consumers.index(), "index")
            self._spawn(self.consumers.reports(), "reports")
            self._spawn(self.consumers.measure(), "metrics")
            await control.start()
            await self.intake.start(self.settings)
            self._start_upstream()
            self._spawn(self.clock.watch(self._stepped, self._clock_changed), "clock")
            self._spawn(self._watchdog(), "watchdog")
            self.notifier.ready()
            self._spawn(self._reloading.started(), "configuration")
            LOG.info("guarding %d doors; log %s", len(self.settings.doors), self.settings.log.path)
            if not self.settings.doors:
                LOG.warning("no door is guarded: %s has no [door.NAME]", self.settings.file)
            await stop.wait()
        finally:
            await self._farewell(control)

    async def _farewell(self, control: ControlServer) -> None:
        """R15: locks to rest first, then the last words, then the disk."""
        self._stopping = True
        self.notifier.stopping()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:  # no lock waits for a driver that does not let go
            await asyncio.wait(tasks, timeout=FAREWELL_S)
        self.people.stop()
        self.runner.stop()
        self.elevators.stop()
        for supervisor in self.supervisors.values():
            supervisor.close()
        self._record(CONTROLLER_STOP)
        await control.close()
        with contextlib.suppress(TimeoutError):  # a dead disk: nothing that is not written may be told
            await asyncio.wait_for(self._last_words.wait(), FAREWELL_S)
        await self.consumers.close()
        if self.upstream is not None:
            await self.upstream.close(FAREWELL_S)
        self.unwritten = await self.log.close()
        if self.unwritten:
            LOG.error("%d events could not be written before the stop", self.unwritten)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that has done its work is forgotten; one that failed is said, and starves the watchdog.

        What doors do without never fails here: `edge.system.isolation` keeps its faults.
        """
        say_why(task)
        if not task.cancelled() and task.exception() is None:
            self._tasks.remove(task)

    async def guard(self, settings: Settings, doors: Sequence[str]) -> None:
        """Guard these new doors of theirs as well, locks at rest first; the settings are in force afterwards.

        Nothing in them is wired otherwise than before (`edge.settings.controller.difference`).
        Raises RequestError during a stop.
        """
        new = {name: driver for name, driver in settings.drivers.items() if name not in self.supervisors}
        opened = await asyncio.to_thread(open_all, new, self.clock.now_ns) if new else {}  # loads libraries
        if self._stopping:
            for supervisor in opened.values():
                supervisor.close()
            raise RequestError("stopping", "the daemon is stopping: nothing is taken over")
        self.settings, self.supervisors = settings, {**self.supervisors, **opened}
        lost: list[Lost] = []
        for name, driver in settings.drivers.items():
            points = {point: model for point, model in driver.points.items() if point not in self._drivers}
            self._drivers |= dict.fromkeys(points, name)
            if points and name not in opened and (reason := self.supervisors[name].add(points)) is not None:
                lost.append(Lost(frozenset(points), reason, self.clock.now_ns()))
        memories = self.log.modes()
        self.runner.add([settings.doors[door] for door in doors], memories)
        for signal in lost:
            self.take(signal)
        for name, supervisor in opened.items():
            self._spawn(supervisor.run(self.take), f"driver {name}")
        schedules = {schedule_memory(door) for door in doors}
        self.people.restore({key: memory for key, memory in memories.items() if key in schedules})

    async def restart_upstream(self) -> None:
        """With other settings: the conversation that there was ends as at a stop, another goes on from its cursor.

        None begins during a stop.
        """
        if (old := self.upstream) is not None:
            if old.door_changed in self.runner.listeners:
                self.runner.listeners.remove(old.door_changed)
            await old.close(FAREWELL_S)
            self.refuses(None)  # what one broker refused says nothing about another
        self.upstream = None
        self._start_upstream()

    def _start_upstream(self) -> None:
        if self.settings.mqtt is None or self.upstream is not None or self._stopping:
            return
        from edge.upstream.mqtt.link import MqttLink  # noqa: PLC0415 -- doors are guarded before paho is imported

        chosen, who = self.settings.mqtt, self.settings.controller
        options = UpstreamOptions(
            chosen.url, f"{chosen.prefix}/{who.site}/{who.id}", chosen.ack == "application", chosen.window
        )
        client_id = f"doorward-{who.site}-{who.id}"
        self.upstream = Upstream(
            options,
            self.log,
            tuple(self.settings.doors),
            lambda upstream: MqttLink(chosen, client_id, upstream),
            random.Random(),  # noqa: S311 -- jitter keeps no secret
            self._home_assistant(),
            origin=self,
            retained=self,
            inbound=self.intake,
            faults=self,
        )
        self.runner.listeners.append(self.upstream.door_changed)
        self.upstream.start().add_done_callback(say_why)

    def _home_assistant(self) -> DiscoveryMessages | None:
        if self.settings.home_assistant is None:
            return None
        from edge.upstream.home_assistant import DiscoveryMessages  # noqa: PLC0415 -- few have one

        return DiscoveryMessages(lambda: self.settings, __version__)

    # --- what happens meanwhile ---------------------------------------------------------------------

    def _record(
        self, event_type: str, *, details: Mapping[str, Json] | None = None, modes: Mapping[str, str] | None = None
    ) -> None:
        event = Event(event_type, self.clock.now_ns(), self.controller(), SYSTEM, details=details or {})
        self.log.append([event], modes)

    def _committed(self, records: Sequence[Record]) -> None:
        self.people.witnessed(records)
        self._last_of |= {r.event.door: r.sequence for r in records if r.event.door is not None}
        if any(record.event.type == CONTROLLER_STOP for record in records):
            self._last_words.set()
        if self.watchers:
            self.watchers.records([self.cloudevent(record) for record in records])
            self.watchers.changed()

    def _stepped(self, step_us: int) -> None:
        self._note_clock()
        self._judge_time(self.clock.quality())
        if abs(step_us) > STEP_TO_RECORD_US:
            self._record(CONTROLLER_CLOCK_ADJUSTED, details={"step_s": round(step_us / 1e6, 6)})

    def _judge_time(self, quality: ClockQuality) -> None:
        self.people.clock_changed(quality)
        self.runner.clock_changed(trusted=quality is not ClockQuality.UNSYNCED)

    def _clock_changed(self, quality: ClockQuality) -> None:
        LOG.info("the clock is now %s", quality)
        self._note_clock()
        self._judge_time(quality)
        self.watchers.changed()

    def _note_clock(self) -> None:
        self.log.note_clock(self.clock.now_ns(), self.clock.wall_us(), self.clock.quality())

    async def _watchdog(self) -> None:
        """Pet only while the loop, every driver's task and the writer make progress."""
        well_ns, writer = self.clock.now_ns(), "ok"
        while True:
            await asyncio.sleep(self.notifier.watchdog_s or 10.0)
            health = self.log.health()
            if health.writer != writer:
                writer = health.writer
                self.watchers.changed()
            if health.writer != "stalled":
                well_ns = self.clock.now_ns()
            self.notifier.status(f"{len(self.settings.doors)} doors, {health.committed} records, log {health.writer}")
            tired = [task.get_name() for task in self._tasks if task.done()]
            if tired or self.clock.now_ns() - well_ns > WRITER_PATIENCE_NS:
                LOG.critical("not petting the watchdog: %s", ", ".join(tired) or "the log's writer hangs")
                continue
            self.notifier.watchdog()

    # --- for the upstream ---------------------------------------------------------------------------

    def controller(self) -> Subject:
        """The controller as the subject of its own events."""
        who = self.settings.controller
        return Subject("controller", who.id, who.name)

    def online_status(self) -> dict[str, Json]:
        """What the retained `status` says beside the state of the conversation."""
        health = self.log.health()
        return {
            "version": __version__,
            "boot": self.clock.boot_id,
            "clock": self.clock.quality().value,
            "doors": [*self.settings.doors],
            "log": {"writer": health.writer, "error": health.error},
        }

    def door_state(self, door: str) -> Json:
        """The retained state of a door."""
        calendar, found = Calendar(self.clock), self.runner.door(door)
        facts = door_facts(found, self.runner.since_ns(door), self.runner.conditions(door), {}, calendar)
        for passing in ("unlocked_for_s", "held_open_in_s", "points"):
            del facts[passing]
        return {"id": door, **facts, "sequence": self._last_of.get(door, 0)}

    def is_late(self, record: Record) -> bool:
        """More than 10 s ago, or before this boot."""
        return record.boot != self.clock.boot_id or self.clock.now_ns() - record.event.at_ns > LATE_NS

    def leaves_out(self, topic: str, why: str) -> None:
        """What belongs on this topic is not sent as it should be."""
        LOG.warning("%s: %s", topic, why)
        details: dict[str, Json] = {"reason": f"{topic}: {why}", "topic": topic}
        subject = Subject("upstream", "mqtt", "MQTT broker")
        self.log.append([Event(CONTROLLER_FAULT, self.clock.now_ns(), subject, SYSTEM, code="limit", details=details)])

    def refuses(self, reason: str | None) -> None:
        """One fault when the broker begins to refuse, one more record when it takes again."""
        if (reason is None) == (self._refused is None):
            return
        self._refused = reason
        kind = CONTROLLER_FAULT if reason else CONTROLLER_FAULT_CLEARED
        subject = Subject("upstream", "mqtt", "MQTT broker")
        self.log.append([Event(kind, self.clock.now_ns(), subject, SYSTEM, details={"reason": reason})])

    # --- for the control socket ------------------------------------------------------------------------

    def status(self) -> dict[str, Json]:
        """Everything `doorctl status` shows."""
        calendar = Calendar(self.clock)
        return {
            **controller_facts(self.settings, self.clock, self.started_ns),
            "stream": self.log.stream,
            "clock": calendar.facts(),
            "log": asdict(self.log.health()),
            "upstream": self._upstream_facts(calendar),
            "drivers": {name: driver_facts(supervisor, calendar) for name, supervisor in self.supervisors.items()},
            "doors": all_doors(self.runner, calendar),
            "elevators": self.elevators.facts(),
            "directory": self.people.facts(),
            "configuration": self._reloading.source.facts(),
            **self.consumers.facts(),
        }

    def facts(self) -> Json:
        """The status, and the level at which every input has settled."""
        calendar = Calendar(self.clock)
        inputs: dict[str, Json] = {
            point: {"asserted": level, "since": calendar.at(at_ns), "at_ns": at_ns}
            for point, (level, at_ns) in self.runner.levels().items()
        }
        return {**self.status(), "inputs": inputs}

    def _upstream_facts(self, calendar: Calendar) -> Json:
        if self.upstream is None:
            return None
        ago_s = asyncio.get_running_loop().time() - self.upstream.conversation.since_s
        since = calendar.at(calendar.now_ns - round(ago_s * NS_PER_S))
        return {**self.upstream.facts(), "since": since, "unrecorded_refusals": self.intake.unrecorded}

    def identity(self) -> Identity:
        """Who this controller is on the wire; the epoch is known once the log is open."""
        who = self.settings.controller
        return Identity(who.site, who.id, self.log.stream.rpartition("/")[2])

    def cloudevent(self, record: Record) -> Json:
        """A record as it looks on the wire, told now and not replayed."""
        return cloudevent(record, self.identity(), replayed=False)

    def directory(self) -> Directory:
        """Who may pass, as it is in force."""
        return self.people.directory.in_force

    def simulator(self, door: str) -> Simulator | None:
        """The simulated driver that carries points of this door, or of the controller itself."""
        names = {name for point, name in self._drivers.items() if point.startswith(f"{door}.")}
        found = (self.supervisors[name].driver for name in sorted(names))
        return next((driver for driver in found if isinstance(driver, Simulator)), None)

    def replay(self, first: int) -> Json:
        """Send records again, from `first` to the newest."""
        if self.upstream is None:
            raise RequestError("no_upstream", "there is no [mqtt] section, so nothing can be replayed")
        last = self.log.committed
        if first > last:
            raise RequestError("malformed", f"from is {first}, but the newest record is {last}")
        self.upstream.replay(first, last)
        return {"from": first, "to": last}

    def hang_up(self) -> None:
        """SIGHUP."""
        self._spawn(self._reload_quietly(), "reload")

    async def _reload_quietly(self) -> None:
        await self.reload(self._file())

    async def reload(self, actor: Actor) -> Json:
        """Apply what running doors can take over, as changes that this actor brought; a bad file changes nothing."""
        return await self._reloading.reload(actor)

    def audit(self, before: Locks | None, actor: Actor) -> None:
        """Record what the configuration in force changed at doors, and keep it for the next comparison."""
        now = lock_facts(self.settings)
        if now != before:
            modes = {LOCKS: json.dumps(now)}
            self.log.append(lock_changes(before, now, actor, self.clock.now_ns()), modes)

    def _file(self) -> Actor:
        """Who brings what nobody brought in person."""
        return Actor("system", "file", self.settings.file.name)
