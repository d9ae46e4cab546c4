"""The application: every path, and the pages for errors."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge.client.connection import RequestRefused, Unreachable
from edge.model.page_roles import Right
from edge.model.printable import masked as visible
from edge.web.accounts import AccountsError
from edge.web.guard import Guard
from edge.web.open_alerts import WithAlerts
from edge.web.page import HERE, needing, page_of, see, who
from edge.web.pages import (
    access,
    accounts,
    activity,
    alerts,
    commands,
    door,
    doors,
    download,
    enrolment,
    groups,
    health,
    history,
    own_password,
    people,
    people_file,
    person_form,
    pictures,
    schedule_form,
    schedules,
    scrape,
    seen_cards,
    signing,
    visitors,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from edge.web.page import Page

TITLES: Final = {
    403: "Not allowed",
    404: "Not found",
    405: "Not offered",
    503: "The controller does not answer",
}


async def _home(request: Request) -> Response:
    return see(signing.first(who(request)))


def routes() -> list[Any]:
    """All paths."""
    static = Mount("/static", StaticFiles(directory=HERE / "static"))
    return [
        Route("/", _home),
        *signing.ROUTES,
        *own_password.ROUTES,
        *doors.ROUTES,
        *door.ROUTES,
        *commands.ROUTES,
        *alerts.ROUTES,
        *needing(Right.HISTORY, history.ROUTES),
        *needing(Right.HISTORY, pictures.ROUTES),
        *needing(Right.HISTORY, download.ROUTES),
        *needing(Right.HISTORY, activity.ROUTES),
        *needing(Right.HISTORY, health.ROUTES),
        *needing(Right.DIRECTORY, people_file.ROUTES),
        *needing(Right.PEOPLE, person_form.ROUTES),
        *needing(Right.PEOPLE, enrolment.ROUTES),
        *needing(Right.PEOPLE, people.ROUTES),
        *needing(Right.PEOPLE, seen_cards.ROUTES),
        *needing(Right.PEOPLE, visitors.ROUTES),
        *groups.ROUTES,
        *needing(Right.DIRECTORY, schedule_form.ROUTES),
        *needing(Right.HISTORY, schedules.ROUTES),
        *needing(Right.HISTORY, access.ROUTES),
        *needing(Right.ACCOUNTS, accounts.ROUTES),
        *scrape.ROUTES,
        static,
    ]


def application(page: Page) -> ASGIApp:
    """The whole page, behind its guard."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await page.link.close()

    handlers: Any = {
        HTTPException: _http,
        Unreachable: _unreachable,
        RequestRefused: _refused,
        AccountsError: _no_accounts,
        ClientDisconnect: _gone,
        500: _mistake,
    }
    app = Starlette(routes=routes(), lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would go to whatever Host the browser sent
    app.state.page = page
    return Guard(WithAlerts(app, page), page)


def _say(request: Request, status: int, text: str) -> Response:
    title = TITLES.get(status) or HTTPStatus(status).phrase
    return page_of(request).html(request, "error.html", status, title=title, text=text)


async def _http(request: Request, error: HTTPException) -> Response:
    plain = error.detail == HTTPStatus(error.status_code).phrase
    return _say(request, error.status_code, "" if plain else error.detail)


async def _unreachable(request: Request, error: Unreachable) -> Response:
    return _say(request, 503, visible(error))


async def _refused(request: Request, error: RequestRefused) -> Response:
    statuses = {"not_allowed": 403, "too_many": 429}
    return _say(request, statuses.get(error.code, 400), visible(error))


async def _no_accounts(request: Request, error: AccountsError) -> Response:
    return _say(request, 503, visible(error))


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    """The client disconnected before its request was complete: no error, and nobody reads the answer."""
    return Response(status_code=400)


async def _mistake(request: Request, _error: Exception) -> Response:
    return _say(request, 500, "A mistake in the page itself; the journal of doorweb has it in full.")
