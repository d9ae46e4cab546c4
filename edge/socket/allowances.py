"""How much one person may write into the log over the control socket.

One rule: what leaves records has a budget for each person and kind of request, so that whoever has used up one is
still free to lock a door down. Nobody washes the history away by asking for things.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.budget import Budget
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_KNOWN: Final = 1_000
"""People and kinds of requests whose budgets are remembered."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many at once, and so many a minute in the long run."""

    at_once: int
    a_minute: float


FOR_DOORS: Final = Allowance(120, 12)
"""Commands for one door; one for several doors counts as so many."""
ALLOWANCES: Final[Mapping[str, Allowance]] = {
    "command": FOR_DOORS,
    "export": Allowance(90, 9),
    "acknowledge": Allowance(200, 30),
    "enable_integration": Allowance(20, 6),
    "log_restored": Allowance(5, 1),
    "login": Allowance(120, 60),
    "reload": Allowance(20, 6),
    "replay": Allowance(20, 6),
    "try_camera": Allowance(30, 6),
}
"""By request. A report takes three: asked for, read, finished. Of sign-ins the page itself lets fewer through."""


class Allowances:
    """Who may still do how much. Times are seconds of a clock that only goes forward."""

    def __init__(self, doors: Callable[[], int]) -> None:
        """With more doors than fit, all of them can be told something twenty times at once all the same."""
        self._doors = doors
        self._budgets: dict[tuple[str, str], Budget] = {}

    def spend(self, op: str, kind: str, who: str, now_s: float, amount: int = 1) -> None:
        """Somebody (the id of an actor) asks for this, of a kind of its own. Raises RequestError."""
        allowance = ALLOWANCES.get(op)
        if allowance is None:
            return
        key = (who, f"{op} {kind}")
        budget = self._budgets.pop(key, None)
        if budget is None:
            at_once = allowance.at_once + (20 * self._doors() if allowance is FOR_DOORS else 0)
            budget = Budget(allowance.a_minute / 60, at_once)
        self._budgets[key] = budget
        if len(self._budgets) > MOST_KNOWN:
            del self._budgets[next(iter(self._budgets))]
        if not budget.take(now_s):
            again_s = max(1, round(budget.wait_s(now_s)))
            raise RequestError("too_many", f"you asked for that too often; try again in {again_s} s")
        budget.spend(amount - 1, now_s)
