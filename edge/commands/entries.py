"""How often a `record` command may enter something into the log.

One rule: each key has an allowance of its own. Without keys all have one between them, for anybody may call himself
anything: whatever a stolen password writes, it washes no history away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.model.budget import Budget

if TYPE_CHECKING:
    from edge.commands.shape import Signer

AT_ONCE: Final = 120
A_MINUTE: Final = 12
"""Records of one key; each is at most `shape.MAX_DETAILS_BYTES` and its names long."""


class KeyAllowance:
    """How much each key may still enter. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        """Nobody entered anything."""
        self._budgets: dict[str, Budget] = {}
        """By thumbprint, so there are as many as the configuration had keys."""

    def _of(self, signer: Signer | None) -> Budget:
        key = "" if signer is None else signer.thumbprint
        return self._budgets.setdefault(key, Budget(A_MINUTE / 60, AT_ONCE))

    def wait_s(self, signer: Signer | None, now_s: float) -> float:
        """How long until he may enter a record; 0 when he may."""
        return self._of(signer).wait_s(now_s)

    def spend(self, signer: Signer | None, now_s: float) -> None:
        """He enters one."""
        self._of(signer).spend(1, now_s)

    def give_back(self, signer: Signer | None, now_s: float) -> None:
        """Nothing came of one that was spent."""
        self._of(signer).spend(-1, now_s)
