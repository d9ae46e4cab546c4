"""The open alerts that every page shows: known when a page is made, and told live afterwards.

One rule: a page never waits long for them, and is shown without them when doord does not say.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request

from edge.client.connection import RequestRefused, Unreachable
from edge.model.page_roles import Right
from edge.web.alert_words import NONE, shown
from edge.web.page import page_of, session_of
from edge.web.pages.pictures import pictures_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from edge.web.page import Page
    from edge.web.sessions import Session

HERE: Final = "/alerts"
"""The page that shows all of them."""
MOST_BARS: Final = 3
MOST: Final = 200
"""As many as doord keeps."""
WITHIN_S: Final = 2.0
AGAIN_NS: Final = 1_000_000_000
"""Pause before doord is asked again for the picture of a record that has none yet."""
MOST_PICTURES: Final = 256
APART: Final = ("/static/", "/live", ".csv", "/metrics")
"""Parts of paths whose answers are no pages."""


class WithAlerts:
    """The ASGI application that looks at the open alerts before a page is made; no form waits for that."""

    def __init__(self, app: ASGIApp, page: Page) -> None:
        """`app` is the application with the pages."""
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            request = Request(scope)
            session: Session | None = request.state.session
            document = request.method == "GET" and request.headers.get("sec-fetch-dest", "document") == "document"
            if session is not None and document and not any(part in scope["path"] for part in APART):
                most = MOST if scope["path"] == HERE else MOST_BARS
                request.state.alerts = await _present(self._page, session, most)
        await self._app(scope, receive, send)


async def news(request: Request, most: int = MOST_BARS) -> Any:  # noqa: ANN401 -- JSON
    """The open alerts for a live stream; None while they are not known."""
    page = page_of(request)
    status = page.link.status
    if status is None:
        return None if page.link.trouble is None else {"trouble": page.link.trouble}
    return await _pictured(page, session_of(request), status, most)


async def _present(page: Page, session: Session, most: int) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(WITHIN_S):
            status = page.link.status
            if status is None:
                if not (await page.link.ask("alerts"))["open"]:
                    return NONE
                status = await page.link.ask("status")
            return await _pictured(page, session, status, most)
    except (Unreachable, RequestRefused, TimeoutError):
        return NONE


async def _pictured(page: Page, session: Session, status: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The alerts of a status, with their pictures."""
    named = session.account.may(Right.HISTORY)
    try:
        alerts = shown(status, page.words, most, named=named)
    except KeyError:  # after an update doord is older than the page, until it is restarted
        return {**NONE}
    if named and status["cameras"]:
        for bar in alerts["bars"][:MOST_BARS]:
            bar["picture"] = await _picture(page, bar["sequence"])
    return alerts


async def _picture(page: Page, sequence: int) -> str:
    """The address of a record's first picture; empty while there is none. doord is asked once for many pages."""
    address, again_ns = page.pictured.get(sequence, ("", 0))
    if not address and page.now_ns() >= again_ns:
        if len(page.pictured) >= MOST_PICTURES:
            page.pictured.clear()
        page.pictured[sequence] = "", page.now_ns() + AGAIN_NS
        address = next((one["address"] for one in await pictures_of(page, sequence)), "")
        page.pictured[sequence] = address, page.now_ns() + AGAIN_NS
    return address
