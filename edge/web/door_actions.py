"""What an account may do at a door: the words of each command, and which are offered in which state.

One rule: pure; what cannot be done now is not offered, and doord decides all the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTES: Final = (1, 60)
"""For how long a door is unlocked at the page, if not until further notice."""


@dataclass(frozen=True, slots=True)
class DoorAction:
    """One command in the words of the page; `{door}` is its name."""

    question: str
    button: str
    means: str
    done: str
    modes: frozenset[str]
    """In which it is offered."""
    danger: bool = False


_CLOSED: Final = frozenset({"locked", "accessed"})
ACTIONS: Final = {
    "unlock": DoorAction(
        "Unlock {door}?", "Unlock", "It is released for its usual time.", "unlocked", _CLOSED | {"blocked"}
    ),
    "lock": DoorAction(
        "Lock {door}?",
        "Lock",
        "A hold ends. A schedule that unlocks the door waits until its next window.",
        "locked",
        frozenset({"accessed", "unlocked"}),
    ),
    "hold_unlocked": DoorAction(
        "Hold {door} unlocked?",
        "Hold unlocked",
        "Everybody gets in until somebody locks it.",
        "held unlocked",
        _CLOSED | {"unlocked", "blocked"},
    ),
    "block": DoorAction(
        "Block {door}?",
        "Block",
        "Cards and PINs are refused until the block is ended. Exits keep working, and Unlock on this page.",
        "blocked",
        _CLOSED | {"unlocked"},
    ),
    "unblock": DoorAction(
        "End the block of {door}?",
        "End block",
        "Cards and schedules count again.",
        "block ended",
        frozenset({"blocked"}),
    ),
    "lock_down": DoorAction(
        "Lock down {door}?",
        "Lock down",
        "Nobody gets in, whatever card they have, until the lockdown is cancelled. Exits keep working.",
        "locked down",
        _CLOSED | {"unlocked", "blocked"},
        danger=True,
    ),
    "cancel_lockdown": DoorAction(
        "Cancel the lockdown of {door}?",
        "Cancel lockdown",
        "Cards and schedules count again.",
        "lockdown cancelled",
        frozenset({"locked_down"}),
    ),
}
"""By command."""
HELD_FOR: Final = DoorAction(
    "Unlock {door} for {minutes} min?",
    "Unlock",
    "Everybody gets in until then. Lock ends it before.",
    "unlocked for {minutes} min",
    frozenset(),
)
"""`hold_unlocked` for some minutes."""
PRIMARY: Final = {"locked_down": "cancel_lockdown", "blocked": "unblock", "unlocked": "lock", "locked_open": ""}
"""Mode -> the one action of a tile, where it is not to unlock."""
WORDS: Final = {key: asdict(one) | {"modes": []} for key, one in {**ACTIONS, "held_for": HELD_FOR}.items()}


def offered(door: Mapping[str, Any]) -> list[str]:
    """The commands that a door can obey in the state it is in."""
    by, held = door.get("unlocked_by"), door["mode"] == "unlocked" and door["held_until"] is None
    for_good = held and by is not None and by["kind"] != "schedule"
    return [
        key for key, one in ACTIONS.items() if door["mode"] in one.modes and not (for_good and key == "hold_unlocked")
    ]


def primary(door: Mapping[str, Any]) -> str:
    """The one command of its tile; empty: none."""
    return PRIMARY.get(door["mode"], "unlock")
