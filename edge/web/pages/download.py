"""The history as a CSV file, made page by page as the browser reads it.

One rule: request, download and end are recorded, as with `doorctl export`. So downloads are limited, or a
viewer could push older records out of the log with them.
"""

from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.routing import Route

from edge.client.connection import RequestRefused, Unreachable
from edge.reports.file import write_csv
from edge.web.page import limited, page_of, who
from edge.web.pages.history import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import tzinfo

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

LOG: Final = logging.getLogger(__name__)
PAGE: Final = 500
_ENDINGS: Final[set[asyncio.Task[None]]] = set()
"""Keeps a reference to each task: the loop has only weak ones."""


@limited(lambda page: page.downloads)
async def download(request: Request) -> Response:
    """All matching records up to now, the oldest first."""
    page, account = page_of(request), who(request).name
    asked, status = await read(request)
    if asked.problem:
        raise HTTPException(400, asked.problem)
    if not page.allowance.take(f"download {account}"):
        raise HTTPException(429, "Too many downloads, and each is recorded. Try again in a minute.")
    name = f"events-{status['controller']['id']}-{page.words.today(status):%Y-%m-%d-%H%M}.csv"
    begun = await page.link.ask("export", account, action="create", name=name, filters=asked.asked)
    await page.link.ask("export", account, action="download", export=begun["export"])
    rows = _rows(page, account, begun, asked.asked)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


async def _rows(page: Page, account: str, begun: dict[str, Any], asked: dict[str, Any]) -> AsyncIterator[str]:
    after: int | None = 0
    count, code = 0, "given_up"
    try:
        while after is not None:
            answer = await page.link.ask("events", **asked, after=after, before=begun["through"] + 1, limit=PAGE)
            text = _csv(answer["records"], page.words.zone)
            yield text if after == 0 else text.partition("\r\n")[2]
            count, after = count + len(answer["records"]), answer["next"]
        code = ""
    finally:  # also when the browser has gone: then the await is cancelled, but not the task
        ending = asyncio.create_task(_finished(page, account, begun["export"], count, code))
        _ENDINGS.add(ending)
        ending.add_done_callback(_ENDINGS.discard)
        await asyncio.shield(ending)


async def _finished(page: Page, account: str, export: str, count: int, code: str) -> None:
    more = {"code": code} if code else {}
    try:
        await page.link.ask("export", account, action="finished", export=export, records=count, **more)
    except (Unreachable, RequestRefused) as error:
        LOG.warning("the end of %s could not be recorded: %s", export, error)


def _csv(records: list[dict[str, Any]], zone: tzinfo) -> str:
    out = io.StringIO(newline="")
    write_csv(out, records, zone)
    return out.getvalue()


ROUTES: Final = [Route("/events.csv", download)]
