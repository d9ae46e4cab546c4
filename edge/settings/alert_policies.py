"""Alert policies: which records raise an alert, who is told, and by which channels.

One rule: a policy is not limited by what it does not name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from edge.model.catalogue import Severity
from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.model.messages import Event, Record

MQTT: Final = "mqtt"
EMAIL: Final = "email"
WEBHOOK: Final = "webhook:"
NTFY: Final = "ntfy:"
"""Channels. `webhook:` is followed by the id of an integration, `ntfy:` by a topic."""


@dataclass(frozen=True, slots=True)
class Siren:
    """A door's buzzer, and how long it sounds at most."""

    door: str
    for_s: float


@dataclass(frozen=True, slots=True)
class Actions:
    """The people to tell, and the channels."""

    mqtt: bool = False
    webhook: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    siren: Siren | None = None
    ntfy: tuple[str, ...] = ()
    """Topics at the server of `[ntfy]`."""

    def channels(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each channel, and its recipients."""
        if self.mqtt:
            yield MQTT, ()
        for integration in self.webhook:
            yield f"{WEBHOOK}{integration}", ()
        for topic in self.ntfy:
            yield f"{NTFY}{topic}", ()
        if self.email:
            yield EMAIL, self.email


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """One `[alert.ID]`. An empty set limits nothing."""

    id: str
    name: str
    types: frozenset[str]
    doors: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    outcome: str = "any"
    """`any`, `success` or `failure`."""
    schedule: str | None = None
    severity: Severity = Severity.WARNING
    quiet_s: float = 300.0
    actions: Actions = field(default_factory=Actions)
    escalate_after_s: float | None = None
    escalate_to: Actions = field(default_factory=Actions)
    spare: bool = False
    """It applies only to records that no other policy applies to."""
    lapses_s: float | None = None
    """An alert is closed so long after its latest record, although nobody has acknowledged it; None: never."""

    @property
    def quiet_ns(self) -> int:
        """The quiet time in nanoseconds, as the alert's state has it."""
        return round(self.quiet_s * NS_PER_S)


class DirectoryView(Protocol):
    """What a policy asks the directory."""

    def groups_of(self, user: str) -> frozenset[str]:
        """The groups of a person's members."""

    def active(self, schedule: str, record: Record) -> bool:
        """Whether the schedule was active when this happened. True if that is not known: better to alert than not."""


Policies: TypeAlias = dict[str, AlertPolicy]
"""By id."""


def matches(policy: AlertPolicy, record: Record, where: DirectoryView) -> bool:
    """Whether a policy applies to this record."""
    event = record.event
    if event.type not in policy.types or _of_an_alert(event):
        return False
    elsewhere = policy.doors and not policy.doors & {event.door, event.object.id}
    if elsewhere or (policy.outcome != "any" and event.success is not (policy.outcome == "success")):
        return False
    if policy.people or policy.groups:
        if event.actor is None or event.actor.kind != "user":
            return False
        if policy.people and event.actor.id not in policy.people:
            return False
        if policy.groups and not policy.groups & {*where.groups_of(event.actor.id), str(event.details.get("group"))}:
            return False
    return policy.schedule is None or where.active(policy.schedule, record)


def _of_an_alert(event: Event) -> bool:
    """Events about alerts raise no alert: they would go on for ever."""
    about = event.object.type == "integration" and event.object.id.startswith("alert.")
    return about and not event.details.keys().isdisjoint(("acknowledged", "given_up", "tested"))
