"""Those who hear of committed records.

One rule: a mistake in one keeps nothing from the others, nor an answer from whoever waits for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.model.messages import Record

LOG: Final = logging.getLogger(__name__)


def tell(listener: Callable[[Sequence[Record]], None], records: Sequence[Record]) -> None:
    """Raises nothing."""
    try:
        listener(records)
    except Exception:
        LOG.exception("a mistake in what hears of committed records")
