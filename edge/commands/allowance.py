"""Limits how often a key may send commands that only write records and move no door.

One rule: each key has its own allowance for each of these commands. Without keys all senders share one, because a
sender's name proves nothing. So a stolen broker password cannot push the history out of the log.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from edge.model.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.commands.shape import Signer

ALLOWANCES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"record": (120, 12), "edit_directory": (300, 60), "apply_directory": (30, 6)}
)
"""Command -> how many at once, and how many a minute. Other commands are not limited here."""


class KeyAllowance:
    """How many commands each key may still send. Times are in seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        """Every allowance is full."""
        self._budgets: dict[tuple[str, str], Budget] = {}
        """By thumbprint and command: at most three for each key that was configured."""

    def _of(self, signer: Signer | None, command: str) -> Budget:
        key = "" if signer is None else signer.thumbprint
        at_once, a_minute = ALLOWANCES[command]
        return self._budgets.setdefault((key, command), Budget(a_minute / 60, at_once))

    def wait_s(self, signer: Signer | None, command: str, now_s: float) -> float:
        """Seconds until this key may send the command; 0: it may now."""
        return self._of(signer, command).wait_s(now_s) if command in ALLOWANCES else 0.0

    def spend(self, signer: Signer | None, command: str, now_s: float) -> None:
        """Count a command of this key."""
        if command in ALLOWANCES:
            self._of(signer, command).spend(1, now_s)

    def give_back(self, signer: Signer | None, command: str, now_s: float) -> None:
        """Take back the count of a command that was not carried out."""
        if command in ALLOWANCES:
            self._of(signer, command).spend(-1, now_s)
