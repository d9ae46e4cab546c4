"""The page of alerts: the open ones, what became of the others, and taking one.

One rule: taking an alert is a record with the account, or it has not happened.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.responses import JSONResponse
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.catalogue import CATALOGUE, Severity
from edge.model.event_types import INTEGRATION_UPDATE
from edge.model.page_roles import Right
from edge.model.printable import masked as visible
from edge.web.open_alerts import HERE, MOST, MOST_BARS, news
from edge.web.page import limited, needing, page_of, posted, see, session_of, who
from edge.web.pages.live import stream
from edge.web.pages.signing import home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

ROWS: Final = 50
MOST_TAKEN: Final = 200
MOST_ASKED: Final = 10
"""Requests for one list: when few records match, doord answers with short pages."""
ALARMS: Final = tuple(kind for kind, row in CATALOGUE.items() if row.severity is Severity.ALARM)
OLDER: Final = f"/events?{urlencode([('type', kind) for kind in ALARMS])}"


@limited(lambda page: page.streams)
async def live(request: Request) -> Response:
    """The open alerts, as server-sent events: all for the page of alerts, else as many as every page shows."""
    most = MOST if "all" in request.query_params else MOST_BARS
    return stream(request, alerts=functools.partial(news, request, most))


@limited(lambda page: page.searches)
async def alerts(request: Request) -> Response:
    """The open alerts, and what became of the latest alarms."""
    page = page_of(request)
    alarms = await _newest(page, ROWS, type=[*ALARMS])
    after = int(alarms[-1]["sequence"]) - 1 if len(alarms) == ROWS else 0
    changes = await _newest(page, MOST_TAKEN, type=[INTEGRATION_UPDATE], after=after)
    taken = [one for one in changes if "acknowledged" in one["data"]["details"]]
    return page.html(request, "alerts.html", rows=_history(page, alarms, taken), older=OLDER)


@posted
async def take(request: Request, form: Mapping[str, str]) -> Response:
    """Take an alert."""
    try:
        await page_of(request).link.ask("acknowledge", who(request).name, alert=form.get("alert", ""))
        said = "You have taken the alert. It is recorded."
    except RequestRefused as error:
        if error.code != "unknown_alert":
            raise
        said = "Somebody has taken this alert already."
    if "application/json" in request.headers.get("accept", ""):  # a script asks, and stays where it is
        return JSONResponse({"said": said})
    session_of(request).notices.append(said)
    return see(home(form.get("next", "")))


async def _newest(page: Page, most: int, **asked: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- a search
    """The newest records of a search, at most so many."""
    records: list[dict[str, Any]] = []
    before: int | None = None
    for _ in range(MOST_ASKED):
        answer = await page.link.ask("events", **asked, newest=True, before=before, limit=most - len(records))
        records += answer["records"]
        before = answer["next"]
        if before is None or len(records) >= most:
            break
    return records


def _history(
    page: Page, alarms: Sequence[Mapping[str, Any]], taken: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each alarm, and for each other alert that was taken, the newest first."""
    by_alarm: dict[str, Mapping[str, Any]] = {}
    others: list[Mapping[str, Any]] = []
    for one in taken:
        own = [alarm["sequence"] for alarm in alarms if _about(one, alarm)]
        by_alarm |= dict.fromkeys(own, one)
        others += [] if own else [one]
    rows = [{**page.words.record(one), "taken": _taken(page, by_alarm.get(one["sequence"]))} for one in alarms]
    for one in others:
        about = {"message": visible(one["data"]["details"].get("alert")), "taken": _taken(page, one)}
        rows.append({**page.words.record(one), **about})
    return sorted(rows, key=lambda row: -row["sequence"])


def _about(taking: Mapping[str, Any], alarm: Mapping[str, Any]) -> bool:
    """Whether an acknowledgement is about this alarm: of its door and policy, and within its records."""
    details, policy = taking["data"]["details"], taking["data"]["object"]["id"].removeprefix("alert.")
    first, through = str(details["acknowledged"]).rpartition("-")[2], details.get("through")
    if taking["subject"] != alarm["subject"] or ("." in policy and policy != alarm["type"]) or not first.isdecimal():
        return False
    return int(first) <= int(alarm["sequence"]) <= (through if isinstance(through, int) else int(first))


def _taken(page: Page, taking: Mapping[str, Any] | None) -> str:
    if taking is None:
        return "Not taken"
    actor = taking["data"]["actor"] or {}
    return f"Taken by {visible(actor.get('name') or actor.get('id'))}, {page.words.time(taking['time'])}"


ROUTES: Final = [
    *needing(Right.HISTORY, [Route(HERE, alerts)]),
    Route(f"{HERE}/live", live),
    *needing(Right.TAKE, [Route(f"{HERE}/take", take, methods=["POST"])]),
]
