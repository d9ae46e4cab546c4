"""Giving somebody a card: by its number, or by holding it to a reader.

One rule: a card that a reader saw is shown first, and given after a yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.responses import JSONResponse
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, who
from edge.web.pages.people import done, own_path, person, say, whom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

GIVEN: Final = "{name} has the card {number}."


async def ask(request: Request) -> Response:
    """The form for a number, and the readers."""
    return await _form(request)


@posted
async def give(request: Request, form: Mapping[str, str]) -> Response:
    """Give a card by its number: one that was typed, or one that a reader saw."""
    try:
        answer = await done(request, "card", action="give", card=form.get("card", "").strip(), **whom(request))
    except RequestRefused as error:
        return await _form(request, form, visible(error))
    await _enrol(request, "end")
    return say(request, answer, GIVEN)


@posted
async def listen(request: Request, form: Mapping[str, str]) -> Response:
    """Wait for the next card at a reader."""
    reader = form.get("reader", "")
    try:
        began = await _enrol(request, "begin", **({"reader": reader} if reader else {}))
    except RequestRefused as error:
        return await _form(request, form, visible(error))
    return see(f"{own_path(request)}/card/reader?{_of(began['until'])}")


async def wait(request: Request) -> Response:
    """The page that waits for the card; it is loaded anew until there is one."""
    found, state = await person(request), await _state(request)
    shown: dict[str, Any] = {"one": found["person"], "state": state, "places": await _places(request)}
    shown |= {
        "seen": _seen(state),
        "wait": f"{own_path(request)}/card/reader/state?{_of(request.query_params.get('until'))}",
    }
    return page_of(request).html(request, "enrolment.html", back=own_path(request), **shown)


async def state(request: Request) -> Response:
    """What the page asks while it waits: whether there is something new to see."""
    return JSONResponse({"seen": _seen(await _state(request))})


@posted
async def stop(request: Request, _form: Mapping[str, str]) -> Response:
    """Wait no longer."""
    await _enrol(request, "end")
    return see(own_path(request))


def _of(until: str | None) -> str:
    """In an address: which enrolment of the account it is about."""
    return urlencode({"until": until or ""})


async def _state(request: Request) -> dict[str, Any]:
    """What has become of the enrolment in the address; over, when the account has begun another one since."""
    found = await _enrol(request, "state")
    if found["until"] == request.query_params.get("until"):
        return found
    return found | {"state": "ended", "card": None, "holder": None}


def _seen(found: Mapping[str, Any]) -> str:
    card = found["card"] or {}
    return f"{found['state']} {card.get('at') or ''} {found['holder'] or ''}"


async def _enrol(request: Request, action: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    return dict(await page_of(request).link.ask("enrol", who(request).name, action=action, **more))


async def _form(request: Request, typed: Mapping[str, str] | None = None, problem: str = "") -> Response:
    found = await person(request)
    shown: dict[str, Any] = {"one": found["person"], "typed": typed or {}, "places": await _places(request)}
    return page_of(request).html(
        request, "card.html", 400 if problem else 200, problem=problem, back=own_path(request), **shown
    )


async def _places(request: Request) -> dict[str, str]:
    """Doors and elevators with a reader: id and name."""
    status = await page_of(request).link.ask("status")
    doors = {key: visible(door["name"]) for key, door in status["doors"].items() if "reader" in door["points"]}
    return doors | {key: visible(one["name"]) for key, one in status.get("elevators", {}).items()}


ROUTES: Final = [
    Route("/people/{person}/card", ask, methods=["GET"]),
    Route("/people/{person}/card", give, methods=["POST"]),
    Route("/people/{person}/card/reader", wait, methods=["GET"]),
    Route("/people/{person}/card/reader", listen, methods=["POST"]),
    Route("/people/{person}/card/reader/state", state, methods=["GET"]),
    Route("/people/{person}/card/reader/stop", stop, methods=["POST"]),
]
