"""Writes a `Directory` as a document, to be stored: PINs and tokens are in it as hashes only.

One rule: reading what is written here gives an equal directory.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge.directory.document.forms import short
from edge.directory.document.tables import KEYS, READER_KEYS, READERS, SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.directory.directory import Directory


def written(
    directory: Directory, after: int = 0, told: Callable[[str, Any], dict[str, Any]] | None = None
) -> Iterator[str]:
    """Yield the text of the document in pieces, an entry each, one entry a line.

    Leaves out the first `after` pieces. `told` makes the entry of a value where it is to be another than `entry`.
    """
    make, last = told or entry, [*SECTIONS][-1]
    for section in SECTIONS:
        values = getattr(directory, section).values()
        pieces = max(1, len(values))
        if after >= pieces:
            after -= pieces
            continue
        head = f'{{"version": {directory.version}' if section == next(iter(SECTIONS)) else ""
        begin, end = f'{head},\n"{section}": [', "]}\n" if section == last else "]"
        if not values:
            yield begin + end
        for number, value in enumerate(islice(values, after, None), after + 1):
            text = json.dumps(short(make(section, value)), ensure_ascii=False)
            yield f"{begin if number == 1 else ','}\n  {text}{end if number == pieces else ''}"
        after = 0


def entry(section: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any value of a directory
    """A value as an entry of this list, with all its keys."""
    reader = READER_KEYS.entry(value.asking) if section in READERS else {}
    return {"id": value.id, **reader, **KEYS[section].entry(value)}
