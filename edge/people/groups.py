"""Which group somebody means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.people.finding import NotFoundError, folded

if TYPE_CHECKING:
    from edge.directory.directory import Directory, Group

MOST_NAMED: Final = 10


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
