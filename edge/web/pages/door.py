"""One door: its state and what may be done, its last passages, its week, its schedule, who may pass, its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.conditions import conditions, words
from edge.client.connection import RequestRefused
from edge.model.page_roles import COMMANDS, Right
from edge.model.printable import masked as visible
from edge.model.roles import ROLES, PointKind
from edge.web.door_actions import MINUTES, WORDS
from edge.web.page import limited, page_of, who
from edge.web.pages.doors import LIVE
from edge.web.pages.history import begun
from edge.web.pages.live import stream
from edge.web.pages.rows import add_pictures, newer, newest, row
from edge.web.pages.tiles import tile_of
from edge.web.people_words import day
from edge.web.week import begin, weeks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page
    from edge.web.words import Words

PASSAGES: Final = 10
PEOPLE: Final = 8
"""People who are named of those who may pass."""
SCHEDULED: Final = {"on": "unlocks the door now", "waiting": "waits for the first to arrive", "off": "off now"}


@limited(lambda page: page.searches)
async def door(request: Request) -> Response:
    """The page of a door; a role without the history sees its state only."""
    page, key = page_of(request), request.path_params["door"]
    more = who(request).may(Right.HISTORY)
    status = await page.link.ask("facts" if more else "status")
    one = status["doors"].get(key)
    if one is None:
        raise HTTPException(404, "There is no such door.")
    now = page.words.today(status)
    tile = _tile(key, status, page.words, named=more)
    facts = await _more(page, key, status, now) if more else {}
    problems = [(_capital(words(it)), day(page.words.local(it["since"]), now)) for it in conditions(one)]
    return page.html(
        request,
        "door.html",
        door=tile,
        problems=problems,
        controller=page.words.controller(status),
        actions=WORDS,
        rights=COMMANDS,
        minutes=MINUTES,
        **facts,
    )


@limited(lambda page: page.streams)
async def live(request: Request) -> Response:
    """The state of a door and its newer passages, as server-sent events; a role without the history gets the state."""
    page, key, more = page_of(request), request.path_params["door"], who(request).may(Right.HISTORY)
    last = begun(request)

    async def state() -> Any:  # noqa: ANN401 -- JSON
        status = page.link.status
        if status is None:
            return None if page.link.trouble is None else {"trouble": page.link.trouble}
        found = {key: _tile(key, status, page.words, named=more)} if key in status["doors"] else {}
        return {
            "controller": page.words.controller(status),
            "elevators": {},
            "counts": {},
            "order": [],
            "doors": {id_: {part: tile[part] for part in LIVE} for id_, tile in found.items()},
        }

    async def passed() -> Any:  # noqa: ANN401 -- JSON
        nonlocal last
        status = page.link.status
        if status is None:  # `state` says why
            return None
        update = await newer(page, "passages", _asked(key), last, page.words.today(status))
        last = update.get("through", last)
        return update

    return stream(request, doors=state, records=passed) if more else stream(request, doors=state)


def _tile(key: str, status: Mapping[str, Any], say: Words, *, named: bool) -> dict[str, Any]:
    one = status["doors"][key]
    return {**tile_of(key, one, say, say.today(status), named=named), "zone": visible(one.get("zone") or "")}


async def _more(page: Page, key: str, status: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    one = status["doors"][key]
    await page.recent.read(page.link, begin(now), page.now_ns())
    week = weeks(page.recent.records, [key], now, page.words.zone)[key]
    return {
        **await _passages(page, key, status, now),
        "plotted": {"id": key, "name": visible(one["name"]), "week": week, "scale": max(1, week.highest)},
        "schedule": _schedule(one.get("schedule"), page.words, now),
        "people": await _people(page, key),
        "points": _points(key, status, page.words, now),
    }


async def _passages(page: Page, key: str, status: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The last ones, and the record after which live ones begin."""
    found = (await page.link.ask("passages", **_asked(key), limit=PASSAGES))["passages"]
    rows = [row(page, "passages", one, now) for one in found]
    if any(key in camera["doors"] for camera in status["cameras"].values()):
        await add_pictures(page, rows)
    return {"passages": rows, "after": max([int(status["log"]["committed"]), *map(newest, found)])}


def _asked(key: str) -> dict[str, Any]:
    return {"door": [key], "class": "access"}


async def _people(page: Page, key: str) -> dict[str, Any]:
    """Some of those who may pass; `problem` says why nobody is named."""
    try:
        found = await page.link.ask("access", door=key, limit=PEOPLE)
    except RequestRefused as error:
        return {"names": [], "more": False, "problem": visible(error)}
    names = dict.fromkeys(visible(row["person"]["name"]) for row in found["rows"])
    return {"names": list(names), "more": found["next"] is not None, "problem": ""}


def _schedule(schedule: Mapping[str, Any] | None, say: Words, now: datetime) -> dict[str, Any] | None:
    if schedule is None:
        return None
    at = schedule["next_change"]
    return {
        "id": schedule["id"],
        "name": visible(schedule["name"]),
        "says": SCHEDULED.get(schedule["state"], visible(schedule["state"])),
        "change": "" if at is None else day(say.local(at), now),
    }


def _points(key: str, status: Mapping[str, Any], say: Words, now: datetime) -> list[dict[str, str]]:
    """Every point with its driver, its level in words, and since when."""
    one, rows = status["doors"][key], []
    for role, driver in one["points"].items():
        known = ROLES.get(role)
        seen = status["inputs"].get(f"{key}.{role}")
        level, since = "", ""
        if role == "lock":
            level, since = one["lock"], one["since"]["lock"]
        elif seen is not None and known is not None:
            level, since = known.words[bool(seen["asserted"])], seen["since"]
        elif known is not None and known.kind is PointKind.INPUT:
            level = "unknown"
        state = status["drivers"].get(driver, {}).get("state", "online")
        rows.append(
            {
                "role": visible(role),
                "driver": visible(driver) if state == "online" else f"{visible(driver)} ({state})",
                "level": level,
                "since": since and day(say.local(since), now),
            }
        )
    return rows


def _capital(text: str) -> str:
    return visible(text[:1].upper() + text[1:])


ROUTES: Final = [Route("/doors/{door}/live", live, methods=["GET"]), Route("/doors/{door}", door, methods=["GET"])]
