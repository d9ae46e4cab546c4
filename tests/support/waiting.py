"""Waiting for another process or thread: until it is so, and never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 120.0
"""Only tells a hang from a slow machine."""


def until(
    condition: Callable[[], Any], what: str | Callable[[], object] = "what was waited for", every_s: float = 0.02
) -> Any:
    """Ask again until it is so, and return what was found."""
    end_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end_s, f"{what} did not come" if isinstance(what, str) else what()
        time.sleep(every_s)  # between two looks at another process
    return found
