"""Rows of a page that lists passages or records: their words, their pictures, and what is newer than the page.

One rule: a page and its live updates ask for the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from edge.web.pages.pictures import pictures_of
from edge.web.passage_words import passage_row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edge.web.page import Page

MOST_LIVE: Final = {"passages": 50, "records": 100}
"""Rows in one live update; when there are more, the browser loads the page anew."""
PICTURED: Final = frozenset({"alarm", "refused"})
MOST_PICTURED: Final = 8
"""Rows that show a picture; each is a question to doord."""


def row(page: Page, view: str, one: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A passage or a record in words."""
    return passage_row(one, page.words, now) if view == "passages" else page.words.record(one)


def newest(one: Mapping[str, Any]) -> int:
    """The newest record of a passage, or the record."""
    return int(one["last"] if "last" in one else one["sequence"])


async def add_pictures(page: Page, rows: list[dict[str, Any]]) -> None:
    """Give the first alarms and refusals their pictures."""
    shown = [one for one in rows if one["tag"] in PICTURED][:MOST_PICTURED]
    pictures = await asyncio.gather(*(pictures_of(page, one["sequence"]) for one in shown))
    for one, found in zip(shown, pictures, strict=True):
        if found:
            one["picture"] = found[0]["address"]


async def newer(page: Page, view: str, asked: Mapping[str, Any], last: int, now: datetime) -> dict[str, Any]:
    """What was recorded after `last`, with the `through` to ask with next; `reload`: more than fits an update."""
    through = page.link.committed
    if through <= last:
        return {"rows": [], "through": last}
    op = "passages" if view == "passages" else "events"
    answer = await page.link.ask(op, **asked, after=last, limit=MOST_LIVE[view])
    if answer["next"] is not None:
        return {"reload": True}
    found = answer["passages"][::-1] if view == "passages" else answer["records"]
    return {"rows": [row(page, view, one, now) for one in found], "through": max([through, *map(newest, found)])}
