"""How listeners are told of committed records.

One rule: an exception in one listener keeps neither records from the others nor an answer from who waits for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.model.messages import Record

LOG: Final = logging.getLogger(__name__)


def tell(listener: Callable[[Sequence[Record]], None], records: Sequence[Record]) -> None:
    """Call the listener; an exception is logged. Raises nothing."""
    try:
        listener(records)
    except Exception:
        LOG.exception("a listener for committed records failed")
