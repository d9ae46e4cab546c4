"""Edges with time stamps become settled levels (R17).

Four rules: a level counts when it has stood for `debounce_ms`. The change is dated by the first
edge of the unrest that led to it. Unrest longer than `instability_ms` is reported once, and the
level is then read back; more edges or changes than intact hardware makes are unrest, too. Only
time stamps count, never when a call happened to be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from edge.model.messages import Settled

NS_PER_MS: Final = 1_000_000
EDGES: Final = 300
"""More edges in a row than this, faster than one in `EDGE_NS`, are unrest, however quiet it seems in between."""
EDGE_NS: Final = 40 * NS_PER_MS
CHANGES: Final = 30
"""So are more settled changes in a row than this, faster than one in `CHANGE_NS`."""
CHANGE_NS: Final = 500 * NS_PER_MS
"""A turnstile that lets somebody pass every second stays below it."""


@dataclass(frozen=True, slots=True)
class Unstable:
    """The input has been restless for longer than its limit, or made more edges or changes than it ever should."""

    at_ns: int


Report: TypeAlias = Settled | Unstable


class Debouncer:
    """One input. The caller has to call `expire` when `deadline_ns` has come.

    `Settled` reports of one input alternate, except initial ones. With `debounce_ms` 0 every edge
    passes until there are too many.
    """

    __slots__ = (
        "_changes_ns",
        "_edge_ns",
        "_edges_ns",
        "_first_ns",
        "_judged",
        "_limit_ns",
        "_quiet_ns",
        "_raw",
        "_read",
        "_restless",
        "_urgent",
        "level",
    )

    def __init__(self, debounce_ms: int, instability_ms: int, urgent: frozenset[bool] = frozenset()) -> None:
        """`instability_ms` is taken to be at least `debounce_ms`.

        While the input is restless, a level counts only when it has stood for `instability_ms`. For the levels in
        `urgent`, `debounce_ms` is always enough.
        """
        self._urgent: Final = urgent
        self._quiet_ns: Final = debounce_ms * NS_PER_MS
        self._limit_ns: Final = max(instability_ms, debounce_ms) * NS_PER_MS
        self.level: bool | None = None
        """The settled level; None before the first one."""
        self._raw: bool | None = None
        self._read = False
        """Whether `_raw` was read back rather than seen as an edge."""
        self._edge_ns = 0
        self._first_ns: int | None = None
        self._restless = False
        """Reported as unstable, and not yet quiet for long enough to be reported again."""
        self._judged = False
        """The level has been read back in this unrest. That is done once, however long the unrest goes on."""
        self._edges_ns = self._changes_ns = 0
        """When all edges, and all changes, so far would have happened at the allowed rate."""

    @property
    def unsettled_since_ns(self) -> int | None:
        """The first edge that has not been settled yet, or None at rest."""
        return self._first_ns

    @property
    def deadline_ns(self) -> int | None:
        """When to call `expire`, or None at rest."""
        if self._first_ns is None:
            return None
        return min(self._settles_ns, self._first_ns + self._limit_ns)

    @property
    def settles_by_ns(self) -> int | None:
        """When what is unsettled now has settled at the latest, or None at rest."""
        return None if self._first_ns is None else self._first_ns + self._limit_ns

    @property
    def _settles_ns(self) -> int:
        """When the level has stood for long enough, should nothing more happen."""
        patient = self._restless and self._raw not in self._urgent
        return self._edge_ns + (self._limit_ns if patient else self._quiet_ns)

    def reset(self, level: bool, at_ns: int) -> list[Report]:
        """Take the level found at start or on return of the line: it counts at once."""
        self.level = self._raw = level
        self._edge_ns, self._first_ns = at_ns, None
        self._read = self._restless = self._judged = False
        return [Settled(level, at_ns, initial=True)]

    def forget(self) -> None:
        """The line is lost: forget the level and unsettled edges. `reset` brings the level again."""
        self.level = self._raw = self._first_ns = None
        self._read = self._restless = self._judged = False

    def feed(self, level: bool, at_ns: int, lost: int = 0) -> list[Report]:
        """Take an edge to `level`; `lost` edges before it were missed.

        An edge to the level that stood already means that edges were missed, too.
        """
        at_ns = max(at_ns, self._edge_ns)  # a time stamp that runs backwards must not change what was reported
        reports = self._pass(at_ns, None)
        if self._first_ns is None:
            if at_ns - self._edge_ns >= self._limit_ns and not self._too_many(at_ns, 0.5):
                self._restless = self._judged = False
            if level is not self.level:
                self._first_ns = at_ns
        self._edge_ns, self._raw, self._read = at_ns, level, False
        self._edges_ns = max(self._edges_ns, at_ns) + EDGE_NS * (1 + lost)
        if lost or self._too_many(at_ns):
            reports += self._unrest(at_ns)
        return reports + (self._pass(at_ns, None) if self._quiet_ns == 0 else [])

    def _too_many(self, at_ns: int, share: float = 1.0) -> bool:
        """Whether edges or changes have used up this share of their allowance."""
        edges, changes = self._edges_ns - at_ns, self._changes_ns - at_ns
        return edges > share * EDGES * EDGE_NS or changes > share * CHANGES * CHANGE_NS

    def _unrest(self, at_ns: int) -> list[Report]:
        """Report the unrest once."""
        reports: list[Report] = [] if self._restless else [Unstable(at_ns)]
        self._restless = True
        return reports

    def expire(self, now_ns: int, read_back: bool | None) -> list[Report]:
        """Judge what is due at `now_ns`; `read_back` is the level read just now, None if unknown.

        When an unrest seems over, but the level read is not that of the last edge, an edge was
        lost or is still on its way: the unrest goes on, with the level that was read.
        """
        due_ns = self.deadline_ns
        if due_ns is None or due_ns > now_ns:
            return []
        if read_back is not None and read_back is not self._raw:
            limit_ns = now_ns if self._first_ns is None else self._first_ns + self._limit_ns
            self._raw, self._read = read_back, True
            if now_ns < limit_ns:
                self._edge_ns = max(now_ns, self._edge_ns)
                return []
        return self._pass(now_ns, read_back)

    def _pass(self, until_ns: int, read_back: bool | None) -> list[Report]:
        """Let time pass: what was due in the meantime is judged at the time when it was due."""
        reports: list[Report] = []
        while self._first_ns is not None:
            quiet_ns, limit_ns = self._settles_ns, self._first_ns + self._limit_ns
            if min(quiet_ns, limit_ns) > until_ns:
                break
            if quiet_ns <= limit_ns:
                reports += self._settle(read=self._read)
            elif self._judged:
                self._first_ns = self._edge_ns  # a change is dated within its own limit, however long the unrest
            else:
                self._judged = True
                reports += self._unrest(limit_ns)
                reports += self._settle(read=read_back is not None)
        return reports

    def _settle(self, *, read: bool) -> list[Report]:
        """Take the raw level, dated by the first edge."""
        at_ns, self._first_ns = self._first_ns, None
        if self._raw is self.level or self._raw is None or at_ns is None:
            return []
        self.level = self._raw
        self._changes_ns = max(self._changes_ns, at_ns) + CHANGE_NS
        reports: list[Report] = [Settled(self.level, at_ns, read, restless=self._restless)]
        return reports + (self._unrest(self._edge_ns) if self._too_many(at_ns) else [])
