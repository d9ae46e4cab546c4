"""A query of the history: as a value, as SQL, and as the conditions that the index can look up.

One rule: the SQL alone decides which records match; the index only rules out where none can be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.log.index.lookup import Wanted
from edge.model.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PAGE: Final = 500
MOST_RANGES: Final = 64
"""Ranges that are spelt out: SQLite refuses an expression deeper than 1,000 (https://sqlite.org/limits.html)."""
LONGEST_TEXT: Final = 200
"""Characters of a text that is searched for."""
_AMONG: Final = (
    " AND r.at_ns >= ? AND r.at_ns < ? AND EXISTS (SELECT 1 FROM json_each(?)"
    " WHERE r.at_ns >= json_extract(value, '$[0]') AND r.at_ns < json_extract(value, '$[1]'))"
)
_TEXTS: Final = ("r.object_name", "r.actor_name", "r.actor_email", "r.code", "r.type", "r.details")
_PEOPLE: Final = "(r.actor_kind = 'user' AND r.actor_id IN (SELECT value FROM json_each(?)))"
_GROUP: Final = (
    "(r.details LIKE '%\"group\":%' AND CASE WHEN json_valid(r.details) THEN json_extract(r.details, '$.group') END"
    " IN (SELECT value FROM json_each(?)))"
)


@dataclass(frozen=True, slots=True)
class Query:
    """Which records; all conditions that are given must hold. Times are microseconds since 1970 UTC."""

    since_us: int | None = None
    until_us: int | None = None
    """Records before this time."""
    doors: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    event_class: str | None = None
    actors: tuple[str, ...] = ()
    """An actor's id, name or e-mail."""
    after: int = 0
    """Records with a higher sequence number."""
    before: int | None = None
    """Records with a lower sequence number."""
    limit: int = MAX_PAGE
    newest: bool = False
    """Newest first instead of oldest first."""
    skip: int = 0
    """So many matching records are passed over first."""
    people: tuple[str, ...] | None = None
    """Ids of users, such as the members of a group; may be tens of thousands. () finds nobody."""
    groups: tuple[str, ...] = ()
    """Ids of groups by which access was granted: such records are found beside those of `people`."""
    success: bool | None = None
    codes: tuple[str, ...] = ()
    text: str = ""
    """Occurs in the name of the object, the actor's name or e-mail, the code, the type or the details.
    Upper and lower case are the same; beyond ASCII as in Python's `str.lower`."""

    correlation: str = ""
    """Shared by the events of one passage."""

    @property
    def small(self) -> str:
        """The text in lower case."""
        return self.text.lower()


def event_types(query: Query) -> tuple[str, ...] | None:
    """The types that the query lets through; None for all."""
    types = set(query.types) if query.types else None
    if query.event_class is not None:
        of_class = {row.type for row in CATALOGUE.values() if row.event_class == query.event_class}
        types = of_class if types is None else types & of_class
    return None if types is None else tuple(sorted(types))


def conditions(query: Query) -> tuple[str, list[str]]:
    """SQL to append to the WHERE of a record `r`, and its values. The connection needs `says` (below) as a function."""
    where, values = "", []
    types = event_types(query)
    for column, wanted in (("door", query.doors or None), ("type", types), ("code", query.codes or None)):
        if wanted is not None:
            where += f" AND r.{column} IN ({', '.join('?' * len(wanted))})"
            values += sorted(wanted)
    if query.success is not None:
        where += f" AND r.success = {int(query.success)}"
    if query.actors:
        marks = ", ".join("?" * len(query.actors))
        where += f" AND (r.actor_id IN ({marks}) OR r.actor_name IN ({marks}) OR r.actor_email IN ({marks}))"
        values += [*query.actors] * 3
    if query.people is not None or query.groups:
        where += f" AND ({_PEOPLE} OR {_GROUP})"
        values += [json.dumps(query.people or ()), json.dumps(query.groups)]
    if query.correlation:
        where += " AND r.correlation = ?"
        values.append(query.correlation)
    if query.text:
        where += f" AND ({' OR '.join(f'{column} LIKE ? ESCAPE char(92)' for column in _TEXTS)})"
        values += [_pattern(query.small)] * len(_TEXTS)
        if not query.small.isascii():
            where += f" AND says(?, {', '.join(_TEXTS)})"
            values.append(query.small)
    return where, values


def _pattern(small: str) -> str:
    """The pattern for LIKE, which ignores case in ASCII only: any other character matches anything here."""
    return "%" + "".join(f"\\{c}" if c in "%_\\" else c if c.isascii() else "%" for c in small) + "%"


def says(small: str, *texts: str | None) -> bool:
    """Whether `small` occurs in one of the texts; for SQL."""
    return any(text is not None and small in text.lower() for text in texts)


def wanted(query: Query) -> Wanted:
    """The conditions that the index can look up."""
    types = event_types(query)
    values = [("type", types)] if types is not None else []
    values += [(kind, given) for kind, given in (("door", query.doors), ("code", query.codes)) if given]
    if query.success is False:
        values.append(("refused", ("",)))
    people = (query.people or ()) if query.people is not None or query.groups else None
    return Wanted(tuple(values), query.actors, people, query.groups, query.small, query.correlation)


def in_ranges(ranges: Sequence[tuple[int, int]]) -> tuple[str, list[int | str]]:
    """SQL for a record that happened within one of these ranges of its boot's clock, and its values; no ranges: all."""
    if not ranges:
        return "", []
    if len(ranges) > MOST_RANGES:
        return _AMONG, [ranges[0][0], ranges[-1][1], json.dumps(ranges)]
    where = " AND (" + " OR ".join("r.at_ns >= ? AND r.at_ns < ?" for _ in ranges) + ")"
    return where, [bound for pair in ranges for bound in pair]
