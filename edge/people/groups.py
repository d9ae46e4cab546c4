"""Which group somebody means, and the groups that are made for visitors.

One rule: a group is one of these by its id, which its doors make: no group that somebody made is taken for one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edge.people.finding import NotFoundError, folded
from edge.people.names import free_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.directory.directory import Directory, Group
    from edge.model.messages import Json

MOST_NAMED: Final = 10
LONGEST_ID: Final = 56
"""Of a group for visitors; leaves room for a number."""
LONGEST_NAME: Final = 100


def find_group(directory: Directory, text: str) -> Group:
    """The group of this id or name, or the only one that begins so. Raises NotFoundError."""
    wanted = folded(text)
    names = {one.id: {folded(one.id), folded(one.name)} for one in directory.groups.values()}
    exact = [one for one, called in names.items() if wanted in called]
    found = exact or [one for one, called in names.items() if wanted and any(c.startswith(wanted) for c in called)]
    if len(found) == 1:
        return directory.groups[found[0]]
    shown = ", ".join(f"{directory.groups[one].name} ({one})" for one in sorted(found or names)[:MOST_NAMED])
    if found:
        raise NotFoundError("ambiguous", f"{text.strip()!r} may be {shown}")
    expected = f"expected one such as {shown}" if names else "there is no group yet"
    raise NotFoundError("unknown_group", f"no group is called {text.strip()!r}; {expected}")


class GroupNames:
    """The groups of one directory by their ids and names in full, for files: a beginning is not enough there."""

    def __init__(self, directory: Directory) -> None:
        """Every group is looked at once."""
        self._directory = directory
        self._ids: dict[str, set[str]] = {}
        for group in directory.groups.values():
            for called in (group.id, group.name):
                self._ids.setdefault(folded(called), set()).add(group.id)

    def text(self, group: str) -> str:
        """Its name, or its id where the name may be taken for another group."""
        name = self._directory.groups[group].name
        is_clear = self._ids[folded(name)] == {group} and ";" not in name and name == " ".join(name.split())
        return name if is_clear else group

    def known(self, text: str) -> str | None:
        """The id of the group that is called so; None when there is none, or several."""
        if text in self._directory.groups:
            return text
        found = self._ids.get(folded(text), set())
        return next(iter(found)) if len(found) == 1 else None

    def find(self, text: str) -> str:
        """The id of the group that is called so. Raises NotFoundError, with what may have been meant."""
        if known := self.known(text):
            return known
        near = find_group(self._directory, text)
        raise NotFoundError("unknown_group", f"no group is called {text!r}; did you mean {near.name} ({near.id})?")


def visitors_group(directory: Directory, doors: Mapping[str, str]) -> tuple[str, dict[str, Json] | None]:
    """The group of visitors who may pass just these doors (id to name), and its entry when it has to be made."""
    for group in directory.groups.values():
        if group.doors == doors.keys() and is_for_visitors(group):
            return group.id, None
    own = free_id(_id_of(doors), directory.groups.__contains__)
    name = f"Visitors: {', '.join(doors.values())}"
    name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return own, {"id": own, "name": name, "doors": [*sorted(doors)]}


def is_for_visitors(group: Group) -> bool:
    """Whether the group was made for visitors, and is still as it was made."""
    own = _id_of(group.doors)
    is_made = group.id == own or re.fullmatch(rf"{re.escape(own)}-[0-9]+", group.id) is not None
    return is_made and bool(group.doors) and group.schedule is None and not group.stops


def _id_of(doors: Iterable[str]) -> str:
    return f"visitors-{'-'.join(sorted(doors))}"[:LONGEST_ID]
