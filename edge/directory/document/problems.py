"""Explains pydantic's errors in an entry, in the terms of the document.

One rule: where (the way down to the value), what was found, what was expected; a secret is never repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic.fields import FieldInfo

from edge.model.problems import dotted, meant, shown
from edge.settings.tables import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from edge.model.problems import ProblemReport


def explained(table: type[Table], error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield (key inside the entry, message) for each problem; one for each key."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        parts, message = _explain(table, detail)
        key = dotted(*parts)
        within = detail["type"] == "too_short" and any(one.startswith(f"{key}[") for one in seen)
        if key not in seen and not within:  # pydantic reports each member of a union
            seen.add(key)
            yield key, message


def once(report: ProblemReport, where: str, ids: Collection[str]) -> tuple[str, ...]:
    """Sort a list in which everything should stand once; what stands twice is a problem."""
    if len(ids) <= 1:
        return tuple(ids)
    found = tuple(sorted(set(ids)))
    if len(found) < len(ids):
        seen: set[str] = set()
        for index, one in enumerate(ids):
            if one in seen:
                report.add(dotted(where, index), f"found {shown(one)} a second time, expected once")
            seen.add(one)
    return found


def _explain(table: type[Table], detail: ErrorDetails) -> tuple[list[str | int], str]:
    """Go down to the innermost table the problem is in, and let its field say what it expects."""
    fields = _fields(table)
    parts: list[str | int] = []
    field: FieldInfo | None = None
    for part in detail["loc"]:
        if isinstance(part, int):
            parts.append(part)
        elif field is not None and not _inner(field):
            break  # inside a union: the field itself is meant
        else:
            fields = _fields(_inner(field) or table) if field is not None else fields
            field = fields.get(part)
            parts.append(part)
            if field is None:
                break
    return parts, _message(fields, field, detail)


def _message(fields: dict[str, FieldInfo], field: FieldInfo | None, detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key, {meant(str(detail['loc'][-1]), fields)}"
    if detail["type"] == "value_error":  # raised by a validator of ours: already a sentence
        return str(detail["ctx"]["error"])
    expected = _expected(field, element=isinstance(detail["loc"][-1:][0] if detail["loc"] else None, int))
    expected = expected or detail["msg"].removeprefix("Input should be ")
    if detail["type"] == "missing":
        return f"missing, expected {expected}"
    if detail["type"] == "too_long":
        return f"found {detail['ctx']['actual_length']} entries, expected at most {detail['ctx']['max_length']}"
    found = shown(detail["input"]) if field is None or field.repr else "something else"
    return f"found {found}, expected {expected}"


def _expected(field: FieldInfo | None, *, element: bool) -> str:
    if field is None:
        return "a table"
    if element:
        within = [m.description for m in _metadata(field.annotation) if isinstance(m, FieldInfo) and m.description]
        return within[0] if within else "a table" if _inner(field) else ""
    return field.description or ""


def _fields(table: type[Table]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in table.model_fields.items()}


def _inner(field: FieldInfo) -> type[Table] | None:
    """The table that a field holds, or holds a list of."""
    kinds = _kinds(field.annotation)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Table)), None)


def _kinds(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 -- a type expression has no common type
    yield annotation
    for argument in get_args(annotation):
        yield from _kinds(argument)


def _metadata(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 -- as above
    return (kind for kind in _kinds(annotation) if isinstance(kind, FieldInfo))
