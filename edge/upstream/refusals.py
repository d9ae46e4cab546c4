"""The broker's refusals: one fault from the first refusal until nothing is refused any more.

One rule: a refusal ends only when a message of its kind was taken after it and `SETTLED_S` have passed.
Each beginning and each end is recorded, and so is a message itself: a broker that refuses every other
message must not cause endless records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SETTLED_S: Final = 15.0


@dataclass(slots=True)
class _Refusal:
    reason: str
    at_s: float
    taken: bool = False
    """A message of its kind was taken since."""


class BrokerRefusals:
    """By kind of message. Times are seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        """Nothing is refused."""
        self._by_kind: dict[str, _Refusal] = {}

    @property
    def reason(self) -> str | None:
        """The oldest refusal that has not ended, for people."""
        return next((refusal.reason for refusal in self._by_kind.values()), None)

    def refused(self, kind: str, reason: str, now_s: float) -> None:
        """A message of this kind was refused now."""
        refusal = self._by_kind.get(kind)
        if refusal is None:
            self._by_kind[kind] = _Refusal(reason, now_s)
        else:
            refusal.at_s, refusal.taken = now_s, False

    def taken(self, kind: str, now_s: float, *, at_once: bool = False) -> None:
        """A message of this kind was taken now; `at_once` ends its refusal without the delay, for rare messages."""
        refusal = self._by_kind.get(kind)
        if refusal is not None and at_once:
            del self._by_kind[kind]
        elif refusal is not None:
            refusal.taken = True
            self.settle(now_s)

    def settle(self, now_s: float) -> None:
        """End refusals whose kind was taken since and that are old enough."""
        for kind, refusal in list(self._by_kind.items()):
            if refusal.taken and now_s - refusal.at_s >= SETTLED_S:
                del self._by_kind[kind]
