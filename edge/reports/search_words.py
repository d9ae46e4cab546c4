"""Turns the words of a search into a query of the log: the same for the socket, for a log file and for reports.

One rule: words are checked before (`edge.reports.searches`, or the command line). A group is resolved here, with
the present directory. It imports nothing large, so that a command starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.log.reading.filters import MAX_PAGE, Query
from edge.model.alike import named_alike

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

NOWHERE: Final = (
    "who is in a group is known to a running doord, and to the directory.db beside a log: there is none here"
)


class GroupLike(Protocol):
    """A group, as far as a search needs it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


class MemberLike(Protocol):
    """A member, as far as a search needs it."""

    @property
    def user(self) -> str:
        """The user's id."""

    @property
    def groups(self) -> Collection[str]:
        """The ids of the groups."""


class GroupDirectory(Protocol):
    """The groups and members of a directory."""

    @property
    def groups(self) -> Mapping[str, GroupLike]:
        """Id -> group."""

    @property
    def members(self) -> Mapping[str, MemberLike]:
        """Id -> member."""


class UnknownGroupError(ValueError):
    """The directory has no such group; the text names similar ones."""


def query_of(words: Mapping[str, Any], directory: GroupDirectory | None) -> Query:
    """The query for these words; a missing word restricts nothing.

    UnknownGroupError for a group that the directory does not have, and for any group without a directory.
    """
    people, groups = members(directory, words["group"]) if words.get("group") else (None, ())
    outcome = words.get("outcome")
    return Query(
        words.get("since_us"),
        words.get("until_us"),
        tuple(words.get("door", ())),
        tuple(words.get("type", ())),
        words.get("class"),
        tuple(words.get("user", ())),
        after=words.get("after") or 0,
        before=words.get("before"),
        limit=words.get("limit", MAX_PAGE),
        newest=words.get("newest", False),
        skip=words.get("skip", 0),
        people=people,
        groups=groups,
        success=None if outcome is None else outcome == "granted",
        codes=tuple(words.get("code", ())),
        text=words.get("text", ""),
        correlation=words.get("correlation", ""),
    )


def members(directory: GroupDirectory | None, names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The users who are in these groups now, and the groups' ids. `names` are ids, or names in upper or lower case.

    UnknownGroupError for a group that the directory does not have, and without a directory.
    """
    if directory is None:
        raise UnknownGroupError(NOWHERE)
    groups: set[str] = set()
    for name in names:
        same = {group.id for group in directory.groups.values() if group.name.casefold() == name.casefold()}
        if name in directory.groups:
            groups.add(name)
        elif same:
            groups |= same
        else:
            raise UnknownGroupError(_none_such(directory, name))
    people = {member.user for member in directory.members.values() if not groups.isdisjoint(member.groups)}
    return tuple(sorted(people)), tuple(sorted(groups))


def _none_such(directory: GroupDirectory, name: str) -> str:
    known = {group.id: group.name for group in directory.groups.values()}
    some = f"; expected one such as {', '.join(sorted(known)[:3])}" if known else "; the directory has no groups"
    return f"no group {name!r}{named_alike(name, known) or some}"
