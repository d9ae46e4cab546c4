"""Who may pass: the people of a door or a group, the doors of a person, and why somebody may pass or not.

One rule: doord answers with the function by which it decides at the door.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import limited, page_of
from edge.web.pages.edits import door_names
from edge.web.people_words import day, field

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/access"
ROWS: Final = 100
LONGEST: Final = 200
ASKS: Final = {"card": "card", "card_and_pin": "card and PIN", "card_or_pin": "card or PIN", "pin": "PIN"}


@limited(lambda page: page.searches)
async def access(request: Request) -> Response:
    """The question, and its answer."""
    page, query = page_of(request), request.query_params
    asked = {key: query[key][:LONGEST] for key in ("of", "door", "at", "after") if query.get(key)}
    found, problem = None, ""
    if "of" in asked or "door" in asked:
        try:
            found = await page.link.ask("access", limit=ROWS, **asked)
        except RequestRefused as error:
            problem = visible(error)
    rows = [_row(request, one, found["at"]) for one in found["rows"]] if found else []
    following = f"{PATH}?{urlencode({**asked, 'after': found['next']})}" if found and found["next"] else ""
    doors = await door_names(request)
    status = 400 if problem else 200
    shown: dict[str, Any] = {"asked": asked, "problem": problem, "rows": rows, "next": following, "asks": ASKS}
    at = field(found["at"], page.words) if found and "at" in asked else ""
    return page.html(request, "access.html", status, doors=doors, found=found, at=at, **shown)


def _row(request: Request, row: dict[str, Any], at: str) -> dict[str, Any]:
    words = page_of(request).words
    until = row["valid_until"]
    return {
        **row,
        "ask": ASKS.get(row["ask"], visible(row["ask"])),
        "until": "" if until is None else day(words.local(until), words.local(at)),
    }


ROUTES: Final = [Route(PATH, access, methods=["GET"])]
