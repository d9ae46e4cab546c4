"""The history: pages of records, live updates of the newest page, and one record with the others of its passage.

One rule: live updates use the same filters as the page.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.event_types import READER_ACCESS
from edge.model.page_roles import Right
from edge.model.printable import in_json
from edge.web.page import limited, page_of, who
from edge.web.pages.live import stream
from edge.web.pages.pictures import pictures_of
from edge.web.pages.searching import CHOICES, PERIODS, Search, search, types

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

ROWS: Final = 50
MOST_ASKED: Final = 10
"""Requests for one page: when few records match, doord answers with short pages."""
MOST_LIVE: Final = 100
"""Records in one live update; when there are more, the browser loads the page anew."""
NEIGHBOURS: Final = 250
"""Records of one passage that are shown, before and after the record."""
HIGHEST: Final = 2**62


async def read(request: Request) -> tuple[Search, dict[str, Any]]:
    """The search in the address, and the status that was used to read it."""
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
        doors={key: place["name"] for key, place in {**status["doors"], **status.get("elevators", {})}.items()},
        types=types(),
        periods=PERIODS,
        choices=CHOICES,
        zone=page.words.zone.key,
    )


async def _page(page: Page, asked: Search, before: int | None) -> tuple[list[dict[str, Any]], int | None, str]:
    """The records, where the next page begins (None: no more), and why nothing was searched ("": it was)."""
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
    """Records newer than the page, as server-sent events; while doord does not answer, the reason."""
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
    """One record, with the other records of its passage."""
    return await shown(request)


async def shown(request: Request, typed: str = "", problem: str = "") -> Response:
    """The page of one record; `typed` and `problem`: a card could not be given to whom was named there."""
    page, sequence = page_of(request), request.path_params["sequence"]
    if not 0 < sequence < HIGHEST:
        raise HTTPException(404)
    answer = await page.link.ask("events", after=sequence - 1, limit=1)
    record = next((row for row in answer["records"] if int(row["sequence"]) == sequence), None)
    if record is None:
        raise HTTPException(404, "There is no such record; it may have been removed for its age.")
    passage = [page.words.record(other) for other in await _passage(page, record)]
    raw = record["data"]["details"]
    details = in_json(json.dumps(raw, ensure_ascii=False, indent=2)) if raw else ""
    row, facts = page.words.record(record), page.words.facts(record)
    pictures = await pictures_of(page, sequence)
    return page.html(
        request,
        "event.html",
        400 if problem else 200,
        row=row,
        facts=facts,
        passage=passage,
        details=details,
        pictures=pictures,
        card=await _card(request, record),
        typed=typed,
        problem=problem,
    )


async def _card(request: Request, record: dict[str, Any]) -> dict[str, Any] | str | None:
    """The unknown card of this record, for who may give it to somebody; the reason where that cannot be done."""
    if record["type"] != READER_ACCESS or record["data"]["code"] != "unknown_card":
        return None
    if not who(request).may(Right.PEOPLE):
        return None
    try:
        (card,) = (await page_of(request).link.ask("cards", who(request).name, seen=int(record["sequence"])))["cards"]
    except RequestRefused as error:
        return str(error)
    return dict(card)


async def _passage(page: Page, record: dict[str, Any]) -> list[dict[str, Any]]:
    """The records with the same correlation, in order: the nearest `NEIGHBOURS` on either side.

    One request each way. With the log's index that covers the whole log; without, about 65,000 records on
    either side.
    """
    correlation, sequence = record["data"]["correlation"], int(record["sequence"])
    if not correlation:
        return [record]
    same = {"correlation": correlation, "limit": NEIGHBOURS}
    before = await page.link.ask("events", **same, before=sequence, newest=True)
    after = await page.link.ask("events", **same, after=sequence)
    return [*reversed(before["records"]), record, *after["records"]]


def _whole(text: str | None) -> int | None:
    """A sequence number in an address; None when it is missing. Raises HTTPException."""
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
