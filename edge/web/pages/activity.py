"""A week of the whole site as a heat map, doors by hours, with the same figures as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.routing import Route

from edge.model.printable import masked as visible
from edge.web.page import page_of
from edge.web.week import HOURS, alarm_words, begin, weeks

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.week import Day, Week

FAINTEST: Final = 0.2
"""How strong the colour of a single opening is at least, of 1."""
CELL: Final = 10
"""Width of an hour in the map."""


async def activity(request: Request) -> Response:
    """The week of the site."""
    page = page_of(request)
    status = await page.link.ask("status")
    today = page.words.today(status)
    await page.recent.read(page.link, begin(today), page.now_ns())
    by_door = weeks(page.recent.records, status["doors"], today, page.words.zone)
    names = {key: visible(status["doors"][key]["name"]) for key in by_door}
    busy = {key: week for key, week in by_door.items() if week.total or week.alarmed}
    highest = max((week.highest for week in busy.values()), default=0)
    return page.html(
        request,
        "activity.html",
        doors=[_shown(key, names[key], week, highest) for key, week in busy.items()],
        quiet=[name for key, name in names.items() if key not in busy],
        highest=highest,
        whole=page.recent.whole,
        count=len(page.recent.records),
    )


def _shown(key: str, name: str, week: Week, highest: int) -> dict[str, Any]:
    days = [
        {
            "name": f"{day.date:%a %d}",
            "total": day.total,
            "alarmed": day.alarmed,
            "cells": [
                _cell(key, day, hour, highest) for hour in range(HOURS) if day.openings[hour] or day.alarms[hour]
            ],
        }
        for day in week.days
    ]
    return {"id": key, "name": name, "week": week, "days": days}


def _cell(key: str, day: Day, hour: int, highest: int) -> dict[str, Any]:
    """An hour with something in it."""
    count, alarms = day.openings[hour], alarm_words(day.alarms[hour])
    end = day.date + timedelta(days=(hour + 1) // HOURS)
    hours = {"since": f"{day.date}T{hour:02}:00", "until": f"{end}T{(hour + 1) % HOURS:02}:00"}
    says = [f"{count} opening{'' if count == 1 else 's'}", *([alarms] if alarms else [])]
    return {
        "x": hour * CELL,
        "share": round(max(FAINTEST, count / highest), 2) if count else 0,
        "alarm": bool(alarms),
        "says": f"{day.date:%a %d} {hour:02}:00: {'; '.join(says)}",
        "address": f"/events?{urlencode({'door': key, **hours})}",
    }


ROUTES: Final = [Route("/activity", activity)]
