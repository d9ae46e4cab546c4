"""Why something did not leave, and whose fault that is."""

from __future__ import annotations

from typing import Final

LONGEST_REASON: Final = 300


class DeliveryError(OSError):
    """The receiver did not take it. The text is for people."""

    def __init__(self, reason: str, *, ours: bool = False, final: bool = False, again_s: float = 0.0) -> None:
        """`ours`: no fault of the receiver's; `final`: it said that it will never take anything again.

        `again_s`: it asked not to be tried before.
        """
        super().__init__(reason[:LONGEST_REASON])
        self.ours, self.final, self.again_s = ours, final, again_s


class RefusedError(DeliveryError):
    """This message was not taken, for its own sake or its recipients'; others may be. `final`: nor ever will be."""
