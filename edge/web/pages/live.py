"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one stream for each open page.

One rule: a stream ends with its session, and with nothing else; what goes wrong is said in it.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import StreamingResponse

from edge.client.connection import RequestRefused, Unreachable
from edge.model.printable import masked as visible
from edge.web.page import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    News = Callable[[], Awaitable[Any]]

PAUSE_S: Final = 0.3
"""Between two updates of one page: a flood of events is a few updates, for doord too."""
BEAT_S: Final = 5.0
"""A page hears something at least so often. One that does not for two of these says so: see static/page.js."""
AGAIN_MS: Final = 2_000
"""How long a browser waits before it connects again."""
ALIVE: Final = "event: alive\ndata: {}\n\n"
"""Shows the page that we are still here, and us that its browser is."""
HEADERS: Final = {"X-Accel-Buffering": "no"}
"""Or nginx keeps what comes until it has a buffer full (nginx, proxy_buffering)."""
OVER: Final = "event: over\ndata: {}\n\n"
"""Nobody is signed in here any more; an EventSource tells no script which status it got."""


def stream(request: Request, name: str, news: News) -> StreamingResponse:
    """Send what `news` returns as events called `name`: at once, and when there is something new; None is nothing.

    What it has as `through` comes back in the header Last-Event-ID when the browser connects again.
    """
    return StreamingResponse(_events(request, name, news), headers=HEADERS, media_type="text/event-stream")


async def _events(request: Request, name: str, news: News) -> AsyncIterator[str]:
    page, last = page_of(request), None
    yield f"retry: {AGAIN_MS}\n\n"
    async with aclosing(_changes(request)) as changes:
        async for _ in changes:
            if page.signed_in(request.state.secret, use=False) is None:
                yield OVER
                return
            try:
                said = await news()
            except (Unreachable, RequestRefused) as error:
                said = {"trouble": visible(error)}
            text = json.dumps(said)
            if said is None or text == last:
                yield ALIVE
                continue
            last = text
            place = f"id: {said['through']}\n" if "through" in said else ""
            yield f"event: {name}\n{place}data: {text}\n\n"
            await asyncio.sleep(PAUSE_S)


def _changes(request: Request) -> AsyncGenerator[None, None]:
    return page_of(request).link.changes(BEAT_S)
