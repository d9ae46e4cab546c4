"""Runs plans, and makes one that fails smaller."""

from __future__ import annotations

import shutil
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.simulation.settings import settings_of
from tests.simulation.world import BrokenError, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.simulation.plan import Plan

MEMORY: Final = Path("/dev/shm")
MOST_TRIES: Final = 300
"""How often a plan that fails is run to make it smaller."""


class Bench:
    """A folder in which plans are run one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "card"

    def run(self, plan: Plan) -> World:
        """Raises BrokenError, or whatever the production code raised."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        world = World(plan, self._folder, settings_of(plan, self._folder))
        world.run()
        return world

    def fails(self, plan: Plan) -> tuple[str, str] | None:
        """The rule that does not hold and what was seen; None when all is well."""
        try:
            self.run(plan)
        except BrokenError as broken:
            return broken.rule, str(broken)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what was looked for
            return type(error).__name__, traceback.format_exc()
        return None

    def shrunk(self, plan: Plan, rule: str) -> list[int]:
        """Which actions are enough to break the same rule: fewer and fewer, in pieces that become smaller."""
        kept = list(range(len(plan.actions)))
        tries, size = 0, max(1, len(kept) // 2)
        while tries < MOST_TRIES:
            smaller, tries = self._once(plan, rule, kept, size, tries)
            if len(smaller) == len(kept) and size == 1:
                break
            size = max(1, min(size // 2 if len(smaller) == len(kept) else size, len(smaller) // 2 or 1))
            kept = smaller
        return kept

    def _once(self, plan: Plan, rule: str, kept: Sequence[int], size: int, tries: int) -> tuple[list[int], int]:
        left, at = list(kept), 0
        while at < len(left) and tries < MOST_TRIES:
            tries += 1
            without = left[:at] + left[at + size :]
            failed = self.fails(plan.only(without))
            if failed is not None and failed[0] == rule:
                left = without
            else:
                at += size
        return left, tries


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench on a disk in memory, if there is one."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None, prefix="doorward-") as folder:
        yield Bench(Path(folder))
