"""What may be asked of the history from outside, in one place: the socket, `--log`, reports.

One rule: the words are the same everywhere, and a group is resolved here, from the directory of now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.directory import Directory
    from edge.log_query import Query

MAX_PAGE: Final = 500
LONGEST_TEXT: Final = 200


NOWHERE: Final = (
    "who is in a group is known to a running doord, and to the directory.db beside a log: there is none here"
)


class UnknownGroupError(ValueError):
    """There is no such group in the directory; its text says which there are."""


class Filters(BaseModel):
    """Which records; everything given must hold, and of a list any one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    door: list[str] = Field([], max_length=1024)
    type: list[str] = Field([], max_length=256)
    event_class: Literal["access", "audit"] | None = Field(None, alias="class")
    user: list[str] = Field([], max_length=256)
    """An actor's id, name or e-mail."""
    group: list[str] = Field([], max_length=256)
    """A group's id or name: its present members, and everybody who passed by it."""
    outcome: Literal["granted", "refused"] | None = None
    code: list[str] = Field([], max_length=256)
    text: str = Field("", max_length=LONGEST_TEXT)
    correlation: str = Field("", max_length=LONGEST_TEXT)
    """Shared by the events of one passage."""
    since_us: int | None = Field(None, ge=-(2**53), le=2**53)
    until_us: int | None = Field(None, ge=-(2**53), le=2**53)

    def query(self, directory: Directory | None) -> Query:
        """As the log understands it. UnknownGroupError, also for any group when there is no directory."""
        from edge.log_query import Query  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        people, groups = (None, ()) if not self.group else members(directory, self.group)
        return Query(
            self.since_us,
            self.until_us,
            tuple(self.door),
            tuple(self.type),
            self.event_class,
            tuple(self.user),
            people=people,
            groups=groups,
            success=None if self.outcome is None else self.outcome == "granted",
            codes=tuple(self.code),
            text=self.text,
            correlation=self.correlation,
        )


class Asked(Filters):
    """The body of the control socket's `events`: a page of what fits."""

    after: int | None = Field(None, ge=0, le=2**62)
    before: int | None = Field(None, ge=0, le=2**62)
    limit: int = Field(MAX_PAGE, ge=1, le=MAX_PAGE)
    newest: bool = False

    def page(self, directory: Directory | None) -> Query:
        """As `query`, for one page."""
        from dataclasses import replace  # noqa: PLC0415 -- beside the other

        found = self.query(directory)
        return replace(found, after=self.after or 0, before=self.before, limit=self.limit, newest=self.newest)


def members(directory: Directory | None, names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
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


def _none_such(directory: Directory, name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- only when something went wrong

    known = sorted({*directory.groups, *(one.name for one in directory.groups.values())})
    near = get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    hint = f"; expected one such as {', '.join(near)}" if near else "; the directory has no groups"
    return f"no group {name!r}{hint}"
