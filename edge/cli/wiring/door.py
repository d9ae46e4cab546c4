"""A door as the wiring check sees it."""

from __future__ import annotations

from typing import Final, Protocol

RELEASE_S: Final = 3.0


class DoorUnderTest(Protocol):
    """A door as this check sees it: through the daemon, or straight through the drivers."""

    def roles(self) -> set[str]:
        """Which points the door has."""

    def seen(self) -> dict[str, str]:
        """Role -> what is seen now: contact `open` or `closed`, rex `pressed` or `not pressed` ..."""

    def count(self, role: str) -> int:
        """How often the exit button was pressed (`rex`), or a card was read (`reader`), since some beginning."""

    def release(self) -> str | None:
        """Release the lock for `RELEASE_S`; a sentence when it was refused."""
