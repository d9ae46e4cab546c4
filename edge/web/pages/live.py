"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one stream for each open page.

One rule: a stream ends only with its session; errors are sent in the stream.
"""

from __future__ import annotations

import asyncio
import functools
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import StreamingResponse

from edge.client.connection import RequestRefused, Unreachable
from edge.model.printable import masked as visible
from edge.web.open_alerts import news as alerts
from edge.web.page import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from starlette.requests import Request

    News = Callable[[], Awaitable[Any]]

PAUSE_S: Final = 0.3
"""Pause between two updates of one page, so that a flood of events becomes a few updates and requests to doord."""
BEAT_S: Final = 5.0
"""Longest interval between two messages. static/page.js reports a lost connection after two of them."""
AGAIN_MS: Final = 2_000
"""How long a browser waits before it connects again."""
ALIVE: Final = "event: alive\ndata: {}\n\n"
"""Shows both sides that the connection is alive."""
HEADERS: Final = {"X-Accel-Buffering": "no"}
"""Without it nginx collects the events until a buffer is full (nginx, proxy_buffering)."""
OVER: Final = "event: over\ndata: {}\n\n"
"""The session is over. It is an event, because an EventSource does not show scripts the HTTP status."""


def stream(request: Request, **sources: News) -> StreamingResponse:
    """Send the result of each source as events of its name: at once and whenever it changes; None: send nothing.

    The open alerts come in the same way as events called `alerts`, on every stream.

    Its `through` comes back in the header Last-Event-ID when the browser connects again.
    """
    every: dict[str, News] = {"alerts": functools.partial(alerts, request), **sources}
    return StreamingResponse(_events(request, every), headers=HEADERS, media_type="text/event-stream")


async def _events(request: Request, sources: Mapping[str, News]) -> AsyncIterator[str]:
    page, last = page_of(request), dict[str, str]()
    yield f"retry: {AGAIN_MS}\n\n"
    async with aclosing(_changes(request)) as changes:
        async for _ in changes:
            if page.signed_in(request.state.secret, use=False) is None:
                yield OVER
                return
            quiet = True
            for name, news in sources.items():
                update = await _told(news)
                text = json.dumps(update)
                if update is None or text == last.get(name):
                    continue
                last[name], quiet = text, False
                place = f"id: {update['through']}\n" if "through" in update else ""
                yield f"event: {name}\n{place}data: {text}\n\n"
            if quiet:
                yield ALIVE
            else:
                await asyncio.sleep(PAUSE_S)


async def _told(news: News) -> Any:  # noqa: ANN401 -- JSON
    try:
        return await news()
    except (Unreachable, RequestRefused) as error:
        return {"trouble": visible(error)}


def _changes(request: Request) -> AsyncGenerator[None, None]:
    return page_of(request).link.changes(BEAT_S)
