"""A passage in one row: who, where, how and what came of it, from the records that share a correlation.

One rule: pure functions; what no record says stays empty. `edge.log.reading.passages` finds the records;
`edge.daemon.requests.passages` answers `passages` at the control socket with them, also for one door alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.catalogue import EventClass, Severity, kind_of, message
from edge.model.event_types import (
    LOCK_ACCESS_NOT_TAKEN,
    LOCK_CLOSED,
    LOCK_HELD_OPEN,
    LOCK_LOCKED,
    LOCK_OPENED,
    LOCK_UNLOCK,
    READER_ACCESS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.model.records import Actor, Json, Record

GRANTED, REFUSED, EXIT, NOT_TAKEN, ALARM = "granted", "refused", "exit", "not taken", "alarm"
PEOPLE: Final = frozenset({"user", "operator"})
"""Kinds of actors who are somebody."""
FOLLOWS: Final = frozenset({LOCK_LOCKED, LOCK_CLOSED, LOCK_ACCESS_NOT_TAKEN, LOCK_HELD_OPEN})
"""What begins no passage."""
SAID: Final = ("credential", "number", "group", "reason", "schedules", "opens", "held_by")
"""Details of the record that stands for a passage which are passed on."""
MOST_WARNINGS: Final = 3
_ORDER: Final = (Severity.INFO, Severity.WARNING, Severity.ALARM)


@dataclass(frozen=True, slots=True)
class Passage:
    """What belongs together, in one row."""

    shown: Record
    """The record that stands for it: its first alarm, refusal, reading or unlocking, else its first."""
    first: Record
    last: Record
    records: int
    tag: str
    """`granted`, `refused`, `exit`, `not taken`, `alarm`; empty for anything else."""
    severity: Severity
    """The worst of its records."""
    where: str
    """What it happened to, as it was called then."""
    people: tuple[Actor, ...]
    """Whoever acted, in order, each once; without schedules and exit requests."""
    openings: int
    open_s: float | None
    """How long the last opening lasted, in seconds; None: none has ended yet."""
    alarms: tuple[str, ...]
    """Event types, in order, each once."""
    warnings: tuple[str, ...]
    """The sentences of its other records that are warnings, each once, such as a lockdown; at most `MOST_WARNINGS`."""
    continued: bool
    """It began earlier, in another passage of the same correlation."""

    def to_json(self) -> dict[str, Json]:
        """For the control socket, without times and names of today."""
        event = self.shown.event
        return {
            "first": self.first.sequence,
            "last": self.last.sequence,
            "shown": self.shown.sequence,
            "records": self.records,
            "tag": self.tag,
            "severity": self.severity.value,
            "class": kind_of(event.type).event_class.value,
            "type": event.type,
            "message": message(event),
            "code": event.code,
            "cause": event.cause,
            "door": event.door,
            "where": self.where,
            "people": [{"kind": one.kind, "id": one.id, "name": one.name or one.id} for one in self.people],
            "openings": self.openings,
            "open_s": self.open_s,
            "alarms": [*self.alarms],
            "warnings": [*self.warnings],
            "continued": self.continued,
            "clock": self.first.clock.value,
            "details": {key: value for key in SAID if (value := event.details.get(key)) is not None},
        }


def passage(records: Sequence[Record]) -> Passage:
    """The row of the records of one passage, in order; at least one."""
    events = [record.event for record in records]
    types = [event.type for event in events]
    alarms = tuple(dict.fromkeys(kind for kind in types if kind_of(kind).severity is Severity.ALARM))
    shown = _shown(records)
    ended = [event.details.get("open_s") for event in events if event.type == LOCK_CLOSED]
    open_s = ended[-1] if ended else None
    first = records[0]
    return Passage(
        shown,
        first,
        records[-1],
        len(records),
        ALARM if alarms else _tag(records, shown),
        max((kind_of(kind).severity for kind in types), key=_ORDER.index),
        _where(records, shown),
        tuple({e.actor.id: e.actor for e in events if e.actor is not None and e.actor.kind in PEOPLE}.values()),
        types.count(LOCK_OPENED),
        float(open_s) if isinstance(open_s, int | float) else None,
        alarms,
        _warnings(records, shown),
        first.event.correlation != "" and first.event.type in FOLLOWS,
    )


def _shown(records: Sequence[Record]) -> Record:
    wanted = (
        lambda one: kind_of(one.event.type).severity is Severity.ALARM,
        lambda one: not one.event.success,
        lambda one: one.event.type == READER_ACCESS,
        lambda one: one.event.type == LOCK_UNLOCK,
    )
    return next((one for holds in wanted for one in records if holds(one)), records[0])


def _warnings(records: Sequence[Record], shown: Record) -> tuple[str, ...]:
    found = [one for one in records if kind_of(one.event.type).severity is Severity.WARNING and one is not shown]
    return tuple(dict.fromkeys(message(one.event) for one in found))[:MOST_WARNINGS]


def _tag(records: Sequence[Record], shown: Record) -> str:
    event = shown.event
    if kind_of(event.type).event_class is not EventClass.ACCESS:
        return ""
    if not event.success:
        return REFUSED
    if any(record.event.type == LOCK_ACCESS_NOT_TAKEN for record in records):
        return NOT_TAKEN
    if event.type == READER_ACCESS:
        return GRANTED
    if any(record.event.actor is not None and record.event.actor.kind == "rex" for record in records):
        return EXIT
    by: Mapping[str, str] = {"user": GRANTED, "operator": GRANTED}
    return by.get(event.actor.kind, "") if event.type == LOCK_UNLOCK and event.actor is not None else ""


def _where(records: Sequence[Record], shown: Record) -> str:
    """The door's name, as its lock has it; a reader is called after its door."""
    locks = (one.event.object.name for one in records if one.event.object.type == "lock")
    return next(locks, None) or shown.event.object.name.removesuffix(" reader")
