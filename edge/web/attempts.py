"""Limits on attempts to sign in, whose wait doubles with each failure, and on the records that requests cause.

One rule: an attempt is counted before its password is checked, so that simultaneous attempts all count.
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
"""Longest wait for an account: somebody who knows its name can keep its owner out for no longer."""
ADDRESS_CAP_S: Final = 900.0
FORGOTTEN_S: Final = 3_600.0
"""Failures older than this do not count."""
MOST: Final = 4_096
"""Names and addresses that are kept; the one used longest ago is dropped first."""
RECORDED_A_MINUTE: Final = 10
"""Records a minute, of each kind."""
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
        """Seconds to wait before the next attempt; `keys`: account or address -> its longest wait in seconds."""
        now_ns = self._now_ns()
        return max((self._wait_s(key, cap_s, now_ns) for key, cap_s in keys.items()), default=0.0)

    def _wait_s(self, key: str, cap_s: float, now_ns: int) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < FREE:
            return 0.0
        pause_s = min(cap_s, 2.0 ** min(failures.count - FREE, 20))
        return max(0.0, pause_s - (now_ns - failures.last_ns) / S_NS)

    def count(self, *keys: str) -> None:
        """Count an attempt for each of these keys."""
        now_ns = self._now_ns()
        for key in keys:
            failures = self._failures.pop(key, None)
            fresh = failures is not None and now_ns - failures.last_ns < FORGOTTEN_S * S_NS
            self._failures[key] = _Failures(failures.count + 1 if failures is not None and fresh else 1, now_ns)
        while len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """The password was right: clear the failures of this key."""
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        """The last attempt of this key was no failure; those before it still count."""
        failures = self._failures.get(key)
        if failures is not None:
            failures.count -= 1


@dataclass(slots=True)
class _Minute:
    since_ns: int
    taken: int = 0


class PageRecordAllowance:
    """A limit a minute for each kind of record: a flood of requests must not become a flood of records.

    Kinds must not come from outside: each one is kept for ever.
    """

    def __init__(self, now_ns: Callable[[], int], most: int = RECORDED_A_MINUTE) -> None:
        """`now_ns` is a clock that is never set."""
        self._now_ns, self._most = now_ns, most
        self._minutes: dict[str, _Minute] = {}
        self.refused: Counter[str] = Counter()
        """Kind -> how many were refused, until the caller takes it out."""

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
