"""Removes visitors a day after their time, by an edit of the controller itself.

One rule: nobody is removed while the clock cannot be trusted, or while the directory is managed elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.access.edits import BroughtBy, edit_directory, elsewhere
from edge.model.messages import SYSTEM
from edge.people.slices import aside
from edge.people.visitors import leaving

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.access.people import People

LOG: Final = logging.getLogger("doord")
LONGEST_NAP_S: Final = 3600.0
"""The longest wait: meanwhile the clock may be set, or a visit be changed."""
AGAIN_S: Final = 60.0
"""The wait for a clock that is set, and after an edit that was refused."""
SOON_S: Final = 1.0
BY_ITSELF: Final = BroughtBy(Path("end of visits"), SYSTEM)


class Visitors:
    """The visitors of one controller, on their way out."""

    def __init__(self, people: People, mistake: Callable[[Exception], None]) -> None:
        """Nothing is done before `run`. `mistake` records an error in doord itself."""
        self._people, self._mistake = people, mistake

    async def run(self) -> None:
        """Remove who is due until cancelled; begins when the directory is loaded."""
        await self._people.started.wait()
        while True:
            try:
                nap_s = await self._look()
            except Exception as error:  # noqa: BLE001 -- an error of our own: doors and everybody else go on
                self._mistake(error)
                nap_s = LONGEST_NAP_S
            await asyncio.sleep(nap_s)

    async def _look(self) -> float:
        """Remove who is due. Returns how long to wait for the next, in seconds."""
        moment, people = self._people.timetable.moment(), self._people
        if not moment.trusted or elsewhere(people.managed, upstream=False) is not None:
            return AGAIN_S
        directory = people.directory.in_force
        plan, due = await aside(leaving(directory, moment.at))
        if not plan.changes:
            wait_s = LONGEST_NAP_S if due is None else (due - moment.at).total_seconds()
            return min(max(wait_s, SOON_S), LONGEST_NAP_S)
        edit = await edit_directory(people, plan.changes, directory.version, BY_ITSELF, upstream=False)
        if edit.code is None:
            return SOON_S
        LOG.warning("visitors whose time is over are not removed yet: %s", edit.text)
        return AGAIN_S
