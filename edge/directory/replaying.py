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
from edge.directory.edits.shape import touched_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.store import StoredDirectory, StoredEdit
    from edge.model.messages import Actor

LOG: Final = logging.getLogger(__name__)


class Unrecorded(NamedTuple):
    """A version whose changes may not all be in the log yet."""

    version: int
    actor: Actor
    document: Directory | None
    """The new version. None: it was an edit."""
    edits: Sequence[Mapping[str, Any]] | None
    """The changes of the edit. None: it was a whole document."""


class TakenUp(NamedTuple):
    """The directory that was stored."""

    directory: Directory
    about: StoredDirectory
    """About the last change, without documents and edits."""
    before: Directory
    """The version before the first of `unrecorded`."""
    unrecorded: list[Unrecorded]
    """In order; `directory` is the last of them."""


async def taken_up(stored: StoredDirectory, source: Path, zone: tzinfo) -> TakenUp:
    """Build the stored directory, in slices. Raises DirectoryError when it cannot be used."""
    document = await built(stored.document, source, zone)
    about = replace(stored, document=b"", previous=None, edits=(), previous_edits=())
    if stored.edits:
        last = stored.edits[-1]
        about = replace(about, version=last.version, source=last.source, actor=last.actor, at_us=last.at_us)
    recorded = sum(edit.audited for edit in stored.edits) if stored.audited else 0
    edits = stored.edits[recorded:]
    unrecorded = [Unrecorded(edit.version, edit.actor, None, edit.changes) for edit in edits]
    before = await _replayed(document, stored.edits[:recorded], source, zone)
    now = await _replayed(before, edits, source, zone)
    if not stored.audited:
        before = await _previous(stored, source, zone)
        unrecorded.insert(0, Unrecorded(stored.version, stored.actor, document, None))
    return TakenUp(now, about, before, unrecorded)


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
    if not edits:
        return before
    changes = [change for edit in edits for change in edit.changes]
    return await made_again(before, edits[-1].version, changes, source, zone)


async def made_again(
    before: Directory, version: int, edits: Sequence[Mapping[str, Any]], source: Path, zone: tzinfo
) -> Directory:
    """Apply what edits changed, in order; it was checked when they were made. Raises DirectoryError."""
    last = dict(zip(touched_by(edits), edits, strict=True))
    changes = [change for own, change in last.items() if "put" in change or own.id in getattr(before, own.section)]
    if not changes:
        return replace(before, version=version)
    made = await made_aside(editing(before, changes, source, zone), source)
    return replace(made.directory, version=version)
