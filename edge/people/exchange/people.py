"""Who is called so: by e-mail address or name in full, without a look at everybody for each row.

One rule: it keeps strings only. To free 100,000 objects at once takes longer than a door may wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.people.finding import Somebody, everybody, folded

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.directory.directory import Directory

NO_MEMBER: Final = "/"
"""After the id of a user who is no member; in no id."""


class PeopleIndex:
    """Everybody of one directory."""

    def __init__(self, directory: Directory) -> None:
        """Nobody is found before `fill`."""
        self._directory = directory
        self._first: dict[str, dict[str, str]] = {"email": {}, "name": {}}
        self._others: dict[tuple[str, str], list[str]] = {}

    def fill(self) -> Generator[None, None, None]:
        """Enter everybody, in slices."""
        for one in everybody(self._directory):
            if one is None:
                yield
                continue
            own = one.id if one.member is not None else one.id + NO_MEMBER
            for key, text in (("name", one.user.name), ("email", one.user.email)):
                if text and self._first[key].setdefault(called := folded(text), own) is not own:
                    self._others.setdefault((key, called), []).append(own)

    def called(self, key: str, text: str) -> list[Somebody]:
        """Whose `email` or `name` this is; case, accents and the number of spaces do not count."""
        called = folded(text)
        first = self._first[key].get(called)
        found = [] if first is None else [first, *self._others.get((key, called), ())]
        return [self._somebody(own) for own in found]

    def _somebody(self, own: str) -> Somebody:
        directory = self._directory
        if own.endswith(NO_MEMBER):
            user = directory.users[own.removesuffix(NO_MEMBER)]
            return Somebody(user.id, user, None)
        member = directory.members[own]
        return Somebody(own, directory.user_of(member), member)
