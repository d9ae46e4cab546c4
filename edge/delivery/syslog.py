"""A record as a syslog message: RFC 5424, framed by counting octets as RFC 5425 (4.3) and RFC 6587 (3.4.1) have it.

One rule: whatever stands in a name, one record is one message of one line.
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
"""RFC 5424, 7.2.2 wants a private enterprise number behind the @; 32473 is the one for examples (RFC 5612)."""
FACILITY: Final = {EventClass.ACCESS: 10, EventClass.AUDIT: 13}
"""RFC 5424, 6.2.1: security/authorization messages; log audit."""
SEVERITY: Final = {Severity.ALARM: 1, Severity.WARNING: 4, Severity.INFO: 6}
"""Alert, warning, informational."""
NOTICE: Final = 5
"""For what would be informational, had it not been refused."""
LONGEST_VALUE: Final = 512
_BOM: Final = "\ufeff"
"""RFC 5424, 6.4: it says that what follows is UTF-8."""


def frame(record: Record, identity: Identity) -> bytes:
    """One message and its length in front."""
    content = line(record, identity).encode()
    return b"%d %b" % (len(content), content)


def line(record: Record, identity: Identity) -> str:
    """One message of RFC 5424."""
    event = record.event
    head = f"<{priority(event)}>1 {rfc3339(record.time_us)} {identity.controller} {APP} - {event.type}"
    return f"{head} {_data(record, identity)} {_BOM}{masked(message(event))}"


def priority(event: Event) -> int:
    """Facility and severity, from the catalogue."""
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
    told = " ".join(f'{name}="{_value(value)}"' for name, value in values.items() if value is not None)
    synced = int(record.clock is ClockQuality.SYNCED)
    return f'[timeQuality tzKnown="1" isSynced="{synced}"][{SD_ID} {told}]'


def _value(text: str) -> str:
    """RFC 5424, 6.3.3: three characters are escaped, and no others."""
    plain = masked(text[:LONGEST_VALUE])
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
