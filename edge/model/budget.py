"""Limits how much may come in: an amount per second, and an amount that may come at once.

One rule: it never waits; it says how long the caller has to wait.
"""

from __future__ import annotations


class Budget:
    """A token bucket. Times are seconds of any clock that only goes forward."""

    def __init__(self, per_s: float, at_once: float) -> None:
        """Full at first: `at_once` may be spent before `per_s` limits anything."""
        self._per_s, self._at_once = per_s, at_once
        self._left, self._at_s = at_once, float("-inf")

    def left(self, now_s: float) -> float:
        """What may be spent now; below zero after more was spent than was left."""
        self._left = min(self._at_once, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self._left

    def spend(self, amount: float, now_s: float) -> None:
        """Spend this amount, even if less is left."""
        self._left = self.left(now_s) - amount

    def take(self, now_s: float, amount: float = 1.0) -> bool:
        """Spend this amount if it is left. Returns whether it was."""
        if self.left(now_s) < amount:
            return False
        self._left -= amount
        return True

    def wait_s(self, now_s: float, amount: float = 1.0) -> float:
        """How long until this amount is left; 0 when it is."""
        return max(0.0, amount - self.left(now_s)) / self._per_s
