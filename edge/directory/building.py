"""Builds a directory beside doors that are being served.

One rule: slice by slice, each on another thread; the loop never waits for more than a switch of threads.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Final

from edge.directory.document.reading import DirectoryError, reading
from edge.model.problems import ConfigError, Problem
from edge.system.memory import too_large

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.directory import Directory

LOG: Final = logging.getLogger(__name__)
FREEZE_EVERY: Final = 10
"""See `edge.directory.document.reading.reading`."""


async def built(
    document: bytes, source: Path, zone: tzinfo, *, doors: Collection[str] | None = None, above: int | None = None
) -> Directory:
    """Read a directory as `edge.directory.document.reading.reading` does. Raises DirectoryError."""
    if reason := await asyncio.to_thread(too_large, len(document)):
        raise DirectoryError([Problem(source, "", reason)])
    steps = reading(document, source, zone, doors=doors, above=above)
    count = 0
    try:
        while (directory := await asyncio.to_thread(_next, steps)) is None:  # some slices hash a PIN
            count += 1
            if count % FREEZE_EVERY == 0:
                gc.freeze()
    except ConfigError:
        raise
    except Exception as mistake:  # of ours: the directory in force, and the doors, go on
        LOG.exception("%s cannot be read", source)
        raise DirectoryError([Problem(source, "", f"a mistake in doord itself: {type(mistake).__name__}")]) from mistake
    return directory


def _next(steps: Generator[None, None, Directory]) -> Directory | None:
    """One slice; the directory after the last one."""
    try:
        next(steps)
    except StopIteration as done:
        directory: Directory = done.value
        return directory
    return None
