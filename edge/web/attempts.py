"""How often somebody may try to sign in, where each further failure takes twice as long to come, or leave a record.

One rule: an attempt counts before its password is looked at, so that many at once are not one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

S_NS: Final = 1_000_000_000
FREE: Final = 5
"""Failures without a wait."""
ACCOUNT_CAP_S: Final = 300.0
"""Whoever knows a name can keep its owner out for no longer than this at a time."""
ADDRESS_CAP_S: Final = 900.0
FORGOTTEN_S: Final = 3_600.0
"""Failures older than this are none."""
MOST: Final = 4_096
"""Names and addresses remembered; the one heard of longest ago is forgotten first."""
RECORDED_A_MINUTE: Final = 10
"""Of each kind."""
MINUTE_S: Final = 60


@dataclass(slots=True)
class _Failures:
    count: int
    last_ns: int


class Attempts:
    """Failures by account and by address, in memory."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        """`now_ns` is a clock that is never set."""
        self._now_ns = now_ns
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, keys: Mapping[str, float]) -> float:
        """How long they must wait before they may try; `keys`: who -> the longest wait."""
        now_ns = self._now_ns()
        return max((self._wait_s(key, cap_s, now_ns) for key, cap_s in keys.items()), default=0.0)

    def _wait_s(self, key: str, cap_s: float, now_ns: int) -> float:
        found = self._failures.get(key)
        if found is None or found.count < FREE:
            return 0.0
        pause_s = min(cap_s, 2.0 ** min(found.count - FREE, 20))
        return max(0.0, pause_s - (now_ns - found.last_ns) / S_NS)

    def count(self, *keys: str) -> None:
        """One more attempt."""
        now_ns = self._now_ns()
        for key in keys:
            found = self._failures.pop(key, None)
            fresh = found is not None and now_ns - found.last_ns < FORGOTTEN_S * S_NS
            self._failures[key] = _Failures(found.count + 1 if found is not None and fresh else 1, now_ns)
        while len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """They knew the password."""
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        """The last attempt was none of a stranger; those before it still count."""
        found = self._failures.get(key)
        if found is not None:
            found.count -= 1


@dataclass(slots=True)
class _Minute:
    since_ns: int
    taken: int = 0


class PageRecordAllowance:
    """At most so many a minute of each kind: a flood of requests must not become a flood of records.

    Nobody outside may make up a kind: each is remembered for good.
    """

    def __init__(self, now_ns: Callable[[], int], most: int = RECORDED_A_MINUTE) -> None:
        """`now_ns` is a clock that is never set."""
        self._now_ns, self._most = now_ns, most
        self._minutes: dict[str, _Minute] = {}
        self.refused: Counter[str] = Counter()
        """How many of each kind, until somebody takes it out."""

    def take(self, kind: str) -> bool:
        """Whether one more of this kind is allowed now."""
        now_ns = self._now_ns()
        minute = self._minutes.get(kind)
        if minute is None or now_ns - minute.since_ns >= MINUTE_S * S_NS:
            minute = self._minutes[kind] = _Minute(now_ns)
        if minute.taken >= self._most:
            self.refused[kind] += 1
            return False
        minute.taken += 1
        return True
