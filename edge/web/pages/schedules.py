"""Schedules: what they say, what goes by them, the week as a picture, exceptions as a month."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.model.printable import masked as visible
from edge.web.page import page_of
from edge.web.pages.edits import door_names
from edge.web.people_words import day
from edge.web.schedule_words import DAYS, month, week_bars, week_texts

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/schedules"
KINDS: Final = {"unlock": "Doors stand unlocked", "access": "Groups may pass"}
LONGEST_MONTH: Final = 31
"""Days."""
_MONTH: Final = re.compile(r"(19[0-9]{2}|2[0-9]{3})-(0[1-9]|1[0-2])")


async def listed(request: Request) -> Response:
    """All schedules."""
    page = page_of(request)
    found, names = await page.link.ask("schedules"), await door_names(request)
    groups = {group["id"]: group["name"] for group in (await page.link.ask("groups"))["groups"]}
    now = page.words.local(found["at"])
    rows = [_row(request, one, now, names, groups) for one in found["schedules"]]
    return page.html(request, "schedules.html", rows=rows)


async def shown(request: Request) -> Response:
    """One schedule: its week, and a month with its exceptions."""
    page = page_of(request)
    found, names = await page.link.ask("schedules"), await door_names(request)
    one = next((one for one in found["schedules"] if one["id"] == request.path_params["schedule"]), None)
    if one is None:
        raise HTTPException(404, "There is no such schedule, or no longer.")
    groups = {group["id"]: group["name"] for group in (await page.link.ask("groups"))["groups"]}
    now = page.words.local(found["at"])
    first = _month(request.query_params.get("month", ""), now)
    return page.html(
        request,
        "schedule.html",
        one=_row(request, one, now, names, groups),
        days=DAYS,
        bars=week_bars(one["weekly"]),
        texts=week_texts(one["weekly"]),
        openings=[(day(_at(request, o["from"]), now), day(_at(request, o["to"]), now)) for o in one["openings"]],
        weeks=month(first, one["exceptions"]),
        title=f"{first:%B %Y}",
        today=now.date(),
        before=f"{first - timedelta(days=1):%Y-%m}",
        after=f"{first + timedelta(days=LONGEST_MONTH):%Y-%m}",
    )


def _row(
    request: Request, one: dict[str, Any], now: datetime, doors: dict[str, str], groups: dict[str, str]
) -> dict[str, Any]:
    change = one["next_change"]
    return {
        **one,
        "kind": KINDS.get(one["kind"], visible(one["kind"])),
        "doors": [doors.get(door, visible(door)) for door in one["doors"]],
        "groups": [visible(groups.get(group, group)) for group in one["groups"]],
        "change": None if change is None else day(page_of(request).words.local(change), now),
    }


def _at(request: Request, text: str) -> datetime:
    """A time of an opening: local where it has no offset."""
    words = page_of(request).words
    return words.local(text) if re.search(r"(Z|[+-]\d\d:\d\d)$", text) else words.in_zone(text)


def _month(text: str, now: datetime) -> date:
    """The first day of the month in the address; of this one where there is none."""
    found = _MONTH.fullmatch(text)
    return date(now.year, now.month, 1) if found is None else date(int(found[1]), int(found[2]), 1)


ROUTES: Final = [Route(PATH, listed, methods=["GET"]), Route("/schedules/{schedule}", shown, methods=["GET"])]
