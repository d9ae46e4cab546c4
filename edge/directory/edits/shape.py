"""What an edit looks like: a list of changes, each of one entry.

One rule: a change names its entry by kind and id and contains the whole entry; an edit changes an entry only once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.document import tables
from edge.model.problems import dotted, meant, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.model.problems import ProblemReport

KINDS: Final = {section.removesuffix("s"): section for section in tables.SECTIONS}
"""The kind of an entry in a change -> the list of the document that has such entries."""


class Touched(NamedTuple):
    """An entry that was put or removed."""

    section: str
    id: str


class EntryChange(NamedTuple):
    """One change with the right shape. `entry` is None when the entry is removed."""

    where: str
    kind: str
    id: str
    entry: Mapping[str, Any] | None

    @property
    def section(self) -> str:
        """The list of the document that has the entry."""
        return KINDS[self.kind]


def touched_by(changes: Iterable[object]) -> list[Touched]:
    """Return the entries that changes name; whatever does not have the shape of a change is left out."""
    named = []
    for one in changes:
        change = one if isinstance(one, dict) else {}
        entry = change.get("entry", change)
        kind, entry_id = change.get("put", change.get("remove")), entry.get("id") if isinstance(entry, dict) else None
        if isinstance(kind, str) and kind in KINDS and isinstance(entry_id, str):
            named.append(Touched(KINDS[kind], entry_id))
    return named


def read_changes(report: ProblemReport, changes: Sequence[object]) -> list[EntryChange]:
    """Return the changes with the right shape; problems of the others go into the report."""
    if not changes:
        report.add("changes", "found an empty list, expected at least one change")
    good: dict[Touched, EntryChange] = {}
    for index, one in enumerate(changes):
        change = _read(report, dotted("changes", index), one)
        if change is None:
            continue
        own = Touched(change.section, change.id)
        if own in good:
            where = dotted(change.where, "id" if change.entry is None else "entry.id")
            report.add(where, f"found {shown(change.id)} a second time, expected one change of each entry")
        good.setdefault(own, change)
    return [*good.values()]


def _read(report: ProblemReport, where: str, change: object) -> EntryChange | None:
    own = change if isinstance(change, dict) else {}
    verb, value = ("put", "entry") if "put" in own else ("remove", "id")
    if own.keys() != {verb, value}:
        report.add(where, f"found {shown(change)}, expected {{ put, entry }} or {{ remove, id }}")
        return None
    kind, entry = own[verb], own.get("entry")
    entry_id = own["id"] if verb == "remove" else entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        report.add(dotted(where, verb), f"found {shown(kind)}, {meant(str(kind), KINDS)}")
    elif verb == "put" and not isinstance(entry, dict):
        report.add(dotted(where, "entry"), f"found {shown(entry)}, expected a table")
    elif not isinstance(entry_id, str):
        at = dotted(where, "id" if verb == "remove" else "entry.id")
        report.add(at, f"found {shown(entry_id)}, expected {tables.ID_EXPECTED}")
    else:
        return EntryChange(where, kind, entry_id, entry)
    return None
