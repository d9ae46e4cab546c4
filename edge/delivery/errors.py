"""Why a delivery failed, and whose fault that is."""

from __future__ import annotations

from typing import Final

LONGEST_REASON: Final = 300


class DeliveryError(OSError):
    """The receiver did not take a message. The text is for people."""

    def __init__(self, reason: str, *, ours: bool = False, final: bool = False, again_s: float = 0.0) -> None:
        """`ours`: not the receiver's fault; `final`: the receiver will never take anything again.

        `again_s`: seconds after which the receiver asked to be tried again.
        """
        super().__init__(reason[:LONGEST_REASON])
        self.ours, self.final, self.again_s = ours, final, again_s


class DeliveryRefusedError(DeliveryError):
    """Only this message was refused, for its content or its recipients. `final`: it will never be taken."""
