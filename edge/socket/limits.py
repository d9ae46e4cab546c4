"""Limits at the control socket: how many connections and requests one user may have.

One rule: no user can use up what another needs. Root, the local page and the group have limits of their own, and one
user of the group gets only a part of the group's.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.model.budget import Budget
from edge.socket.peers import PeerKind

if TYPE_CHECKING:
    from edge.socket.peers import Peer

CONNECTIONS_OF: Final = {PeerKind.ROOT: 16, PeerKind.PAGE: 12, PeerKind.GROUP: 24}
"""Connections at once, of all users of a kind."""
OF_ONE: Final = {PeerKind.ROOT: 16, PeerKind.PAGE: 12, PeerKind.GROUP: 8}
"""The same for one user."""
ARRIVALS_A_SECOND: Final = 100
ARRIVALS_AT_ONCE: Final = 200
REQUESTS_A_SECOND: Final = 50
REQUESTS_AT_ONCE: Final = 100
OF_THE_PAGE: Final = 2
"""The page may send so many times as many requests, as it asks for all its visitors."""
BYTES_A_SECOND: Final = 512 * 1024
BYTES_AT_ONCE: Final = 1024 * 1024
MOST_USERS: Final = 256
"""Users whose budgets are kept; far more than a group has."""


class _Pace:
    """The budgets of one user."""

    def __init__(self) -> None:
        self.arrivals = Budget(ARRIVALS_A_SECOND, ARRIVALS_AT_ONCE)
        self.requests = Budget(REQUESTS_A_SECOND, REQUESTS_AT_ONCE)
        self.bytes = Budget(BYTES_A_SECOND, BYTES_AT_ONCE)


class ConnectionLimits:
    """The connections and budgets of all users. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        """Nobody is connected."""
        self._taken: Counter[PeerKind] = Counter()
        self._of: Counter[int] = Counter()
        self._paces: dict[int, _Pace] = {}

    def may_arrive(self, uid: int, now_s: float) -> bool:
        """Count a connection; False when this user connects too often."""
        return self._pace(uid).arrivals.take(now_s)

    def enter(self, peer: Peer) -> str | None:
        """Admit a connection: None, or the reason why there are too many."""
        if self._of[peer.uid] >= OF_ONE[peer.kind]:
            return f"{self._of[peer.uid]} clients of {peer.actor.name} are connected already; try again later"
        if self._taken[peer.kind] >= CONNECTIONS_OF[peer.kind]:
            return f"{self._taken[peer.kind]} clients are connected already; try again later"
        self._taken[peer.kind] += 1
        self._of[peer.uid] += 1
        return None

    def leave(self, peer: Peer) -> None:
        """A connection that was admitted has ended."""
        self._taken[peer.kind] -= 1
        self._of[peer.uid] -= 1
        if not self._of[peer.uid]:
            del self._of[peer.uid]

    def pause_s(self, peer: Peer, size: int, now_s: float) -> float:
        """How many seconds a request of `size` bytes has to wait before it is served."""
        pace = self._pace(peer.uid)
        amount = 1 / OF_THE_PAGE if peer.kind is PeerKind.PAGE else 1.0
        wait_s = max(pace.requests.wait_s(now_s, amount), pace.bytes.wait_s(now_s, min(size, BYTES_AT_ONCE)))
        pace.requests.spend(amount, now_s)
        pace.bytes.spend(size, now_s)
        return wait_s

    def _pace(self, uid: int) -> _Pace:
        """A user's budgets; of too many users the one seen longest ago is dropped."""
        pace = self._paces.pop(uid, None) or _Pace()
        self._paces[uid] = pace
        if len(self._paces) > MOST_USERS:
            del self._paces[next(iter(self._paces))]
        return pace
