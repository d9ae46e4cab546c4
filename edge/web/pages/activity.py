"""A week of every door as a plot, drawn here, with the same figures as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge.model.printable import masked as visible
from edge.web.page import page_of
from edge.web.week import Week, begin, weeks

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def activity(request: Request) -> Response:
    """The week of every door."""
    page = page_of(request)
    status = await page.link.ask("status")
    today = page.words.today(status)
    await page.recent.read(page.link, begin(today), page.now_ns())
    by_door = weeks(page.recent.records, status["doors"], today, page.words.zone)
    shown = [_shown(key, visible(status["doors"][key]["name"]), week) for key, week in by_door.items()]
    return page.html(request, "activity.html", doors=shown, whole=page.recent.whole, count=len(page.recent.records))


def _shown(key: str, name: str, week: Week) -> dict[str, Any]:
    return {"id": key, "name": name, "week": week, "scale": max(1, week.highest)}


ROUTES: Final = [Route("/activity", activity)]
