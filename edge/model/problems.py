"""What is wrong with a configuration, in the installer's terms.

One rule: a problem says where (file and key), what was found and what was expected; a secret is
never repeated in it.
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from edge.model.printable import in_json, spelt

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

LONGEST_VALUE: Final = 60
"""Characters of a found value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `key` is dotted, like `door.front.unlock_s`; empty for the whole file."""

    file: Path
    key: str
    message: str

    def __str__(self) -> str:
        """One line for a terminal."""
        return ": ".join(spelt(part) for part in (self.file, self.key, self.message) if part)


class ConfigError(Exception):
    """A configuration cannot be used; `problems` has all its problems, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order of the file."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ProblemReport:
    """Collects the problems of one file."""

    def __init__(self, file: Path) -> None:
        """Start with none."""
        self.file = file
        self.problems: list[Problem] = []

    def add(self, key: str, message: str) -> None:
        """Note one problem. Characters that would control a terminal are escaped."""
        self.problems.append(Problem(self.file, spelt(key), spelt(message)))

    def add_errors(self, prefix: str, model: type[BaseModel], error: ValidationError, also: Iterable[str] = ()) -> None:
        """Translate what pydantic found in the table called `prefix`; `also` are keys allowed beside the model's."""
        seen: set[str] = set()
        for detail in error.errors(include_url=False):
            first, *rest = detail["loc"] or ("",)
            key = dotted(prefix, first, *(part for part in rest if isinstance(part, int)))
            if key not in seen:  # pydantic reports each member of a union
                self.add(key, _message(model, detail, also))
            seen.add(key)


def dotted(*parts: str | int) -> str:
    """`("commands", "keys", 0)` as people write it: `commands.keys[0]`."""
    key = ""
    for part in parts:
        if isinstance(part, int):
            key += f"[{part}]"
        elif part:
            key += f".{part}" if key else part
    return key


def shown(value: object) -> str:
    """A value the way the file has it, shortened; it can be encoded, whatever the value was."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str | bool | int | float):
        text = in_json(json.dumps(value, ensure_ascii=False))
    else:
        text = f"a {type(value).__name__} {value}"
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def meant(word: str, words: Iterable[str]) -> str:
    """What to write instead of an unknown word: `did you mean "x"?`, or all words that are allowed."""
    choice = sorted(words)
    near = difflib.get_close_matches(word, choice, n=1) or [known for known in choice if word in known.split("_")]
    if len(near) == 1:
        return f'did you mean "{near[0]}"?'
    return f"expected {alternatives(choice)}" if choice else "nothing is expected here"


def alternatives(words: Iterable[object]) -> str:
    """`"a", "b" or "c"`, each as the file has it."""
    quoted = [shown(word) for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def plain_message(fault: ErrorDetails) -> str:
    """What is wrong with one value of a message, without pydantic's introduction to a sentence of ours."""
    return fault["msg"].removeprefix("Value error, ")


def _message(model: type[BaseModel], detail: ErrorDetails, also: Iterable[str]) -> str:
    last = detail["loc"][-1] if detail["loc"] else ""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if detail["type"] == "extra_forbidden":
        refused: Mapping[str, str] = getattr(model, "REFUSED", {})
        if last in refused:
            return refused[str(last)]
        return f"unknown key, {meant(str(last), {*fields, *also})}"
    if detail["type"] == "value_error":  # raised by a validator of ours: already a sentence
        return str(detail["ctx"]["error"])
    field = fields.get(str(detail["loc"][0])) if detail["loc"] else None
    expected = _expected(field) or detail["msg"].removeprefix("Input should be ")
    if detail["type"] == "missing":
        return f"missing, expected {expected}"
    return f"found {shown(detail['input'])}, expected {expected}"


def _expected(field: FieldInfo | None) -> str:
    """What a field expects: its `description`, or else its type and range."""
    if field is None or field.description:
        return "" if field is None else field.description or ""
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    span = "" if low is None else f" of at least {low}" if high is None else f" from {low} to {high}"
    return f"{_kind(field.annotation)}{span}" if _kind(field.annotation) else ""


def _kind(annotation: Any) -> str:  # noqa: ANN401 - a type expression has no common type
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is Literal:
        return alternatives(get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(filter(None, map(_kind, get_args(annotation))))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return alternatives(member.value for member in annotation)
    plain = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes", Path: "a file"}
    return plain.get(annotation, "")
