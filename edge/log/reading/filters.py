"""What is asked of the history: as a value, as SQL, and as what the index can look up.

One rule: the SQL alone decides what is found; the index only says where looking is of no use.
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
"""SQLite refuses an expression that is 1,000 deep (https://sqlite.org/limits.html), and a clock can step as often."""
LONGEST_TEXT: Final = 200
"""Characters of a text to be searched for."""
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
    """Which records; everything given must hold. Times are microseconds since 1970 UTC."""

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
    """From the newest backwards instead of from the oldest on."""
    skip: int = 0
    """So many of those that fit are passed over first."""
    people: tuple[str, ...] | None = None
    """Ids of users, as of the members of a group; may be tens of thousands. () finds nobody."""
    groups: tuple[str, ...] = ()
    """Ids of groups by which somebody passed: such records are found beside those of `people`."""
    success: bool | None = None
    codes: tuple[str, ...] = ()
    text: str = ""
    """Occurs in the name of the object, the actor's name or e-mail, the code, the type or the details.
    Capital and small letters are the same; beyond ASCII as Python's `str.lower` has it."""

    correlation: str = ""
    """Shared by the events of one passage."""

    @property
    def small(self) -> str:
        """The text in small letters."""
        return self.text.lower()


def event_types(query: Query) -> tuple[str, ...] | None:
    """The types that the query lets through; None for all."""
    types = set(query.types) if query.types else None
    if query.event_class is not None:
        of_class = {row.type for row in CATALOGUE.values() if row.event_class == query.event_class}
        types = of_class if types is None else types & of_class
    return None if types is None else tuple(sorted(types))


def conditions(query: Query) -> tuple[str, list[str]]:
    """What follows `WHERE ...` of a record `r`, and its values. `says(needle, ...)` has to be known: `says` below."""
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
    """For LIKE, which knows capital and small letters of ASCII only: the others may be anything here."""
    return "%" + "".join(f"\\{c}" if c in "%_\\" else c if c.isascii() else "%" for c in small) + "%"


def says(small: str, *texts: str | None) -> bool:
    """Whether one of the texts has this one in it; for SQL."""
    return any(text is not None and small in text.lower() for text in texts)


def wanted(query: Query) -> Wanted:
    """What the index can look up."""
    types = event_types(query)
    values = [("type", types)] if types is not None else []
    values += [(kind, given) for kind, given in (("door", query.doors), ("code", query.codes)) if given]
    if query.success is False:
        values.append(("refused", ("",)))
    people = (query.people or ()) if query.people is not None or query.groups else None
    return Wanted(tuple(values), query.actors, people, query.groups, query.small, query.correlation)


def in_ranges(ranges: Sequence[tuple[int, int]]) -> tuple[str, list[int | str]]:
    """That a record happened within one of these ranges of its boot's clock, and the values; nothing for none."""
    if not ranges:
        return "", []
    if len(ranges) > MOST_RANGES:
        return _AMONG, [ranges[0][0], ranges[-1][1], json.dumps(ranges)]
    where = " AND (" + " OR ".join("r.at_ns >= ? AND r.at_ns < ?" for _ in ranges) + ")"
    return where, [bound for pair in ranges for bound in pair]
