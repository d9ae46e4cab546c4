"""Counts wrong PINs and unknown cards, and says when there are too many. Pure values.

Wrong PINs count twice: at the reader, whoever typed them, and for the cardholder, at whatever reader.

One rule: a right PIN clears the wrong PINs of the same card only. Otherwise somebody with a card and a PIN of
their own could clear the count between two guesses at another cardholder's PIN.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from edge.directory.directory import ReaderPolicy

DAY_NS: Final = 86_400 * NS_PER_S
HOUR_NS: Final = 3600 * NS_PER_S
MINUTE_NS: Final = 60 * NS_PER_S
LONGEST_LOCKOUT_S: Final = 900.0
"""Each further lock-out within an hour is twice as long, up to this, or up to the configured one if that is longer."""
MOST_CARDS: Final = 100
"""Different unknown cards remembered for an hour. Reaching this number is an alarm, too."""
MOST_OF_ONE_A_DAY: Final = 50
"""Wrong PINs for one person's cards within a day, without a right one between them. Each further one locks that PIN."""
MOST_AT_READER_A_DAY: Final = 200
"""Wrong PINs at one reader within a day. Reaching this number is an alarm; at a busy reader people mistype as often."""
MOST_PERSONS: Final = 1_000
"""Persons whose wrong PINs are remembered. With more, those with the oldest mistake are forgotten."""

When = tuple[tuple[int, str], ...]
"""Times on the boot clock, each with its card, the oldest first."""


@dataclass(frozen=True, slots=True)
class Guesses:
    """The guesses at one reader, or for one person's cards, within the last hour, and the lock-outs they led to."""

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
    day_from_ns: int = 0
    """When the day began in which `in_day` wrong PINs were typed."""
    in_day: int = 0


@dataclass(frozen=True, slots=True)
class TooManyGuesses:
    """An alarm: somebody should look at this reader."""

    reason: str
    locked_out_s: float
    """How long the reader is locked out; 0: it goes on reading."""


def wrong_pin(guesses: Guesses, asking: ReaderPolicy, card: str, now_ns: int) -> tuple[Guesses, TooManyGuesses | None]:
    """Count a wrong PIN at a reader. The second value is the alarm, if that was one too many."""
    guesses, too_many = _wrong_pin(guesses, asking, card, now_ns)
    if too_many is None and guesses.in_day == MOST_AT_READER_A_DAY:
        too_many = TooManyGuesses(f"{MOST_AT_READER_A_DAY} wrong PINs within a day", 0.0)
    return guesses, too_many


def _wrong_pin(guesses: Guesses, asking: ReaderPolicy, card: str, now_ns: int) -> tuple[Guesses, TooManyGuesses | None]:
    if now_ns - guesses.day_from_ns >= DAY_NS or not guesses.in_day:
        guesses = replace(guesses, day_from_ns=now_ns, in_day=0)
    guesses = replace(guesses, in_day=guesses.in_day + 1)
    wrong = (*_since(guesses.wrong, now_ns - HOUR_NS), (now_ns, card))
    since_ns = max((now_ns - _ns(asking.wrong_pins_within_s), *guesses.lockouts[-1:]))
    quick = len(_since(wrong, since_ns))
    guesses = replace(guesses, wrong=wrong[-max(asking.wrong_pins, asking.wrong_pins_an_hour) :])
    if quick < asking.wrong_pins and len(wrong) < asking.wrong_pins_an_hour:
        return guesses, None
    within = f"{asking.wrong_pins_within_s:g} s" if quick >= asking.wrong_pins else "an hour"
    count = quick if quick >= asking.wrong_pins else len(wrong)
    return _pins_locked(guesses, asking, f"{count} wrong PINs within {within}", now_ns)


def _pins_locked(
    guesses: Guesses, asking: ReaderPolicy, reason: str, now_ns: int
) -> tuple[Guesses, TooManyGuesses | None]:
    guesses, for_s = _locked(guesses, asking, now_ns)
    return replace(guesses, pins_until_ns=now_ns + _ns(for_s)), TooManyGuesses(reason, for_s)


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


class PersonGuesses:
    """The wrong PINs that were typed with each person's cards, at all readers together. Nothing of it is stored."""

    def __init__(self) -> None:
        """Nobody has mistyped yet."""
        self._guesses: dict[str, Guesses] = {}

    def wrong_pin(self, member: str, asking: ReaderPolicy, now_ns: int) -> TooManyGuesses | None:
        """Count a wrong PIN with a card of this member; returns the alarm, if that was one too many."""
        guesses, too_many = _wrong_pin(self._guesses.pop(member, Guesses()), asking, "", now_ns)
        if too_many is None and guesses.in_day >= MOST_OF_ONE_A_DAY:
            reason = f"{guesses.in_day} wrong PINs within a day"
            guesses, too_many = _pins_locked(guesses, asking, reason, now_ns)
        self._guesses[member] = guesses
        if len(self._guesses) > MOST_PERSONS:
            del self._guesses[next(iter(self._guesses))]
        return too_many and replace(too_many, reason=f"{too_many.reason} for one person")

    def right_pin(self, member: str) -> None:
        """Clear what was mistyped with the cards of this member, and nobody else's."""
        self._guesses.pop(member, None)

    def locked(self, member: str, now_ns: int) -> bool:
        """Whether no PIN counts with a card of this member now."""
        guesses = self._guesses.get(member)
        return guesses is not None and pins_locked(guesses, now_ns)


def _since(times: When, since_ns: int) -> When:
    return tuple(guess for guess in times if guess[0] > since_ns)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
