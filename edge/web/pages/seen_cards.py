"""The last cards that readers saw. One that nobody has is given to somebody here.

One rule: doord decides who is meant by a name, and gives the card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, session_of, who
from edge.web.pages.enrolment import GIVEN
from edge.web.pages.history import shown
from edge.web.pages.people import done, today
from edge.web.people_words import ago

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

PATH: Final = "/cards"


async def listed(request: Request) -> Response:
    """The cards, the newest first."""
    return await _list(request)


@posted
async def give(request: Request, form: Mapping[str, str]) -> Response:
    """Give a card to the person who is named."""
    try:
        await _give(request, form, card=form.get("card", "").strip())
    except RequestRefused as error:
        return await _list(request, form, visible(error))
    return see(PATH)


@posted
async def give_seen(request: Request, form: Mapping[str, str]) -> Response:
    """Give the unknown card of an event to the person who is named."""
    sequence = request.path_params["sequence"]
    try:
        await _give(request, form, seen=sequence)
    except RequestRefused as error:
        return await shown(request, form.get("who", ""), visible(error))
    return see(f"/events/{sequence}")


async def _give(request: Request, form: Mapping[str, str], **card: str | int) -> None:
    """Raises RequestRefused."""
    answer = await done(request, "card", action="give", who=form.get("who", "").strip(), **card)
    number = (answer.get("card") or {}).get("number") or card.get("card", "")
    session_of(request).notices.append(GIVEN.format(name=visible(answer["name"]), number=visible(number)))


async def _list(request: Request, typed: Mapping[str, str] | None = None, problem: str = "") -> Response:
    page, now = page_of(request), await today(request)
    cards = (await page.link.ask("cards", who(request).name))["cards"]
    rows = [{**card, "named": _named(card), "when": _when(page, card["at"], now)} for card in reversed(cards)]
    context: dict[str, Any] = {"rows": rows, "typed": typed or {}, "problem": problem}
    return page.html(request, "seen_cards.html", 400 if problem else 200, **context)


def _when(page: Page, at: str | None, now: datetime) -> str:
    return "the clock was not set" if at is None else ago(page.words.local(at), now)


def _named(card: Mapping[str, Any]) -> str:
    """What it is called where a card is given: with its format, as another card may have this number; a token's id."""
    return f"{card['format']} {card['written']}" if card["written"] else str(card["card"])


ROUTES: Final = [
    Route(PATH, listed, methods=["GET"]),
    Route(PATH, give, methods=["POST"]),
    Route("/events/{sequence:sequence}/card", give_seen, methods=["POST"]),
]
