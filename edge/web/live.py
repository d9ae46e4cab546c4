"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one stream for each open page.

One rule: a stream ends with its session, and there is a bounded number of them.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from edge.web.page import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    News = Callable[[], Awaitable[Any]]

MOST_STREAMS: Final = 32
PAUSE_S: Final = 0.3
"""Between two updates of one page: a flood of events is a few updates, for doord too."""
AGAIN_MS: Final = 2_000
"""How long a browser waits before it connects again."""


def stream(request: Request, name: str, news: News) -> StreamingResponse:
    """Send what `news` returns as events called `name`: at once, and when there is something new; None is nothing.

    What it has as `through` comes back in the header Last-Event-ID when the browser connects again.
    """
    if page_of(request).streams >= MOST_STREAMS:
        raise HTTPException(503, "Too many pages are open.")
    return StreamingResponse(_events(request, name, news), media_type="text/event-stream")


async def _events(request: Request, name: str, news: News) -> AsyncIterator[str]:
    page, last = page_of(request), None
    page.streams += 1
    try:
        yield f"retry: {AGAIN_MS}\n\n"
        async with aclosing(_changes(request)) as changes:
            async for _ in changes:
                if page.signed_in(request.state.secret, use=False) is None:
                    yield "event: over\ndata: {}\n\n"
                    return
                said = await news()
                text = json.dumps(said)
                if said is None or text == last:
                    yield ":\n\n"  # shows that we are still here, and us that the browser is
                    continue
                last = text
                place = f"id: {said['through']}\n" if "through" in said else ""
                yield f"event: {name}\n{place}data: {text}\n\n"
                await asyncio.sleep(PAUSE_S)
    finally:
        page.streams -= 1


def _changes(request: Request) -> AsyncGenerator[None, None]:
    return page_of(request).link.changes()
