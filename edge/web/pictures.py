"""Pictures of a record: what there is, and each of them.

One rule: doord has said that it is a picture; it goes out as that kind and nothing else.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from edge.cli.client import Refused, Unreachable
from edge.web.page import page_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from edge.web.page import Page

KINDS: Final = {"jpg": "image/jpeg", "png": "image/png"}
LARGEST: Final = 8 << 20
"""Bytes of a picture; doord keeps none as large."""


async def pictures_of(page: Page, sequence: int) -> list[dict[str, Any]]:
    """The cameras that have a picture of this record, with its address. None is no reason to show nothing."""
    try:
        found = (await page.link.ask("pictures", sequence=sequence))["pictures"]
    except Refused:  # a disk that does not answer
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
    """One picture, fetched in parts: doord makes no long lines."""
    page, wanted = page_of(request), request.path_params
    content, kind, size = b"", None, 1
    try:
        while len(content) < min(size, LARGEST):
            asked = {"sequence": wanted["sequence"], "camera": wanted["camera"], "offset": len(content)}
            part = await page.link.ask("picture", **asked)
            more = base64.b64decode(part["content"], validate=True)
            if not more or (kind is not None and (part["kind"], part["bytes"]) != (kind, size)):
                raise HTTPException(404, "There is no such picture any more.")
            content, kind, size = content + more, part["kind"], part["bytes"]
    except Refused as error:
        raise HTTPException(404, str(error)) from None
    except binascii.Error:
        raise Unreachable("what answers there does not speak doord's language") from None
    return Response(content, media_type=KINDS[kind or ""])


ROUTES: Final = [Route("/events/{sequence:int}/pictures/{camera}", picture)]
