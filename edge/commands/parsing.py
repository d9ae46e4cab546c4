"""Parses commands: bytes from the broker become an order, or a refusal that says why.

One rule: every message counts as hostile until it has been checked here. `parse_command` never raises.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from edge.commands.claims import ANY_TIME, body_of, judge_permission, token_of
from edge.commands.shape import (
    ID,
    MAX_ID,
    MAX_SEQUENCE,
    RefusedError,
    json_object,
    judge_arguments,
    left_s,
    shape,
    time_us,
)
from edge.model.catalogue import CATALOGUE, Witness
from edge.model.cloudevents import to_bytes
from edge.model.messages import Actor, ClockQuality, Subject
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from edge.commands.shape import Body, Signer
    from edge.model.messages import Json

MAX_COMMAND_BYTES: Final = 64 * 1024
CONTENT_BYTES: Final = 16
TIMES: Final = frozenset({"issued_at", "expires_at"})
"""Keys that may differ when a command is sent again."""
FUTURE_US: Final = 60_000_000
"""How far the sender's clock may be ahead of the controller's."""
NO_DOOR: Final = frozenset({"replay", "diagnose", "record", "apply_directory", "edit_directory", "acknowledge"})
"""Commands without a door."""
RECORDABLE: Final = frozenset(row.type for row in CATALOGUE.values() if row.witness is Witness.UPSTREAM)
"""Event types that a `record` command may enter: those that no controller sees itself."""


@dataclass(frozen=True, slots=True)
class EnteredRecord:
    """What a `record` command enters into the log."""

    type: str
    object: Subject
    details: Mapping[str, Json]


class DirectoryEdit(NamedTuple):
    """Changes of single entries of the directory, not checked yet."""

    changes: Sequence[Any]
    base: int | None
    """The version of the directory that the sender has seen; None: not said."""


@dataclass(frozen=True, slots=True)
class Order:
    """A valid command. Where signatures are required, its signature is verified."""

    id: str
    name: str
    """One of `edge.model.messages.CommandWord`."""
    doors: tuple[str, ...]
    actor: Actor
    issued_us: int
    expires_us: int | None
    for_s: float | None = None
    span: tuple[int, int] | None = None
    """First and last sequence of a replay."""
    entry: EnteredRecord | None = None
    directory: Mapping[str, Any] | None = None
    """A whole directory, not checked yet."""
    edit: DirectoryEdit | None = None
    alert: str | None = None
    """The id of an alert to acknowledge."""
    signer: Signer | None = None
    """The key that signed it; None where no signature is required."""
    content: bytes = field(default=b"", compare=False)
    """A digest of the command without its times, and of its key. One id must not be used for two of them."""
    late: Refusal | None = None
    """Why it is refused as too old or too early, unless its id is known: then it gets the first answer again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is refused; `code` is stable."""

    code: str
    message: str
    id: str | None = None
    name: str | None = None
    door: str | None = None
    actor: Actor | None = None
    """Who asked; None unless a signature proves it."""
    signer: Signer | None = None


class TokenVerifier(Protocol):
    """What parsing needs of `edge.commands.tokens.Keyring`, which is loaded only where keys are configured."""

    @property
    def signers(self) -> tuple[Signer, ...]:
        """The signers whose commands are accepted."""

    def open(self, token: bytes) -> tuple[Signer, bytes]:
        """Return the signer and the signed content. Raises RefusedError when no known key has signed it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a command is checked against: the controller, its doors, the time, the keys."""

    controller: str
    doors: Collection[str]
    wall_us: int
    clock: ClockQuality
    signatures_required: bool = False
    keyring: TokenVerifier | None = None
    """None where no signature is required, or while no key could be read."""


@dataclass(slots=True)
class _Seen:
    """What has been read of a message so far, for a refusal to name it."""

    body: dict[str, Any] = field(default_factory=dict)
    signer: Signer | None = None
    actor: Actor | None = None


def parse_command(payload: bytes, context: Context, *, retained: bool) -> Order | Refusal:
    """Check one message of the `commands` topic. Never raises. The caller has to check `late` of an order."""
    seen = _Seen()
    try:
        _read(payload, context, seen)
        _let_in(context, seen, retained=retained)
        body = shape(seen.body)
        actor = Actor("operator", body.actor.id, body.actor.name, body.actor.email)
        if seen.signer is not None:
            seen.actor = actor
        order = _judge(body, actor, seen.signer, context)
        order = replace(order, content=_content(seen))
    except RefusedError as error:
        return _refusal(error, seen, context)
    try:
        _judge_age(body, order.issued_us, order.expires_us, order.signer, context)
        order = replace(order, for_s=_lasting(body, context))
    except RefusedError as error:
        return replace(order, late=_refusal(error, seen, context))
    return order


def _content(seen: _Seen) -> bytes:
    """The digest `Order.content`. 16 bytes are enough that nobody finds a second command with the same digest."""
    said = {key: value for key, value in seen.body.items() if key not in TIMES}
    signer = "" if seen.signer is None else seen.signer.thumbprint
    text = json.dumps([signer, said], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:CONTENT_BYTES]


def _let_in(context: Context, seen: _Seen, *, retained: bool) -> None:
    if retained:
        raise RefusedError(
            "retained", "a retained command is never carried out: publish commands without the retain flag"
        )
    if context.signatures_required and seen.signer is None:
        raise RefusedError("not_signed", "this controller accepts signed commands only")


def _read(payload: bytes, context: Context, seen: _Seen) -> None:
    """Read the command object. The content of a token is used only after its signature is verified."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise RefusedError("too_large", f"a command has {len(payload)} bytes, expected at most {MAX_COMMAND_BYTES}")
    token = token_of(payload)
    if token is None:
        seen.body = json_object(payload)
        return
    if not context.signatures_required:
        raise RefusedError(
            "malformed", "this command is signed, and this controller has no keys configured to verify it"
        )
    if context.keyring is None:
        raise RefusedError("bad_signature", "none of the configured keys could be read")
    seen.signer, content = context.keyring.open(token)
    claims = json_object(content, "the payload of a signed command")
    seen.body = {"id": claims.get("jti"), **claims}
    seen.body = body_of(claims, context.controller)


def _judge(body: Body, actor: Actor, signer: Signer | None, context: Context) -> Order:
    issued_us = time_us(body.issued_at)
    expires_us = None if body.expires_at is None else time_us(body.expires_at)
    doors = _doors(body, context)
    judge_arguments(body)
    if signer is not None:
        judge_permission(signer, body.command, doors)
    return Order(
        body.id,
        body.command,
        doors,
        actor,
        issued_us,
        expires_us,
        body.for_s,
        None if body.from_ is None else (body.from_, body.to or MAX_SEQUENCE),
        _entry(body),
        body.directory,
        None if body.changes is None else DirectoryEdit(body.changes, body.base),
        body.alert,
        signer,
    )


def _entry(body: Body) -> EnteredRecord | None:
    event = body.event
    if event is None:
        return None
    if event.type not in RECORDABLE:
        text = f"a record command cannot enter {event.type!r}; expected {', '.join(sorted(RECORDABLE))}"
        raise RefusedError("not_recordable", text)
    details = event.details if event.time is None else {**event.details, "happened_at": event.time}
    return EnteredRecord(event.type, Subject(event.object.type, event.object.id, event.object.name), details)


def _judge_age(body: Body, issued_us: int, expires_us: int | None, signer: Signer | None, context: Context) -> None:
    """Check the age. Modes may be set late, so without a set clock only they are accepted."""
    if context.clock is ClockQuality.UNSYNCED:
        if body.command == "unlock":
            raise RefusedError("clock_unsynced", "the clock is not set, so the age of an unlock is not known")
        if signer is not None and body.command not in ANY_TIME:
            raise RefusedError(
                "clock_unsynced", f"the clock is not set, so the age of a signed {body.command} is not known"
            )
        return
    if expires_us is not None and expires_us <= context.wall_us:
        raise RefusedError("expired", f"it expired at {body.expires_at}")
    if issued_us > context.wall_us + FUTURE_US:
        raise RefusedError("issued_in_future", f"it was issued at {body.issued_at}, which is in the future")


def _lasting(body: Body, context: Context) -> float | None:
    """How long a command lasts, in seconds. A hold counts from its issue, where the clock is set."""
    if body.command != "hold_unlocked":
        return body.for_s
    known = context.clock is not ClockQuality.UNSYNCED
    if body.until is not None:
        if not known:
            raise RefusedError("clock_unsynced", f"the clock is not set, so the time until {body.until} is not known")
        return left_s(body.until, context.wall_us)
    if body.for_s is None or not known:
        return body.for_s
    seconds = body.for_s - max(0, context.wall_us - time_us(body.issued_at)) / 1e6
    if seconds <= 0:
        raise RefusedError("expired", f"its {body.for_s:g} s from {body.issued_at} are over")
    return seconds


def _doors(body: Body, context: Context) -> tuple[str, ...]:
    named = [body.door is not None, body.doors is not None, body.all]
    if body.command in NO_DOOR:
        if any(named):
            raise RefusedError("malformed", f"{body.command} takes no door")
        return ()
    if sum(named) != 1:
        raise RefusedError("malformed", "expected exactly one of door, doors and all")
    doors = context.doors if body.all else body.doors or [body.door or ""]
    for door in doors:
        if door not in context.doors:
            raise RefusedError("unknown_door", f"no door {door!r} here")
    return tuple(dict.fromkeys(doors))


def _refusal(error: RefusedError, seen: _Seen, context: Context) -> Refusal:
    """The refusal, with what could be read of the command."""
    command_id, name, door = seen.body.get("id"), seen.body.get("command"), seen.body.get("door")
    return Refusal(
        error.code,
        spelt(error.text[:500]),
        command_id if isinstance(command_id, str) and ID.fullmatch(command_id) else None,
        name if isinstance(name, str) and len(name) <= MAX_ID and name.isprintable() else None,
        door if isinstance(door, str) and door in context.doors else None,
        seen.actor,
        seen.signer,
    )


def reply(order_id: str | None, name: str | None, outcomes: Json, *, code: str | None = None, text: str = "") -> bytes:
    """The answer to a command, with the outcome at each door; done when `code` is None."""
    return to_bytes(
        {"id": order_id, "command": name, "done": code is None, "code": code, "message": text, "outcomes": outcomes}
    )
