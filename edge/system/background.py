"""Work that may block for minutes, such as a name that is not found: in a thread that nobody waits for.

One rule: asyncio's own executor is for work that ends; a stop waits for that, and not for this.
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
    """Do `work` in a thread of its own; the future carries its OSError or ValueError, and an OSError for any other."""
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
        except (OSError, ValueError) as found:
            error = found
        except Exception as found:  # a mistake of ours lets nobody wait for ever
            LOG.exception("a mistake in %s", name)
            error = OSError(f"{type(found).__name__}: {found}")
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(settle, error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:  # no memory, or too many tasks: it may go the next time
        settle(OSError(errno.EAGAIN, str(error)))
    return done
