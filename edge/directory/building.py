"""Builds a directory in the background while doors are served.

One rule: each slice runs on another thread; the loop never waits for more than a switch of threads.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Final, TypeVar

from edge.directory.document.reading import DirectoryError, reading
from edge.model.problems import ConfigError, Problem
from edge.system.memory import too_large

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.directory import Directory

LOG: Final = logging.getLogger(__name__)
T = TypeVar("T")
FREEZE_EVERY: Final = 10
"""See `edge.directory.document.reading.reading`."""


async def built(
    document: bytes, source: Path, zone: tzinfo, *, doors: Collection[str] | None = None, above: int | None = None
) -> Directory:
    """Read a directory as `edge.directory.document.reading.reading` does. Raises DirectoryError."""
    if reason := await asyncio.to_thread(too_large, len(document)):
        raise DirectoryError([Problem(source, "", reason)])
    return await made_aside(reading(document, source, zone, doors=doors, above=above), source)


async def made_aside(steps: Generator[None, None, T], source: Path) -> T:
    """Take these steps one by one. Raises DirectoryError."""
    count = 0
    try:
        while (made := await asyncio.to_thread(_next, steps)) is None:  # some slices hash a PIN
            count += 1
            if count % FREEZE_EVERY == 0:
                gc.freeze()
    except ConfigError:
        raise
    except Exception as mistake:  # of ours: the directory in force, and the doors, go on
        LOG.exception("%s cannot be taken over", source)
        raise DirectoryError([Problem(source, "", f"a mistake in doord itself: {type(mistake).__name__}")]) from mistake
    return made


def _next(steps: Generator[None, None, T]) -> T | None:
    """Do one slice. Returns what was made after the last slice, None before."""
    try:
        next(steps)
    except StopIteration as done:
        made: T = done.value
        return made
    return None
