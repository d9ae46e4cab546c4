"""Makes a directory of what is stored: of the document and the edits after it.

One rule: all edits are applied as one; of an entry that was changed more than once only the last change counts.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.building import built, made_aside
from edge.directory.directory import Directory
from edge.directory.document.reading import DirectoryError
from edge.directory.edits.making import editing
from edge.directory.edits.shape import Touched, touched_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.store import StoredDirectory, StoredEdit
    from edge.model.messages import Actor

LOG: Final = logging.getLogger(__name__)


class Unrecorded(NamedTuple):
    """The last change, when it may not be in the log yet."""

    before: Directory
    actor: Actor
    touched: list[Touched] | None
    """The entries that it changed; None: it was a whole document."""


class TakenUp(NamedTuple):
    """The directory that was stored."""

    directory: Directory
    about: StoredDirectory
    """About the last change, without documents and edits."""
    unrecorded: Unrecorded | None


async def taken_up(stored: StoredDirectory, source: Path, zone: tzinfo) -> TakenUp:
    """Build the stored directory, in slices. Raises DirectoryError when it cannot be used."""
    directory = await built(stored.document, source, zone)
    about = replace(stored, document=b"", previous=None, edits=(), previous_edits=())
    if not stored.edits:
        unrecorded = None if stored.audited else Unrecorded(await _previous(stored, source, zone), stored.actor, None)
        return TakenUp(directory, about, unrecorded)
    last = stored.edits[-1]
    about = replace(about, version=last.version, source=last.source, actor=last.actor, at_us=last.at_us)
    if last.audited:
        return TakenUp(await _replayed(directory, stored.edits, source, zone), about, None)
    before = await _replayed(directory, stored.edits[:-1], source, zone)
    unrecorded = Unrecorded(before, last.actor, touched_by(last.changes))
    return TakenUp(await _replayed(before, [last], source, zone), about, unrecorded)


async def _previous(stored: StoredDirectory, source: Path, zone: tzinfo) -> Directory:
    """The version before; an empty one where it cannot be used."""
    if stored.previous is None:
        return Directory()
    try:
        before = await built(stored.previous, source, zone)
        return await _replayed(before, stored.previous_edits, source, zone)
    except DirectoryError as error:
        LOG.warning("the directory before the stored one cannot be used: %s", error.problems[0])
        return Directory()


async def _replayed(before: Directory, edits: Sequence[StoredEdit], source: Path, zone: tzinfo) -> Directory:
    """Apply the edits; they were checked when they were made."""
    last: dict[Touched, Mapping[str, Any]] = {}
    for edit in edits:
        last |= zip(touched_by(edit.changes), edit.changes, strict=True)
    changes = [change for own, change in last.items() if "put" in change or own.id in getattr(before, own.section)]
    version = edits[-1].version if edits else before.version
    if not changes:
        return replace(before, version=version)
    made = await made_aside(editing(before, changes, source, zone), source)
    return replace(made.directory, version=version)
