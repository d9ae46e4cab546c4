"""Visitors: who comes today, and the form for somebody who may pass some doors until the evening.

One rule: what was typed is never lost: a form that is refused comes back with everything in it and what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, who
from edge.web.pages.edits import DOOR, chosen_doors, door_names
from edge.web.pages.people import PATH as PEOPLE
from edge.web.pages.people import done, managed_of, today
from edge.web.pages.person_form import MAKE, say_done
from edge.web.people_words import EVENING, FIELD, day, from_field, person_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/visitors"
NEW: Final = f"{PATH}/new"
MOST: Final = 500
OVER: Final = "expired"


async def listed(request: Request) -> Response:
    """Visitors, those who come today first, and those whose time is over last."""
    page = page_of(request)
    found = await page.link.ask("people", who(request).name, visitors=True, limit=MOST)
    now = await today(request)
    visitors = sorted(found["people"], key=lambda one: (one["state"] == OVER, one["valid_until"]))
    shown: dict[str, Any] = {"rows": [person_row(one, page.words, now) for one in visitors], "total": found["total"]}
    return page.html(request, "visitors.html", managed=found["managed"], **shown)


async def new(request: Request) -> Response:
    """The empty form: until this evening, while that is to come."""
    now, doors = await today(request), await door_names(request)
    typed = {DOOR + door: "on" for door in doors} if len(doors) == 1 else {}
    if now.time() < EVENING:
        typed["until"] = f"{now.replace(hour=EVENING.hour, minute=EVENING.minute):{FIELD}}"
    return await _form(request, typed)


@posted
async def add(request: Request, form: Mapping[str, str]) -> Response:
    """Enter a visitor."""
    words = page_of(request).words
    asked: dict[str, Any] = {
        "name": form.get("name", "").strip(),
        "doors": chosen_doors(form),
        "card": form.get("card", "").strip() or None,
        "pin": MAKE if "make_pin" in form else None,
    }
    try:
        asked["until"] = from_field(form.get("until", ""), words)
    except ValueError:
        return await _form(request, form, "Until: expected a date and a time.")
    try:
        answer = await done(request, "visitor", **asked)
    except RequestRefused as error:
        return await _form(request, form, visible(error))
    until = day(words.local(answer["valid_until"]), await today(request))
    doors = ", ".join(visible(door["name"]) for door in answer["doors"])
    say_done(request, answer, f"may pass until {until}: {doors}.")
    return see(f"{PEOPLE}/{answer['id']}/card" if "then_card" in form else PATH)


async def _form(request: Request, typed: Mapping[str, str], problem: str = "") -> Response:
    more: dict[str, Any] = {"typed": typed, "problem": problem, "doors": await door_names(request), "door_field": DOOR}
    managed = await managed_of(request)
    return page_of(request).html(
        request, "visitor_form.html", 400 if problem else 200, managed=managed, back=PATH, **more
    )


ROUTES: Final = [
    Route(PATH, listed, methods=["GET"]),
    Route(NEW, new, methods=["GET"]),
    Route(NEW, add, methods=["POST"]),
]
