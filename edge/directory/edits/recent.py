"""Recent changes, and who made them: an edit of an older version is refused if it would undo somebody's change.

One rule: no change is overwritten unseen. When the changes since the older version are not known, the edit is stale.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.directory.document.tables import SECTIONS
from edge.directory.edits.shape import Touched
from edge.model.problems import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable

    from edge.directory.directory import Directory
    from edge.model.messages import Actor

MOST: Final = 20_000
"""Entries that are remembered."""
SLICE: Final = 1_000
"""Entries that are compared between two yields."""


def differing_entries(before: Directory, after: Directory) -> Generator[None, None, set[Touched]]:
    """Find the entries in which two directories differ, in slices; the generator's return value."""
    found: set[Touched] = set()
    for section in SECTIONS:
        old, new = getattr(before, section), getattr(after, section)
        for count, own in enumerate(chain(new, old)):
            if old.get(own) != new.get(own):
                found.add(Touched(section, own))
            if count % SLICE == 0:
                yield
    return found


class StaleError(Exception):
    """Others have changed the same entries since the edit's base; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        """At least one."""
        super().__init__(problems[0])
        self.problems = problems


class _Last(NamedTuple):
    version: int
    who: str


class RecentChanges:
    """The last change of each entry."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._last: dict[Touched, _Last] = {}
        """The oldest first."""
        self._since = 0
        """All changes after this version are known."""

    def begin(self, version: int) -> None:
        """Forget what was changed before this version."""
        self._last.clear()
        self._since = version

    def note(self, version: int, actor: Actor, touched: Collection[Touched]) -> None:
        """Note that these entries were changed."""
        if len(touched) > MOST:  # more than can be remembered: every older base is stale then
            self.begin(version)
            return
        for one in touched:
            self._last.pop(one, None)
            self._last[one] = _Last(version, actor.name or actor.id)
        while len(self._last) > MOST:
            oldest = next(iter(self._last))
            self._since = max(self._since, self._last.pop(oldest).version)

    def judge(self, base: int | None, now: int, touched: Iterable[Touched]) -> None:
        """Raise StaleError if these entries were changed after version `base`, or if that is not known."""
        if base is None or base == now:
            return
        if base > now:
            raise StaleError([f"base: found {base}, expected at most {now}, which is in force"])
        if base < self._since:
            text = f"what was changed before version {self._since} is not known any more: read the directory again"
            raise StaleError([f"base: found {base}; {text}"])
        changed = [(one, self._last[one]) for one in touched if one in self._last and self._last[one].version > base]
        if changed:
            raise StaleError(
                [
                    f"{one.section}.{one.id}: {shown(last.who)} changed it in version {last.version}, after {base}"
                    for one, last in changed
                ]
            )
