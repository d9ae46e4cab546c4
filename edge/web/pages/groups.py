"""Groups: which doors their members may pass, and when. One rule: what the form does not show stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge.model.page_roles import Right
from edge.model.printable import masked as visible
from edge.web.page import needing, page_of, posted, see, session_of
from edge.web.pages.edits import DOOR, EditRefusedError, chosen_doors, door_names, edit, entry, removal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/groups"
NEW: Final = "/groups/~new"
"""No id has a tilde."""
ALWAYS: Final = ""


async def listed(request: Request) -> Response:
    """All groups."""
    page, names = page_of(request), await door_names(request)
    groups = [
        {**group, "doors": [names.get(door, visible(door)) for door in group["doors"]]}
        for group in (await page.link.ask("groups"))["groups"]
    ]
    return page.html(request, "groups.html", groups=sorted(groups, key=lambda group: group["name"].casefold()))


async def new(request: Request) -> Response:
    """The empty form."""
    return await _form(request, {}, {})


@posted
async def add(request: Request, form: Mapping[str, str]) -> Response:
    """Add a group; doord makes its id of the name."""
    return await _save(request, form, {})


async def change(request: Request) -> Response:
    """The form with what is in force."""
    own, version = await entry(request, "group", request.path_params["group"])
    typed = {"name": own["name"], "schedule": own.get("schedule") or ALWAYS, "base": str(version)}
    return await _form(request, typed | {DOOR + door: "on" for door in own.get("doors") or ()}, own)


@posted
async def save(request: Request, form: Mapping[str, str]) -> Response:
    """Change a group."""
    own, _ = await entry(request, "group", request.path_params["group"])
    return await _save(request, form, own)


async def _save(request: Request, form: Mapping[str, str], own: dict[str, Any]) -> Response:
    made = {
        **own,
        "name": form.get("name", "").strip(),
        "doors": chosen_doors(form),
        "schedule": form.get("schedule") or None,
    }
    try:
        await edit(request, [{"put": "group", "entry": made}], form.get("base", ""))
    except EditRefusedError as error:
        _, version = await entry(request, "group", own["id"]) if own else ({}, "")
        return await _form(request, {**form, "base": str(version)}, own, error.problems)
    session_of(request).notices.append(f"{visible(made['name'])} is saved.")
    return see(PATH)


async def _form(
    request: Request, typed: Mapping[str, str], own: Mapping[str, Any], problems: Sequence[str] = ()
) -> Response:
    page = page_of(request)
    schedules = [one for one in (await page.link.ask("schedules"))["schedules"] if one["kind"] == "access"]
    shown: dict[str, Any] = {"typed": typed, "own": own, "problems": problems, "schedules": schedules}
    doors = await door_names(request)
    return page.html(request, "group.html", 400 if problems else 200, doors=doors, door_field=DOOR, **shown)


ROUTES: Final = [
    *needing(Right.HISTORY, [Route(PATH, listed, methods=["GET"])]),
    *needing(
        Right.DIRECTORY,
        [
            Route(NEW, new, methods=["GET"]),
            Route(NEW, add, methods=["POST"]),
            Route("/groups/{group}", change, methods=["GET"]),
            Route("/groups/{group}", save, methods=["POST"]),
            *removal("group", PATH, "It can be removed once nobody is in it."),
        ],
    ),
]
