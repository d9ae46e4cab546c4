"""The commands of an account at one door or every door.

One rule: a command is confirmed before it is sent, on a page of its own where no script runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from edge.client.connection import RequestRefused, Unreachable
from edge.model.page_roles import COMMANDS, FOR_ALL
from edge.model.printable import masked as visible
from edge.web.door_actions import ACTIONS, HELD_FOR, MINUTES, DoorAction
from edge.web.page import check, page_of, posted, see, session_of, who

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

EVERY: Final = "every door"
JSON: Final = "application/json"
"""What a script accepts; a form gets a page."""
HERE: Final = "door"
"""The value of `back` that leads to the page of the door."""


class _Asked(NamedTuple):
    """What an address asks for."""

    words: DoorAction
    name: str
    body: dict[str, Any]
    minutes: str
    back: str

    def says(self, text: str) -> str:
        return text.format(door=self.name, minutes=self.minutes)


async def ask(request: Request) -> Response:
    """The page that asks for confirmation."""
    asked = await _asked(request)
    words, query = asked.words, request.url.query
    return page_of(request).html(
        request,
        "confirm.html",
        question=asked.says(words.question),
        button=words.button,
        means=words.means,
        danger=words.danger,
        action=f"{request.scope['path']}?{query}" if query else request.scope["path"],
        back=asked.back,
    )


@posted
async def give(request: Request, _form: Mapping[str, str]) -> Response:
    """Send the confirmed command."""
    asked, page, session = await _asked(request), page_of(request), session_of(request)
    in_place = JSON in request.headers.get("accept", "")
    try:
        outcomes = (await page.link.ask("command", who(request).name, **asked.body))["outcomes"]
    except (RequestRefused, Unreachable) as error:
        if not in_place:
            raise
        return JSONResponse({"done": False, "says": [visible(error)]})
    refused = [visible(outcome["message"]) for outcome in outcomes.values() if not outcome["done"]]
    done = f"{asked.name[0].upper()}{asked.name[1:]}: {asked.says(asked.words.done)}."
    if in_place:
        return JSONResponse({"done": not refused, "says": refused or [done]})
    session.refusals += refused
    session.notices += [] if refused else [done]
    return see(asked.back)


async def _asked(request: Request) -> _Asked:
    """Read the path and the query. Raises HTTPException."""
    command, door = request.path_params["command"], request.path_params.get("door")
    if command not in ACTIONS or (door is None and command not in FOR_ALL):
        raise HTTPException(404)
    check(request, COMMANDS[command])
    words, minutes = ACTIONS[command], request.query_params.get("minutes", "")
    body: dict[str, Any] = {"command": command}
    if minutes:
        words = HELD_FOR
        body["for_s"] = _minutes(command, minutes) * 60
    if door is None:
        return _Asked(words, EVERY, {**body, "all": True}, minutes, "/doors")
    known = (await page_of(request).link.ask("status"))["doors"]
    if door not in known:
        raise HTTPException(404, "There is no such door.")
    back = f"/doors/{door}" if request.query_params.get("back") == HERE else "/doors"
    return _Asked(words, visible(known[door]["name"]), {**body, "door": door}, minutes, back)


def _minutes(command: str, text: str) -> int:
    least, most = MINUTES
    if command != "hold_unlocked" or not (text.isascii() and text.isdigit() and least <= int(text[:4]) <= most):
        raise HTTPException(400, f"A door is unlocked for {least} to {most} minutes.")
    return int(text[:4])


ROUTES: Final = [
    Route("/doors/{door}/{command}", ask, methods=["GET"]),
    Route("/doors/{door}/{command}", give, methods=["POST"]),
    Route("/every-door/{command}", ask, methods=["GET"]),
    Route("/every-door/{command}", give, methods=["POST"]),
]
