"""The status that `doorctl status` shows, and the part of it that is retained at the broker.

One rule: it changes nothing, and has no secret in it. It is stable JSON (docs/doorctl.md, docs/mqtt.md).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.model.event_types import READER_ACCESS
from edge.model.messages import NS_PER_S
from edge.system.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.access.elevators import Elevators
    from edge.access.people import People
    from edge.daemon.broker import Broker
    from edge.daemon.configuration import Configuration
    from edge.daemon.consumers import Consumers
    from edge.daemon.drivers import Drivers
    from edge.doors.conditions import Condition
    from edge.doors.driver_supervisor import DriverSupervisor
    from edge.doors.runner import Runner
    from edge.doors.state import Door
    from edge.log.log import Log
    from edge.model.messages import Actor, Json, Record
    from edge.settings.controller import DoorSettings
    from edge.system.clock import Clock
    from edge.system.isolation import Isolation

NOT_RETAINED: Final = ("zone", "unlocked_by", "schedule", "last", "unlocked_for_s", "held_open_in_s", "points")
"""Keys of a door that are not in its retained state: who passed, countdowns, and what is configured."""


class Status:
    """Makes the status when it is asked for."""

    def __init__(  # noqa: PLR0913 -- each has a part of the status
        self,
        configuration: Configuration,
        clock: Clock,
        *,
        log: Log,
        drivers: Drivers,
        runner: Runner,
        elevators: Elevators,
        people: People,
        broker: Broker,
        consumers: Consumers,
        isolation: Isolation,
    ) -> None:
        """The uptime counts from now."""
        self._configuration, self._clock, self._log, self._drivers = configuration, clock, log, drivers
        self._runner, self._elevators, self._people = runner, elevators, people
        self._broker, self._consumers, self._isolation = broker, consumers, isolation
        self._started_ns = clock.now_ns()
        self._passages: dict[str, Record] = {}
        """Door -> the newest answer to a card or PIN."""

    def committed(self, records: Sequence[Record]) -> None:
        """Note answers to cards and PINs that are on the disk."""
        self._passages |= {
            r.event.door: r for r in records if r.event.type == READER_ACCESS and r.event.door is not None
        }

    def whole(self) -> dict[str, Json]:
        """Everything `doorctl status` shows."""
        calendar, who = Calendar(self._clock), self._configuration.settings.controller
        return {
            "controller": {"id": who.id, "site": who.site, "name": who.name, "time_zone": who.time_zone},
            "version": __version__,
            "boot": self._clock.boot_id,
            "uptime_s": round((self._clock.now_ns() - self._started_ns) / NS_PER_S, 1),
            "stream": self._log.stream,
            "clock": calendar.facts(),
            "log": asdict(self._log.health()),
            "upstream": self._broker.facts(calendar),
            "drivers": {name: driver_facts(supervisor, calendar) for name, supervisor in self._drivers.items()},
            "doors": self._doors(calendar),
            "elevators": self._elevators.facts(self._people.directory.in_force.elevators),
            "directory": self._people.facts(),
            "configuration": self._configuration.source.facts(),
            "failed_parts": {**self._isolation.failed},
            **self._consumers.facts(),
        }

    def with_inputs(self) -> dict[str, Json]:
        """The status, and the settled level of every input."""
        calendar = Calendar(self._clock)
        inputs: dict[str, Json] = {
            point: {"asserted": level, "since": calendar.at(at_ns), "at_ns": at_ns}
            for point, (level, at_ns) in self._runner.levels().items()
        }
        return {**self.whole(), "inputs": inputs}

    def _doors(self, calendar: Calendar) -> dict[str, Json]:
        runner = self._runner
        return {
            key: {
                **door_facts(door, runner.since_ns(key), runner.conditions(key), runner.settings(key), calendar),
                "schedule": self._people.scheduled(key),
                "last": _passage_facts(self._passages.get(key), calendar),
            }
            for key, door in runner.doors.items()
        }


class RetainedStatus:
    """See `edge.upstream.messages.RetainedFacts`."""

    def __init__(self, clock: Clock, log: Log, runner: Runner, alerts: Callable[[str], list[Json]]) -> None:
        """`committed` has to get every record that is written; `alerts` returns the open ones of a door."""
        self._clock, self._log, self._runner, self._alerts = clock, log, runner, alerts
        self._last_of: dict[str, int] = {}
        """Door -> the sequence number of its last record."""

    def committed(self, records: Sequence[Record]) -> None:
        """Note records that are on the disk."""
        self._last_of |= {r.event.door: r.sequence for r in records if r.event.door is not None}

    def online_status(self) -> dict[str, Json]:
        """The retained `status` without the state of the conversation."""
        health = self._log.health()
        return {
            "version": __version__,
            "boot": self._clock.boot_id,
            "clock": self._clock.quality().value,
            "doors": [*self._runner.doors],
            "log": {"writer": health.writer, "error": health.error},
        }

    def door_state(self, door: str) -> Json:
        """The retained state of a door."""
        runner, calendar = self._runner, Calendar(self._clock)
        facts = door_facts(runner.door(door), runner.since_ns(door), runner.conditions(door), None, calendar)
        for key in NOT_RETAINED:
            facts.pop(key, None)
        return {"id": door, **facts, "alerts": self._alerts(door), "sequence": self._last_of.get(door, 0)}


def door_facts(
    door: Door,
    since_ns: Mapping[str, int],
    conditions: Sequence[Condition],
    settings: DoorSettings | None,
    calendar: Calendar,
) -> dict[str, Json]:
    """One door: its states with their times, its conditions, and its countdowns."""
    held_ns = door.opening.held_ns if door.opening else None
    return {
        "name": door.name,
        "zone": settings.zone if settings else None,
        "mode": door.mode.value,
        "contact": door.contact.value,
        "lock": door.lock.value,
        "alarm": door.alarm.value,
        "warning": door.warning,
        "tamper": ", ".join(sorted(door.tamper)) or None,
        "fault": door.fault,
        "since": {facet: calendar.at(at_ns) for facet, at_ns in since_ns.items()},
        "conditions": [condition_facts(condition, calendar) for condition in conditions],
        "held_until": None if door.hold_until_ns is None else calendar.at(door.hold_until_ns),
        "locks_when_closed": door.ajar,
        "unlocked_by": _unlocked_by(door.released_by),
        "unlocked_for_s": _left_s(door.access.until_ns if door.access else None, calendar.now_ns),
        "waits_for": door.interlocked_by if door.waits else None,
        "held_open_in_s": _left_s(held_ns, calendar.now_ns),
        "points": dict(settings.points) if settings else {},
    }


def _passage_facts(record: Record | None, calendar: Calendar) -> Json:
    if record is None:
        return None
    event = record.event
    return {"at": calendar.at(event.at_ns), "who": _name_of(event.actor), "granted": event.success, "code": event.code}


def _unlocked_by(actor: Actor | None) -> Json:
    return None if actor is None else {"kind": actor.kind, "name": _name_of(actor)}


def _name_of(actor: Actor | None) -> str | None:
    return None if actor is None else actor.name or actor.id


def condition_facts(condition: Condition, calendar: Calendar) -> dict[str, Json]:
    """One condition of a door: something that is wrong with it."""
    return {
        "code": condition.kind.code,
        "severity": condition.kind.severity.value,
        "since": calendar.at(condition.since_ns),
        "message": condition.kind.words,
        "detail": condition.detail or None,
    }


def _left_s(due_ns: int | None, now_ns: int) -> float | None:
    return None if due_ns is None else round(max(0, due_ns - now_ns) / NS_PER_S, 1)


def driver_facts(supervisor: DriverSupervisor, calendar: Calendar) -> dict[str, Json]:
    """One driver: online or lost, why, since when, and its own facts."""
    return {
        "kind": supervisor.kind,
        "state": "online" if supervisor.online else "lost",
        "reason": supervisor.reason,
        "since": calendar.at(supervisor.since_ns),
        "facts": dict(supervisor.driver.describe()),
    }
