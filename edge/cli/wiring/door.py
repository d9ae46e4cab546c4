"""A door as the wiring check sees it."""

from __future__ import annotations

from typing import Final, Protocol

RELEASE_S: Final = 3.0


class DoorUnderTest(Protocol):
    """A door as this check sees it: through the daemon, or straight through the drivers."""

    def roles(self) -> set[str]:
        """Which points the door has."""

    def seen(self) -> dict[str, str]:
        """Role -> what is seen now, in the words of `edge.model.roles`; `fault` where the wiring is cut or shorted."""

    def count(self, role: str) -> int:
        """How often a button was pressed, or a card was read, since some beginning."""

    def release(self) -> str | None:
        """Release the lock for `RELEASE_S`; a sentence when it was refused."""
