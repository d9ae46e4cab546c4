"""ConnectionLimits and paces at the control socket: how many connections and requests one user may have.

One rule: nobody can take what another needs. Root, the local page and the group have limits of their own, and one
user of the group has some of the group's only.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.model.budget import Budget
from edge.socket.peers import Kind

if TYPE_CHECKING:
    from edge.socket.peers import Peer

PLACES: Final = {Kind.ROOT: 16, Kind.PAGE: 12, Kind.GROUP: 24}
OF_ONE: Final = {Kind.ROOT: 16, Kind.PAGE: 12, Kind.GROUP: 8}
"""Of these, for one user."""
ARRIVALS_A_SECOND: Final = 100
ARRIVALS_AT_ONCE: Final = 200
REQUESTS_A_SECOND: Final = 50
REQUESTS_AT_ONCE: Final = 100
OF_THE_PAGE: Final = 2
"""So many times as much for the page, which asks for all its visitors."""
BYTES_A_SECOND: Final = 512 * 1024
BYTES_AT_ONCE: Final = 1024 * 1024
MOST_USERS: Final = 256
"""Whose budgets are remembered; far more than a group has."""


class _Pace:
    """What one user may still do."""

    def __init__(self) -> None:
        self.arrivals = Budget(ARRIVALS_A_SECOND, ARRIVALS_AT_ONCE)
        self.requests = Budget(REQUESTS_A_SECOND, REQUESTS_AT_ONCE)
        self.bytes = Budget(BYTES_A_SECOND, BYTES_AT_ONCE)


class ConnectionLimits:
    """Who sits where. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        """Everything is free."""
        self._taken: Counter[Kind] = Counter()
        self._of: Counter[int] = Counter()
        self._paces: dict[int, _Pace] = {}

    def may_arrive(self, uid: int, now_s: float) -> bool:
        """Whether this user does not connect too often."""
        return self._pace(uid).arrivals.take(now_s)

    def sit(self, peer: Peer) -> str | None:
        """Take a place; why there is none, else."""
        if self._of[peer.uid] >= OF_ONE[peer.kind]:
            return f"{self._of[peer.uid]} clients of {peer.actor.name} are connected already; try again later"
        if self._taken[peer.kind] >= PLACES[peer.kind]:
            return f"{self._taken[peer.kind]} clients are connected already; try again later"
        self._taken[peer.kind] += 1
        self._of[peer.uid] += 1
        return None

    def leave(self, peer: Peer) -> None:
        """A place that was taken is free again."""
        self._taken[peer.kind] -= 1
        self._of[peer.uid] -= 1
        if not self._of[peer.uid]:
            del self._of[peer.uid]

    def pause_s(self, peer: Peer, size: int, now_s: float) -> float:
        """A request of so many bytes was read: how long it has to wait before it is looked at."""
        pace = self._pace(peer.uid)
        amount = 1 / OF_THE_PAGE if peer.kind is Kind.PAGE else 1.0
        wait_s = max(pace.requests.wait_s(now_s, amount), pace.bytes.wait_s(now_s, min(size, BYTES_AT_ONCE)))
        pace.requests.spend(amount, now_s)
        pace.bytes.spend(size, now_s)
        return wait_s

    def _pace(self, uid: int) -> _Pace:
        """The one that was used longest ago makes room."""
        pace = self._paces.pop(uid, None) or _Pace()
        self._paces[uid] = pace
        if len(self._paces) > MOST_USERS:
            del self._paces[next(iter(self._paces))]
        return pace
