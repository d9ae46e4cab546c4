"""Every event type with its class, severity, witness and sentence; one row each.

One rule: an event whose type is not here cannot be recorded. Identifiers follow Kisi's event
types (https://docs.kisi.io/concepts/events/) as far as Kisi has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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
    """Nobody at a door; entered by an authorised `record` command only."""


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
        ("lock.unlock", _A, _I, "{object} unlocked by {actor}"),
        ("lock.locked", _A, _I, "{object} locked"),
        ("lock.opened", _A, _I, "{object} opened"),
        ("lock.closed", _A, _I, "{object} closed"),
        ("lock.forced_open", _A, _X, "{object} forced open"),
        ("lock.held_open", _A, _X, "{object} held open"),
        ("lock.lock_down", _A, _W, "{object} locked down by {actor}"),
        ("lock.cancel_lockdown", _A, _W, "Lockdown of {object} cancelled by {actor}"),
        ("lock.scheduled_unlock_started", _A, _I, "Scheduled unlock of {object} started"),
        ("lock.scheduled_unlock_ended", _A, _I, "Scheduled unlock of {object} ended"),
        ("lock.first_to_arrive", _A, _I, "{actor} was first to arrive at {object}"),
        ("lock.access_not_taken", _A, _I, "{object} was unlocked but not opened"),
        ("elevator.permit", _A, _I, "{actor} was given a floor of {object}"),
        ("elevator.permitted", _A, _I, "A floor of {object} was chosen by {actor}"),
        ("reader.access", _A, _I, "{actor} at {object}"),
        ("reader.tamper", _A, _X, "Reader {object} tampered with"),
        ("controller_input.tamper", _A, _X, "Input {object} tampered with"),
        ("controller_input.unstable", _A, _W, "Input {object} is unstable"),
        ("controller_input.triggered", _A, _X, "Input {object} triggered"),
        ("controller.start", _U, _I, "{object} started"),
        ("controller.stop", _U, _I, "{object} stopped"),
        ("controller.fault", _U, _W, "Fault at {object}"),
        ("controller.fault_cleared", _U, _I, "Fault at {object} cleared"),
        ("controller.clock_adjusted", _U, _W, "Clock of {object} adjusted"),
        ("controller.gap", _U, _X, "Records of {object} are missing"),
        ("controller.storage", _U, _W, "Storage of {object} needs attention"),
        ("gateway.update", _U, _I, "{object} runs a new software version"),
        ("integration.warn_due_to_error", _U, _W, "Integration {object} has an elevated error rate"),
        ("integration.disable_due_to_error", _U, _W, "Integration {object} disabled due to errors"),
        ("event_export.create", _U, _I, "{actor} asked for an event export"),
        ("event_export.download", _U, _I, "{actor} downloaded an event export"),
        ("event_export.finished", _U, _I, "Event export finished"),
        ("login.create", _U, _I, "Account {object} created by {actor}"),
        ("login.destroy", _U, _I, "Account {object} removed by {actor}"),
        ("login.sign_in", _U, _I, "{actor} signed in"),
        ("login.sign_out", _U, _I, "{actor} signed out"),
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
    """Its row; what a newer release recorded before it was rolled back is told as what it calls itself."""
    return CATALOGUE.get(event_type) or EventType(event_type, _U, _I, Witness.CONTROLLER, f"{event_type} at {{object}}")


def message(event: Event) -> str:
    """The sentence for people; what was refused says so and why, and what went wrong says what."""
    actor = event.actor
    who = "somebody" if actor is None else (actor.name or actor.id)
    text = kind_of(event.type).sentence.format(object=event.object.name, actor=who, code=event.code)
    reason = event.details.get("reason")
    said = reason if isinstance(reason, str) else None
    if not event.success and event.type == "event_export.finished":
        return f"Event export failed: {said or event.code}"
    if not event.success and not event.type.startswith("controller."):
        return f"Refused: {text} ({event.code})"
    said = said or event.code
    return text if said is None else f"{text}: {said}"
