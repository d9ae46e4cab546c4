"""The wiring check through the running daemon: what it sees is what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edge.cli.wiring.door import RELEASE_S
from edge.client.connection import Client, Refused, Unreachable

if TYPE_CHECKING:
    import argparse


class LiveDoor:
    """See `edge.cli.wiring.door.DoorUnderTest`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises Unreachable without a daemon, ValueError for a door it has not."""
        self._door = arguments.door
        self._client = Client(arguments.socket)
        self._rex_ns: int | None = None
        self._presses = 0
        self._cards: set[str] = set()
        try:
            facts = self._client.ask("facts")
        except (Refused, Unreachable):
            self._client.close()
            raise
        if self._door not in facts["doors"]:
            self._client.close()
            raise ValueError(f"no door {self._door!r}; expected one of {', '.join(facts['doors']) or 'none'}")

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up."""
        self._client.close()

    def roles(self) -> set[str]:
        """See DoorUnderTest."""
        return set(self._client.ask("status")["doors"][self._door]["points"])

    def seen(self) -> dict[str, str]:
        """See DoorUnderTest."""
        facts = self._client.ask("facts")
        door = facts["doors"][self._door]
        found = {"contact": door["contact"], "lock": door["lock"], "tamper": "open" if door["tamper"] else "at rest"}
        rex = facts["inputs"].get(f"{self._door}.rex")
        return found | ({"rex": "pressed" if rex["asserted"] else "not pressed"} if rex else {})

    def count(self, role: str) -> int:
        """See DoorUnderTest. A press is a change of the button since the last look, so that a short one counts too."""
        if role == "reader":
            cards = self._client.ask("cards")["cards"]
            self._cards |= {one["at"] for one in cards if one["reader"] == f"{self._door}.reader"}
            return len(self._cards)
        rex = self._client.ask("facts")["inputs"].get(f"{self._door}.rex")
        changed_ns = rex["at_ns"] if rex else None
        if changed_ns != self._rex_ns and self._rex_ns is not None:
            self._presses += 1
        self._rex_ns = changed_ns
        return self._presses

    def release(self) -> str | None:
        """See DoorUnderTest."""
        outcomes = self._client.ask("command", command="unlock", door=self._door, for_s=RELEASE_S)["outcomes"]
        outcome = outcomes[self._door]
        return None if outcome["done"] else str(outcome["message"])
