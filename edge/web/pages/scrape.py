"""`/metrics`: metrics for Prometheus, protected by a token.

One rule: without a token in the configuration the page does not exist; a session does not replace the token.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edge.model.plain_text import without_mark
from edge.system.metrics import CONTENT_TYPE
from edge.web.page import page_of

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

PATH: Final = "/metrics"
SHORTEST: Final = 16
"""Characters of a token; a shorter one is never accepted."""
LONGEST: Final = 4096
BEARER: Final = "Bearer "


async def metrics(request: Request) -> Response:
    """The present metrics."""
    page = page_of(request)
    if page.metrics_token_file is None:
        raise HTTPException(404)
    token = await asyncio.to_thread(_token, page.metrics_token_file)
    sent = request.headers.get("authorization", "")
    known = sent.startswith(BEARER) and hmac.compare_digest(sent.removeprefix(BEARER).encode(), token)
    if not known or len(token) < SHORTEST:
        return PlainTextResponse("Metrics need the token.\n", 401, {"WWW-Authenticate": "Bearer"})
    return Response((await page.link.ask("metrics"))["text"], media_type=CONTENT_TYPE)


def _token(file: Path) -> bytes:
    """The token in a file, without the line end; empty when the file cannot be read."""
    try:
        with file.open("rb") as stream:
            return without_mark(stream.read(LONGEST)).strip()
    except OSError:
        return b""


ROUTES: Final = [Route(PATH, metrics)]
