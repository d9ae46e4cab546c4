"""A record as a syslog message (RFC 5424), with its length in front (RFC 5425, 4.3; RFC 6587, 3.4.1).

One rule: one record is one message of one line, whatever characters a name contains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.model.catalogue import EventClass, Severity, kind_of, message
from edge.model.cloudevents import record_id, rfc3339
from edge.model.messages import ClockQuality
from edge.model.printable import masked

if TYPE_CHECKING:
    from edge.model.catalogue import EventType
    from edge.model.cloudevents import Identity
    from edge.model.messages import Event, Record

APP: Final = "doorward"
SD_ID: Final = "doorward@32473"
"""The number is a private enterprise number (RFC 5424, 7.2.2); 32473 is reserved for examples (RFC 5612)."""
FACILITY: Final = {EventClass.ACCESS: 10, EventClass.AUDIT: 13}
"""RFC 5424, 6.2.1: security/authorization messages; log audit."""
SEVERITY: Final = {Severity.ALARM: 1, Severity.WARNING: 4, Severity.INFO: 6}
"""Alert, warning, informational."""
NOTICE: Final = 5
"""For informational types when `success` is false."""
LONGEST_VALUE: Final = 512
_BOM: Final = "\ufeff"
"""Says that the text is UTF-8 (RFC 5424, 6.4)."""


def frame(record: Record, identity: Identity) -> bytes:
    """A message with its length in front, as bytes."""
    content = line(record, identity).encode()
    return b"%d %b" % (len(content), content)


def line(record: Record, identity: Identity) -> str:
    """A message of RFC 5424."""
    event = record.event
    head = f"<{priority(event)}>1 {rfc3339(record.time_us)} {identity.controller} {APP} - {event.type}"
    return f"{head} {_data(record, identity)} {_BOM}{masked(message(event))}"


def priority(event: Event) -> int:
    """The PRI value (RFC 5424, 6.2.1): facility and severity, from the catalogue."""
    kind: EventType = kind_of(event.type)
    severity = SEVERITY[kind.severity]
    if not event.success:
        severity = min(severity, NOTICE)
    return FACILITY[kind.event_class] * 8 + severity


def _data(record: Record, identity: Identity) -> str:
    event = record.event
    actor = event.actor
    values: dict[str, str | None] = {
        "id": record_id(record, identity),
        "sequence": str(record.sequence),
        "type": event.type,
        "site": identity.site,
        "door": event.door,
        "object": event.object.id,
        "actor": None if actor is None else actor.id,
        "actorKind": None if actor is None else actor.kind,
        "actorName": None if actor is None else actor.name,
        "success": "true" if event.success else "false",
        "code": event.code,
        "cause": event.cause,
        "correlation": event.correlation or None,
    }
    parameters = " ".join(f'{name}="{_value(value)}"' for name, value in values.items() if value is not None)
    synced = int(record.clock is ClockQuality.SYNCED)
    return f'[timeQuality tzKnown="1" isSynced="{synced}"][{SD_ID} {parameters}]'


def _value(text: str) -> str:
    """A parameter's value: only these three characters are escaped (RFC 5424, 6.3.3)."""
    plain = masked(text[:LONGEST_VALUE])
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
