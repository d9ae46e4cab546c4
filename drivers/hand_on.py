"""Hands a signal from a driver to its receiver.

One rule: an exception of the receiver is reported by the loop; the driver goes on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.model.messages import Signal
    from edge.model.ports import Emit


def hand_on(driver: str, emit: Emit | None, signal: Signal) -> None:
    """Give `emit` a signal of `driver`; None: there is no receiver. To be called on the loop."""
    if emit is None:
        return
    try:
        emit(signal)
    except Exception as error:  # noqa: BLE001 -- as above; asyncio treats its own callbacks likewise
        # Only the kind of signal: a card or a PIN must not stand in a journal.
        message = f"driver {driver}: the receiver of {type(signal).__name__} failed"
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
