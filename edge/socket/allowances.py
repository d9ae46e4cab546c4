"""How much one person may write into the log over the control socket.

One rule: requests that make records have a budget for each person and kind of request, so that after using up one
a person can still lock a door down. Nobody can push older records out of the log with requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.budget import Budget
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_KNOWN: Final = 1_000
"""(person, kind of request) pairs whose budgets are kept."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A budget: `at_once` requests in a burst, `a_minute` in the long run."""

    at_once: int
    a_minute: float


FOR_DOORS: Final = Allowance(120, 12)
"""Commands to doors; a command to several doors counts once for each."""
ALLOWANCES: Final[Mapping[str, Allowance]] = {
    "command": FOR_DOORS,
    "export": Allowance(90, 9),
    "acknowledge": Allowance(200, 30),
    "apply_import": Allowance(20, 6),
    "card": Allowance(300, 60),
    "change_person": Allowance(300, 60),
    "directory_export": Allowance(2_000, 600),
    "directory_import": Allowance(3_000, 1_500),
    "edit_directory": Allowance(300, 60),
    "enrol": Allowance(300, 240),
    "enable_integration": Allowance(20, 6),
    "log_restored": Allowance(5, 1),
    "login": Allowance(120, 60),
    "reload": Allowance(20, 6),
    "replay": Allowance(20, 6),
    "test_alert": Allowance(10, 2),
    "try_camera": Allowance(30, 6),
    "visitor": Allowance(300, 60),
}
"""Request -> budget. A report takes three: create, download, finished. The page itself allows fewer sign-ins.

`directory_export` and `directory_import` write no records, but each is work: a large directory takes many of them.
`enrol` is asked several times a second while somebody waits for a card; a card that comes then is no guess.
"""


class Allowances:
    """The budgets of all persons. Times are seconds of a clock that only goes forward."""

    def __init__(self, doors: Callable[[], int]) -> None:
        """`doors` returns how many there are: each adds 20 to the burst of `FOR_DOORS`, for commands to all doors."""
        self._doors = doors
        self._budgets: dict[tuple[str, str], Budget] = {}

    def spend(self, op: str, kind: str, who: str, now_s: float, amount: int = 1) -> None:
        """Take `amount` from the budget of a person (`who`: the actor's id) for this request. Raises RequestError."""
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
