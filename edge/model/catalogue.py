"""Every event type with its class, severity, witness and sentence; one row each.

One rule: an event whose type is not here cannot be recorded. Identifiers follow Kisi's event
types (https://docs.kisi.io/concepts/events/) as far as Kisi has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from edge.model.event_types import (
    CONTROLLER_CLOCK_ADJUSTED,
    CONTROLLER_FAULT,
    CONTROLLER_FAULT_CLEARED,
    CONTROLLER_GAP,
    CONTROLLER_INPUT_TAMPER,
    CONTROLLER_INPUT_TRIGGERED,
    CONTROLLER_INPUT_UNSTABLE,
    CONTROLLER_START,
    CONTROLLER_STOP,
    CONTROLLER_STORAGE,
    ELEVATOR_PERMIT,
    ELEVATOR_PERMITTED,
    EVENT_EXPORT_CREATE,
    EVENT_EXPORT_DOWNLOAD,
    EVENT_EXPORT_FINISHED,
    GATEWAY_UPDATE,
    INTEGRATION_DISABLE_DUE_TO_ERROR,
    INTEGRATION_WARN_DUE_TO_ERROR,
    LOCK_ACCESS_NOT_TAKEN,
    LOCK_CANCEL_LOCKDOWN,
    LOCK_CLOSED,
    LOCK_FIRST_TO_ARRIVE,
    LOCK_FORCED_OPEN,
    LOCK_HELD_OPEN,
    LOCK_LOCK_DOWN,
    LOCK_LOCKED,
    LOCK_OPENED,
    LOCK_SCHEDULED_UNLOCK_ENDED,
    LOCK_SCHEDULED_UNLOCK_STARTED,
    LOCK_UNLOCK,
    LOGIN_CREATE,
    LOGIN_DESTROY,
    LOGIN_SIGN_IN,
    LOGIN_SIGN_OUT,
    READER_ACCESS,
    READER_TAMPER,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.model.records import Event


class EventClass(StrEnum):
    """`access`: what happened at doors. `audit`: what administrators changed."""

    ACCESS = "access"
    AUDIT = "audit"


class Severity(StrEnum):
    """`alarm` goes upstream ahead of everything else."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class Witness(StrEnum):
    """Who can know that it happened."""

    CONTROLLER = "controller"
    CHANGE = "change"
    """Found by comparing a new configuration or directory with the last one."""
    UPSTREAM = "upstream"
    """Only a system upstream; entered by an authorised `record` command."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of the catalogue. `sentence` may use {object}, {actor} and {code}."""

    type: str
    event_class: EventClass
    severity: Severity
    witness: Witness
    sentence: str


_A, _U = EventClass.ACCESS, EventClass.AUDIT
_I, _W, _X = Severity.INFO, Severity.WARNING, Severity.ALARM


def _rows() -> list[EventType]:
    controller: list[tuple[str, EventClass, Severity, str]] = [
        (LOCK_UNLOCK, _A, _I, "{object} unlocked by {actor}"),
        (LOCK_LOCKED, _A, _I, "{object} locked"),
        (LOCK_OPENED, _A, _I, "{object} opened"),
        (LOCK_CLOSED, _A, _I, "{object} closed"),
        (LOCK_FORCED_OPEN, _A, _X, "{object} forced open"),
        (LOCK_HELD_OPEN, _A, _X, "{object} held open"),
        (LOCK_LOCK_DOWN, _A, _W, "{object} locked down by {actor}"),
        (LOCK_CANCEL_LOCKDOWN, _A, _W, "Lockdown of {object} cancelled by {actor}"),
        (LOCK_SCHEDULED_UNLOCK_STARTED, _A, _I, "Scheduled unlock of {object} started"),
        (LOCK_SCHEDULED_UNLOCK_ENDED, _A, _I, "Scheduled unlock of {object} ended"),
        (LOCK_FIRST_TO_ARRIVE, _A, _I, "{actor} was first to arrive at {object}"),
        (LOCK_ACCESS_NOT_TAKEN, _A, _I, "{object} was unlocked but not opened"),
        (ELEVATOR_PERMIT, _A, _I, "{actor} was given a floor of {object}"),
        (ELEVATOR_PERMITTED, _A, _I, "A floor of {object} was chosen by {actor}"),
        (READER_ACCESS, _A, _I, "{actor} at {object}"),
        (READER_TAMPER, _A, _X, "Reader {object} tampered with"),
        (CONTROLLER_INPUT_TAMPER, _A, _X, "Input {object} tampered with"),
        (CONTROLLER_INPUT_UNSTABLE, _A, _W, "Input {object} is unstable"),
        (CONTROLLER_INPUT_TRIGGERED, _A, _X, "Input {object} triggered"),
        (CONTROLLER_START, _U, _I, "{object} started"),
        (CONTROLLER_STOP, _U, _I, "{object} stopped"),
        (CONTROLLER_FAULT, _U, _W, "Fault at {object}"),
        (CONTROLLER_FAULT_CLEARED, _U, _I, "Fault at {object} cleared"),
        (CONTROLLER_CLOCK_ADJUSTED, _U, _W, "Clock of {object} adjusted"),
        (CONTROLLER_GAP, _U, _X, "Records of {object} are missing"),
        (CONTROLLER_STORAGE, _U, _W, "Storage of {object} needs attention"),
        (GATEWAY_UPDATE, _U, _I, "{object} runs a new software version"),
        (INTEGRATION_WARN_DUE_TO_ERROR, _U, _W, "Integration {object} has an elevated error rate"),
        (INTEGRATION_DISABLE_DUE_TO_ERROR, _U, _W, "Integration {object} disabled due to errors"),
        (EVENT_EXPORT_CREATE, _U, _I, "{actor} asked for an event export"),
        (EVENT_EXPORT_DOWNLOAD, _U, _I, "{actor} downloaded an event export"),
        (EVENT_EXPORT_FINISHED, _U, _I, "Event export finished"),
        (LOGIN_CREATE, _U, _I, "Account {object} created by {actor}"),
        (LOGIN_DESTROY, _U, _I, "Account {object} removed by {actor}"),
        (LOGIN_SIGN_IN, _U, _I, "{actor} signed in"),
        (LOGIN_SIGN_OUT, _U, _I, "{actor} signed out"),
    ]
    changes = {
        "lock": "create update destroy",
        "elevator": "create update destroy",
        "group": "create update destroy",
        "user": "create update destroy",
        "integration": "create update destroy",
        "camera": "import update destroy",
        "card": "activate activate_with_token deactivate deactivate_with_token "
        "assign assign_user deassign deassign_user",
        "member": "create update destroy assign_card deassign_card assign_backup_card deassign_backup_card "
        "enable_card disable_card enable_backup_card disable_backup_card",
    }
    upstream = "subscription.cancel subscription.update user.activate_2fa user.deactivate_2fa user.create_backup_code"
    rows = [EventType(t, c, s, Witness.CONTROLLER, m) for t, c, s, m in controller]
    rows += [
        EventType(f"{resource}.{action}", _U, _I, Witness.CHANGE, _sentence(resource, action))
        for resource, actions in changes.items()
        for action in actions.split()
    ]
    rows += [EventType(t, _U, _I, Witness.UPSTREAM, _sentence(*t.split("."))) for t in upstream.split()]
    return rows


_PHRASES: Final = {
    "create": "created",
    "import": "imported",
    "update": "changed",
    "destroy": "removed",
    "cancel": "cancelled",
    "activate": "activated",
    "activate_with_token": "activated with a token",
    "deactivate": "deactivated",
    "deactivate_with_token": "deactivated with its token",
    "assign": "assigned to a member",
    "deassign": "taken from its member",
    "assign_user": "issued to its user",
    "deassign_user": "taken back from its user",
    "assign_card": "given a card",
    "deassign_card": "deprived of a card",
    "assign_backup_card": "given a backup card",
    "deassign_backup_card": "deprived of a backup card",
    "enable_card": "had a card enabled",
    "disable_card": "had a card disabled",
    "enable_backup_card": "had a backup card enabled",
    "disable_backup_card": "had a backup card disabled",
    "activate_2fa": "given two-factor sign-in",
    "deactivate_2fa": "deprived of two-factor sign-in",
    "create_backup_code": "given a backup code",
}


def _sentence(resource: str, action: str) -> str:
    return f"{resource.capitalize()} {{object}} {_PHRASES[action]} by {{actor}}"


CATALOGUE: Final[dict[str, EventType]] = {row.type: row for row in _rows()}


def kind_of(event_type: str) -> EventType:
    """The row of an event type. A type of a newer release, recorded before a rollback, has its name as sentence."""
    return CATALOGUE.get(event_type) or EventType(event_type, _U, _I, Witness.CONTROLLER, f"{event_type} at {{object}}")


def matching(patterns: Iterable[str]) -> frozenset[str]:
    """The event types that match one of these patterns (`lock.*`: all that begin with `lock.`); no pattern: all."""
    wanted = tuple(patterns) or ("*",)
    return frozenset(kind for kind in CATALOGUE if any(fnmatchcase(kind, pattern) for pattern in wanted))


def message(event: Event) -> str:
    """The sentence for people. Of a refusal it says the code, of a fault the reason."""
    actor = event.actor
    who = "somebody" if actor is None else (actor.name or actor.id)
    text = kind_of(event.type).sentence.format(object=event.object.name, actor=who, code=event.code)
    reason = event.details.get("reason")
    said = reason if isinstance(reason, str) else None
    if "acknowledged" in event.details:
        return f"{who} deals with an alert: {event.details.get('alert')}"
    if not event.success and event.type == EVENT_EXPORT_FINISHED:
        return f"Event export failed: {said or event.code}"
    if not event.success and not event.type.startswith("controller."):
        return f"Refused: {text} ({event.code})"
    said = said or event.code
    return text if said is None else f"{text}: {said}"
