"""What the published documents are made of, read from `edge.model.published`: for the pages and for a check."""

from __future__ import annotations

import ast
import inspect
import sys
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

from edge.model.published.doors import Time

PLAIN = {str: "text", bool: "true or false", int: "whole number", float: "number", Time: "time", NoneType: "`null`"}


class Field(NamedTuple):
    """One row of a table; `name` is dotted, `*` is any key, `[]` any entry of a list."""

    name: str
    type: str
    meaning: str


def meanings(document: type) -> dict[str, str]:
    """The text below each field; of a field without one, nothing."""
    module = sys.modules[document.__module__]
    classes = (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef))
    made = next(node for node in classes if node.name == document.__name__)
    found: dict[str, str] = {}
    for base in map(ast.unparse, made.bases):
        found |= {} if base == "TypedDict" else meanings(vars(module)[base])
    for field, text in zip(made.body, made.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[ast.unparse(field.target)] = str(text.value.value)
    return found


def fields(document: type, before: str = "") -> list[Field]:
    """Every field of a document, those within others too."""
    rows, texts = [], meanings(document)
    for name, hint in get_type_hints(document).items():
        rows.append(Field(f"{before}{name}", words(hint), texts.get(name, "")))
        rows += within(hint, f"{before}{name}")
    return rows


def within(hint: Any, name: str) -> list[Field]:
    """The fields of the documents that a field holds."""
    if is_typeddict(hint):
        return fields(hint, f"{name}.")
    place = {dict: ".*", list: "[]"}.get(get_origin(hint), "")
    return [row for inner in get_args(hint) if inner is not str for row in within(inner, f"{name}{place}")]


def words(hint: Any) -> str:
    """A type as the pages call it."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in {Union, UnionType}:
        return " or ".join(map(words, inner))
    if kind is Literal:
        return " ".join(f"`{value}`" for value in inner)
    if kind is dict:
        return "object" if inner[1] is Any or is_typeddict(inner[1]) else f"object of {words(inner[1])}"
    if kind is list:
        return f"list of {words(inner[0])}"
    return "object" if is_typeddict(hint) else PLAIN[hint]


def problems(value: Any, hint: Any, where: str = "") -> list[str]:
    """What of a value is not as its type says, each with its place; a missing and an unknown field among them."""
    kind, inner = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return _of_document(value, hint, where)
    if kind in {Union, UnionType}:
        found = [problems(value, one, where) for one in inner]
        return min(found, key=len) if all(found) else []
    if kind is dict and isinstance(value, dict):
        return [text for key, one in value.items() for text in problems(one, inner[1], f"{where}.{key}")]
    if kind is list and isinstance(value, list):
        return [text for place, one in enumerate(value) for text in problems(one, inner[0], f"{where}[{place}]")]
    return [] if _is(value, hint) else [f"{where}: {value!r} is no {words(hint)}"]


def _of_document(value: Any, document: type, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    hints = get_type_hints(document)
    wrong = [f"{where}.{key} is not described in {document.__module__}" for key in value.keys() - hints.keys()]
    wrong += [f"{where}.{key} is missing" for key in hints.keys() - value.keys()]
    return wrong + [
        text for key in hints.keys() & value.keys() for text in problems(value[key], hints[key], f"{where}.{key}")
    ]


def _is(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is Time:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo == UTC
    if hint is float:
        return type(value) in {int, float}
    return type(value) is hint
