"""Signing in and out.

One rule: nobody is signed in without a record of it, and a record never contains an unknown name that was typed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.connection import RequestRefused, Unreachable
from edge.model.page_roles import PageRole
from edge.web.accounts import LONGEST_PASSWORD, NAME
from edge.web.attempts import ACCOUNT_CAP_S, ADDRESS_CAP_S, MINUTE_S
from edge.web.listener import network
from edge.web.page import page_of, posted, read_form, see, who
from edge.web.sessions import Ended, same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.accounts import Account
    from edge.web.page import Page

LOG: Final = logging.getLogger(__name__)
HOME: Final = "/doors"
WALL: Final = "/wall"
DISPLAY_S: Final = 400 * 86_400
"""How long the browser of a display keeps its cookie, also over a restart: the longest that browsers allow."""
STRANGER: Final = "(unknown)"
"""Recorded instead of a name that no account has: people type passwords into the wrong field."""
FORM_COOKIE: Final = "-form"
LONGEST_NAME: Final = 40
LEFT: Final = "left"
"""In the address after signing out."""
WRONG: Final = "wrong_password"
LIMITED: Final = "rate_limited"


@dataclass(frozen=True, slots=True)
class SignInRefusal:
    """Why a sign-in failed."""

    code: str
    text: str
    wait_s: float = 0.0
    """Seconds until another attempt is possible."""


async def show(request: Request) -> Response:
    """Show the form."""
    if request.state.session is not None:
        return see(home(request.query_params.get("next", ""), first(who(request))))
    secret = request.state.secret
    ended = page_of(request).sessions.why(secret) if secret else ""
    if LEFT in request.query_params:
        ended = Ended.SIGNED_OUT
    return _form(request, request.query_params.get("next", ""), ended=ended)


async def sign_in(request: Request) -> Response:
    """Check name and password."""
    page, form = page_of(request), await read_form(request)
    bound, next_ = request.cookies.get(page.cookie + FORM_COOKIE, ""), form.get("next", "")
    if not bound or not same(form.get("csrf", ""), page.forms.token(bound)):
        return _form(request, next_, 403, "The form had been open for too long. Please try again.")
    name, password = form.get("name", "").strip().lower(), form.get("password", "")
    found = await checked(request, page, name, password)
    if isinstance(found, SignInRefusal):
        response = _form(request, next_, 429 if found.wait_s else 403, found.text, name=name)
        if found.wait_s:
            response.headers["Retry-After"] = str(math.ceil(found.wait_s))
        known = name if NAME.fullmatch(name) and page.accounts.get(name) else STRANGER
        # after the answer, whose time must not show whether the failure is recorded, and so whether the name exists
        response.background = BackgroundTask(record_failure, request, page, known, found.code)
        return response
    await page.link.ask("login", found.name, action="sign_in", login=found.name, address=address_of(request))
    page.sessions.end(request.state.secret)
    response = see(home(next_, first(found)))
    lasts_s = DISPLAY_S if found.role is PageRole.DISPLAY else None
    _set_cookie(page, response, page.cookie, page.sessions.begin(found), lasts_s)
    return response


async def checked(request: Request, page: Page, name: str, password: str) -> Account | SignInRefusal:
    """The account with this name and password, or why the sign-in is refused."""
    keys = _keys(request, name)
    wait_s = page.attempts.wait_s(keys)
    if wait_s > 0:
        return SignInRefusal(LIMITED, f"Too many failures. Try again in {math.ceil(wait_s)} seconds.", wait_s)
    page.attempts.count(*keys)
    account = None
    if len(password) <= LONGEST_PASSWORD and len(name) <= LONGEST_PASSWORD:
        async with page.hashing:
            account = await asyncio.to_thread(page.accounts.check, name, password)
    if account is None:
        return SignInRefusal(WRONG, "The name or the password is wrong.")
    by_account, by_address = keys
    page.attempts.forget(by_account)
    page.attempts.take_back(by_address)
    if not page.allowance.take(f"sign_in {account.name}"):
        return SignInRefusal(LIMITED, "Too many sign-ins. Try again in a minute.", MINUTE_S)
    return account


async def record_failure(request: Request, page: Page, known: str, code: str) -> None:
    """Record a failure. Each account, unknown names and rate-limited attempts have limits of their own."""
    kind = code if code == LIMITED else f"{code} {known}"
    if not page.allowance.take(kind):
        if page.allowance.refused[kind] == 1:
            LOG.warning("more failed sign-ins than are recorded (%s); the next record says how many", kind)
        return
    left_out = page.allowance.refused.pop(kind, 0)
    facts: dict[str, Any] = {"code": code, "address": address_of(request)} | (
        {"left_out": left_out} if left_out else {}
    )
    try:
        await page.link.ask("login", known, action="sign_in", login=known, **facts)
    except (Unreachable, RequestRefused) as error:  # the sign-in failed anyway; the journal has it
        LOG.warning("%d failed sign-ins (%s) could not be recorded: %s", 1 + left_out, kind, error)


@posted
async def sign_out(request: Request, _form: Mapping[str, str]) -> Response:
    """End the session, also when doord cannot record it."""
    page, account = page_of(request), who(request)
    page.sessions.end(request.state.secret)
    try:
        await page.link.ask("login", account.name, action="sign_out", login=account.name, address=address_of(request))
    except (Unreachable, RequestRefused) as error:
        LOG.warning("the sign-out of %s could not be recorded: %s", account.name, error)
    response = see(f"/sign-in?{LEFT}")
    response.delete_cookie(page.cookie, path="/", secure=page.secure, httponly=True, samesite="strict")
    return response


def first(account: Account) -> str:
    """The page that somebody gets who asks for none."""
    return WALL if account.role is PageRole.DISPLAY else HOME


def home(wanted: str, else_: str = HOME) -> str:
    """The path to go to after signing in: `wanted` if it is one of our pages, else `else_`."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return else_
    ours = wanted.startswith("/") and not wanted.startswith("//") and not parts.scheme and not parts.netloc
    return wanted if ours and wanted.isprintable() and wanted.isascii() and not set(wanted) & set("\\ ") else else_


def _form(  # noqa: PLR0913 -- what the form shows, by name
    request: Request, next_: str, status: int = 200, problem: str = "", *, name: str = "", ended: str = ""
) -> Response:
    page = page_of(request)
    bound = request.cookies.get(page.cookie + FORM_COOKIE) or secrets.token_urlsafe(32)
    token, next_ = page.forms.token(bound), next_ if home(next_) == next_ else ""
    shown = {"next": next_, "problem": problem, "name": name[:LONGEST_NAME], "ended": ended}
    response = page.html(request, "sign_in.html", status, form_token=token, **shown)
    _set_cookie(page, response, page.cookie + FORM_COOKIE, bound)
    return response


def _set_cookie(page: Page, response: Response, name: str, value: str, lasts_s: int | None = None) -> None:
    response.set_cookie(name, value, lasts_s, path="/", secure=page.secure, httponly=True, samesite="strict")


def _keys(request: Request, name: str) -> Mapping[str, float]:
    """Account and address of an attempt -> their longest waits, in this order."""
    by_address = f"address {network(address_of(request))}"
    return {f"account {name[:LONGEST_PASSWORD]}": ACCOUNT_CAP_S, by_address: ADDRESS_CAP_S}


def address_of(request: Request) -> str:
    """The client's address, from the connection; headers are ignored."""
    try:
        address = ipaddress.ip_address((request.client.host if request.client else "").partition("%")[0])
    except ValueError:
        raise HTTPException(400) from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


ROUTES: Final = [
    Route("/sign-in", show, methods=["GET"]),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
]
