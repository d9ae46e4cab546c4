"""The guard before every page: it adds security headers, finds the session, and sends strangers to the sign-in.

One rule: it wraps the whole application, so that every answer passes through it, errors included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from edge.web.accounts import AccountsError
from edge.web.page import see
from edge.web.pages import scrape
from edge.web.pages.live import OVER

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge.web.page import Page
    from edge.web.sessions import Session

HEADERS: Final = {
    # https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html; no HSTS: it would forbid the
    # exception that somebody has to make for a certificate that the page made itself
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PUBLIC: Final = frozenset({"/sign-in", scrape.PATH})
STATIC: Final = "/static/"
LIVE: Final = "/live"
"""Requests to paths with this end come from scripts, and do not extend a session."""
SAFE: Final = frozenset({"GET", "HEAD"})
OURS: Final = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of requests from our own pages or typed by the user (https://www.w3.org/TR/fetch-metadata/)."""


class Guard:
    """The ASGI application that wraps the page's own."""

    def __init__(self, app: ASGIApp, page: Page) -> None:
        """`page` has the sessions."""
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the start and end of the program."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        request = Request(scope)
        answer = self._stop(request) or self._app
        session: Session | None = request.state.session
        if session is None:
            await answer(scope, receive, with_headers)
            return
        try:
            with self._page.requests.hold(session.account.name):
                await answer(scope, receive, with_headers)
        except HTTPException as full:  # from `hold`: the application handles its own
            await PlainTextResponse(f"{full.detail}\n", full.status_code)(scope, receive, with_headers)

    def _stop(self, request: Request) -> Response | None:
        """The answer to a request that must not reach the application; None: it may."""
        path: str = request.scope["path"]  # not `request.url`, which contains the Host that the browser sent
        secret = request.cookies.get(self._page.cookie, "")
        request.state.session, request.state.secret = None, secret
        try:
            session = self._page.signed_in(secret, use=not path.endswith(LIVE)) if secret else None
        except AccountsError as error:
            return PlainTextResponse(f"Nobody can sign in: {error}\n", 503)
        request.state.session = session
        if request.method not in SAFE and request.headers.get("sec-fetch-site", "none") not in OURS:
            return PlainTextResponse("That came from another site.\n", 403)
        if session is not None or path in PUBLIC or path.startswith(STATIC):
            return None
        if request.method in SAFE and not path.endswith((LIVE, ".csv")):
            query = request.scope["query_string"].decode("latin-1")
            wanted = f"{path}?{query}" if query else path
            return see(f"/sign-in?next={quote(wanted, safe='')}" if path != "/" else "/sign-in")
        if request.method in SAFE and path.endswith(LIVE):
            return PlainTextResponse(OVER, media_type="text/event-stream")
        return PlainTextResponse("Please sign in.\n", 401)
