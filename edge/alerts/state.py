"""Alerts as values: those that are kept, the messages that wait, and everything that has to survive a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.model.printable import masked

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoticeKind(StrEnum):
    """Why a message is sent."""

    RAISED = "raised"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    TEST = "test"
    """Somebody tests the policy (`edge.alerts.trial`)."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An open alert, or an acknowledged one in the rest of its quiet time. Times are nanoseconds of the boot clock."""

    id: str
    policy: str
    door: str
    """Empty when the event is not of a door."""
    raised_ns: int
    told_ns: int
    """Time of its latest message, escalations excluded; the quiet time begins here."""
    sequence: int
    """Number of the latest record."""
    time_us: int
    """Calendar time of the latest record."""
    message: str
    count: int = 1
    """Records so far."""
    untold: int = 0
    """Records since the latest message."""
    told: int = 0
    """Messages so far."""
    acknowledged: bool = False
    escalated: bool = False
    happened_ns: int = 0
    """Time of the latest record's event."""
    sirens: tuple[tuple[str, int], ...] = ()
    """(door whose buzzer sounds, end)."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that waits for its channel."""

    id: str
    """Stays the same when it is sent again."""
    alert: str
    policy: str
    kind: NoticeKind
    door: str
    sequence: int
    time_us: int
    message: str
    count: int
    to: tuple[str, ...] = ()


def headline(notice: Notice) -> str:
    """The message as one printable line."""
    why = {
        NoticeKind.RAISED: "",
        NoticeKind.REPEATED: "Again: ",
        NoticeKind.ESCALATED: "Nobody has answered: ",
        NoticeKind.TEST: "Test: ",
    }
    return why[notice.kind] + masked(notice.message, " ")


def last_line(notice: Notice) -> str:
    """What the reader of a message can do about it."""
    if notice.kind is NoticeKind.TEST:
        return f"Sent by: doorctl alerts test {notice.policy}"
    return f"To answer it: doorctl acknowledge {notice.alert}"


@dataclass(frozen=True, slots=True)
class AlertState:
    """Everything that has to survive a restart."""

    through: int = 0
    """The last record that was looked at."""
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """`POLICY/DOOR` -> alert, the one with the oldest message first."""
    waiting: Mapping[str, tuple[Notice, ...]] = field(default_factory=dict)
    """Channel -> messages, the oldest first; no empty ones."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Channel -> messages that were left out since the channel last took one."""
