"""The pictures of a record: the list, and each picture.

One rule: a picture is sent with the content type that doord checked, and is read from doord as the browser takes it.
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
    """A part of a picture; `size` is the size of the whole picture in bytes."""

    kind: str
    size: int
    content: bytes


async def pictures_of(page: Page, sequence: int) -> list[dict[str, Any]]:
    """The pictures of a record with their addresses; [] also when doord refuses, so that the record is still shown."""
    try:
        pictures = (await page.link.ask("pictures", sequence=sequence))["pictures"]
    except RequestRefused:  # the disk with the pictures does not answer
        return []
    return [
        {
            "name": picture["name"],
            "time": page.words.time(picture["taken"]),
            "address": f"/events/{sequence}/pictures/{picture['camera']}",
        }
        for picture in pictures
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
    """The picture in parts, at most two of them in memory. Raises Unreachable when it changes or goes meanwhile."""
    kind, size, sent = part.kind, part.size, 0
    while part.content and (part.kind, part.size) == (kind, size):
        yield part.content
        sent += len(part.content)
        if sent >= size:
            return
        part = await _part(page, wanted, sent)
    raise Unreachable("a picture was removed while it was sent")  # the browser sees that it is not complete


async def _part(page: Page, wanted: Mapping[str, Any], offset: int) -> _Part:
    """The part from `offset` on, of the size that doord chooses. Raises RequestRefused and Unreachable."""
    asked = {"sequence": wanted["sequence"], "camera": wanted["camera"], "offset": offset}
    part = await page.link.ask("picture", **asked)
    try:
        return _Part(part["kind"], part["bytes"], base64.b64decode(part["content"], validate=True))
    except binascii.Error:
        raise Unreachable("the program at the socket is not doord") from None


ROUTES: Final = [Route("/events/{sequence:sequence}/pictures/{camera}", picture)]
