"""What the words of a search mean: the same for the socket, for a file that is read directly and for reports.

One rule: words come checked (`edge.reports.searches`, or the command line) and leave as one Query. A group is
resolved here, from the directory of now. Nothing is loaded for it that a command would have to wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.log.reading.filters import MAX_PAGE, Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

NOWHERE: Final = (
    "who is in a group is known to a running doord, and to the directory.db beside a log: there is none here"
)


class Named(Protocol):
    """A group, as far as it matters here."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


class Belonging(Protocol):
    """A member, as far as it matters here."""

    @property
    def user(self) -> str:
        """The user's id."""

    @property
    def groups(self) -> Collection[str]:
        """The ids of the groups."""


class Groups(Protocol):
    """Who is in which group: a directory has that and much more."""

    @property
    def groups(self) -> Mapping[str, Named]:
        """By their ids."""

    @property
    def members(self) -> Mapping[str, Belonging]:
        """By their ids."""


class UnknownGroupError(ValueError):
    """There is no such group in the directory; its text says which there are."""


def query_of(words: Mapping[str, Any], directory: Groups | None) -> Query:
    """One page of what these words ask for; what is missing means everything.

    UnknownGroupError for a group that is not there, and for any when there is no directory.
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


def members(directory: Groups | None, names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The users who are in these groups now, and the groups' ids. A name is an id, or a group's name in any case.

    UnknownGroupError when there is no such group, or no directory to look into.
    """
    if directory is None:
        raise UnknownGroupError(NOWHERE)
    found: set[str] = set()
    for name in names:
        same = {one.id for one in directory.groups.values() if one.name.casefold() == name.casefold()}
        if name in directory.groups:
            found.add(name)
        elif same:
            found |= same
        else:
            raise UnknownGroupError(_none_such(directory, name))
    people = {one.user for one in directory.members.values() if not found.isdisjoint(one.groups)}
    return tuple(sorted(people)), tuple(sorted(found))


def _none_such(directory: Groups, name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- only when something went wrong

    known = sorted({*directory.groups, *(one.name for one in directory.groups.values())})
    near = get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    hint = f"; expected one such as {', '.join(near)}" if near else "; the directory has no groups"
    return f"no group {name!r}{hint}"
