"""The wiring check through a running daemon: inputs are seen as the daemon sees them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Self

from edge.cli.meant import door_meant
from edge.cli.wiring.door import RELEASE_S
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.model.roles import CONTACT, LOCK, ROLES, SWITCHES, PointKind

if TYPE_CHECKING:
    import argparse


class LiveDoor:
    """See `edge.cli.wiring.door.DoorUnderTest`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises Unreachable without a daemon, ValueError for an unknown door."""
        self._client = Client(arguments.socket)
        self._changed_ns: dict[str, int | None] = {}
        self._presses: Counter[str] = Counter()
        self._cards: set[str] = set()
        try:
            doors = self._client.ask("facts")["doors"]
            arguments.door = self._door = door_meant({key: door["name"] for key, door in doors.items()}, arguments.door)
        except (RequestRefused, Unreachable, ValueError):
            self._client.close()
            raise

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connection."""
        self._client.close()

    def roles(self) -> set[str]:
        """See DoorUnderTest."""
        return set(self._client.ask("status")["doors"][self._door]["points"])

    def seen(self) -> dict[str, str]:
        """See DoorUnderTest."""
        facts = self._client.ask("facts")
        door = facts["doors"][self._door]
        tampered = (door["tamper"] or "").split(", ")
        states = {CONTACT.name: door["contact"], LOCK.name: door["lock"]}  # with `fault` among their states
        for role in SWITCHES:
            point = f"{self._door}.{role}"
            if (level := facts["inputs"].get(point)) is not None:
                broken = point in tampered and not level["asserted"]
                states[role] = "fault" if broken else ROLES[role].words[level["asserted"]]
        return states

    def count(self, role: str) -> int:
        """See DoorUnderTest. A press is any change since the last look, so that a short one counts, too."""
        point = f"{self._door}.{role}"
        if ROLES[role].kind is PointKind.READER:
            cards = self._client.ask("cards")["cards"]
            self._cards |= {card["at"] for card in cards if card["reader"] == point}
            return len(self._cards)
        seen = self._client.ask("facts")["inputs"].get(point)
        changed_ns = seen["at_ns"] if seen else None
        before_ns = self._changed_ns.get(role)
        self._presses[role] += before_ns not in {None, changed_ns}
        self._changed_ns[role] = changed_ns
        return self._presses[role]

    def release(self) -> str | None:
        """See DoorUnderTest."""
        outcomes = self._client.ask("command", command="unlock", door=self._door, for_s=RELEASE_S)["outcomes"]
        outcome = outcomes[self._door]
        return None if outcome["done"] else str(outcome["message"])
