"""How often a key may give commands that only write records, and move no door.

One rule: each key has an allowance of its own for each of them. Without keys all have one between them, for anybody may
call himself anything: whatever a stolen password writes, it washes no history away.
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
"""Command -> how many at once, and how many a minute in the long run. Others have no limit here."""


class KeyAllowance:
    """How much each key may still give. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        """Nothing was spent."""
        self._budgets: dict[tuple[str, str], Budget] = {}
        """By thumbprint and command, so there are as many as the configuration had keys, three times."""

    def _of(self, signer: Signer | None, command: str) -> Budget:
        key = "" if signer is None else signer.thumbprint
        at_once, a_minute = ALLOWANCES[command]
        return self._budgets.setdefault((key, command), Budget(a_minute / 60, at_once))

    def wait_s(self, signer: Signer | None, command: str, now_s: float) -> float:
        """Seconds until this key may give the command; 0 when it may now."""
        return self._of(signer, command).wait_s(now_s) if command in ALLOWANCES else 0.0

    def spend(self, signer: Signer | None, command: str, now_s: float) -> None:
        """Count a command of this key."""
        if command in ALLOWANCES:
            self._of(signer, command).spend(1, now_s)

    def give_back(self, signer: Signer | None, command: str, now_s: float) -> None:
        """Count a command no longer, because nothing came of it."""
        if command in ALLOWANCES:
            self._of(signer, command).spend(-1, now_s)
