"""What a command looks like on the wire: strict JSON, known keys, bounded values; or an error that says why not.

One rule: a shape is judged without knowing who is asked, or when; that is `edge.commands.parsing`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edge.model.messages import CommandWord  # noqa: TC001 -- pydantic needs it to run
from edge.model.policy import HOLD_S, UNLOCK_S

if TYPE_CHECKING:
    from edge.model.messages import Json

MAX_ID: Final = 64
MOST_KEYS: Final = 32
MAX_SEQUENCE: Final = 2**53 - 1
"""What every JSON reader can hold exactly (RFC 8259, section 6)."""
LASTING_S: Final = {"unlock": UNLOCK_S, "hold_unlocked": HOLD_S}
"""How long what may last, in seconds."""
BRINGS: Final = {"record": "event", "apply_directory": "directory", "edit_directory": "changes"}
"""What only one command takes, and has to."""
MAX_DETAILS_BYTES: Final = 4 * 1024
"""Of the details of a `record`, as compact JSON."""
MAX_DEPTH: Final = 4
"""How deep lists and objects may stand in each other there."""
RESERVED: Final = frozenset({"happened_at", "signed_by"})
"""What a controller itself says in the details of a record."""
ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_RFC_3339: Final = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class RefusedError(Exception):
    """A refusal on its way out of the judging; `code` is stable."""

    def __init__(self, code: str, text: str) -> None:
        """Say why, to people."""
        super().__init__(code)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signed a command, and what it may; None is everything."""

    name: str
    thumbprint: str
    """RFC 7638, which says which key it was after the file has changed."""
    commands: frozenset[str] | None = None
    doors: frozenset[str] | None = None

    def facts(self) -> dict[str, Json]:
        """For the details of a record."""
        return {"key": self.name, "thumbprint": self.thumbprint}


def _known_id(value: str) -> str:
    if not ID.fullmatch(value):
        raise ValueError(f"expected 1 to {MAX_ID} of A-Z a-z 0-9 . _ : -")
    return value


def _moment(value: str) -> str:
    time_us(value)
    return value


def time_us(value: str) -> int:
    """RFC 3339 as microseconds since 1970 UTC. Raises ValueError."""
    if not _RFC_3339.fullmatch(value):
        raise ValueError("expected a time with its zone (RFC 3339), such as 2026-11-22T21:57:03Z")
    moment = datetime.fromisoformat(value.upper())
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def judge_lasting(command: str, for_s: float | None, until: str | None) -> None:
    """Let only those commands say how long they last that can, within their bounds. Raises RefusedError."""
    if until is not None and (command != "hold_unlocked" or for_s is not None):
        raise RefusedError("malformed", "until goes with hold_unlocked only, and not beside for_s")
    if for_s is None:
        return
    if command not in LASTING_S:
        raise RefusedError("malformed", f"for_s goes with unlock and hold_unlocked, not with {command}")
    low, high = LASTING_S[command]
    if not low <= for_s <= high:
        raise RefusedError("malformed", f"for_s: expected {low:g} to {high:g} seconds for {command}")


def left_s(until: str, wall_us: int) -> float:
    """How long it is until then. Raises RefusedError."""
    seconds, longest = (time_us(until) - wall_us) / 1e6, HOLD_S[1]
    if seconds < HOLD_S[0]:
        raise RefusedError("expired", f"it was to last until {until}, which is over")
    if seconds > longest:
        raise RefusedError("malformed", f"until: expected at most {longest / 86_400:g} days from now")
    return seconds


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected printable characters")
    return value


def _address(value: str) -> str:
    if not value.isprintable() or not all(value.partition("@")) or set(value) & set(" <>"):
        raise ValueError("expected an e-mail address")
    return value


def _small(details: dict[str, Any]) -> dict[str, Any]:
    if reserved := sorted(RESERVED & details.keys()):
        raise ValueError(f"{reserved[0]} is what the controller says itself")
    _plain(details, 1)
    size = len(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_DETAILS_BYTES:
        raise ValueError(f"{size} bytes, expected at most {MAX_DETAILS_BYTES}")
    return details


def _plain(value: object, depth: int) -> None:
    """Whether every reader of the log can read these details."""
    if isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise ValueError(f"expected lists and objects at most {MAX_DEPTH} deep")
        for one in value.values() if isinstance(value, dict) else value:
            _plain(one, depth + 1)
    elif isinstance(value, int | float) and (abs(value) > MAX_SEQUENCE or not math.isfinite(value)):
        raise ValueError(f"expected numbers up to {MAX_SEQUENCE}")


_Time = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
_Door = Annotated[str, Field(max_length=63)]
_Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Actor(_Shape):
    id: _Words
    name: Annotated[str, Field(max_length=200), AfterValidator(_printable)] | None = None
    email: Annotated[str, Field(max_length=254), AfterValidator(_address)] | None = None


class _Thing(_Shape):
    type: Annotated[str, Field(pattern="^[a-z_]{1,40}$")]
    id: _Words
    name: _Words


class _Happening(_Shape):
    type: Annotated[str, Field(max_length=MAX_ID)]
    object: _Thing
    details: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    time: _Time | None = None


class Body(_Shape):
    """The object of a command (docs/mqtt.md); strict, and nothing else in it."""

    id: Annotated[str, AfterValidator(_known_id)]
    command: CommandWord
    issued_at: _Time
    expires_at: _Time | None = None
    actor: _Actor
    door: _Door | None = None
    doors: Annotated[list[_Door] | None, Field(min_length=1, max_length=1024)] = None
    all: bool = False
    for_s: Annotated[float | None, Field(ge=0, le=HOLD_S[1])] = None
    until: _Time | None = None
    from_: Annotated[int | None, Field(alias="from", ge=1, le=MAX_SEQUENCE)] = None
    to: Annotated[int | None, Field(ge=1, le=MAX_SEQUENCE)] = None
    event: _Happening | None = None
    directory: dict[str, Any] | None = None
    """Judged as any other directory, when it is applied."""
    changes: list[Any] | None = None
    """Judged when they are made."""
    base: Annotated[int | None, Field(ge=0, le=MAX_SEQUENCE)] = None


def shape(body: dict[str, Any]) -> Body:
    """Check every key. Raises RefusedError."""
    event = body.get("event")
    thing = event.get("object") if isinstance(event, dict) else None
    if any(isinstance(one, dict) and len(one) > MOST_KEYS for one in (body, body.get("actor"), event, thing)):
        raise RefusedError("malformed", f"expected at most {MOST_KEYS} keys")  # each of them would get its own sentence
    try:
        checked = Body.model_validate(body)
    except ValidationError as error:
        unknown = any(one["loc"] == ("command",) and one["type"] == "literal_error" for one in error.errors())
        raise RefusedError("unknown_command" if unknown else "malformed", _sentence(error)) from None
    judge_lasting(checked.command, checked.for_s, checked.until)
    return checked


def judge_arguments(body: Body) -> None:
    """Let each command have what it takes, and nothing that only others do. Raises RefusedError."""
    if body.command == "replay" and (body.from_ is None or (body.to or body.from_) < body.from_):
        raise RefusedError("malformed", "replay takes from, and to not below it")
    if body.command != "replay" and (body.from_ is not None or body.to is not None):
        raise RefusedError("malformed", "from and to go with replay only")
    if body.command == "unlock" and body.expires_at is None:
        raise RefusedError("malformed", "an unlock takes expires_at: a pulse never runs late")
    for command, key in BRINGS.items():
        if (body.command == command) != (getattr(body, key) is not None):
            raise RefusedError("malformed", f"{command} takes {key}, and nothing else does")
    if body.base is not None and body.changes is None:
        raise RefusedError("malformed", "base goes with edit_directory only")


def _sentence(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)


def json_object(content: bytes, what: str = "a command") -> dict[str, Any]:
    """One strict JSON object. Raises RefusedError."""
    try:
        body = strict_json(content)
    except (ValueError, RecursionError) as error:
        raise RefusedError("malformed", f"{what} is one JSON object in UTF-8: {error}") from None
    if not isinstance(body, dict):
        raise RefusedError("malformed", f"{what} is one JSON object")
    return body


def strict_json(content: bytes) -> Any:  # noqa: ANN401 -- whatever they sent
    """JSON as RFC 8259 has it: UTF-8, no NaN, no name twice. ValueError or RecursionError for anything else."""
    body = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair can be escaped in JSON, and never be sent on
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key stands twice")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
