"""Writes a `Directory` as a document, to be stored: PINs and tokens are in it as hashes only.

One rule: reading what is written here gives an equal directory.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.directory.document.forms import short
from edge.directory.document.tables import KEYS, READER_KEYS, READERS, SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.directory.directory import Directory


def written(directory: Directory) -> Iterator[str]:
    """Yield the text of the document in pieces, an entry each, one entry a line."""
    yield f'{{"version": {directory.version}'
    for section in SECTIONS:
        values = getattr(directory, section).values()
        yield f',\n"{section}": ['
        for index, value in enumerate(values):
            yield (",\n  " if index else "\n  ") + json.dumps(short(entry(section, value)), ensure_ascii=False)
        yield "]"
    yield "}\n"


def entry(section: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any value of a directory
    """A value as an entry of this list, with all its keys."""
    reader = READER_KEYS.entry(value.asking) if section in READERS else {}
    return {"id": value.id, **reader, **KEYS[section].entry(value)}
