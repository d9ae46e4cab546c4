"""A new password for one's own account.

One rule: whoever changes it knows the old one; every other session of the account ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.background import BackgroundTask
from starlette.routing import Route

from edge.model.page_roles import Right
from edge.web.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD, hashed
from edge.web.page import needing, page_of, posted, see, session_of, who
from edge.web.pages.signing import HOME, SignInRefusal, checked, record_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

TWICE: Final = "The two new passwords are not the same."
LENGTH: Final = f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."


async def show(request: Request) -> Response:
    """Show the form."""
    return _form(request)


@posted
async def change(request: Request, form: Mapping[str, str]) -> Response:
    """Check the old password, and set the new one."""
    page, account = page_of(request), who(request)
    problem = wrong(form)
    if problem:
        return _form(request, problem, 400)
    known = await checked(request, page, account.name, form.get("old", ""))
    if isinstance(known, SignInRefusal):
        text = known.text if known.wait_s else "The old password is wrong."
        response = _form(request, text, 429 if known.wait_s else 403)
        response.background = BackgroundTask(record_failure, request, page, account.name, known.code)
        return response
    hash_ = await new_hash(page, form["password"])
    await page.link.ask("login", account.name, action="change", login=account.name)
    made = await asyncio.to_thread(page.accounts.change, account.name, hash_=hash_)
    session = session_of(request)
    session.account = made or account  # of an account that is gone the session ends with the next request
    session.notices.append("You have a new password. Everywhere else you are signed out.")
    return see(HOME)


def wrong(form: Mapping[str, str]) -> str:
    """What is wrong with a new password that was typed twice; "" if nothing is."""
    password = form.get("password", "")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return LENGTH
    return "" if form.get("again", "") == password else TWICE


async def new_hash(page: Page, password: str) -> str:
    """Hash a password; one at a time, as sign-ins do."""
    async with page.hashing:
        return await asyncio.to_thread(hashed, password)


def _form(request: Request, problem: str = "", status: int = 200) -> Response:
    return page_of(request).html(request, "password.html", status, problem=problem, shortest=SHORTEST_PASSWORD)


ROUTES: Final = needing(
    Right.HISTORY, [Route("/password", show, methods=["GET"]), Route("/password", change, methods=["POST"])]
)
"""Not for a display, which anybody can walk up to."""
