"""Work on a large directory, a slice at a time.

One rule: whoever does the work yields between slices, and whoever asks for it says what happens there.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")
FREEZE_EVERY: Final = 10
"""Slices."""


def at_once(steps: Generator[None, None, T]) -> T:
    """The result, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: T = done.value
            return made


async def aside(steps: Generator[None, None, T], *, freeze: bool = False) -> T:
    """The result; each slice is worked on by another thread, and doors go first in between.

    `freeze`: the work makes very many objects that stay. The garbage collector is kept from looking through them
    again and again, which takes longer than a door may wait.
    """
    count = 0
    while (done := await asyncio.to_thread(_slice, steps)) is None:
        count += 1
        if freeze and count % FREEZE_EVERY == 0:
            gc.freeze()
    return done[0]


def _slice(steps: Generator[None, None, T]) -> tuple[T] | None:
    try:
        next(steps)
    except StopIteration as done:
        made: T = done.value
        return (made,)
    return None
