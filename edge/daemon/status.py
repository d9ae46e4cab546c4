"""What `doorctl status` shows, put together from those who know; stable JSON (docs/doorctl.md).

One rule: only looks; secrets have no place here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge import __version__
from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.doors.conditions import Condition
    from edge.doors.driver_supervisor import DriverSupervisor
    from edge.doors.runner import Runner
    from edge.doors.state import Door
    from edge.model.messages import Json
    from edge.settings.controller import Settings
    from edge.system.calendar import Calendar
    from edge.system.clock import Clock


def door_facts(
    door: Door,
    since_ns: Mapping[str, int],
    conditions: Sequence[Condition],
    points: Mapping[str, str],
    calendar: Calendar,
) -> dict[str, Json]:
    """One door: its facets, since when, what is wrong with it, and what is counting down."""
    held_ns = door.opening.held_ns if door.opening else None
    return {
        "name": door.name,
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
        "unlocked_for_s": _left_s(door.access.until_ns if door.access else None, calendar.now_ns),
        "waits_for": door.interlocked_by if door.waits else None,
        "held_open_in_s": _left_s(held_ns, calendar.now_ns),
        "points": dict(points),
    }


def condition_facts(condition: Condition, calendar: Calendar) -> dict[str, Json]:
    """One thing that is wrong with a door."""
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
    """One driver: online or lost, why, since when, and what it says of itself."""
    return {
        "kind": supervisor.kind,
        "state": "online" if supervisor.online else "lost",
        "reason": supervisor.reason,
        "since": calendar.at(supervisor.since_ns),
        "facts": dict(supervisor.driver.describe()),
    }


def controller_facts(settings: Settings, clock: Clock, started_ns: int) -> dict[str, Json]:
    """Who this controller is and how long it has been running."""
    who = settings.controller
    return {
        "controller": {"id": who.id, "site": who.site, "name": who.name},
        "version": __version__,
        "boot": clock.boot_id,
        "uptime_s": round((clock.now_ns() - started_ns) / NS_PER_S, 1),
    }


def all_doors(runner: Runner, calendar: Calendar) -> dict[str, Json]:
    """Every door by id."""
    return {
        key: door_facts(door, runner.since_ns(key), runner.conditions(key), runner.settings(key).points, calendar)
        for key, door in runner.doors.items()
    }
