"""People: the list, the page of one of them, and what is done to a person or a card with one button.

One rule: doord decides and records; the page sends what was asked, for the account that asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, session_of, who
from edge.web.people_words import person_row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/people"
ROWS: Final = 50
LATEST: Final = 20
"""Events on the page of a person."""
LONGEST_SEARCH: Final = 200
TURNED: Final = {"off": "{name} may pass no door any more.", "on": "{name} may pass again."}
CARDS: Final = {
    "lost": "The card {number} is lost: no door takes it.",
    "found": "The card {number} counts again.",
    "take": "{name} has the card {number} no more.",
}


class _Turn(StringConvertor):
    regex = "|".join(TURNED)


class _Mark(StringConvertor):
    regex = "|".join(CARDS)


register_url_convertor("turn", _Turn())
register_url_convertor("mark", _Mark())


async def listed(request: Request) -> Response:
    """People by name, with a search."""
    page, query = page_of(request), request.query_params
    text, after = query.get("text", "")[:LONGEST_SEARCH], query.get("after", "")
    found = await page.link.ask("people", who(request).name, text=text, after=after, limit=ROWS)
    now = await today(request)
    rows = [person_row(one, page.words, now) for one in found["people"]]
    following = f"{PATH}?{urlencode({'text': text, 'after': found['next']})}" if found["next"] else ""
    shown: dict[str, Any] = {"rows": rows, "total": found["total"], "text": text, "first": not after}
    return page.html(request, "people.html", next=following, managed=found["managed"], **shown)


async def shown(request: Request) -> Response:
    """One person."""
    page = page_of(request)
    found = await person(request)
    now = await today(request)
    row = person_row(found["person"], page.words, now)
    events = await page.link.ask("events", user=[row["user"]], newest=True, limit=LATEST)
    records = [page.words.record(record) for record in events["records"]]
    return page.html(request, "person.html", one=row, managed=found["managed"], records=records)


@posted
async def turn(request: Request, _form: Mapping[str, str]) -> Response:
    """Bar a person, or no longer."""
    action = request.path_params["action"]
    answer = await done(request, "change_person", action=action, **whom(request))
    return say(request, answer, TURNED[action])


async def ask_remove(request: Request) -> Response:
    """The page that asks for confirmation."""
    one = (await person(request))["person"]
    numbers = ", ".join(card["number"] or card["id"] for card in one["cards"])
    means = f"The cards are removed too: {numbers}. " if numbers else ""
    question: dict[str, Any] = {
        "question": f"Remove {visible(one['name'])}?",
        "button": "Remove",
        "means": f"{means}The name stays in the history.",
    }
    return page_of(request).html(request, "confirm.html", **question, danger=True, back=own_path(request))


@posted
async def remove(request: Request, _form: Mapping[str, str]) -> Response:
    """Remove a person."""
    answer = await done(request, "change_person", action="remove", **whom(request))
    return say(request, answer, "{name} is removed.", PATH)


@posted
async def card(request: Request, _form: Mapping[str, str]) -> Response:
    """Mark a card as lost or found, or take it away."""
    path = request.path_params
    answer = await done(request, "card", action=path["action"], card=path["card"], of=path["person"], by_id=True)
    return say(request, answer, CARDS[path["action"]])


async def person(request: Request) -> dict[str, Any]:
    """The person of the path: doord's answer. Raises HTTPException."""
    try:
        found = await page_of(request).link.ask("person", who(request).name, **whom(request))
    except RequestRefused as error:
        if error.code in {"unknown_person", "ambiguous"}:
            raise HTTPException(404, "There is no such person, or no longer.") from None
        raise
    return dict(found)


def whom(request: Request) -> dict[str, Any]:
    """The person of the path, and nobody else who begins so: they may have been removed since."""
    return {"who": request.path_params["person"], "by_id": True}


async def done(request: Request, op: str, **ask: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """Doord's answer to a change of this account. Raises RequestRefused, also for a change that it refused."""
    answer: dict[str, Any] = await page_of(request).link.ask(op, who(request).name, **ask)
    if not answer["done"]:
        raise RequestRefused(str(answer["code"]), str(answer["message"]))
    return answer


def say(request: Request, answer: Mapping[str, Any], text: str, path: str = "") -> Response:
    """Go back to the person, or to `path`, and say there what was done."""
    number = (answer.get("card") or {}).get("number") or ""
    notices = [text.format(name=visible(answer.get("name") or ""), number=visible(number))]
    session_of(request).notices += [*notices, *map(visible, answer.get("notes") or ())]
    return see(path or own_path(request))


async def managed_of(request: Request) -> dict[str, Any]:
    """Whether the directory is edited here, and where else."""
    found = await page_of(request).link.ask("people", who(request).name, limit=1)
    return dict(found["managed"])


def own_path(request: Request) -> str:
    """The path of the person in this one."""
    return f"{PATH}/{quote(request.path_params['person'], safe='')}"


async def today(request: Request) -> datetime:
    """The time at the doors."""
    page = page_of(request)
    return page.words.today(await page.link.ask("status"))


ROUTES: Final = [
    Route(PATH, listed, methods=["GET"]),
    Route("/people/{person}", shown, methods=["GET"]),
    Route("/people/{person}/{action:turn}", turn, methods=["POST"]),
    Route("/people/{person}/remove", ask_remove, methods=["GET"]),
    Route("/people/{person}/remove", remove, methods=["POST"]),
    Route("/people/{person}/cards/{card}/{action:mark}", card, methods=["POST"]),
]
