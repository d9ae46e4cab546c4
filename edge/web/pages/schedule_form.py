"""The form of a schedule: the week day by day, exceptions, single openings, and the doors that go by it.

One rule: what was typed is never lost: a form that is refused comes back with everything in it and what is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.routing import Route

from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, session_of, who
from edge.web.pages.edits import DOOR, EditRefusedError, chosen_doors, door_names, edit, entry, removal
from edge.web.pages.schedules import KINDS, PATH
from edge.web.schedule_words import DAYS, hours_text, read_hours, read_week, sorted_parts, week_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

NEW: Final = "/schedules/~new"
"""No id has a tilde."""
MORE: Final = 3
"""Empty rows for further exceptions and openings."""
MINUTE_S: Final = 60


async def new(request: Request) -> Response:
    """The empty form."""
    return await _form(request, {"kind": "access"}, {})


@posted
async def add(request: Request, form: Mapping[str, str]) -> Response:
    """Add a schedule; doord makes its id of the name."""
    return await _save(request, form, {})


async def change(request: Request) -> Response:
    """The form with what is in force."""
    own, version = await entry(request, "schedule", request.path_params["schedule"])
    going = await _going_by(request, own["id"])
    return await _form(request, {**_typed(own), "base": str(version), **{DOOR + door: "on" for door in going}}, own)


@posted
async def save(request: Request, form: Mapping[str, str]) -> Response:
    """Change a schedule."""
    own, _ = await entry(request, "schedule", request.path_params["schedule"])
    return await _save(request, form, own)


async def _save(request: Request, form: Mapping[str, str], own: dict[str, Any]) -> Response:
    try:
        made = _read(form, own)
        changes = [{"put": "schedule", "entry": made}]
        if own and made["kind"] == "unlock":
            changes += await _door_changes(request, form, own["id"])
        await edit(request, changes, form.get("base", ""))
    except EditRefusedError as error:
        _, version = await entry(request, "schedule", own["id"]) if own else ({}, "")
        return await _form(request, {**form, "base": str(version)}, own, error.problems)
    except ValueError as error:
        return await _form(request, form, own, [visible(error)])
    session_of(request).notices.append(f"{visible(made['name'])} is saved.")
    return see(_own_path(own["id"]) if own else PATH)


async def _door_changes(request: Request, form: Mapping[str, str], schedule: str) -> list[dict[str, Any]]:
    """The doors that shall go by it from now on, or no longer."""
    wanted = set(chosen_doors(form))
    now = set(await _going_by(request, schedule))
    touched = sorted(wanted ^ now)
    found = await page_of(request).link.ask("entries", who(request).name, kind="door", ids=touched)
    known = {one["id"]: one for one in found["entries"]}
    return [
        {"put": "door", "entry": {**known.get(door, {"id": door}), "schedule": schedule if door in wanted else None}}
        for door in touched
    ]


async def _going_by(request: Request, schedule: str) -> Sequence[str]:
    found = (await page_of(request).link.ask("schedules"))["schedules"]
    return next((one["doors"] for one in found if one["id"] == schedule), [])


def _typed(own: Mapping[str, Any]) -> dict[str, str]:
    """An entry as the fields of the form."""
    typed = {"name": own["name"], "kind": own["kind"], **week_texts(own.get("weekly") or ())}
    for number, one in enumerate(own.get("exceptions") or ()):
        hours = hours_text(sorted_parts(one.get("windows") or ()))
        typed |= {f"x{number}-date": one["date"], f"x{number}-until": one.get("until") or "", f"x{number}-hours": hours}
    for number, one in enumerate(own.get("openings") or ()):
        typed |= {f"o{number}-from": one["from"], f"o{number}-to": one["to"]}
    typed |= {"first_to_arrive": "on"} if own.get("first_to_arrive") else {}
    return typed | {"early_min": f"{(own.get('early_s') or 0) / MINUTE_S:g}"}


def _read(form: Mapping[str, str], own: Mapping[str, Any]) -> dict[str, Any]:
    """The entry that the form says. Raises ValueError."""
    made = {
        **own,
        "name": form.get("name", "").strip(),
        "kind": own.get("kind") or form.get("kind", ""),
        "weekly": read_week(form),
        "exceptions": [*_exceptions(form)],
        "openings": [
            {"from": form[f"o{n}-from"].strip(), "to": form.get(f"o{n}-to", "").strip()}
            for n in _rows(form, "o", "from")
        ],
    }
    if made["kind"] == "unlock":
        made["first_to_arrive"] = "first_to_arrive" in form
        try:
            made["early_s"] = float(form.get("early_min") or 0) * MINUTE_S
        except ValueError:
            raise ValueError("Minutes before: expected a number") from None
    return made


def _exceptions(form: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for number in _rows(form, "x", "date"):
        day = form[f"x{number}-date"].strip()
        try:
            windows = read_hours(form.get(f"x{number}-hours", ""))
        except ValueError as error:
            raise ValueError(f"{day}: {error}") from None
        until = form.get(f"x{number}-until", "").strip()
        yield {"date": day, "windows": windows} | ({"until": until} if until else {})


def _rows(form: Mapping[str, str], kind: str, field: str) -> list[int]:
    """The numbers of the rows that are filled in."""
    shape = re.compile(rf"{kind}(\d{{1,3}})-{field}", re.ASCII)
    found = (shape.fullmatch(key) for key, value in form.items() if value.strip())
    return sorted(int(one[1]) for one in found if one)


async def _form(
    request: Request, typed: Mapping[str, str], own: Mapping[str, Any], problems: Sequence[str] = ()
) -> Response:
    shown: dict[str, Any] = {"typed": typed, "own": own, "problems": problems, "days": DAYS, "kinds": KINDS}
    for kind, field in (("x", "date"), ("o", "from")):
        rows = _rows(typed, kind, field)
        shown[f"{kind}_rows"] = range(max(rows, default=-1) + 1 + MORE)
    doors = await door_names(request)
    back = _own_path(own["id"]) if own else PATH
    return page_of(request).html(
        request, "schedule_form.html", 400 if problems else 200, doors=doors, door_field=DOOR, back=back, **shown
    )


def _own_path(own: str) -> str:
    return f"{PATH}/{quote(own, safe='')}"


ROUTES: Final = [
    Route(NEW, new, methods=["GET"]),
    Route(NEW, add, methods=["POST"]),
    Route("/schedules/{schedule}/change", change, methods=["GET"]),
    Route("/schedules/{schedule}/change", save, methods=["POST"]),
    *removal("schedule", PATH, "It can be removed once no door and no group goes by it."),
]
