"""What every page needs: the account, the templates, the daemon; and the check of forms (CSRF).

One rule: a request that changes something is a form with the token of its session, or is refused here.
"""

from __future__ import annotations

import asyncio
import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.model.page_roles import Right
from edge.model.printable import masked
from edge.web.alert_words import BLANK, NONE
from edge.web.limits import AnswerLimits, LimitedAnswer
from edge.web.listener import MOST_CONNECTIONS
from edge.web.recent import Recent
from edge.web.sessions import Ended, FormTokens, Session, same

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.requests import Request

    from edge.web.accounts import Account, Accounts
    from edge.web.attempts import Attempts, PageRecordAllowance
    from edge.web.link import DaemonLink
    from edge.web.sessions import Sessions
    from edge.web.words import Words

    Handler = Callable[[Request], Awaitable[Response]]
    FormHandler = Callable[[Request, Mapping[str, str]], Awaitable[Response]]

HERE: Final = Path(__file__).parent
LARGEST_FORM: Final = 16 << 10
"""Bytes."""
MOST_FIELDS: Final = 512
FORM_WITHIN_S: Final = 10.0
OPEN: Final = frozenset({"sign_in.html", "error.html"})
"""Templates that are shown without a session."""
MENU: Final = (
    ("/doors", "Doors", Right.DOORS),
    ("/alerts", "Alerts", Right.HISTORY),
    ("/events", "Events", Right.HISTORY),
    ("/people", "People", Right.PEOPLE),
    ("/schedules", "Schedules", Right.HISTORY),
    ("/activity", "Activity", Right.HISTORY),
    ("/health", "Health", Right.HISTORY),
    ("/accounts", "Accounts", Right.ACCOUNTS),
)
"""Path, title, and the right that it takes."""
FORM: Final = "application/x-www-form-urlencoded"
MOST_STREAMS: Final = 32
MOST_STREAMS_OF_ONE: Final = 8
MOST_DOWNLOADS: Final = 16
MOST_DOWNLOADS_OF_ONE: Final = 2
MOST_SEARCHES: Final = 16
MOST_SEARCHES_OF_ONE: Final = 4
MOST_REQUESTS_OF_ONE: Final = 24
"""Includes requests whose browser has gone; a browser sends six at a time."""


@dataclass(slots=True)
class Page:
    """The state of the program."""

    link: DaemonLink
    accounts: Accounts
    sessions: Sessions
    attempts: Attempts
    allowance: PageRecordAllowance
    words: Words
    now_ns: Callable[[], int]
    """A clock that is never set."""
    site: str
    """The controller's name for people, as the configuration has it."""
    secure: bool
    """Whether browsers use TLS."""
    metrics_token_file: Path | None = None
    """The file with the token for `/metrics`."""
    forms: FormTokens = field(default_factory=FormTokens)
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """One password is checked at a time, to save memory for the doors."""
    looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """The health is gathered for one request at a time."""
    recent: Recent = field(default_factory=Recent)
    pictured: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Record -> the address of its first picture (empty: none yet), and when to ask for it again, by `now_ns`."""
    streams: AnswerLimits = field(
        default_factory=lambda: AnswerLimits(
            MOST_STREAMS, MOST_STREAMS_OF_ONE, "Too many pages are open. Close one of them."
        )
    )
    downloads: AnswerLimits = field(
        default_factory=lambda: AnswerLimits(
            MOST_DOWNLOADS, MOST_DOWNLOADS_OF_ONE, "Too many downloads are running. Wait until one of them has ended."
        )
    )
    searches: AnswerLimits = field(
        default_factory=lambda: AnswerLimits(
            MOST_SEARCHES, MOST_SEARCHES_OF_ONE, "Too many searches are running. Wait until one of them has ended."
        )
    )
    requests: AnswerLimits = field(
        default_factory=lambda: AnswerLimits(
            MOST_CONNECTIONS, MOST_REQUESTS_OF_ONE, "Too many requests of this account at the same time."
        )
    )
    templates: Environment = field(default_factory=lambda: _templates())  # noqa: PLW0108 -- defined below

    @property
    def cookie(self) -> str:
        """The name of the session's cookie.

        Browsers restrict `__Host-` cookies to this host, all paths and TLS (RFC 6265bis, 4.1.3.2).
        """
        return "__Host-doorweb" if self.secure else "doorweb"

    def signed_in(self, secret: str, *, use: bool) -> Session | None:
        """The session of a secret; None when it is over or its account has changed. Raises AccountsError."""
        session = self.sessions.find(secret, use=use)
        if session is None:
            return None
        if (now := self.accounts.get(session.account.name)) != session.account:
            self.sessions.end(secret, Ended.REMOVED if now is None else Ended.CHANGED)
            return None
        return session

    def html(self, request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:  # noqa: ANN401 -- the template's variables
        """A page from a template."""
        session: Session | None = request.state.session
        if session is None and template not in OPEN:
            raise HTTPException(401, "Please sign in.")  # the guard prevents this; checked twice
        notices, refusals = session.told() if session else ([], [])
        text = self.templates.get_template(template).render(
            site=self.site,
            me=session.account if session else None,
            csrf=session.csrf if session else "",
            notices=notices,
            refusals=refusals,
            may=session.account.may if session else _nothing,
            Right=Right,
            menu=MENU,
            here=request.scope["path"],
            alerts=getattr(request.state, "alerts", NONE),
            blank=BLANK,
            again=_address(request),
            **context,
        )
        return HTMLResponse(text, status)


class _Sequence(IntegerConvertor):
    """A sequence number in a path, of limited length: Python refuses to parse thousands of digits."""

    regex = "[0-9]{1,19}"


register_url_convertor("sequence", _Sequence())


def page_of(request: Request) -> Page:
    """The page that the application was made with."""
    page = request.app.state.page
    assert isinstance(page, Page)  # noqa: S101 -- our own mistake
    return page


def session_of(request: Request) -> Session:
    """The session of a request; every path that is not public has one."""
    session = request.state.session
    assert isinstance(session, Session)  # noqa: S101 -- our own mistake: the guard lets nobody else in
    return session


def who(request: Request) -> Account:
    """The account that asks."""
    return session_of(request).account


def check(request: Request, right: Right) -> None:
    """Raises HTTPException for an account without this right."""
    account = who(request)
    if not account.may(right):
        raise HTTPException(403, f"An account of the role {account.role} may not do that.")


def needing(right: Right, routes: Iterable[Route]) -> list[Route]:
    """The same paths, for accounts with this right only."""

    def guarded(handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            check(request, right)
            return await handler(request)

        return checked

    return [Route(one.path, guarded(one.endpoint), methods=sorted(one.methods or {"GET"})) for one in routes]


def limited(limits: Callable[[Page], AnswerLimits]) -> Callable[[Handler], Handler]:
    """A handler whose answers count against these limits."""

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def bounded(request: Request) -> Response:
            return LimitedAnswer(limits(page_of(request)), who(request).name, functools.partial(handler, request))

        return bounded

    return decorate


def posted(handler: FormHandler) -> Handler:
    """A handler of a form that must have the token of its session (CSRF)."""

    @functools.wraps(handler)
    async def believed(request: Request) -> Response:
        form = await read_form(request)
        check_token(request, form.get("csrf", ""))
        return await handler(request, form)

    return believed


def check_token(request: Request, token: str) -> None:
    """Raises HTTPException for a form without the token of its session (CSRF)."""
    if not same(token, session_of(request).csrf):
        raise HTTPException(403, "This form is not one of yours, or too old. Go back, reload the page and try again.")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of a repeated field the last. Raises HTTPException."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, "Expected a form.")
    body = await read_body(request, LARGEST_FORM, FORM_WITHIN_S)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(400, "Expected a form.") from None


async def read_body(request: Request, largest: int, within_s: float) -> bytes:
    """What a browser sends, up to `largest` bytes. Raises HTTPException."""
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > largest:
                    raise HTTPException(413, "The form is too large.")
    except TimeoutError:
        raise HTTPException(408, "The form took too long to arrive.") from None
    return bytes(body)


def see(path: str) -> Response:
    """Redirect to a path with GET."""
    return RedirectResponse(path, 303)


def _address(request: Request) -> str:
    """Where to go back to after a form that stands on every page."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}".rstrip("?") if request.method == "GET" else ""


def _nothing(_right: Right) -> bool:
    return False


def _shown(value: object) -> object:
    """A value for a template: unprintable characters are masked line by line; our own markup stays as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(masked, value.split("\n")))


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_function"] = json.dumps
    return environment
