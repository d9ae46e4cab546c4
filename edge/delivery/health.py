"""The health of a receiver: a high error rate is recorded once, a lasting one disables the integration.

One rule: failures of our own network or configuration count for the warning but never disable an
integration: after a weekend without a line, a site finds all of them enabled.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """When an error rate is recorded, and when it disables an integration."""

    warn_tries: int = 20
    """The error rate is that of so many latest tries."""
    warn_percent: float = 50.0
    """From this error rate on: `integration.warn_due_to_error`."""
    disable_after_s: float = 24 * 3600.0
    """Without a success for so long: `integration.disable_due_to_error`."""
    disable_tries: int = 1000
    """The same after so many failures in a row, whichever comes first."""


class Verdict(StrEnum):
    """The consequence of a failed try."""

    GO_ON = "go_on"
    WARN = "warn"
    DISABLE = "disable"


class Health:
    """The latest tries of one receiver. Times are nanoseconds of any clock that only goes forward."""

    def __init__(self, limits: ErrorLimits) -> None:
        """Nothing was tried yet."""
        self.limits = limits
        self.failed_in_a_row = 0
        """Failures since the last success that are the receiver's fault."""
        self.failing_ns = 0
        """How long the receiver has been failing, without the times in which our own network failed."""
        self._failed_ns: int | None = None
        """When the latest try failed; None when that was our fault."""
        self._latest: deque[bool] = deque(maxlen=limits.warn_tries)
        self._failed = 0
        self._warned = False

    @property
    def errors(self) -> tuple[int, int]:
        """How many of the latest tries failed, and how many tries those are."""
        return self._failed, len(self._latest)

    def succeeded(self) -> None:
        """A try succeeded. The next warning is due only after the error rate has halved."""
        self.failed_in_a_row, self.failing_ns, self._failed_ns = 0, 0, None
        self._note(failed=False)
        if self._failed * 200 <= self.limits.warn_percent * self.limits.warn_tries:
            self._warned = False

    def failed(self, now_ns: int, *, ours: bool = False, final: bool = False) -> Verdict:
        """A try failed. `ours` and `final` as in `edge.delivery.errors.DeliveryError`."""
        self._note(failed=True)
        if final:
            return Verdict.DISABLE
        if not ours:
            self.failed_in_a_row += 1
            self.failing_ns += 0 if self._failed_ns is None else now_ns - self._failed_ns
            if self._hopeless():
                return Verdict.DISABLE
        self._failed_ns = None if ours else now_ns
        if not self._warned and self._failed * 100 >= self.limits.warn_percent * self.limits.warn_tries:
            self._warned = True
            return Verdict.WARN
        return Verdict.GO_ON

    def _hopeless(self) -> bool:
        """Whether to disable; `warn_tries` failures at least, as two failures may be a quiet day apart."""
        limits = self.limits
        if self.failed_in_a_row >= limits.disable_tries:
            return True
        return self.failed_in_a_row >= limits.warn_tries and self.failing_ns >= limits.disable_after_s * NS_PER_S

    def _note(self, *, failed: bool) -> None:
        if len(self._latest) == self._latest.maxlen:
            self._failed -= self._latest[0]
        self._latest.append(failed)
        self._failed += failed
