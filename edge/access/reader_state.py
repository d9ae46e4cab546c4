"""The state of one reader: cards and keys that wait, its keypad, its guesses and its budget.

One rule: a repeated read counts once. Reads beyond the budget are dropped and counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.access import guesses
from edge.access.credentials import AccessRefused, Code
from edge.access.elevator_rules import Permit
from edge.access.guesses import Guesses
from edge.access.keypad import Keypad
from edge.model.budget import Budget
from edge.model.event_types import CONTROLLER_FAULT, READER_TAMPER
from edge.model.messages import NS_PER_S, SYSTEM, CardRead, Event, KeysPressed, Subject

if TYPE_CHECKING:
    import asyncio

    from edge.access.access_points import AccessPoint, Answer
    from edge.access.credentials import Presented
    from edge.access.guesses import PersonGuesses, TooManyGuesses
    from edge.access.keypad import PinNotGiven
    from edge.directory.directory import ReaderPolicy
    from edge.model.messages import Json

MOST_WAITING: Final = 16
"""Cards and groups of keys that wait while a PIN is hashed. Further ones are dropped and counted."""
PER_S: Final = 20.0
AT_ONCE: Final = 40.0
"""Budget of one reader in cards and groups of keys: per second, and at once. Further ones are dropped and counted."""
REPEAT_NS: Final = 2 * NS_PER_S
"""A reader repeats a card that is held in front of it. Reads of the same card within this time count once."""
Credential: TypeAlias = CardRead | KeysPressed


@dataclass(slots=True)
class Reader:
    """One reader: the cards and keys that wait, and its keypad."""

    point: str
    access_point: AccessPoint
    keypad: Keypad = field(default_factory=Keypad)
    guesses: Guesses = field(default_factory=Guesses)
    budget: Budget = field(default_factory=lambda: Budget(PER_S, AT_ONCE))
    last: str | None = field(default=None, repr=False)
    """The last card read."""
    last_ns: int = 0
    """When it was last read."""
    inbox: deque[Credential] = field(default_factory=deque)
    seen: deque[tuple[Presented | PinNotGiven, int]] = field(default_factory=deque)
    """Cards and PINs to be decided, each with the time when it was shown."""
    hashing: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    window_ns: int = 0
    refused: int = 0
    unrecorded: int = 0

    def repeated(self, shown: Credential) -> bool:
        """Whether this is another read of the card that is held in front of it."""
        if isinstance(shown, KeysPressed):
            return False
        card, before_ns = _identity(shown), self.last_ns
        again = card == self.last and shown.at_ns - before_ns <= REPEAT_NS
        self.last, self.last_ns = card, shown.at_ns
        return again

    def accept(self, shown: Credential, now_ns: int) -> bool:
        """Queue a card or keys; False when the queue is full or the budget is spent."""
        if len(self.inbox) >= MOST_WAITING or not self.budget.take(now_ns / NS_PER_S):
            return False
        self.inbox.append(shown)
        return True

    def count(
        self, answer: Answer, seen: Presented, asking: ReaderPolicy, now_ns: int, persons: PersonGuesses
    ) -> TooManyGuesses | None:
        """Count a wrong PIN or an unknown card, and return the alarm if it is due.

        A right PIN clears what was mistyped with its card here, and with its person's cards anywhere.
        """
        card, too_many = _identity(seen.card), None
        if not isinstance(answer, AccessRefused):
            if seen.pin is not None and seen.card is not None:
                self.guesses = guesses.right_pin(self.guesses, card)
                persons.right_pin((answer.granted if isinstance(answer, Permit) else answer).member.id)
        elif answer.code is Code.WRONG_PIN:
            self.guesses, too_many = guesses.wrong_pin(self.guesses, asking, card, now_ns)
            if answer.member is not None:
                for_person = persons.wrong_pin(answer.member.id, asking, now_ns)
                too_many = too_many or for_person
        elif answer.code is Code.UNKNOWN_CARD:
            self.guesses, too_many = guesses.unknown_card(self.guesses, asking, card, now_ns)
        return too_many


def _identity(card: CardRead | None) -> str:
    """A text that identifies a card, never shown to anybody; empty for a PIN alone."""
    return "" if card is None else f"{card.bits}:{card.data.hex()}"


def alarm(reader: Subject, door: str | None, too_many: TooManyGuesses, at_ns: int) -> Event:
    """The alarm that somebody tries cards or PINs at a reader."""
    details: dict[str, Json] = {"reason": too_many.reason, "locked_out_s": too_many.locked_out_s}
    return Event(READER_TAMPER, at_ns, reader, code=Code.TOO_MANY_ATTEMPTS.value, door=door, details=details)


def flooded(point: str, count: int, now_ns: int) -> Event:
    """The record that so many cards and groups of keys of a reader were dropped."""
    details: dict[str, Json] = {"reason": f"too many cards or keys: {count} dropped", "dropped": count}
    subject = Subject("reader", point, point)
    return Event(CONTROLLER_FAULT, now_ns, subject, SYSTEM, success=False, code="flooded", details=details)
