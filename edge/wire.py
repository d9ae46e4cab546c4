"""The wire: a record becomes a CloudEvent, bytes become a command or a refusal.

One rule: what comes in is hostile until it has been through `parse_command`, which never raises.
CloudEvents 1.0: https://github.com/cloudevents/spec (JSON format and MQTT binding).
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edge.catalogue import CATALOGUE, message
from edge.messages import Actor, ClockQuality, CommandName
from edge.policy import UNLOCK_S

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge.messages import Event, Json, Record

CONTENT_TYPE: Final = "application/cloudevents+json"
MAX_COMMAND_BYTES: Final = 64 * 1024
MAX_ID: Final = 64
FUTURE_US: Final = 60_000_000
"""How far ahead of ours the sender's clock may be."""
LATER: Final = frozenset({"record", "apply_directory"})
"""Commands of the contract that this version does not know yet."""
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose records these are: the source and the stream of everything sent."""

    site: str
    controller: str
    epoch: str


# --- out -----------------------------------------------------------------------------------------


def rfc3339(time_us: int) -> str:
    """Microseconds since 1970 UTC as RFC 3339 with six digits."""
    seconds, micros = divmod(time_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def cloudevent(record: Record, identity: Identity, *, replayed: bool) -> dict[str, Json]:
    """A record as the JSON object of the contract, section 3."""
    event = record.event
    kind = CATALOGUE[event.type]
    return {
        "specversion": "1.0",
        "id": f"{identity.epoch}-{record.sequence}",
        "source": f"/doorward/{identity.site}/{identity.controller}",
        "type": event.type,
        "subject": "controller" if event.door is None else f"doors/{event.door}",
        "time": rfc3339(record.time_us),
        "datacontenttype": "application/json",
        "sequence": f"{record.sequence:016d}",
        "recordedtime": rfc3339(record.recorded_us),
        "stream": f"{identity.controller}/{identity.epoch}",
        "data": {
            "class": kind.event_class.value,
            "severity": kind.severity.value,
            "success": event.success,
            "code": event.code,
            "message": message(event),
            "actor": _actor(event),
            "cause": event.cause,
            "object": {"type": event.object.type, "id": event.object.id, "name": event.object.name},
            "correlation": event.correlation,
            "clock": record.clock.value,
            "boot": record.boot,
            "uptime_ns": event.at_ns,
            "replayed": replayed,
            "prev": record.prev,
            "hash": record.hash,
            "details": dict(event.details),
        },
    }


def encode(record: Record, identity: Identity, *, replayed: bool) -> bytes:
    """The bytes of one message."""
    return to_bytes(cloudevent(record, identity, replayed=replayed))


def to_bytes(value: Json) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _actor(event: Event) -> Json:
    actor = event.actor
    if actor is None:
        return None
    return {key: value for key, value in asdict(actor).items() if value is not None}


# --- in ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """A command that makes sense, from somebody who may have been let in by the broker."""

    id: str
    name: str
    """One of CommandName, `replay` or `diagnose`."""
    doors: tuple[str, ...]
    actor: Actor
    issued_us: int
    expires_us: int | None
    for_s: float | None = None
    span: tuple[int, int] | None = None
    """First and last sequence of a replay."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is not obeyed; `code` is stable."""

    code: str
    message: str
    id: str | None = None
    name: str | None = None
    door: str | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a command is judged by: who we are, what we have, what time it is."""

    controller: str
    doors: Collection[str]
    wall_us: int
    clock: ClockQuality
    signatures_required: bool = False


def _known_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"expected 1 to {MAX_ID} of A-Z a-z 0-9 . _ : -")
    return value


def _moment(value: str) -> str:
    _time_us(value)
    return value


def _time_us(value: str) -> int:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("expected a time with its zone, such as 2026-11-22T21:57:03Z")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_Time = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
_Door = Annotated[str, Field(max_length=63)]


class _Actor(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str | None, Field(max_length=200)] = None
    email: Annotated[str | None, Field(max_length=254)] = None


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: Annotated[str, AfterValidator(_known_id)]
    command: Literal[
        "unlock", "lock", "hold_unlocked", "lock_down", "cancel_lockdown", "block", "unblock", "replay", "diagnose"
    ]
    issued_at: _Time
    expires_at: _Time | None = None
    actor: _Actor
    door: _Door | None = None
    doors: Annotated[list[_Door] | None, Field(min_length=1, max_length=1024)] = None
    all: bool = False
    for_s: Annotated[float | None, Field(ge=UNLOCK_S[0], le=UNLOCK_S[1])] = None
    from_: Annotated[int | None, Field(alias="from", ge=1)] = None
    to: Annotated[int | None, Field(ge=1)] = None


def parse_command(payload: bytes, receiver: Receiver, *, retained: bool) -> Order | Refusal:
    """Judge one message of the `commands` topic. Never raises."""
    if len(payload) > MAX_COMMAND_BYTES:
        return Refusal("too_large", f"a command has {len(payload)} bytes, expected at most {MAX_COMMAND_BYTES}")
    try:
        body = json.loads(payload, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Refusal("malformed", f"a command is one JSON object: {error}"[:300])
    if not isinstance(body, dict):
        return Refusal("malformed", "a command is one JSON object")
    refused = _about(body, receiver)
    if retained:
        return refused("retained", "a retained command is never obeyed: publish commands without the retain flag")
    if receiver.signatures_required:
        return refused("not_signed", "this controller obeys signed commands only")
    name = body.get("command")
    if name in LATER:
        return refused("unsupported_command", f"this version does not know {name} yet")
    try:
        command = _Command.model_validate(body)
    except ValidationError as error:
        unknown = any(one["loc"] == ("command",) and one["type"] == "literal_error" for one in error.errors())
        return refused("unknown_command" if unknown else "malformed", _sentence(error))
    return _judge(command, receiver, refused)


def _judge(command: _Command, receiver: Receiver, refused: _About) -> Order | Refusal:
    doors = _doors(command, receiver)
    if isinstance(doors, str):
        return refused("malformed", doors)
    for door in doors:
        if door not in receiver.doors:
            return refused("unknown_door", f"no door {door!r} here")
    if command.command == "replay" and (command.from_ is None or (command.to or command.from_) < command.from_):
        return refused("malformed", "replay takes from, and to not below it")
    if command.for_s is not None and command.command != CommandName.UNLOCK:
        return refused("malformed", "for_s goes with unlock only")
    issued_us = _time_us(command.issued_at)
    expires_us = None if command.expires_at is None else _time_us(command.expires_at)
    if command.command == CommandName.UNLOCK:
        if expires_us is None:
            return refused("malformed", "an unlock takes expires_at: a pulse never runs late")
        if receiver.clock is ClockQuality.UNSYNCED:
            return refused("clock_unsynced", "the clock cannot judge how old an unlock is")
    if receiver.clock is not ClockQuality.UNSYNCED:
        if expires_us is not None and expires_us <= receiver.wall_us:
            return refused("expired", f"it expired at {command.expires_at}")
        if issued_us > receiver.wall_us + FUTURE_US:
            return refused("issued_in_future", f"it was issued at {command.issued_at}, which is still to come")
    who = command.actor
    return Order(
        command.id,
        command.command,
        doors,
        Actor("operator", who.id, who.name, who.email),
        issued_us,
        expires_us,
        command.for_s,
        None if command.from_ is None else (command.from_, command.to or 2**62),
    )


def _doors(command: _Command, receiver: Receiver) -> tuple[str, ...] | str:
    named = [command.door is not None, command.doors is not None, command.all]
    if command.command in {"replay", "diagnose"}:
        return "it concerns no door" if any(named) else ()
    if sum(named) != 1:
        return "expected exactly one of door, doors and all"
    if command.all:
        return tuple(receiver.doors)
    return tuple(dict.fromkeys(command.doors or [command.door or ""]))


class _About:
    """Makes refusals that name the command as far as it can be made out."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        command_id, name, door = body.get("id"), body.get("command"), body.get("door")
        self.id = command_id if isinstance(command_id, str) and _ID.fullmatch(command_id) else None
        self.name = name if isinstance(name, str) and len(name) <= MAX_ID else None
        self.door = door if isinstance(door, str) else None

    def __call__(self, code: str, text: str) -> Refusal:
        return Refusal(code, text[:500], self.id, self.name, self.door)


def _about(body: Mapping[str, Any], receiver: Receiver) -> _About:
    about = _About(body)
    if about.door not in receiver.doors:
        about.door = None
    return about


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key stands twice")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _sentence(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5])


def reply(order_id: str | None, name: str | None, outcomes: Json, *, code: str | None = None, text: str = "") -> bytes:
    """The answer to a command: done when there is no code, with the outcome at each door."""
    return to_bytes(
        {"id": order_id, "command": name, "done": code is None, "code": code, "message": text, "outcomes": outcomes}
    )


def parse_ack(payload: bytes, stream: str) -> int | None:
    """The sequence that the upstream says it has stored; None for anything else."""
    if len(payload) > MAX_COMMAND_BYTES:
        return None
    try:
        body = json.loads(payload, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("stream") != stream:
        return None
    sequence = body.get("sequence")
    return sequence if isinstance(sequence, int) and not isinstance(sequence, bool) and sequence > 0 else None
