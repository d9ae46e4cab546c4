"""Edges with time stamps become settled levels (R17).

Three rules: a level counts when it has stood for `debounce_ms`; the change is dated by the first
edge of the unrest that led to it; unrest longer than `instability_ms` is reported once and the
level is then read back. Only time stamps count, never when a call happened to be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Settled:
    """The input has taken another level; `at_ns` is the first edge of the change."""

    level: bool
    at_ns: int
    read_back: bool = False
    """The level was read, not learnt from an edge: edges were lost, or the unrest did not end."""
    initial: bool = False
    """The level found at start or on return of the line."""


@dataclass(frozen=True, slots=True)
class Unstable:
    """The input has been restless for longer than its limit, since `at_ns` minus the limit."""

    at_ns: int


Report: TypeAlias = Settled | Unstable


class Debouncer:
    """One input. Whoever feeds it calls `expire` when `deadline_ns` has come.

    `Settled` reports of one input alternate, initial ones apart. With `debounce_ms` 0 every edge
    passes and nothing is ever unstable.
    """

    __slots__ = ("_edge_ns", "_first_ns", "_limit_ns", "_quiet_ns", "_raw", "_read", "_restless", "level")

    def __init__(self, debounce_ms: int, instability_ms: int) -> None:
        """`instability_ms` counts as `debounce_ms` where it is shorter."""
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

    @property
    def unsettled_since_ns(self) -> int | None:
        """The first edge that has not been settled yet, or None at rest."""
        return self._first_ns

    @property
    def deadline_ns(self) -> int | None:
        """When to call `expire`, or None at rest."""
        if self._first_ns is None:
            return None
        return min(self._edge_ns + self._quiet_ns, self._first_ns + self._limit_ns)

    def reset(self, level: bool, at_ns: int) -> list[Report]:
        """Take the level found at start or on return of the line: it counts at once."""
        self.level = self._raw = level
        self._edge_ns, self._first_ns = at_ns, None
        self._read = self._restless = False
        return [Settled(level, at_ns, initial=True)]

    def forget(self) -> None:
        """The line is lost: what has not settled never will; the level comes anew with `reset`."""
        self.level = self._raw = self._first_ns = None
        self._read = self._restless = False

    def feed(self, level: bool, at_ns: int) -> list[Report]:
        """Take an edge to `level`. One to the level that stood already means that others were missed."""
        at_ns = max(at_ns, self._edge_ns)  # a time stamp that runs backwards must not undo what was said
        reports = self._pass(at_ns, None)
        if self._first_ns is None:
            if self._restless and at_ns - self._edge_ns >= self._limit_ns:
                self._restless = False
            if level is not self.level:
                self._first_ns = at_ns
        self._edge_ns, self._raw, self._read = at_ns, level, False
        return reports + (self._pass(at_ns, None) if self._quiet_ns == 0 else [])

    def expire(self, now_ns: int, read_back: bool | None) -> list[Report]:
        """Judge what is due at `now_ns`; `read_back` is the level read just now, None if unknown.

        When an unrest seems over and the level read is another than the last edge said, an edge
        was lost or is still on its way: the unrest goes on, with the level that was read.
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
        """Let time pass: what was due in the meantime is judged as of then."""
        reports: list[Report] = []
        while self._first_ns is not None:
            quiet_ns, limit_ns = self._edge_ns + self._quiet_ns, self._first_ns + self._limit_ns
            if min(quiet_ns, limit_ns) > until_ns:
                break
            if quiet_ns <= limit_ns:
                reports += self._settle(read=self._read)
            elif self._restless:
                self._first_ns = self._edge_ns  # a change is dated within its own limit, however long the unrest
            else:
                self._restless = True
                reports.append(Unstable(limit_ns))
                reports += self._settle(read=read_back is not None)
        return reports

    def _settle(self, *, read: bool) -> list[Report]:
        """Take the raw level, dated by the first edge."""
        at_ns, self._first_ns = self._first_ns, None
        if self._raw is self.level or self._raw is None or at_ns is None:
            return []
        self.level = self._raw
        return [Settled(self.level, at_ns, read)]
