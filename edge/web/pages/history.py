"""The history: pages of records, live at their head, one record with its passage.

One rule: what is shown live is asked with the same filters as the page, so it can show nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import in_json
from edge.web.page import limited, page_of
from edge.web.pages.live import stream
from edge.web.pages.pictures import pictures_of
from edge.web.pages.searching import CHOICES, PERIODS, Search, search, types

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

ROWS: Final = 50
MOST_ASKED: Final = 10
"""Questions for one page: where little fits doord answers with short ones."""
MOST_LIVE: Final = 100
"""Records in one live update; when there are more the page loads anew."""
NEIGHBOURS: Final = 250
"""Records of the door looked at on either side for those of one passage."""
HIGHEST: Final = 2**62


async def read(request: Request) -> tuple[Search, dict[str, Any]]:
    """What is asked, and the status that it was read with."""
    status = await page_of(request).link.ask("status")
    return _search(request, status), status


def _search(request: Request, status: dict[str, Any]) -> Search:
    return search(request.query_params.multi_items(), page_of(request).words.today(status))


@limited(lambda page: page.searches)
async def events(request: Request) -> Response:
    """A page of records, the newest first."""
    page = page_of(request)
    asked, status = await read(request)
    before = _whole(request.query_params.get("before"))
    records, following, problem = await _page(page, asked, before)
    rows = [page.words.record(record) for record in records]
    after = max([int(status["log"]["committed"]), *(row["sequence"] for row in rows)])
    live = before is None and not problem and "until" not in asked.given
    return page.html(
        request,
        "events.html",
        400 if problem else 200,
        search=asked,
        problem=problem,
        rows=rows,
        older=following,
        newest=before is None,
        live=f"/events/live?{asked.query}&after={after}" if live else "",
        doors={key: one["name"] for key, one in {**status["doors"], **status.get("elevators", {})}.items()},
        types=types(),
        periods=PERIODS,
        choices=CHOICES,
        zone=page.words.zone.key,
    )


async def _page(page: Page, asked: Search, before: int | None) -> tuple[list[dict[str, Any]], int | None, str]:
    """Records, where the next page begins, and why there are none."""
    if asked.problem:
        return [], None, asked.problem
    records: list[dict[str, Any]] = []
    try:
        for _ in range(MOST_ASKED):
            answer = await page.link.ask("events", **asked.asked, newest=True, before=before, limit=ROWS - len(records))
            records += answer["records"]
            before = answer["next"]
            if before is None or len(records) >= ROWS:
                break
    except RequestRefused as error:
        return [], None, str(error)
    return records, before, ""


@limited(lambda page: page.streams)
async def live(request: Request) -> Response:
    """What comes after the page was made; it begins without doord too, and says so."""
    page = page_of(request)
    asked: Search | None = None
    last = _whole(request.headers.get("last-event-id") or request.query_params.get("after")) or 0

    async def news() -> Any:  # noqa: ANN401 -- JSON
        nonlocal last, asked
        if page.link.status is None:
            return None if page.link.trouble is None else {"trouble": page.link.trouble}
        asked = asked or _search(request, page.link.status)
        if asked.problem or page.link.committed <= last:
            return {"rows": [], "through": last}
        through = page.link.committed
        answer = await page.link.ask("events", **asked.asked, after=last, limit=MOST_LIVE)
        if answer["next"] is not None:
            return {"reload": True}
        rows = [page.words.record(record) for record in answer["records"]]
        last = max([through, *(row["sequence"] for row in rows)])
        return {"rows": rows, "through": last}

    return stream(request, "records", news)


@limited(lambda page: page.searches)
async def event(request: Request) -> Response:
    """One record, and what else happened in its passage."""
    page, sequence = page_of(request), request.path_params["sequence"]
    if not 0 < sequence < HIGHEST:
        raise HTTPException(404)
    answer = await page.link.ask("events", after=sequence - 1, limit=1)
    record = next((one for one in answer["records"] if int(one["sequence"]) == sequence), None)
    if record is None:
        raise HTTPException(404, "There is no such record; it may have been removed for its age.")
    passage = [page.words.record(one) for one in await _passage(page, record)]
    told = record["data"]["details"]
    details = in_json(json.dumps(told, ensure_ascii=False, indent=2)) if told else ""
    row, facts = page.words.record(record), page.words.facts(record)
    pictures = await pictures_of(page, sequence)
    return page.html(request, "event.html", row=row, facts=facts, passage=passage, details=details, pictures=pictures)


async def _passage(page: Page, record: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of the same correlation, in order: the nearest `NEIGHBOURS` on either side.

    One page each way. The index sends it past nearly every block of the log, so that is the whole of a
    log that has one; without, about 65,000 records on either side are looked at.
    """
    correlation, sequence = record["data"]["correlation"], int(record["sequence"])
    if not correlation:
        return [record]
    same = {"correlation": correlation, "limit": NEIGHBOURS}
    before = await page.link.ask("events", **same, before=sequence, newest=True)
    after = await page.link.ask("events", **same, after=sequence)
    return [*reversed(before["records"]), record, *after["records"]]


def _whole(text: str | None) -> int | None:
    """A sequence number of an address. Raises HTTPException."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text[:20]) > HIGHEST:
        raise HTTPException(400, "Expected a sequence number.")
    return int(text[:20])


ROUTES: Final = [
    Route("/events", events),
    Route("/events/live", live),
    Route("/events/{sequence:sequence}", event),
]
