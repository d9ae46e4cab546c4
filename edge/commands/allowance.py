"""How often a key may give each command.

One rule: each key has an allowance of its own for each command, at each door. Without keys all have one between them,
for anybody may call himself anything: whatever a stolen password writes, it washes no history away.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.model.budget import Budget
from edge.model.messages import CommandName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.commands.parsing import Order


class CommandAllowance(NamedTuple):
    """How many at once, and how many a minute in the long run."""

    at_once: int
    a_minute: int


ALLOWANCES: Final[Mapping[str, CommandAllowance]] = MappingProxyType(
    {
        **dict.fromkeys(map(str, CommandName), CommandAllowance(60, 12)),
        "unlock": CommandAllowance(60, 60),
        "record": CommandAllowance(120, 12),
        "acknowledge": CommandAllowance(60, 12),
        "edit_directory": CommandAllowance(300, 60),
        "apply_directory": CommandAllowance(30, 6),
    }
)
"""By command; others have no limit here. One for several doors counts at each: an upstream at rush hour gives fewer."""
CHANGES_EACH: Final = 100
"""An edit of the directory counts once for so many changes."""


class KeyAllowance:
    """How much each key may still give. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        """Nothing was spent."""
        self._budgets: dict[tuple[str, str, str], Budget] = {}
        """By thumbprint, command and door: bounded by the keys and doors that the configuration has had."""

    def wait_s(self, order: Order, now_s: float) -> float:
        """Seconds until its key may give this command, at all of its doors; 0 when it may now."""
        return max((budget.wait_s(now_s, _counts(order)) for budget in self._of(order)), default=0.0)

    def spend(self, order: Order, now_s: float) -> None:
        """Count a command."""
        for budget in self._of(order):
            budget.spend(_counts(order), now_s)

    def give_back(self, order: Order, now_s: float) -> None:
        """Count a command no longer, because nothing came of it."""
        for budget in self._of(order):
            budget.spend(-_counts(order), now_s)

    def _of(self, order: Order) -> Iterator[Budget]:
        if order.name not in ALLOWANCES:
            return
        key = "" if order.signer is None else order.signer.thumbprint
        at_once, a_minute = ALLOWANCES[order.name]
        for door in order.doors or ("",):
            yield self._budgets.setdefault((key, order.name, door), Budget(a_minute / 60, at_once))


def _counts(order: Order) -> int:
    """How often a command counts at a door."""
    return 1 if order.edit is None else max(1, -(-len(order.edit.changes) // CHANGES_EACH))
