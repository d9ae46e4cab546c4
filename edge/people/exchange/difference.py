"""What comes of a whole document: the directory that it makes, and in which entries that differs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from edge.directory.document.reading import reading
from edge.directory.document.tables import SECTIONS
from edge.directory.document.writing import entry
from edge.model.problems import ConfigError
from edge.people.exchange.plan import MOST_TOLD, ImportPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.directory import Directory

SLICE: Final = 500
"""Entries that are compared between two yields."""
TOLD_AS: Final = {"pin_hash": "pin"}


def planning_document(
    directory: Directory, document: bytes, source: Path, zone: tzinfo, *, doors: Collection[str]
) -> Generator[None, None, ImportPlan]:
    """Plan to replace the directory by a document, in slices. Its version does not count. `"pin": "kept"` keeps one."""
    plan = ImportPlan(directory, directory, {"added": 0, "changed": 0, "removed": 0})
    try:
        plan.after = yield from reading(document, source, zone, doors=doors, over=directory)
    except ConfigError as error:
        plan.problems = [f"{one.key}: {one.message}".removeprefix(": ") for one in error.problems]
        return plan
    for section in SECTIONS:
        old, new = getattr(directory, section), getattr(plan.after, section)
        for count, own in enumerate(chain(new, (one for one in old if one not in new))):
            if old.get(own) != new.get(own):
                _tell(plan, section, old.get(own), new.get(own))
            if count % SLICE == 0:
                yield
    return plan


def _tell(plan: ImportPlan, section: str, old: Any, new: Any) -> None:  # noqa: ANN401 -- any values of a directory
    kind, value = section.removesuffix("s"), old if new is None else new
    how, sign = ("added", "+") if old is None else ("removed", "-") if new is None else ("changed", "~")
    plan.counts[how] += 1
    counts = plan.kinds.setdefault(kind, {"added": 0, "changed": 0, "removed": 0})
    counts[how] += 1
    if len(plan.told) >= MOST_TOLD:
        return
    name = _name(plan.before if new is None else plan.after, section, value)
    keys = ""
    if old is not None and new is not None:
        before, after = entry(section, old), entry(section, new)
        differ = (TOLD_AS.get(key, key) for key in after if before.get(key) != after.get(key))
        keys = f": {', '.join(dict.fromkeys(differ)) or 'in another way'}"
    plan.told.append(f"{sign} {kind} {f'{name} ({value.id})' if name else value.id}{keys}")


def _name(directory: Directory, section: str, value: Any) -> str | None:  # noqa: ANN401 -- as above
    if section == "members":
        return directory.user_of(value).name
    if section == "cards":
        return None if value.written is None else f"{value.format} {value.written}"
    name = getattr(value, "name", None)
    return None if name is None else str(name)
