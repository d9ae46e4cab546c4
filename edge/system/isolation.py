"""What doors do without: whatever goes wrong in a part, the others and the doors go on.

One rule: a fault is said and kept for `doorctl diagnose`; it leaves here for nobody.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

LOG: Final = logging.getLogger(__name__)


class Isolation:
    """The parts that have failed since the start."""

    def __init__(self) -> None:
        """None has."""
        self.failed: dict[str, str] = {}
        """Why, by part. Nothing but a restart begins a part anew."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Do something of this part; an exception ends it here."""
        try:
            yield
        except Exception as error:
            LOG.critical("%s ended; doors go on without", name, exc_info=error)
            self.failed[name] = f"{type(error).__name__}: {error}"

    def watch(self, name: str, task: asyncio.Task[None]) -> None:
        """This task works for the part; should it fail, so has the part."""

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled():
                with self.part(name):
                    done.result()

        task.add_done_callback(ended)
