"""The form of a command: strict JSON, known keys, values within limits. An error says what is wrong.

One rule: the form is checked without the controller and the time. `edge.commands.parsing` checks those.
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
from edge.model.problems import plain_message

if TYPE_CHECKING:
    from edge.model.messages import Json

MAX_ID: Final = 64
MOST_KEYS: Final = 32
MAX_SEQUENCE: Final = 2**53 - 1
"""The largest whole number that every JSON reader holds exactly (RFC 8259, section 6)."""
LASTING_S: Final = {"unlock": UNLOCK_S, "hold_unlocked": HOLD_S}
"""Command -> its shortest and longest `for_s`, in seconds."""
BRINGS: Final = {
    "record": "event",
    "apply_directory": "directory",
    "edit_directory": "changes",
    "acknowledge": "alert",
}
"""Command -> the key that it needs, and that no other command takes."""
MAX_DETAILS_BYTES: Final = 4 * 1024
"""Bytes of the details of a `record`, as compact JSON."""
MAX_DEPTH: Final = 4
"""How deep lists and objects may be nested in them."""
RESERVED: Final = frozenset({"happened_at", "signed_by"})
"""Keys of the details of a record that only the controller sets."""
ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_RFC_3339: Final = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class RefusedError(Exception):
    """A command is refused. `code` is stable, `text` is for people."""

    def __init__(self, code: str, text: str) -> None:
        """`text` is a sentence for people."""
        super().__init__(code)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signed a command, and the commands and doors that it permits; None: all of them."""

    name: str
    thumbprint: str
    """RFC 7638. It identifies the key also after its file has changed."""
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
    """Check `for_s` and `until` against the command and its limits. Raises RefusedError."""
    if until is not None and (command != "hold_unlocked" or for_s is not None):
        raise RefusedError("malformed", "until goes with hold_unlocked only, and not together with for_s")
    if for_s is None:
        return
    if command not in LASTING_S:
        raise RefusedError("malformed", f"for_s goes with unlock and hold_unlocked, not with {command}")
    low, high = LASTING_S[command]
    if not low <= for_s <= high:
        raise RefusedError("malformed", f"for_s: expected {low:g} to {high:g} seconds for {command}")


def left_s(until: str, wall_us: int) -> float:
    """Seconds until a time. Raises RefusedError."""
    seconds, longest = (time_us(until) - wall_us) / 1e6, HOLD_S[1]
    if seconds < HOLD_S[0]:
        raise RefusedError("expired", f"until: expected a time that is still to come, found {until}")
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
        raise ValueError(f"{reserved[0]} is set by the controller only")
    _plain(details, 1)
    size = len(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_DETAILS_BYTES:
        raise ValueError(f"{size} bytes, expected at most {MAX_DETAILS_BYTES}")
    return details


def _plain(value: object, depth: int) -> None:
    """Check that every reader of the log can read these details. Raises ValueError."""
    if isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise ValueError(f"expected lists and objects at most {MAX_DEPTH} deep")
        for inner in value.values() if isinstance(value, dict) else value:
            _plain(inner, depth + 1)
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
    """The JSON object of a command (docs/mqtt.md). Unknown keys are refused."""

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
    """Checked when it is applied, as every directory is."""
    changes: list[Any] | None = None
    """Checked when they are made."""
    alert: _Words | None = None
    """Looked for when it is acknowledged."""
    base: Annotated[int | None, Field(ge=0, le=MAX_SEQUENCE)] = None


def shape(body: dict[str, Any]) -> Body:
    """Check every key. Raises RefusedError."""
    event = body.get("event")
    thing = event.get("object") if isinstance(event, dict) else None
    if any(isinstance(part, dict) and len(part) > MOST_KEYS for part in (body, body.get("actor"), event, thing)):
        raise RefusedError("malformed", f"expected at most {MOST_KEYS} keys")  # each unknown key would get a sentence
    try:
        checked = Body.model_validate(body)
    except ValidationError as error:
        unknown = any(fault["loc"] == ("command",) and fault["type"] == "literal_error" for fault in error.errors())
        raise RefusedError("unknown_command" if unknown else "malformed", _sentence(error)) from None
    judge_lasting(checked.command, checked.for_s, checked.until)
    return checked


def judge_arguments(body: Body) -> None:
    """Check that a command has the keys it needs, and none of other commands. Raises RefusedError."""
    if body.command == "replay" and (body.from_ is None or (body.to or body.from_) < body.from_):
        raise RefusedError("malformed", "replay needs from; to is not below it")
    if body.command != "replay" and (body.from_ is not None or body.to is not None):
        raise RefusedError("malformed", "from and to go with replay only")
    if body.command == "unlock" and body.expires_at is None:
        raise RefusedError("malformed", "unlock needs expires_at: a late unlock is not carried out")
    for command, key in BRINGS.items():
        if (body.command == command) != (getattr(body, key) is not None):
            raise RefusedError("malformed", f"{command} needs {key}, and no other command takes it")
    if body.base is not None and body.changes is None:
        raise RefusedError("malformed", "base goes with edit_directory only")


def _sentence(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {plain_message(fault)}" for fault in faults)


def json_object(content: bytes, what: str = "a command") -> dict[str, Any]:
    """Read one strict JSON object; `what` names it in errors. Raises RefusedError."""
    try:
        body = strict_json(content)
    except (ValueError, RecursionError) as error:
        raise RefusedError("malformed", f"{what}: expected one JSON object in UTF-8: {error}") from None
    if not isinstance(body, dict):
        raise RefusedError("malformed", f"{what}: expected one JSON object")
    return body


def strict_json(content: bytes) -> Any:  # noqa: ANN401 -- any JSON value
    """Read JSON (RFC 8259): UTF-8, no NaN, no key twice. Raises ValueError or RecursionError."""
    body = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    json.dumps(body, ensure_ascii=False).encode()  # JSON can escape half a surrogate pair; UTF-8 cannot hold it
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key occurs twice")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
