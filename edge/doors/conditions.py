"""What can be wrong with a door, a row for each, and what is wrong with a door now.

One rule: every display of a door shows this list and judges nothing itself; a new row here reaches all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.doors.state import Alarm, Contact
from edge.model.catalogue import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.doors.state import Door


@dataclass(frozen=True, slots=True)
class ConditionKind:
    """One thing that can be wrong with a door."""

    code: str
    """Stable: scripts, metrics and automations rely on it."""
    severity: Severity
    words: str
    """Short, lower case, without the door's name."""
    detail: Callable[[Door], str | None]
    """None while the door does not have it; otherwise text to add to the words: points, a reason, or an empty text."""
    needs: str | None = None
    """The input without which a door can never have it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is wrong with a door now."""

    kind: ConditionKind
    detail: str
    since_ns: int


def _when(holds: bool) -> str | None:
    return "" if holds else None


_ALARM, _WARNING = Severity.ALARM, Severity.WARNING
KINDS: Final = {
    kind.code: kind
    for kind in (
        ConditionKind(
            "forced_open", _ALARM, "forced open", lambda door: _when(door.alarm is Alarm.FORCED_OPEN), "contact"
        ),
        ConditionKind("held_open", _ALARM, "held open", lambda door: _when(door.alarm is Alarm.HELD_OPEN), "contact"),
        ConditionKind("tamper", _ALARM, "tamper", lambda door: ", ".join(sorted(door.tamper)) or None),
        ConditionKind(
            "contact_fault",
            _ALARM,
            "contact wiring fault",
            lambda door: _when(door.contact is Contact.FAULT),
            "contact",
        ),
        ConditionKind("fault", _WARNING, "fault", lambda door: door.fault),
        ConditionKind(
            "held_open_warning",
            _WARNING,
            "open too long",
            lambda door: _when(door.warning and door.alarm is Alarm.NORMAL),
            "contact",
        ),
        ConditionKind("release_input", _WARNING, "released by the fire panel", lambda door: _when(door.release_input)),
    )
}
"""Code -> what it means, the worst first."""


def conditions(door: Door, before: Iterable[Condition], now_ns: int) -> tuple[Condition, ...]:
    """What is wrong with a door, the worst first. A condition from `before` keeps its time, the others begin now."""
    since_ns = {condition.kind.code: condition.since_ns for condition in before}
    return tuple(
        Condition(kind, detail, since_ns.get(code, now_ns))
        for code, kind in KINDS.items()
        if (detail := kind.detail(door)) is not None
    )
