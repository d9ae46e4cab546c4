"""Decides what a burst of bits is: a card, a key, or nothing that may be used.

One rule: a card whose parity is wrong was misread and is dropped. The bits of a card are handed on as they came;
`edge.directory.cards` knows facility codes and numbers. Parity is checked here because it protects the cable. Tests
compare it with the layouts there, which a driver may not import.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.wiegand.pulses import Burst

Cards: TypeAlias = Literal["auto", "26", "34", "35", "36", "37", "40", "48", "raw"]
Keypad: TypeAlias = Literal["auto", "4bit", "8bit", "26bit", "off"]

FRAGMENT_BITS: Final = 3
"""A burst of at most this many bits is a spike on the cable."""
RAW_BITS: Final = 9
"""The least bits of a card in raw mode: above what keypads send."""
KEYS: Final = "0123456789*#"
"""What the values 0 to 11 mean, as HID's keypads have it."""


class DropReason(StrEnum):
    """Why a whole burst was thrown away, as named in the facts."""

    FRAGMENT = "fragments"
    PARITY = "wrong_parity"
    SWAPPED = "swapped"
    """Parity is wrong, and would be right if D0 and D1 were exchanged: look at the wiring."""
    LENGTH = "other_lengths"
    """A length that the configured format does not have; `format = "raw"` would take it."""
    KEY = "wrong_keys"
    COLLISION = "collisions"
    TOO_LONG = "too_long"
    TORN = "torn"


@dataclass(frozen=True, slots=True)
class CardFrame:
    """A card: its bits, most significant first, padded on the right with zeros."""

    bits: int
    data: bytes


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """What was pressed on a keypad: a digit, `*` or `#`; or a whole PIN with its `#`."""

    keys: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Check:
    """The bits of one mask must have an odd sum, or an even one; the parity bit is one of them."""

    mask: int
    odd: bool


def _ends(bits: int, watched: int) -> tuple[_Check, ...]:
    """The first bit makes the first `watched` bits after it even, the last makes those before it odd."""
    some = (1 << (watched + 1)) - 1
    return _Check(some << (bits - 1 - watched), odd=False), _Check(some, odd=True)


_CHECKS: Final[Mapping[int, tuple[_Check, ...]]] = MappingProxyType(
    {
        26: _ends(26, 12),
        34: _ends(34, 16),
        35: (
            _Check(0x3_B6DB_6DB6, odd=False),  # second bit: two of three, from the third bit on
            _Check(0x3_6DB6_DB6D, odd=True),  # last bit: two of three, from the second bit on
            _Check(0x7_FFFF_FFFF, odd=True),  # first bit: everything
        ),
        36: (_Check(0x3_FFFF << 18, odd=True), _Check(0x7_FFFF, odd=True)),  # first 17 bits; last 18, one in both
        37: _ends(37, 18),
        40: (
            *(_Check(1 << bit, odd=True) for bit in range(36, 40)),  # always 1
            *(_Check(0x1_0101_0101 << bit, odd=False) for bit in range(8)),  # the last byte is the others' sum
        ),
        48: (  # as those of 35 bits
            _Check(0x5B6D_B6DB_6DB6, odd=False),
            _Check(0x36DB_6DB6_DB6D, odd=True),
            _Check(0xFFFF_FFFF_FFFF, odd=True),
        ),
    }
)
"""H10301, H10306, Corporate 1000, S12906, H10302 or H10304 (which differ in meaning but not in parity), P10001, and
Corporate 1000 of 48 bits."""
_AUTO: Final = frozenset({26, 34, 35, 37})
"""Lengths that have one parity only; cards of the other lengths come in many formats."""

_KEYPADS: Final = MappingProxyType({4: ("auto", "4bit"), 8: ("auto", "8bit")})
_PIN_BITS: Final = 26
_PIN_DIGITS: Final = 4
"""The fewest digits of a PIN: a number does not have the zeros with which a PIN begins."""
_FAULTS: Final = MappingProxyType(
    {"collision": DropReason.COLLISION, "too_long": DropReason.TOO_LONG, "torn": DropReason.TORN}
)


def parity_is_right(bits: int, value: int) -> bool | None:
    """Whether a card of this length was read well; None for a length whose parity is not known."""
    checks = _CHECKS.get(bits)
    return None if checks is None else all((value & c.mask).bit_count() & 1 == c.odd for c in checks)


def understand(burst: Burst, cards: Cards, keypad: Keypad) -> CardFrame | KeyFrame | DropReason:
    """What a burst is at a reader with these settings. Never raises."""
    if burst.fault is not None:
        return _FAULTS[burst.fault]
    if burst.bits <= FRAGMENT_BITS:
        return DropReason.FRAGMENT
    if burst.bits < RAW_BITS:
        return _key(burst, keypad)
    pin = _whole_pin(burst) if keypad == "26bit" else None
    return pin or _card(burst, cards)


def _card(burst: Burst, cards: Cards) -> CardFrame | DropReason:
    known = cards == str(burst.bits) or (cards == "auto" and burst.bits in _AUTO)
    right = parity_is_right(burst.bits, burst.value) if known else None
    if right or cards == "raw":
        size = (burst.bits + 7) // 8
        return CardFrame(burst.bits, (burst.value << (size * 8 - burst.bits)).to_bytes(size))
    if right is None:
        return DropReason.LENGTH
    exchanged = burst.value ^ ((1 << burst.bits) - 1)
    return DropReason.SWAPPED if parity_is_right(burst.bits, exchanged) else DropReason.PARITY


def _whole_pin(burst: Burst) -> KeyFrame | None:
    """The PIN of a card of 26 bits whose facility code is 0; None for any other card, or one that was misread."""
    if burst.bits != _PIN_BITS or not parity_is_right(burst.bits, burst.value):
        return None
    number = burst.value >> 1 & 0xFF_FFFF
    return KeyFrame(f"{number:0{_PIN_DIGITS}}#") if number <= 0xFFFF else None  # noqa: PLR2004 -- facility 0


def _key(burst: Burst, keypad: Keypad) -> KeyFrame | DropReason:
    """Four bits are the key; eight are its complement, which is the check, and the key.

    With D0 and D1 exchanged every key becomes another one, and 0 to 3 become values that no key has.
    """
    low, high = burst.value & 0xF, burst.value >> 4
    if keypad not in _KEYPADS.get(burst.bits, ()):
        return DropReason.LENGTH
    if burst.bits == 8 and high ^ low != 0xF:  # noqa: PLR2004 -- said above
        return DropReason.KEY
    if low >= len(KEYS):
        return DropReason.SWAPPED
    return KeyFrame(KEYS[low])
