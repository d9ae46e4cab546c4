"""A door as the wiring check sees it."""

from __future__ import annotations

from typing import Final, Protocol

RELEASE_S: Final = 3.0


class DoorUnderTest(Protocol):
    """A door to check: through the daemon, or through its drivers."""

    def roles(self) -> set[str]:
        """The roles of the door's points."""

    def seen(self) -> dict[str, str]:
        """Role -> its state now, in the words of `edge.model.roles`; `fault`: the wiring is cut or shorted."""

    def count(self, role: str) -> int:
        """How often a button was pressed, or a card was read; only the difference counts."""

    def release(self) -> str | None:
        """Release the lock for `RELEASE_S`. Returns the reason if that was refused."""
