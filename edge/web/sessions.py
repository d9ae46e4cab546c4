"""The sessions of accounts that are signed in; in memory, so that a restart signs everybody out but displays.

One rule: only the hash of the browser's secret is kept, so that a memory dump is of no use to sign in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from edge.model.page_roles import PageRole

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.web.accounts import Account
    from edge.web.display_sessions import DisplaySessions

S_NS: Final = 1_000_000_000
MOST: Final = 128
MOST_ENDED: Final = 256
"""Ended sessions of which is still known why."""
MOST_OF_ONE: Final = 8
"""Sessions of one account; a further one ends the one used longest ago."""


class Ended(StrEnum):
    """Why a session ended, as the sign-in form says it."""

    IDLE = "You were signed out, because nothing was clicked for a while."
    LONGEST = "You were signed out, because you had been signed in for long."
    CROWD = "You were signed out, because there were too many sessions at the same time."
    CHANGED = "You were signed out, because your password or your role was changed."
    REMOVED = "You were signed out, because your account was removed."
    SIGNED_OUT = "You have signed out."
    RESTARTED = "You were signed out, because the page was restarted."


@dataclass(slots=True)
class Session:
    """One signed-in browser."""

    account: Account
    """The account at sign-in; each request compares it with the present one."""
    made_ns: int
    used_ns: int
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notices: list[str] = field(default_factory=list)
    """Messages to show once, on the next page."""
    refusals: list[str] = field(default_factory=list)
    """The same for what was refused."""

    def told(self) -> tuple[list[str], list[str]]:
        """The notices and the refusals, each once."""
        told = self.notices, self.refusals
        self.notices, self.refusals = [], []
        return told


class Sessions:
    """All sessions."""

    def __init__(
        self, now_ns: Callable[[], int], idle_s: float, longest_s: float, displays: DisplaySessions | None = None
    ) -> None:
        """A session ends `idle_s` after its last request, or `longest_s` after signing in; a display's does not.

        `displays` keeps those over a restart; None: nothing does.
        """
        self._now_ns, self._displays = now_ns, displays
        self._idle_ns, self._longest_ns = int(idle_s * S_NS), int(longest_s * S_NS)
        kept, now = displays.kept() if displays else {}, now_ns()
        self._sessions = {key: Session(account, now, now) for key, account in kept.items()}
        self._ended: dict[str, Ended] = {}

    def begin(self, account: Account) -> str:
        """Begin a session; returns the secret for the browser's cookie."""
        self._sweep()
        own = [key for key, session in self._sessions.items() if session.account.name == account.name]
        crowd = own if len(own) >= MOST_OF_ONE else list(self._sessions) if len(self._sessions) >= MOST else []
        if crowd:
            self._end(min(crowd, key=lambda key: self._sessions[key].used_ns), Ended.CROWD)
        secret, now_ns = secrets.token_urlsafe(32), self._now_ns()
        self._sessions[_key(secret)] = Session(account, now_ns, now_ns)
        self._keep(account)
        return secret

    def find(self, secret: str, *, use: bool) -> Session | None:
        """The session of this secret; None when it is over. `use` counts as a request, which extends it."""
        session = self._sessions.get(_key(secret))
        if session is None:
            return None
        if (why := self._over(session)) is not None:
            self.end(secret, why)
            return None
        if use:
            session.used_ns = self._now_ns()
        return session

    def end(self, secret: str, why: Ended = Ended.SIGNED_OUT) -> None:
        """End the session of this secret, if there is one."""
        self._end(_key(secret), why)

    def why(self, secret: str) -> Ended:
        """Why the session of this secret, which a browser still has, is none. A restart forgets all of them."""
        return self._ended.get(_key(secret), Ended.RESTARTED)

    def _end(self, key: str, why: Ended) -> None:
        if (session := self._sessions.pop(key, None)) is not None:
            self._keep(session.account)
            self._ended[key] = why
            if len(self._ended) > MOST_ENDED:
                del self._ended[next(iter(self._ended))]

    def _keep(self, changed: Account) -> None:
        """Store the displays' sessions, if the one that changed is among them."""
        if self._displays is not None and changed.role is PageRole.DISPLAY:
            accounts = {key: session.account for key, session in self._sessions.items()}
            self._displays.keep({key: one for key, one in accounts.items() if one.role is PageRole.DISPLAY})

    def _over(self, session: Session) -> Ended | None:
        if session.account.role is PageRole.DISPLAY:  # nobody stands at it who could sign in again
            return None
        now_ns = self._now_ns()
        if now_ns - session.used_ns >= self._idle_ns:
            return Ended.IDLE
        return Ended.LONGEST if now_ns - session.made_ns >= self._longest_ns else None

    def _sweep(self) -> None:
        for key, session in [*self._sessions.items()]:
            if (why := self._over(session)) is not None:
                self._end(key, why)


class FormTokens:
    """CSRF tokens for the sign-in form, which has no session yet; each is bound to a cookie of its own."""

    def __init__(self) -> None:
        """The key lasts as long as the program runs."""
        self._key = secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        """The token of the form for this cookie."""
        return hmac.new(self._key, cookie.encode(), hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
