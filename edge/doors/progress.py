"""How far a door's unlock schedule is: started, waiting for the first to arrive, ended (R9).

One rule: while the time is not known, a schedule does not start, and one that runs goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge.model.event_types import LOCK_FIRST_TO_ARRIVE, LOCK_SCHEDULED_UNLOCK_ENDED, LOCK_SCHEDULED_UNLOCK_STARTED
from edge.model.messages import Actor, ClockQuality, Event
from edge.model.schedule import Window, window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.model.messages import Json, Subject
    from edge.model.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of the time."""

    at: datetime
    """The calendar clock, with an offset."""
    quality: ClockQuality = ClockQuality.SYNCED
    known: datetime | None = None
    """The time is not earlier than this, whatever the clock's quality; for example the newest record's time."""

    @property
    def trusted(self) -> bool:
        """Whether the calendar clock can be used at all."""
        return self.quality is not ClockQuality.UNSYNCED

    @property
    def at_least(self) -> datetime | None:
        """The time is not earlier than this, by the clock or by what is known without it."""
        return self.at if self.trusted else self.known


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a door's unlock schedule is. The default is for a door of which nothing is remembered."""

    running: Window | None = None
    """The door stands unlocked for this window."""
    first: Actor | None = None
    """Whose arrival started it, if it had to wait for one."""
    arrived: datetime | None = None
    """The latest granted access at this door, and whose."""
    arrived_by: Actor | None = None


def arrive(progress: Progress, actor: Actor, moment: Moment) -> Progress:
    """Note a granted access; call `desired` afterwards. While the time is not trusted, nothing is noted."""
    return replace(progress, arrived=moment.at, arrived_by=actor) if moment.trusted else progress


def desired(progress: Progress, schedule: Schedule | None, moment: Moment) -> Progress:
    """What the schedule says now: `running` is None, or the door stands unlocked.

    With an unsynced clock a schedule does not start, and one that runs goes on. Call it again at
    `next_change`, after `arrive`, after a step of the calendar and when the clock's quality changes.
    """
    if schedule is not None and not moment.trusted:
        return progress
    now = window(schedule, moment.at) if schedule is not None else None
    if now is None or schedule is None:
        return replace(progress, running=None, first=None)
    if progress.running is not None and _overlap(progress.running, now):
        return replace(progress, running=now)
    if not schedule.first_to_arrive:
        return replace(progress, running=now, first=None)
    early = now.start - timedelta(seconds=schedule.early_s)
    if progress.arrived is not None and early <= progress.arrived <= moment.at:
        return replace(progress, running=now, first=progress.arrived_by)
    return replace(progress, running=None, first=None)


def waits(progress: Progress, schedule: Schedule | None, moment: Moment) -> bool:
    """Whether a window has begun and the first to arrive has not."""
    if progress.running is not None or schedule is None or not moment.trusted:
        return False
    return window(schedule, moment.at) is not None


def _overlap(one: Window, other: Window) -> bool:
    return (one.end is None or one.end > other.start) and (other.end is None or other.end > one.start)


def events(before: Progress, after: Progress, schedule: Schedule | None, door: Subject, at_ns: int) -> list[Event]:
    """The events of a step of `desired`; `door` is the lock. The door's rules record a change of its mode."""
    if before.running is None or after.running is None:
        same = before.running is after.running
    else:
        same = _overlap(before.running, after.running)
    if same:
        return []
    actor = Actor("schedule", "none", None) if schedule is None else Actor("schedule", schedule.id, schedule.name)
    steps = []
    if before.running is not None:
        details: dict[str, Json] = {"window": before.running.id}
        steps.append(Event(LOCK_SCHEDULED_UNLOCK_ENDED, at_ns, door, actor, "schedule", door=door.id, details=details))
    if after.running is not None:
        details = {"window": after.running.id, "until": _text(after.running.end)}
        if after.first is not None:
            arrived: dict[str, Json] = {"window": after.running.id, "arrived": _text(after.arrived)}
            steps.append(Event(LOCK_FIRST_TO_ARRIVE, at_ns, door, after.first, "user", door=door.id, details=arrived))
        started = Event(LOCK_SCHEDULED_UNLOCK_STARTED, at_ns, door, actor, "schedule", door=door.id, details=details)
        steps.append(started)
    return steps


def remembered(progress: Progress) -> dict[str, Json]:
    """What the log keeps over a restart (R14); `restored` reads it."""
    running = progress.running
    lasts: Json = None if running is None else [running.id, running.start.isoformat(), _text(running.end)]
    return {
        "window": lasts,
        "first": _actor(progress.first),
        "arrived": _text(progress.arrived),
        "arrived_by": _actor(progress.arrived_by),
    }


def restored(memory: Mapping[str, Any]) -> Progress:
    """What the log remembers; the default when it is not valid, because somebody has changed it."""
    try:
        window_id, start, end = memory["window"] or ("", None, None)
        start_at, end_at, arrived = (_moment(text) for text in (start, end, memory["arrived"]))
        running = Window(str(window_id), start_at, end_at) if start_at is not None else None
        return Progress(running, _someone(memory["first"]), arrived, _someone(memory["arrived_by"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return Progress()


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _actor(actor: Actor | None) -> Json:
    return None if actor is None else [actor.kind, actor.id, actor.name, actor.email]


def _someone(value: Any) -> Actor | None:  # noqa: ANN401 -- from a file: anything
    if value is None:
        return None
    kind, actor_id, name, email = value
    return Actor(str(kind), str(actor_id), name and str(name), email and str(email))


def _moment(text: Any) -> datetime | None:  # noqa: ANN401 -- from a file: anything
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a moment without an offset")
    return at.astimezone(UTC)
