"""Counts wrong PINs and unknown cards at one reader, and says when there are too many. A pure value.

One rule: a right PIN clears the wrong PINs of the same card only. Otherwise somebody with a card and a PIN of
their own could clear the count between two guesses at another cardholder's PIN.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from edge.directory.directory import ReaderPolicy

HOUR_NS: Final = 3600 * NS_PER_S
MINUTE_NS: Final = 60 * NS_PER_S
LONGEST_LOCKOUT_S: Final = 900.0
"""Each further lock-out within an hour is twice as long, up to this, or up to the configured one if that is longer."""
MOST_CARDS: Final = 100
"""Different unknown cards remembered for an hour. Reaching this number is an alarm, too."""

When = tuple[tuple[int, str], ...]
"""Times on the boot clock, each with its card, the oldest first."""


@dataclass(frozen=True, slots=True)
class Guesses:
    """The guesses at one reader within the last hour, and its lock-outs."""

    wrong: When = field(default=(), repr=False)
    """Wrong PINs, with the card they were typed for; "" for a PIN alone."""
    unknown: When = field(default=(), repr=False)
    """Unknown cards, each once, with the time of its last read."""
    pins_until_ns: int = 0
    """No PIN is accepted before this time."""
    cards_until_ns: int = 0
    """No card is accepted before this time."""
    lockouts: tuple[int, ...] = ()
    """When the lock-outs of the last hour began."""


@dataclass(frozen=True, slots=True)
class TooManyGuesses:
    """An alarm: somebody should look at this reader."""

    reason: str
    locked_out_s: float
    """How long the reader is locked out; 0: it goes on reading."""


def wrong_pin(guesses: Guesses, asking: ReaderPolicy, card: str, now_ns: int) -> tuple[Guesses, TooManyGuesses | None]:
    """Count a wrong PIN. The second value is the alarm, if that was one too many."""
    wrong = (*_since(guesses.wrong, now_ns - HOUR_NS), (now_ns, card))
    since_ns = max((now_ns - _ns(asking.wrong_pins_within_s), *guesses.lockouts[-1:]))
    quick = len(_since(wrong, since_ns))
    guesses = replace(guesses, wrong=wrong[-max(asking.wrong_pins, asking.wrong_pins_an_hour) :])
    if quick < asking.wrong_pins and len(wrong) < asking.wrong_pins_an_hour:
        return guesses, None
    within = f"{asking.wrong_pins_within_s:g} s" if quick >= asking.wrong_pins else "an hour"
    count = quick if quick >= asking.wrong_pins else len(wrong)
    guesses, for_s = _locked(guesses, asking, now_ns)
    guesses = replace(guesses, pins_until_ns=now_ns + _ns(for_s))
    return guesses, TooManyGuesses(f"{count} wrong PINs within {within}", for_s)


def right_pin(guesses: Guesses, card: str) -> Guesses:
    """Clear the wrong PINs of this card. A PIN alone clears nothing: it is not known who mistyped."""
    return replace(guesses, wrong=tuple(guess for guess in guesses.wrong if not card or guess[1] != card))


def unknown_card(
    guesses: Guesses, asking: ReaderPolicy, card: str, now_ns: int
) -> tuple[Guesses, TooManyGuesses | None]:
    """Count a card that is not in the directory. The same card again is not another guess."""
    before = _since(guesses.unknown, now_ns - HOUR_NS)
    others = tuple(guess for guess in before if guess[1] != card)
    unknown = (*others, (now_ns, card))[-MOST_CARDS:]
    guesses = replace(guesses, unknown=unknown)
    if len(others) < len(before):
        return guesses, None
    quick = len(_since(unknown, now_ns - MINUTE_NS))
    if asking.unknown_cards and quick >= asking.unknown_cards:
        guesses, for_s = _locked(replace(guesses, unknown=()), asking, now_ns)
        guesses = replace(guesses, cards_until_ns=now_ns + _ns(for_s))
        return guesses, TooManyGuesses(f"{quick} unknown cards within a minute", for_s)
    if len(unknown) >= MOST_CARDS:
        return replace(guesses, unknown=()), TooManyGuesses(f"{MOST_CARDS} unknown cards within an hour", 0.0)
    return guesses, None


def pins_locked(guesses: Guesses, now_ns: int) -> bool:
    """Whether the reader accepts no PIN now (`edge.access.credentials.Now.locked_out`)."""
    return now_ns < guesses.pins_until_ns


def cards_locked(guesses: Guesses, now_ns: int) -> bool:
    """Whether the reader accepts no card now."""
    return now_ns < guesses.cards_until_ns


def _locked(guesses: Guesses, asking: ReaderPolicy, now_ns: int) -> tuple[Guesses, float]:
    """Begin a lock-out. The second value is its length in seconds."""
    before = tuple(at_ns for at_ns in guesses.lockouts if at_ns > now_ns - HOUR_NS)
    longest_s = max(LONGEST_LOCKOUT_S, asking.locked_out_s)
    for_s = min(longest_s, asking.locked_out_s * 2 ** len(before))
    return replace(guesses, lockouts=(*before, now_ns)), for_s


def _since(times: When, since_ns: int) -> When:
    return tuple(guess for guess in times if guess[0] > since_ns)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
