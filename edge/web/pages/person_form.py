"""The form of a person: somebody new, or what is to be changed of somebody.

One rule: what was typed is never lost: a form that is refused comes back with everything in it and what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, session_of
from edge.web.pages.edits import SAVE_AGAIN, STALE
from edge.web.pages.people import PATH, done, managed_of, own_path, person, whom
from edge.web.people_words import field, from_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

GROUP: Final = "group:"
"""Begins the name of a group's field; its id follows."""
TIMES: Final = {"valid_from": "Valid from", "valid_until": "Valid until"}
MAKE: Final = "make"


async def new(request: Request) -> Response:
    """The empty form."""
    groups = await _groups(request)
    chosen = {GROUP + group: "on" for group in groups} if len(groups) == 1 else {}
    return await _form(request, chosen, groups=groups)


@posted
async def add(request: Request, form: Mapping[str, str]) -> Response:
    """Add a person."""
    try:
        asked = _asked(request, form)
        if not asked["groups"]:  # doord makes one where there is none yet
            del asked["groups"]
        if form.get("card", "").strip():
            asked["card"] = form["card"].strip()
        answer = await done(request, "change_person", action="add", **asked)
    except (RequestRefused, ValueError) as error:
        return await _form(request, form, problem=visible(error))
    say_done(request, answer, "is added.")
    own = f"{PATH}/{answer['id']}"
    return see(f"{own}/card" if "then_card" in form else own)


async def change(request: Request) -> Response:
    """The form with what is in force."""
    found = await person(request)
    one, words = found["person"], page_of(request).words
    typed = {GROUP + group["id"]: "on" for group in one["groups"]}
    typed |= {key: field(one[key], words) for key in TIMES}
    typed |= {"name": one["name"], "email": one["email"] or "", "base": str(found["version"])}
    typed |= {"extended_unlock": "on"} if one["extended_unlock"] else {}
    return await _form(request, typed, one=one)


@posted
async def save(request: Request, form: Mapping[str, str]) -> Response:
    """Change a person. What others changed since the form was shown is told, and saving once more counts."""
    found = await person(request)
    try:
        base = int(form["base"]) if form.get("base", "").isdecimal() else found["version"]
        answer = await done(
            request, "change_person", action="change", **whom(request), base=base, **_asked(request, form)
        )
    except RequestRefused as error:
        text = visible(error)
        if error.code == STALE:
            text = f"{text}. {SAVE_AGAIN}"
        typed = {**form, "base": str(found["version"])}
        return await _form(request, typed, one=found["person"], problem=text)
    except ValueError as error:
        return await _form(request, form, one=found["person"], problem=visible(error))
    say_done(request, answer, "is changed.")
    return see(own_path(request))


def _asked(request: Request, form: Mapping[str, str]) -> dict[str, Any]:
    """What the form says, as doord wants it. Raises ValueError."""
    words = page_of(request).words
    asked: dict[str, Any] = {
        "name": form.get("name", "").strip(),
        "email": form.get("email", "").strip() or None,
        "groups": [key.removeprefix(GROUP) for key in form if key.startswith(GROUP)],
        "extended_unlock": "extended_unlock" in form,
    }
    for key, label in TIMES.items():
        try:
            asked[key] = from_field(form.get(key, ""), words)
        except ValueError:
            raise ValueError(f"{label}: expected a date and a time.") from None
    pin, kind = form.get("pin", "").strip(), form.get("pin_kind", "")
    if kind == MAKE:
        asked["pin"] = MAKE
    elif kind == "none":
        asked["pin"] = None
    elif pin:
        asked["pin"] = pin
    return asked


def say_done(request: Request, answer: Mapping[str, Any], text: str) -> None:
    """Say on the next page what was done with whom, and a PIN that was made."""
    notices = [f"{visible(answer['name'])} {text}", *map(visible, answer.get("notes") or ())]
    if answer.get("pin"):
        notices.append(f"The PIN is {answer['pin']}. Write it down now: it is not shown again.")
    session_of(request).notices += notices


async def _groups(request: Request) -> dict[str, str]:
    """Id and name, by name."""
    found = await page_of(request).link.ask("groups")
    names = {group["id"]: visible(group["name"]) for group in found["groups"]}
    return dict(sorted(names.items(), key=lambda one: one[1].casefold()))


async def _form(
    request: Request,
    typed: Mapping[str, str],
    *,
    one: Mapping[str, Any] | None = None,
    groups: Mapping[str, str] | None = None,
    problem: str = "",
) -> Response:
    more: dict[str, Any] = {"typed": typed, "one": one, "problem": problem, "group_field": GROUP}
    groups = await _groups(request) if groups is None else groups
    managed = None if one is not None else await managed_of(request)
    back = PATH if one is None else own_path(request)
    return page_of(request).html(
        request, "person_form.html", 400 if problem else 200, groups=groups, managed=managed, back=back, **more
    )


NEW: Final = "/people/~new"
"""No id has a tilde."""
ROUTES: Final = [
    Route(NEW, new, methods=["GET"]),
    Route(NEW, add, methods=["POST"]),
    Route("/people/{person}/change", change, methods=["GET"]),
    Route("/people/{person}/change", save, methods=["POST"]),
]
