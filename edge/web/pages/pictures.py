"""Pictures of a record: what there is, and each of them.

One rule: doord has said that it is a picture; it goes out as that kind and nothing else, and is read as it is taken.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.routing import Route

from edge.client.connection import RequestRefused, Unreachable
from edge.web.page import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.page import Page

KINDS: Final = {"jpg": "image/jpeg", "png": "image/png"}


class _Part(NamedTuple):
    """Some of a picture; `size` is that of the whole, in bytes."""

    kind: str
    size: int
    content: bytes


async def pictures_of(page: Page, sequence: int) -> list[dict[str, Any]]:
    """The cameras that have a picture of this record, with its address. None is no reason to show nothing."""
    try:
        found = (await page.link.ask("pictures", sequence=sequence))["pictures"]
    except RequestRefused:  # a disk that does not answer
        return []
    return [
        {
            "name": one["name"],
            "time": page.words.time(one["taken"]),
            "address": f"/events/{sequence}/pictures/{one['camera']}",
        }
        for one in found
    ]


async def picture(request: Request) -> Response:
    """One picture."""
    page, wanted = page_of(request), request.path_params
    try:
        first = await _part(page, wanted, 0)
    except RequestRefused as error:
        raise HTTPException(404, str(error)) from None
    if not first.content:
        raise HTTPException(404, "There is no such picture any more.")
    length = {"Content-Length": str(first.size)}
    return StreamingResponse(_parts(page, wanted, first), media_type=KINDS[first.kind], headers=length)


async def _parts(page: Page, wanted: Mapping[str, Any], part: _Part) -> AsyncIterator[bytes]:
    """All of it, and no more than two parts of it in memory. Raises when it is not what it was any more."""
    kind, size, sent = part.kind, part.size, 0
    while part.content and (part.kind, part.size) == (kind, size):
        yield part.content
        sent += len(part.content)
        if sent >= size:
            return
        part = await _part(page, wanted, sent)
    raise Unreachable("a picture went away while it was sent")  # the browser sees that it is not whole


async def _part(page: Page, wanted: Mapping[str, Any], offset: int) -> _Part:
    """From there on: doord makes no long lines. Raises RequestRefused and Unreachable."""
    asked = {"sequence": wanted["sequence"], "camera": wanted["camera"], "offset": offset}
    part = await page.link.ask("picture", **asked)
    try:
        return _Part(part["kind"], part["bytes"], base64.b64decode(part["content"], validate=True))
    except binascii.Error:
        raise Unreachable("what answers there is not doord") from None


ROUTES: Final = [Route("/events/{sequence:sequence}/pictures/{camera}", picture)]
