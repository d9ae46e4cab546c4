"""All doors as tiles, and their state as it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.model.page_roles import COMMANDS, Right
from edge.web.door_actions import WORDS
from edge.web.page import limited, page_of, who
from edge.web.pages.live import stream
from edge.web.pages.tiles import KINDS, counts, shown, zones

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LIVE: Final = ("zone", "tone", "mode", "glyph", "kinds", "primary", "offers", "says")
"""What may change of a tile."""


async def doors(request: Request) -> Response:
    """All doors, or those of the kind `show` whose name has `text`."""
    return await _tiles(request, "doors.html")


async def wall(request: Request) -> Response:
    """The same for a screen on a wall: large, and nothing to click."""
    return await _tiles(request, "wall.html")


async def _tiles(request: Request, template: str) -> Response:
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
        "actions": WORDS,
        "rights": COMMANDS,
    }
    return page.html(request, template, zones=found, show=show, text=text, **more)


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

    return stream(request, doors=news)


def _address(show: str, text: str) -> str:
    """The page with the doors of this kind that have this text in their name."""
    query = urlencode({key: value for key, value in (("show", show), ("text", text)) if value})
    return f"/doors?{query}" if query else "/doors"


ROUTES: Final = [Route("/doors", doors), Route("/wall", wall), Route("/every-door/live", live)]
