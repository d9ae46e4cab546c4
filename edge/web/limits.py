"""Limits on simultaneous answers, of one account and of all.

One rule: an answer counts from before its first byte to its end, whatever ends it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.types import Receive, Scope, Send


class AnswerLimits:
    """Counts the simultaneous answers of each account."""

    def __init__(self, most: int, most_of_one: int, full: str) -> None:
        """At most `most` in all and `most_of_one` of one account; `full` is the message above that."""
        self._most, self._most_of_one, self._full = most, most_of_one, full
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def hold(self, account: str) -> Iterator[None]:
        """Count an answer inside the context. Raises HTTPException above a limit."""
        if self._held[account] >= self._most_of_one or self._held.total() >= self._most:
            raise HTTPException(429, self._full)
        self._held[account] += 1
        try:
            yield
        finally:
            self._held[account] -= 1


class LimitedAnswer(Response):
    """An answer that counts for this account while it is made and sent."""

    def __init__(self, limits: AnswerLimits, account: str, make: Callable[[], Awaitable[Response]]) -> None:
        """Nothing is counted or made before it is sent."""
        super().__init__()
        self._limits, self._account, self._make = limits, account, make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the answer and send it, to the end."""
        with self._limits.hold(self._account):
            answer = await self._make()
            await answer(scope, receive, send)
