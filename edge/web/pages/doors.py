"""The doors: their state, live, and the commands of an account.

One rule: a command is confirmed on a page of its own before it is sent; no script is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.model.page_roles import Right
from edge.model.printable import masked as visible
from edge.web.page import check, limited, page_of, posted, see, session_of, who
from edge.web.pages.live import stream
from edge.web.pages.tiles import KINDS, counts, shown, zones

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

COMMANDS: Final = {
    "unlock": ("Unlock {door}?", "Unlock", "It is released for its usual time."),
    "lock": (
        "Lock {door}?",
        "Lock",
        "A hold ends. A schedule that unlocks the door waits until its next window.",
    ),
    "lock_down": (
        "Lock down {door}?",
        "Lock down",
        "Nobody gets in, whatever card they have, until the lockdown is cancelled. Exits keep working.",
    ),
    "cancel_lockdown": (
        "Cancel the lockdown of {door}?",
        "Cancel lockdown",
        "Cards and schedules count again.",
    ),
}
"""Command -> question, button, explanation."""
LIVE: Final = ("zone", "tone", "mode", "glyph", "kinds", "says")
"""What may change of a tile."""
EVERY: Final = "every door"
FOR_ALL: Final = frozenset({"lock_down", "cancel_lockdown"})
DONE: Final = {
    "unlock": "unlocked",
    "lock": "locked",
    "lock_down": "locked down",
    "cancel_lockdown": "lockdown cancelled",
}


async def doors(request: Request) -> Response:
    """All doors, or those of the kind `show` whose name has `text`."""
    page, query = page_of(request), request.query_params
    show = query.get("show", "")
    if show not in ("", *KINDS):
        raise HTTPException(404, f"Doors are shown by {', '.join(KINDS)}.")
    status = await page.link.ask("status")
    found = zones(status, page.words, named=who(request).may(Right.HISTORY))
    tiles = [tile for zone in found for tile in zone["doors"]]
    text = query.get("text", "")
    more: dict[str, Any] = {
        "down": any(tile["mode"] == "locked_down" for tile in tiles),
        "counts": counts(tiles),
        "addresses": {kind: _address(kind, text) for kind in ("", *KINDS)},
        "shown": {tile["id"] for tile in tiles if shown(tile, show, text)},
        "controller": page.words.controller(status),
        "elevators": page.words.elevators(status),
    }
    return page.html(request, "doors.html", zones=found, show=show, text=text, **more)


@limited(lambda page: page.streams)
async def live(request: Request) -> Response:
    """All doors, as server-sent events."""
    page, named = page_of(request), who(request).may(Right.HISTORY)

    async def news() -> Any:  # noqa: ANN401 -- JSON
        status = page.link.status
        if status is None:
            return None if page.link.trouble is None else {"trouble": page.link.trouble}
        tiles = [tile for zone in zones(status, page.words, named=named) for tile in zone["doors"]]
        return {
            "controller": page.words.controller(status),
            "elevators": {elevator["id"]: elevator["says"] for elevator in page.words.elevators(status)},
            "counts": counts(tiles),
            "order": [tile["id"] for tile in tiles],
            "doors": {tile["id"]: {key: tile[key] for key in LIVE} for tile in tiles},
        }

    return stream(request, "doors", news)


async def ask(request: Request) -> Response:
    """The page that asks for confirmation."""
    command, _, name = await _asked(request)
    question, button, means = COMMANDS[command]
    shown: dict[str, Any] = {"question": question.format(door=name), "button": button, "means": means}
    return page_of(request).html(request, "confirm.html", **shown, danger=command == "lock_down")


@posted
async def give(request: Request, _form: Mapping[str, str]) -> Response:
    """Send the confirmed command."""
    command, door, name = await _asked(request)
    which: dict[str, Any] = {"all": True} if door is None else {"door": door}
    page = page_of(request)
    outcomes = (await page.link.ask("command", who(request).name, command=command, **which))["outcomes"]
    refused = [outcome["message"] for outcome in outcomes.values() if not outcome["done"]]
    notices = [visible(message) for message in refused] or [f"{name[0].upper()}{name[1:]}: {DONE[command]}."]
    session_of(request).notices += notices
    return see("/doors")


def _address(show: str, text: str) -> str:
    """The page with the doors of this kind that have this text in their name."""
    query = urlencode({key: value for key, value in (("show", show), ("text", text)) if value})
    return f"/doors?{query}" if query else "/doors"


async def _asked(request: Request) -> tuple[str, str | None, str]:
    """The command, the door (None: every door) and its name, from the path. Raises HTTPException."""
    command, door = request.path_params["command"], request.path_params.get("door")
    if command not in COMMANDS or (door is None and command not in FOR_ALL):
        raise HTTPException(404)
    check(request, Right.LOCK_DOWN if command in FOR_ALL else Right.UNLOCK)
    if door is None:
        return command, None, EVERY
    known = (await page_of(request).link.ask("status"))["doors"]
    if door not in known:
        raise HTTPException(404, "There is no such door.")
    return command, door, visible(known[door]["name"])


ROUTES: Final = [
    Route("/doors", doors),
    Route("/doors/live", live),
    Route("/doors/{door}/{command}", ask, methods=["GET"]),
    Route("/doors/{door}/{command}", give, methods=["POST"]),
    Route("/every-door/{command}", ask, methods=["GET"]),
    Route("/every-door/{command}", give, methods=["POST"]),
]
