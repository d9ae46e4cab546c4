"""Card formats: the bits a reader saw, and the numbers that are printed on cards.

One rule: a card is looked up by exactly the bits it sends, parity included. Only this module converts
between these bits and the numbers that people enter and read.
The layouts are published ones: HID's H10301 (26 bits), H10306 (34), Corporate 1000 (35 and 48), H10304 and
H10302 (37, with and without a facility code), Simplex S12906 (36), Honeywell P10001 (40).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edge.model.messages import CardRead

MOST_BITS: Final = 512
"""Longer reads are not taken for cards; OSDP and Wiegand credentials are far shorter."""
SHOWN: Final = 4
"""How many of a card's digits may stand in a record of a refusal."""


class Format(StrEnum):
    """How a card's number is written in the directory."""

    WIEGAND26 = "wiegand26"
    WIEGAND34 = "wiegand34"
    WIEGAND35 = "wiegand35"
    WIEGAND36 = "wiegand36"
    WIEGAND37 = "wiegand37"
    WIEGAND40 = "wiegand40"
    WIEGAND48 = "wiegand48"
    RAW = "raw"
    """All bits in hexadecimal, padded on the right."""
    TOKEN = "token"  # noqa: S105 -- a kind of card, no password
    """A secret that only the card and its issuer know; the directory keeps its hash."""


@dataclass(frozen=True, slots=True)
class Parity:
    """One parity bit: its place from the right, the bits it watches, and whether their sum is odd."""

    bit: int
    mask: int
    odd: bool

    def of(self, value: int) -> int:
        """What the bit should be in a card of this value."""
        return ((value & self.mask).bit_count() + self.odd) & 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a format are. Parity bits are listed in the order in which they are computed."""

    bits: int
    facility: int
    """Bits of the facility code, on the left; 0 for none."""
    number: int
    """Bits of the number, right of the facility code and left of the `tail`."""
    parity: tuple[Parity, ...]
    digits: int
    """Decimal digits of the largest number."""
    gap: int = 0
    """Bits between facility code and number that are 0 (an issue level)."""
    tail: int = 1
    """Parity bits right of the number."""


def _halves(bits: int, watched: int) -> tuple[Parity, ...]:
    """Even parity over the first half, odd over the last one, each half `watched` bits long."""
    half = (1 << watched) - 1
    return Parity(bits - 1, half << (bits - 1 - watched), odd=False), Parity(0, half << 1, odd=True)


_CORPORATE: Final = (
    Parity(33, 0x1_B6DB_6DB6, odd=False),
    Parity(0, 0x3_6DB6_DB6C, odd=True),
    Parity(34, 0x3_FFFF_FFFF, odd=True),
)
_CORPORATE_48: Final = (
    Parity(46, 0x1B6D_B6DB_6DB6, odd=False),
    Parity(0, 0x36DB_6DB6_DB6C, odd=True),
    Parity(47, 0x7FFF_FFFF_FFFF, odd=True),
)
_SIMPLEX: Final = (Parity(35, 0x1_FFFF << 18, odd=True), Parity(0, 0x3_FFFF << 1, odd=True))
_HONEYWELL: Final = (
    *(Parity(bit, 0, odd=True) for bit in range(36, 40)),
    *(Parity(bit, 0x1_0101_0100 << bit, odd=False) for bit in range(8)),
)
"""The first four bits are always 1; the last byte is the exclusive or of the four bytes before."""
LAYOUTS: Final = {
    Format.WIEGAND26: (Layout(26, 8, 16, _halves(26, 12), 5),),
    Format.WIEGAND34: (Layout(34, 16, 16, _halves(34, 16), 5),),
    Format.WIEGAND35: (Layout(35, 12, 20, _CORPORATE, 7),),
    Format.WIEGAND36: (Layout(36, 8, 24, _SIMPLEX, 8, gap=2),),
    Format.WIEGAND37: (Layout(37, 16, 19, _halves(37, 18), 6), Layout(37, 0, 35, _halves(37, 18), 11)),
    Format.WIEGAND40: (Layout(40, 12, 16, _HONEYWELL, 5, tail=8),),
    Format.WIEGAND48: (Layout(48, 22, 23, _CORPORATE_48, 7),),
}
"""The layout with a facility code comes first; one without is used when no facility code is given."""
SHARED: Final = frozenset({36, 40, 48})
"""Lengths that several formats share: a card whose parity is wrong here may be a valid card of another format."""

PRINTED: Final = frozenset({Format.WIEGAND26, Format.WIEGAND34})
"""Readers of these formats send the last bytes of the chip's 4-byte number; on many fobs all four are printed."""
_FORMATS: Final = {one.value: one for one in Format if one is not Format.TOKEN}
_PAIR: Final = re.compile(r"([0-9]{1,7})[,:] ?([0-9]{1,11})")
_DECIMAL: Final = re.compile(r"[0-9]{10}")
_HEXADECIMAL: Final = re.compile(r"0x(?:[0-9a-f]{6}|[0-9a-f]{8})|(?=.*[a-f])(?:[0-9a-f]{6}|[0-9a-f]{8})")
"""A number without a letter needs 0x, because it could be decimal."""


@dataclass(frozen=True, slots=True)
class CardNumber:
    """The number of a card that was read, as people know it."""

    format: Format
    facility: int | None
    number: str
    """Decimal, padded to the format's width; hexadecimal for a raw one."""
    parity: bool = True
    """The parity bits are right; True where there are none."""

    @property
    def shown(self) -> str:
        """The last digits, for a record: without a facility code at most half of them."""
        kept = SHOWN if self.facility is not None else min(SHOWN, len(self.number) // 2)
        return f"…{self.number[-kept:]}" if kept else "…"


def written(card_format: Format, facility: int | None, number: str, bits: int | None) -> str:
    """A number as it can be entered: `12:3456`, without leading zeros.

    A raw one is in hexadecimal digits, with `/35` after them when its bits are no whole bytes.
    """
    if card_format is Format.RAW:
        return number if bits is None or bits % 8 == 0 else f"{number}/{bits}"
    return f"{int(number)}" if facility is None else f"{facility}:{int(number)}"


def named_format(text: str) -> tuple[Format | None, str]:
    """The format that a text begins with, as `wiegand26 12:3456` does, and the rest."""
    first, _, rest = text.strip().partition(" ")
    card_format = _FORMATS.get(first.lower()) if rest.strip() else None
    return (None, text.strip()) if card_format is None else (card_format, rest.strip())


def raw_bits(text: str) -> tuple[str, int | None]:
    """The digits of a raw number, and how many bits are said after them."""
    digits, slash, bits = text.strip().partition("/")
    return (digits, int(bits)) if slash and re.fullmatch("[0-9]{1,3}", bits) else (text.strip(), None)


def layout(card_format: Format, facility: int | None) -> Layout | None:
    """The layout of a number with or without facility code; None when the format has no such layout."""
    fitting = (one for one in LAYOUTS.get(card_format, ()) if bool(one.facility) == (facility is not None))
    return next(fitting, None)


def pair(text: str) -> tuple[int, int] | None:
    """Facility code and number, printed like 18,54919 or 18:54919."""
    found = _PAIR.fullmatch(text.strip())
    return None if found is None else (int(found[1]), int(found[2]))


def printed(text: str) -> bytes | None:
    """The bytes of a number that is printed in whole: ten decimal digits, or six or eight hexadecimal ones."""
    text = text.strip().lower()
    if _DECIMAL.fullmatch(text):
        value = int(text)
        return value.to_bytes(4) if value < 1 << 32 else None
    return bytes.fromhex(text.removeprefix("0x")) if _HEXADECIMAL.fullmatch(text) else None


def parts(shape: Layout, whole: bytes) -> tuple[int, int]:
    """The facility code and number that a reader sends of a number printed in whole: its last bits."""
    value = int.from_bytes(whole)
    return value >> shape.number & ((1 << shape.facility) - 1), value & ((1 << shape.number) - 1)


def encode(shape: Layout, facility: int | None, number: int) -> int:
    """The bits of a card as a number, parity included; both parts fit the layout."""
    value = (((facility or 0) << (shape.gap + shape.number)) | number) << shape.tail
    for parity in shape.parity:
        value |= parity.of(value) << parity.bit
    return value


def parity_is_right(shape: Layout, value: int) -> bool:
    """Whether every parity bit is as it should be."""
    return all(value >> parity.bit & 1 == parity.of(value) for parity in shape.parity)


def key(bits: int, value: int) -> bytes:
    """What a card is looked up by: its length and its bits."""
    return bits.to_bytes(2) + value.to_bytes((bits + 7) // 8)


def token_key(digest: bytes) -> bytes:
    """What a token is looked up by: its SHA-256. The token cannot be found from it, being long and random."""
    return b"\0\0" + digest  # a length of 0 bits, which no card has


def value_of(read: CardRead) -> int | None:
    """The bits of a read as a number; None when it is not a card."""
    size = (read.bits + 7) // 8
    if not 0 < read.bits <= MOST_BITS or len(read.data) < size:
        return None
    return int.from_bytes(read.data[:size]) >> (size * 8 - read.bits)


def keys_of(read: CardRead) -> tuple[bytes, ...]:
    """The keys to look a read up by, the likeliest first; none for a read that is not a card."""
    value = value_of(read)
    if value is None:
        return ()
    whole = read.bits % 8 == 0
    if not whole:
        return (key(read.bits, value),)
    return key(read.bits, value), token_key(hashlib.sha256(read.data[: read.bits // 8]).digest())


def reading(read: CardRead) -> CardNumber:
    """The card number of a read, for enrolling and for records (`shown`). Never raises."""
    value = value_of(read)
    if value is None:
        return CardNumber(Format.RAW, None, read.data[: MOST_BITS // 8].hex())
    for card_format, shapes in LAYOUTS.items():
        shape = shapes[0]
        if shape.bits != read.bits or not parity_is_right(shape, value):
            continue
        number = value >> shape.tail & ((1 << shape.number) - 1)
        facility = value >> (shape.tail + shape.number + shape.gap) & ((1 << shape.facility) - 1)
        if encode(shape, facility, number) == value:
            return CardNumber(card_format, facility, f"{number:0{shape.digits}d}")
    parity = read.bits in SHARED or all(shapes[0].bits != read.bits for shapes in LAYOUTS.values())
    return CardNumber(Format.RAW, None, f"{_left(read.bits, value):0{(read.bits + 7) // 8 * 2}x}", parity=parity)


def _left(bits: int, value: int) -> int:
    return value << (-bits % 8)
