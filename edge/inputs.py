"""The inputs of one door: a debouncer each, and one timer for the next that must settle.

One rule: it only settles levels; what a level means is for the rules to say.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.debounce import Debouncer, Settled, Unstable

    Report: TypeAlias = Settled | Unstable

NS: Final = NS_PER_S


class Inputs:
    """Feeds edges to the debouncers by role and hands on what has settled."""

    def __init__(
        self,
        debouncers: Mapping[str, Debouncer],
        settled: Callable[[str, Report], None],
        read_back: Callable[[str], bool | None],
        now_ns: Callable[[], int],
    ) -> None:
        """`settled(role, report)` is called at once, on the loop; `read_back(role)` reads a level now."""
        self._debouncers = dict(debouncers)
        self._settled = settled
        self._read_back = read_back
        self._now_ns = now_ns
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns: int | None = None

    def feed(self, role: str, asserted: bool, at_ns: int, *, initial: bool) -> None:
        """Take an edge, or the level found at start or on return of the line."""
        debouncer = self._debouncers[role]
        reports = debouncer.reset(asserted, at_ns) if initial else debouncer.feed(asserted, at_ns)
        self._hand_on(role, reports)
        self._arm()

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due_ns = None, None

    def _hand_on(self, role: str, reports: list[Report]) -> None:
        for report in reports:
            self._settled(role, report)

    def _arm(self) -> None:
        due_ns = min((d.deadline_ns for d in self._debouncers.values() if d.deadline_ns is not None), default=None)
        if due_ns == self._due_ns:
            return
        self.stop()
        if due_ns is not None:
            delay_s = max(0, due_ns - self._now_ns()) / NS
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)
            self._due_ns = due_ns

    def _due(self) -> None:
        self._timer, self._due_ns = None, None
        now_ns = self._now_ns()
        for role, debouncer in self._debouncers.items():
            deadline_ns = debouncer.deadline_ns
            if deadline_ns is not None and deadline_ns <= now_ns:
                self._hand_on(role, debouncer.expire(now_ns, self._read_back(role)))
        self._arm()
