"""The inputs of one door: a debouncer for each, and one timer for the next deadline of any of them.

One rule: it only settles levels; the rules decide what a level means.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.doors.debounce import Debouncer, Unstable
    from edge.model.messages import Settled

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
        stirs: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """`settled(role, report)` is called at once, on the loop; `read_back(role)` reads a level now.

        `stirs(role, since_ns, until_ns)` is called when an input begins to change; it has settled by `until_ns` at
        the latest. It is called with `until_ns` 0 when the input is at rest again.
        """
        self._debouncers = dict(debouncers)
        self._stirs = stirs
        self._stirring: dict[str, int] = {}
        self._settled = settled
        self._read_back = read_back
        self._now_ns = now_ns
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns: int | None = None

    def feed(self, role: str, asserted: bool, at_ns: int, *, initial: bool, lost: int = 0) -> None:
        """Take an edge, before which `lost` edges were missed; `initial`: the level at start or on return of the line.

        Many edges cost no more each than one: when the deadline moves to later, the timer is not set again.
        """
        debouncer = self._debouncers[role]
        reports = debouncer.reset(asserted, at_ns) if initial else debouncer.feed(asserted, at_ns, lost)
        others = [(r, d) for r, d in self._debouncers.items() if r != role]
        before = [(r, report) for r, d in others for report in d.expire(at_ns, None)]  # when this wake-up is late
        try:
            self._hand_on([*before, *((role, report) for report in reports)])
        finally:
            self._arm()

    def forget(self, role: str) -> None:
        """The line of this input is lost: forget its level and unsettled edges."""
        if role in self._debouncers:
            self._debouncers[role].forget()
            self._hand_on([])
            self._arm()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due_ns = None, None

    def _hand_on(self, reports: list[tuple[str, Report]]) -> None:
        """Hand on reports in the order of their first edges; of two at the same time, the contact comes last (R4).

        Before all reports it is said which inputs have begun to change, after them which are at rest again.
        """
        before = self._stirring
        found = {role: debouncer.unsettled_since_ns for role, debouncer in self._debouncers.items()}
        self._stirring = {role: since_ns for role, since_ns in found.items() if since_ns is not None}
        self._tell(role for role, since_ns in self._stirring.items() if before.get(role) != since_ns)
        for role, report in sorted(reports, key=lambda one: (one[1].at_ns, one[0] == "contact")):
            self._settled(role, report)
        self._tell(before.keys() - self._stirring.keys())

    def _tell(self, roles: Iterable[str]) -> None:
        if self._stirs is not None:
            for role in sorted(roles):
                self._stirs(role, self._stirring.get(role, 0), self._debouncers[role].settles_by_ns or 0)

    def _arm(self) -> None:
        due_ns = min((d.deadline_ns for d in self._debouncers.values() if d.deadline_ns is not None), default=None)
        if due_ns is not None and (self._due_ns is None or due_ns < self._due_ns):
            self.stop()
            delay_s = max(0, due_ns - self._now_ns()) / NS
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)
            self._due_ns = due_ns

    def _due(self) -> None:
        self._timer, self._due_ns = None, None
        now_ns = self._now_ns()
        due = [(r, d) for r, d in self._debouncers.items() if d.deadline_ns is not None and d.deadline_ns <= now_ns]
        try:
            self._hand_on([(r, report) for r, d in due for report in d.expire(now_ns, self._read_back(r))])
        finally:
            self._arm()
