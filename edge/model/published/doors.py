"""A door, as it is retained and as `doorctl status` has it."""

from __future__ import annotations

from typing import Literal, NewType, TypedDict

Time = NewType("Time", str)
"""A time in UTC (RFC 3339) with microseconds, by the calendar as it stands now."""


class ConditionJson(TypedDict):
    """One thing that is wrong with a door."""

    code: str
    """What it is; see [conditions](mqtt.md#conditions)."""
    severity: Literal["alarm", "warning"]
    """How bad it is."""
    since: Time
    """When it began."""
    message: str
    """What it is, in words."""
    detail: str | None
    """The points concerned, or the reason."""


class UnlockedByJson(TypedDict):
    """Who or what unlocked a door."""

    kind: str
    """`user`, `operator`, `schedule`, `rex` or `system`."""
    name: str
    """Its name, or the id where there is none."""


class LastPassageJson(TypedDict):
    """The newest card or PIN at a door, granted or refused."""

    at: Time
    """When it was answered."""
    who: str | None
    """The person's name, or the id where there is none; `null`: nobody is named in the record."""
    granted: bool
    """Whether the door let them in."""
    code: str | None
    """The code of its record; `null`: none."""


class ScheduledJson(TypedDict):
    """The unlock schedule of a door."""

    id: str
    """Its id."""
    name: str
    """Its name."""
    state: Literal["on", "waiting", "off"]
    """`on`: a window of it runs; `waiting`: one has begun and waits for the first to arrive."""
    next_change: Time | None
    """When its window begins or ends next; `null`: never."""


class SinceJson(TypedDict):
    """When each facet of a door took its present value."""

    mode: Time
    """When the mode took its value."""
    contact: Time
    """When the contact took its value."""
    lock: Time
    """When the lock took its value."""
    alarm: Time
    """When the alarm took its value."""


class _DoorJson(TypedDict):
    """What is common to both documents about a door."""

    name: str
    """Its name."""
    mode: Literal["locked", "accessed", "unlocked", "blocked", "locked_down", "locked_open"]
    """`accessed`: released for a moment; `locked_open`: released by the fire panel."""
    contact: Literal["unknown", "open", "closed", "fault"]
    """`fault`: its wiring is cut or shorted."""
    lock: Literal["unknown", "locked", "unlocked"]
    """What the relay was last told and confirmed; `unknown` while its driver is lost."""
    alarm: Literal["normal", "forced_open", "held_open"]
    """The alarm that stands until the door closes."""
    warning: bool
    """The door will be held open soon, or is."""
    tamper: str | None
    """Its points that are tampered with."""
    fault: str | None
    """Why points of the door cannot be read or driven."""
    since: SinceJson
    """When each facet took its present value."""
    conditions: list[ConditionJson]
    """What is wrong with it, the worst first; empty: nothing."""
    held_until: Time | None
    """When a hold ends by itself."""
    locks_when_closed: bool
    """It stays released until it is closed, for its bolt (`relock = "closed"`)."""
    waits_for: str | None
    """The door of its interlock group that keeps a hold or a schedule from releasing it."""


class DoorAlertJson(TypedDict):
    """An open alert of a door, as it is retained."""

    alert: str
    """Its id, for the command `acknowledge`."""
    policy: str
    """Its policy."""
    raised: Time
    """When."""
    escalated: bool
    """The recipients of `escalate_to` were told, too."""


class DoorStateJson(_DoorJson):
    """One door, retained on `doors/<door>/state`."""

    id: str
    """The door's id."""
    alerts: list[DoorAlertJson]
    """Its [alerts](alerts.md) that nobody has acknowledged, the oldest 20."""
    sequence: int
    """The last record about it since `doord` started; 0: none."""


class DoorJson(_DoorJson):
    """One door of `doorctl status`."""

    zone: str | None
    """The part of the site where it is (`zone`); `null`: none is configured."""
    unlocked_by: UnlockedByJson | None
    """Who or what unlocked it; `null` while it is locked, and where that is not known."""
    schedule: ScheduledJson | None
    """Its unlock schedule; `null`: it has none."""
    last: LastPassageJson | None
    """The newest card or PIN since `doord` started; `null`: none yet."""
    unlocked_for_s: float | None
    """How long an access still releases it."""
    held_open_in_s: float | None
    """How long until it is held open."""
    points: dict[str, str]
    """Role of each point, and the driver that has it."""
