"""The wire, inwards: bytes from the broker become an order, or a refusal that says why.

One rule: what comes in is hostile until it has been through here, and nothing here raises.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edge.messages import Actor, ClockQuality
from edge.policy import UNLOCK_S
from edge.wire import to_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge.messages import Json

MAX_COMMAND_BYTES: Final = 64 * 1024
MAX_ID: Final = 64
FUTURE_US: Final = 60_000_000
"""How far ahead of ours the sender's clock may be."""
LATER: Final = frozenset({"record", "apply_directory"})
"""Commands of the contract that this version does not know yet."""
MAX_SEQUENCE: Final = 2**53 - 1
"""What every JSON reader can hold exactly (RFC 8259, section 6)."""
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_RFC_3339: Final = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


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
    if not _RFC_3339.fullmatch(value):
        raise ValueError("expected a time with its zone (RFC 3339), such as 2026-11-22T21:57:03Z")
    moment = datetime.fromisoformat(value.upper())
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
    from_: Annotated[int | None, Field(alias="from", ge=1, le=MAX_SEQUENCE)] = None
    to: Annotated[int | None, Field(ge=1, le=MAX_SEQUENCE)] = None


class _RefusedError(Exception):
    """A refusal on its way out of the judging."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


def parse_command(payload: bytes, receiver: Receiver, *, retained: bool) -> Order | Refusal:
    """Judge one message of the `commands` topic. Never raises."""
    body: dict[str, Any] = {}
    try:
        body = _object(payload)
        return _judge(_shape(body, receiver, retained=retained), receiver)
    except _RefusedError as no:
        return _refusal(no, body, receiver)


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_COMMAND_BYTES:
        raise _RefusedError("too_large", f"a command has {len(payload)} bytes, expected at most {MAX_COMMAND_BYTES}")
    try:
        body = _loads(payload)
    except (ValueError, RecursionError) as error:
        raise _RefusedError("malformed", f"a command is one JSON object in UTF-8: {error}") from None
    if not isinstance(body, dict):
        raise _RefusedError("malformed", "a command is one JSON object")
    return body


def _shape(body: dict[str, Any], receiver: Receiver, *, retained: bool) -> _Command:
    if retained:
        raise _RefusedError("retained", "a retained command is never obeyed: publish commands without the retain flag")
    if receiver.signatures_required:
        raise _RefusedError("not_signed", "this controller obeys signed commands only")
    name = body.get("command")
    if isinstance(name, str) and name in LATER:
        raise _RefusedError("unsupported_command", f"this version does not know {name} yet")
    try:
        return _Command.model_validate(body)
    except ValidationError as error:
        unknown = any(one["loc"] == ("command",) and one["type"] == "literal_error" for one in error.errors())
        raise _RefusedError("unknown_command" if unknown else "malformed", _sentence(error)) from None


def _judge(command: _Command, receiver: Receiver) -> Order:
    issued_us = _time_us(command.issued_at)
    expires_us = None if command.expires_at is None else _time_us(command.expires_at)
    doors = _doors(command, receiver)
    _judge_arguments(command)
    _judge_age(command, issued_us, expires_us, receiver)
    who = command.actor
    return Order(
        command.id,
        command.command,
        doors,
        Actor("operator", who.id, who.name, who.email),
        issued_us,
        expires_us,
        command.for_s,
        None if command.from_ is None else (command.from_, command.to or MAX_SEQUENCE),
    )


def _judge_arguments(command: _Command) -> None:
    if command.command == "replay" and (command.from_ is None or (command.to or command.from_) < command.from_):
        raise _RefusedError("malformed", "replay takes from, and to not below it")
    if command.command != "replay" and (command.from_ is not None or command.to is not None):
        raise _RefusedError("malformed", "from and to go with replay only")
    if command.command != "unlock" and command.for_s is not None:
        raise _RefusedError("malformed", "for_s goes with unlock only")
    if command.command == "unlock" and command.expires_at is None:
        raise _RefusedError("malformed", "an unlock takes expires_at: a pulse never runs late")


def _judge_age(command: _Command, issued_us: int, expires_us: int | None, receiver: Receiver) -> None:
    """Modes are desired state and may run late; without a clock only they can."""
    if receiver.clock is ClockQuality.UNSYNCED:
        if command.command == "unlock":
            raise _RefusedError("clock_unsynced", "the clock cannot judge how old an unlock is")
        return
    if expires_us is not None and expires_us <= receiver.wall_us:
        raise _RefusedError("expired", f"it expired at {command.expires_at}")
    if issued_us > receiver.wall_us + FUTURE_US:
        raise _RefusedError("issued_in_future", f"it was issued at {command.issued_at}, which is still to come")


def _doors(command: _Command, receiver: Receiver) -> tuple[str, ...]:
    named = [command.door is not None, command.doors is not None, command.all]
    if command.command in {"replay", "diagnose"}:
        if any(named):
            raise _RefusedError("malformed", f"{command.command} concerns no door")
        return ()
    if sum(named) != 1:
        raise _RefusedError("malformed", "expected exactly one of door, doors and all")
    doors = receiver.doors if command.all else command.doors or [command.door or ""]
    for door in doors:
        if door not in receiver.doors:
            raise _RefusedError("unknown_door", f"no door {door!r} here")
    return tuple(dict.fromkeys(doors))


def _refusal(no: _RefusedError, body: Mapping[str, Any], receiver: Receiver) -> Refusal:
    """Name the command as far as it can be made out."""
    command_id, name, door = body.get("id"), body.get("command"), body.get("door")
    return Refusal(
        no.code,
        no.text[:500],
        command_id if isinstance(command_id, str) and _ID.fullmatch(command_id) else None,
        name if isinstance(name, str) and len(name) <= MAX_ID else None,
        door if isinstance(door, str) and door in receiver.doors else None,
    )


def _loads(payload: bytes) -> Any:  # noqa: ANN401 -- whatever they sent
    """JSON as RFC 8259 has it: UTF-8, no NaN, no name twice. ValueError or RecursionError for anything else."""
    body = json.loads(payload.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair can be escaped in JSON, and never be sent on
    return body


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
        body = _loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("stream") != stream:
        return None
    sequence = body.get("sequence")
    return sequence if isinstance(sequence, int) and not isinstance(sequence, bool) and sequence > 0 else None
