"""The keypad of one reader: keys typed so far, and a card that waits for its PIN. A pure value.

One rule: a PIN must follow its card within a limited time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.access.credentials import AskPin, Presented
from edge.model.messages import NS_PER_S, CardRead, KeysPressed

if TYPE_CHECKING:
    from edge.access.decisions import Decision
    from edge.directory.directory import ReaderPolicy

MOST_KEYS: Final = 16
"""Keys of one entry that are kept. A longer entry is no PIN."""
ENTER: Final = "#"
CLEAR: Final = "*"


@dataclass(frozen=True, slots=True)
class Keypad:
    """The state of a keypad; it stays empty at a reader without one."""

    keys: str = field(default="", repr=False)
    keyed_until_ns: int = 0
    """When the keys typed so far are dropped."""
    waiting: CardRead | None = field(default=None, repr=False)
    """A card whose PIN has to follow."""
    waits_until_ns: int = 0
    """The time limit of that PIN."""


@dataclass(frozen=True, slots=True)
class PinNotGiven:
    """A card's PIN did not follow in time (`edge.access.decisions.lapsed`)."""

    card: CardRead


Seen: TypeAlias = Presented | PinNotGiven


def step(
    keypad: Keypad, asking: ReaderPolicy, item: CardRead | KeysPressed | None, now_ns: int
) -> tuple[Keypad, tuple[Seen, ...]]:
    """Take a card or keys, or only the time (`item` is None). Returns what has to be decided now, in order.

    Call `judged` with each decision before the next step.
    """
    seen: list[Seen] = []
    if keypad.waiting is not None and now_ns >= keypad.waits_until_ns:
        seen.append(PinNotGiven(keypad.waiting))
        keypad = replace(keypad, waiting=None)
    if keypad.keys and now_ns >= keypad.keyed_until_ns:
        keypad = replace(keypad, keys="")
    if isinstance(item, CardRead):
        keypad = replace(keypad, keys="", waiting=None)
        seen.append(Presented(card=item))
    elif isinstance(item, KeysPressed):  # also where only cards are taken: a PIN is refused, not ignored
        for pressed in item.keys:
            keypad, entered = _key(keypad, pressed)
            if entered is not None:
                seen.append(entered)
        if keypad.keys:
            keypad = replace(keypad, keyed_until_ns=now_ns + _ns(asking.pin_within_s))
    return keypad, tuple(seen)


def judged(keypad: Keypad, asking: ReaderPolicy, presented: Presented, decision: Decision, now_ns: int) -> Keypad:
    """Wait for a PIN if the decision asks for one."""
    if isinstance(decision, AskPin):
        return replace(keypad, waiting=presented.card, waits_until_ns=now_ns + _ns(asking.pin_within_s))
    return keypad


def next_deadline(keypad: Keypad) -> int | None:
    """When `step` must be called, though the reader sent nothing."""
    due = [keypad.waits_until_ns] if keypad.waiting is not None else []
    due += [keypad.keyed_until_ns] if keypad.keys else []
    return min(due, default=None)


def _key(keypad: Keypad, pressed: str) -> tuple[Keypad, Presented | None]:
    if pressed == CLEAR:
        return replace(keypad, keys=""), None
    if pressed != ENTER:
        digit = pressed if pressed.isascii() and pressed.isdigit() else ""
        return replace(keypad, keys=(keypad.keys + digit)[:MOST_KEYS]), None
    if not keypad.keys:
        return keypad, None
    entered = Presented(keypad.waiting, keypad.keys)
    return replace(keypad, keys="", waiting=None), entered


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
