"""The accounts of this page: a manager adds them, gives them another role or password, and removes them.

One rule: doord records a change before the file of accounts says it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.model.page_roles import PageRole
from edge.web.accounts import MOST_ACCOUNTS, NAME, NAME_EXPECTED, SHORTEST_PASSWORD, Account
from edge.web.page import page_of, posted, see, session_of, who
from edge.web.pages.own_password import new_hash, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/accounts"
MEANS: Final = {
    PageRole.DISPLAY: "a screen on a wall: sees the doors, can do nothing, stays signed in",
    PageRole.VIEWER: "sees everything but people's cards",
    PageRole.RECEPTION: "also unlocks doors, and changes people, cards and visitors",
    PageRole.OPERATOR: "sees what a viewer sees, unlocks doors, locks down",
    PageRole.MANAGER: "everything: people, groups, schedules, accounts, lockdown",
}


async def listed(request: Request) -> Response:
    """All accounts, and the form for another one."""
    return _list(request)


@posted
async def add(request: Request, form: Mapping[str, str]) -> Response:
    """Add an account."""
    page, name = page_of(request), form.get("name", "").strip().lower()
    known = page.accounts.all()
    problem = ""
    if not NAME.fullmatch(name):
        problem = f"A name has {NAME_EXPECTED}."
    elif name in known:
        problem = f"There is an account {name} already."
    elif len(known) >= MOST_ACCOUNTS:
        problem = f"There are {MOST_ACCOUNTS} accounts, and there may be no more."
    problem = problem or wrong(form)
    if problem:
        return _list(request, problem, form)
    made = Account(name, _role(form), await new_hash(page, form["password"]))
    await page.link.ask("login", who(request).name, action="create", login=name, role=made.role)
    await asyncio.to_thread(page.accounts.put, made)
    return _done(request, f"{name} may sign in.")


async def one(request: Request) -> Response:
    """The form of an account."""
    return _one(request, _other(request))


@posted
async def change(request: Request, form: Mapping[str, str]) -> Response:
    """Give an account another role, and another password if one was typed."""
    page, account = page_of(request), _other(request)
    hash_, role = None, _role(form)
    if form.get("password"):
        problem = wrong(form)
        if problem:
            return _one(request, account, problem)
        hash_ = await new_hash(page, form["password"])
    if hash_ is not None or role is not account.role:
        await page.link.ask("login", who(request).name, action="change", login=account.name, role=role)
        await asyncio.to_thread(page.accounts.change, account.name, role=role, hash_=hash_)
    return _done(request, f"{account.name} is changed.")


async def ask_remove(request: Request) -> Response:
    """The page that asks for confirmation."""
    name = _other(request).name
    means = "Whoever is signed in with it is signed out. The name stays in the history."
    question: dict[str, Any] = {"question": f"Remove the account {name}?", "button": "Remove", "means": means}
    return page_of(request).html(request, "confirm.html", **question, danger=True, back=PATH)


@posted
async def remove(request: Request, _form: Mapping[str, str]) -> Response:
    """Remove an account."""
    page, name = page_of(request), _other(request).name
    await page.link.ask("login", who(request).name, action="destroy", login=name)
    await asyncio.to_thread(page.accounts.remove, name)
    return _done(request, f"The account {name} is removed.")


def _other(request: Request) -> Account:
    """The account of the path, which is not one's own. Raises HTTPException."""
    name = request.path_params["name"]
    account = page_of(request).accounts.get(name)
    if account is None:
        raise HTTPException(404, "There is no such account.")
    if name == who(request).name:
        raise HTTPException(403, "Another manager changes your account. Your own password is behind your name, above.")
    return account


def _role(form: Mapping[str, str]) -> PageRole:
    try:
        return PageRole(form.get("role", ""))
    except ValueError:
        raise HTTPException(400, "Expected a role.") from None


def _list(request: Request, problem: str = "", form: Mapping[str, str] | None = None) -> Response:
    page, typed = page_of(request), form or {}
    accounts = sorted(page.accounts.all().values(), key=lambda account: account.name)
    shown: dict[str, Any] = {"accounts": accounts, "roles": MEANS, "shortest": SHORTEST_PASSWORD, "typed": typed}
    return page.html(request, "accounts.html", 400 if problem else 200, problem=problem, **shown)


def _one(request: Request, account: Account, problem: str = "") -> Response:
    shown: dict[str, Any] = {"account": account, "roles": MEANS, "shortest": SHORTEST_PASSWORD}
    return page_of(request).html(request, "account.html", 400 if problem else 200, problem=problem, **shown)


def _done(request: Request, notice: str) -> Response:
    session_of(request).notices.append(notice)
    return see(PATH)


ROUTES: Final = [
    Route(PATH, listed, methods=["GET"]),
    Route(PATH, add, methods=["POST"]),
    Route("/accounts/{name}", one, methods=["GET"]),
    Route("/accounts/{name}", change, methods=["POST"]),
    Route("/accounts/{name}/remove", ask_remove, methods=["GET"]),
    Route("/accounts/{name}/remove", remove, methods=["POST"]),
]
