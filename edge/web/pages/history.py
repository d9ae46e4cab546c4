"""The history: pages of passages or records, live updates of the newest page, and one record with its passage.

One rule: live updates use the same filters as the page.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.event_types import READER_ACCESS
from edge.model.page_roles import Right
from edge.model.printable import in_json
from edge.model.printable import masked as visible
from edge.web.page import limited, page_of, who
from edge.web.pages.live import stream
from edge.web.pages.pictures import pictures_of
from edge.web.pages.rows import add_pictures, newer, newest, row
from edge.web.pages.searching import CHOICES, PERIODS, VIEWS, Search, search, types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

ROWS: Final = 50
MOST_ASKED: Final = 10
"""Requests for one page: when few records match, doord answers with short pages."""
NEIGHBOURS: Final = 250
"""Records of one passage that are shown, before and after the record."""
HIGHEST: Final = 2**62
SHORTEST: Final = 2
"""Characters of a text for which people and doors are proposed."""
MOST_MEANT: Final = 6


async def read(request: Request) -> tuple[Search, dict[str, Any]]:
    """The search in the address, and the status that was used to read it."""
    status = await page_of(request).link.ask("status")
    return _search(request, status), status


def _search(request: Request, status: dict[str, Any]) -> Search:
    return search(request.query_params.multi_items(), page_of(request).words.today(status))


@limited(lambda page: page.searches)
async def events(request: Request) -> Response:
    """A page of passages or records, the newest first."""
    page = page_of(request)
    asked, status = await read(request)
    before = _whole(request.query_params.get("before"))
    found, following, problem = await _page(page, asked, before)
    now = page.words.today(status)
    rows = [row(page, asked.view, one, now) for one in found]
    if asked.passages and status["cameras"]:
        await add_pictures(page, rows)
    after = max([int(status["log"]["committed"]), *map(newest, found)])
    live = before is None and not problem and "until" not in asked.given
    doors = {key: place["name"] for key, place in {**status["doors"], **status.get("elevators", {})}.items()}
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
        doors=doors,
        meant=[] if problem else await _meant(page, asked, doors),
        filters=_filters(asked, doors),
        views=VIEWS,
        types=types(),
        periods=PERIODS,
        choices=CHOICES,
        zone=page.words.zone.key,
    )


async def _page(page: Page, asked: Search, before: int | None) -> tuple[list[dict[str, Any]], int | None, str]:
    """What is on the page, where the next one begins (None: no more), and why nothing was searched ("": it was)."""
    if asked.problem:
        return [], None, asked.problem
    found: list[dict[str, Any]] = []
    try:
        for _ in range(MOST_ASKED):
            left = ROWS - len(found)
            if asked.passages:
                answer = await page.link.ask("passages", **asked.asked, before=before, limit=left)
                found += answer["passages"]
            else:
                answer = await page.link.ask("events", **asked.asked, newest=True, before=before, limit=left)
                found += answer["records"]
            before = answer["next"]
            if before is None or len(found) >= ROWS:
                break
    except RequestRefused as error:
        return [], None, str(error)
    return found, before, ""


async def _meant(page: Page, asked: Search, doors: Mapping[str, str]) -> list[dict[str, str]]:
    """What the text may mean, with the address of the search for exactly that."""
    text = asked.one("text")
    if len(text) < SHORTEST:
        return []
    people = (await page.link.ask("proposals", text=text))["people"]
    found = [("door", key, name) for key, name in doors.items() if text.casefold() in name.casefold()][:MOST_MEANT]
    found += [("user", one["id"], one["name"]) for one in people]
    alone = replace(asked, given={key: values for key, values in asked.given.items() if key != "text"})
    return [{"kind": kind, "name": visible(name), "query": alone.changed(kind, key)} for kind, key, name in found]


def _filters(asked: Search, doors: Mapping[str, str]) -> list[dict[str, str]]:
    """Every filter that no chip shows, with the address of the search without it."""
    return [
        {"name": visible(doors.get(value, value) if key == "door" else value), "query": asked.without(key, value)}
        for key in ("door", "user", "group", "type", "code", "outcome", "class", "text")
        for value in asked.given.get(key, ())
    ]


@limited(lambda page: page.streams)
async def live(request: Request) -> Response:
    """What is newer than the page, as server-sent events; while doord does not answer, the reason."""
    page = page_of(request)
    asked: Search | None = None
    last = begun(request)

    async def news() -> Any:  # noqa: ANN401 -- JSON
        nonlocal last, asked
        status = page.link.status
        if status is None:
            return None if page.link.trouble is None else {"trouble": page.link.trouble}
        asked = asked or _search(request, status)
        if asked.problem:
            return {"rows": [], "through": last}
        update = await newer(page, asked.view, asked.asked, last, page.words.today(status))
        last = update.get("through", last)
        return update

    return stream(request, records=news)


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
    facts = page.words.facts(record)
    pictures = await pictures_of(page, sequence)
    return page.html(
        request,
        "event.html",
        400 if problem else 200,
        row=page.words.record(record),
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


def begun(request: Request) -> int:
    """The sequence number after which a stream begins: where it was cut, or where the page ends."""
    return _whole(request.headers.get("last-event-id") or request.query_params.get("after")) or 0


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
