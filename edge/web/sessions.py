"""Who is signed in: in memory, so that a restart signs everybody out.

One rule: what the browser holds is not kept here, only its hash; a memory dump signs nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.web.accounts import Account

S_NS: Final = 1_000_000_000
MOST: Final = 128
MOST_OF_ONE: Final = 8
"""Of one account; the one used longest ago ends."""


@dataclass(slots=True)
class Session:
    """One browser of somebody who signed in."""

    account: Account
    """As it was then; whether it still is, is asked with each request."""
    made_ns: int
    used_ns: int
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notices: list[str] = field(default_factory=list)
    """Sentences for the next page, once."""


class Sessions:
    """Every session."""

    def __init__(self, now_ns: Callable[[], int], idle_s: float, longest_s: float) -> None:
        """`idle_s` without a request, or `longest_s` after signing in, it ends."""
        self._now_ns = now_ns
        self._idle_ns, self._longest_ns = int(idle_s * S_NS), int(longest_s * S_NS)
        self._sessions: dict[str, Session] = {}

    def begin(self, account: Account) -> str:
        """A new session; returns the secret that the browser is to hold."""
        self._sweep()
        own = [key for key, one in self._sessions.items() if one.account.name == account.name]
        crowd = own if len(own) >= MOST_OF_ONE else list(self._sessions) if len(self._sessions) >= MOST else []
        if crowd:
            del self._sessions[min(crowd, key=lambda key: self._sessions[key].used_ns)]
        secret, now_ns = secrets.token_urlsafe(32), self._now_ns()
        self._sessions[_key(secret)] = Session(account, now_ns, now_ns)
        return secret

    def find(self, secret: str, *, use: bool) -> Session | None:
        """The session of this secret while it lasts; `use` is whether somebody asked for something just now."""
        session = self._sessions.get(_key(secret))
        if session is None or self._over(session):
            self.end(secret)
            return None
        if use:
            session.used_ns = self._now_ns()
        return session

    def end(self, secret: str) -> None:
        """Nobody is signed in with this secret any more."""
        self._sessions.pop(_key(secret), None)

    def _over(self, session: Session) -> bool:
        now_ns = self._now_ns()
        return now_ns - session.used_ns >= self._idle_ns or now_ns - session.made_ns >= self._longest_ns

    def _sweep(self) -> None:
        for key in [key for key, session in self._sessions.items() if self._over(session)]:
            del self._sessions[key]


class FormTokens:
    """Tokens for the one form that is shown before anybody is signed in, bound to a cookie of its own."""

    def __init__(self) -> None:
        """A key for as long as the page runs."""
        self._key = secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        """What the form carries when the browser holds this cookie."""
        return hmac.new(self._key, cookie.encode(), hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare secrets without telling how much of one was right."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
