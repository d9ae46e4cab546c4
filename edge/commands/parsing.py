"""The wire, inwards: bytes from the broker become an order, or a refusal that says why.

One rule: what comes in is hostile until it has been through here, and nothing here raises.
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
"""What may differ when a command is sent again."""
FUTURE_US: Final = 60_000_000
"""How far ahead of ours the sender's clock may be."""
NO_DOOR: Final = frozenset({"replay", "diagnose", "record", "apply_directory", "edit_directory"})
"""Commands that concern no door."""
RECORDABLE: Final = frozenset(row.type for row in CATALOGUE.values() if row.witness is Witness.UPSTREAM)
"""What nobody at a door can witness; everything else a controller has seen itself or not at all."""


@dataclass(frozen=True, slots=True)
class EnteredRecord:
    """What a `record` command enters into the log."""

    type: str
    object: Subject
    details: Mapping[str, Json]


class DirectoryEdit(NamedTuple):
    """Changes of single entries of the directory, not judged yet."""

    changes: Sequence[Any]
    base: int | None
    """The version that the sender has seen."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command that makes sense, from somebody who may have been let in by the broker."""

    id: str
    name: str
    """One of CommandName, `replay`, `diagnose`, `record`, `apply_directory` or `edit_directory`."""
    doors: tuple[str, ...]
    actor: Actor
    issued_us: int
    expires_us: int | None
    for_s: float | None = None
    span: tuple[int, int] | None = None
    """First and last sequence of a replay."""
    entry: EnteredRecord | None = None
    directory: Mapping[str, Any] | None = None
    """A whole directory, not judged yet."""
    edit: DirectoryEdit | None = None
    signer: Signer | None = None
    """Whose signature it carries, where one is needed."""
    content: bytes = field(default=b"", compare=False)
    """A digest of what it says, but for its times, and of its key: its id belongs to this and nothing else."""
    late: Refusal | None = None
    """Why it is not obeyed now, unless it was before: a second arrival gets the first answer, whatever its age."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is not obeyed; `code` is stable."""

    code: str
    message: str
    id: str | None = None
    name: str | None = None
    door: str | None = None
    actor: Actor | None = None
    """Who asked; known only when a signature says so."""
    signer: Signer | None = None


class TokenVerifier(Protocol):
    """`edge.commands.tokens.Keyring`, which is loaded only where there are keys."""

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Whose signatures count."""

    def open(self, token: bytes) -> tuple[Signer, bytes]:
        """Return who signed, and what; RefusedError when no known key did."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a command is judged by: who we are, what we have, what time it is, whose signature counts."""

    controller: str
    doors: Collection[str]
    wall_us: int
    clock: ClockQuality
    signatures_required: bool = False
    keyring: TokenVerifier | None = None
    """None where no signature is required, or as long as no key could be read."""


@dataclass(slots=True)
class _Seen:
    """What is known of a message so far, so that a refusal can name it."""

    body: dict[str, Any] = field(default_factory=dict)
    signer: Signer | None = None
    actor: Actor | None = None


def parse_command(payload: bytes, context: Context, *, retained: bool) -> Order | Refusal:
    """Judge one message of the `commands` topic. Never raises. Who looks at an order looks at whether it is `late`."""
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
    except RefusedError as no:
        return _refusal(no, seen, context)
    try:
        _judge_age(body, order.issued_us, order.expires_us, order.signer, context)
        order = replace(order, for_s=_lasting(body, context))
    except RefusedError as no:
        return replace(order, late=_refusal(no, seen, context))
    return order


def _content(seen: _Seen) -> bytes:
    """Sixteen bytes: nobody finds another command with the same, and each id keeps them."""
    said = {key: value for key, value in seen.body.items() if key not in TIMES}
    signer = "" if seen.signer is None else seen.signer.thumbprint
    text = json.dumps([signer, said], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:CONTENT_BYTES]


def _let_in(context: Context, seen: _Seen, *, retained: bool) -> None:
    if retained:
        raise RefusedError("retained", "a retained command is never obeyed: publish commands without the retain flag")
    if context.signatures_required and seen.signer is None:
        raise RefusedError("not_signed", "this controller obeys signed commands only")


def _read(payload: bytes, context: Context, seen: _Seen) -> None:
    """Find the command object; what a token says counts only when its signature has been verified."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise RefusedError("too_large", f"a command has {len(payload)} bytes, expected at most {MAX_COMMAND_BYTES}")
    token = token_of(payload)
    if token is None:
        seen.body = json_object(payload)
        return
    if not context.signatures_required:
        raise RefusedError("malformed", "this is a signed command, and no key of its sender is configured here")
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
        signer,
    )


def _entry(body: Body) -> EnteredRecord | None:
    event = body.event
    if event is None:
        return None
    if event.type not in RECORDABLE:
        text = f"{event.type!r} is not entered from outside; expected {', '.join(sorted(RECORDABLE))}"
        raise RefusedError("not_recordable", text)
    details = event.details if event.time is None else {**event.details, "happened_at": event.time}
    return EnteredRecord(event.type, Subject(event.object.type, event.object.id, event.object.name), details)


def _judge_age(body: Body, issued_us: int, expires_us: int | None, signer: Signer | None, context: Context) -> None:
    """Modes are desired state and may run late; without a clock only they can."""
    if context.clock is ClockQuality.UNSYNCED:
        if body.command == "unlock":
            raise RefusedError("clock_unsynced", "the clock cannot judge how old an unlock is")
        if signer is not None and body.command not in ANY_TIME:
            raise RefusedError("clock_unsynced", f"the clock cannot judge how old a signed {body.command} is")
        return
    if expires_us is not None and expires_us <= context.wall_us:
        raise RefusedError("expired", f"it expired at {body.expires_at}")
    if issued_us > context.wall_us + FUTURE_US:
        raise RefusedError("issued_in_future", f"it was issued at {body.issued_at}, which is still to come")


def _lasting(body: Body, context: Context) -> float | None:
    """A hold counts from when it was issued, not from when it came; a clock nobody set cannot tell."""
    if body.command != "hold_unlocked":
        return body.for_s
    known = context.clock is not ClockQuality.UNSYNCED
    if body.until is not None:
        if not known:
            raise RefusedError("clock_unsynced", f"the clock cannot judge how long it is until {body.until}")
        return left_s(body.until, context.wall_us)
    if body.for_s is None or not known:
        return body.for_s
    seconds = body.for_s - max(0, context.wall_us - time_us(body.issued_at)) / 1e6
    if seconds <= 0:
        raise RefusedError("expired", f"it was to last for {body.for_s:g} s from {body.issued_at}, which is over")
    return seconds


def _doors(body: Body, context: Context) -> tuple[str, ...]:
    named = [body.door is not None, body.doors is not None, body.all]
    if body.command in NO_DOOR:
        if any(named):
            raise RefusedError("malformed", f"{body.command} concerns no door")
        return ()
    if sum(named) != 1:
        raise RefusedError("malformed", "expected exactly one of door, doors and all")
    doors = context.doors if body.all else body.doors or [body.door or ""]
    for door in doors:
        if door not in context.doors:
            raise RefusedError("unknown_door", f"no door {door!r} here")
    return tuple(dict.fromkeys(doors))


def _refusal(no: RefusedError, seen: _Seen, context: Context) -> Refusal:
    """Name the command as far as it can be made out."""
    command_id, name, door = seen.body.get("id"), seen.body.get("command"), seen.body.get("door")
    return Refusal(
        no.code,
        spelt(no.text[:500]),
        command_id if isinstance(command_id, str) and ID.fullmatch(command_id) else None,
        name if isinstance(name, str) and len(name) <= MAX_ID and name.isprintable() else None,
        door if isinstance(door, str) and door in context.doors else None,
        seen.actor,
        seen.signer,
    )


def reply(order_id: str | None, name: str | None, outcomes: Json, *, code: str | None = None, text: str = "") -> bytes:
    """The answer to a command: done when there is no code, with the outcome at each door."""
    return to_bytes(
        {"id": order_id, "command": name, "done": code is None, "code": code, "message": text, "outcomes": outcomes}
    )
