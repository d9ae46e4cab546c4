"""Work that may block for minutes, such as a name lookup, in a daemon thread.

One rule: a stop of doord never waits for these threads. It waits for asyncio's own executor, so work that may
hang must not run there.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOG: Final = logging.getLogger(__name__)


def in_background(work: Callable[[], None], name: str) -> asyncio.Future[None]:
    """Call `work` in a thread of its own; the future gets its OSError or ValueError, any other error as OSError."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if done.done():  # given up meanwhile
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except (OSError, ValueError) as expected:
            error = expected
        except Exception as mistake:  # our own mistake must not let the caller wait for ever
            LOG.exception("internal error in %s", name)
            error = OSError(f"{type(mistake).__name__}: {mistake}")
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:  # no memory or too many threads: another try may succeed
        settle(OSError(errno.EAGAIN, str(error)))
    return done
