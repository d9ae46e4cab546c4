"""Isolates parts that doors do not need, such as alerts: when one fails, the doors and the other parts go on.

One rule: an exception is logged and kept for `doorctl diagnose`, and never passed on.
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
        """No part has failed."""
        self.failed: dict[str, str] = {}
        """Part -> its error. Only a restart starts a failed part again."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Run a piece of this part; an exception is recorded and ends here."""
        try:
            yield
        except Exception as error:
            LOG.critical("%s has failed and does not run; doors are not affected", name, exc_info=error)
            self.failed[name] = f"{type(error).__name__}: {error}"

    def watch(self, name: str, task: asyncio.Task[None]) -> None:
        """If this task fails, the part has failed."""

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled():
                with self.part(name):
                    done.result()

        task.add_done_callback(ended)
