"""The number of a card entry: checked, and converted to the bits that the card sends.

One rule: a number or token that is wrong is not repeated in the problem, only what was expected.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.directory.cards import (
    LAYOUTS,
    MOST_BITS,
    PRINTED,
    Format,
    encode,
    key,
    layout,
    pair,
    parts,
    printed,
    raw_bits,
    token_key,
)
from edge.directory.document.forms import HASHED
from edge.model.problems import dotted

if TYPE_CHECKING:
    from edge.directory.document import tables
    from edge.model.problems import ProblemReport

SHORTEST_TOKEN: Final = 16
"""Bytes; a shorter secret could be guessed from its hash."""
_SHA256_DIGITS: Final = 64
_OR: Final = ", or as printed: FACILITY,NUMBER, ten digits, or 0x and hexadecimal digits, without facility"


class NumberedCard(NamedTuple):
    """The number of a card entry, checked and converted."""

    facility: int | None
    number: str
    """As `edge.directory.directory.Card` has it."""
    bits: int | None
    own: bytes
    """The key of the bits that the card sends (`edge.directory.cards.key`)."""


WRONG: Final = NumberedCard(None, "", None, b"")


def number_of(report: ProblemReport, where: str, table: tables.CardEntry) -> NumberedCard:
    """Work out the number and the key; `WRONG` when a problem was reported."""
    if table.format in LAYOUTS:
        return _numbered(report, where, table)
    if table.facility is not None:
        report.add(dotted(where, "facility"), f"found with format {table.format}, expected none")
    if table.format is Format.TOKEN:
        return _token(report, where, table, _hex(table.number))
    digits, said = table.number, table.bits
    if isinstance(digits, str) and said is None:
        digits, said = raw_bits(digits)
    data = _hex(digits)
    bits = len(data) * 8 if said is None else said
    if not data or bits > MOST_BITS or (bits + 7) // 8 != len(data):
        much = f"{bits} bits" if said is not None else f"1 to {MOST_BITS} bits"
        report.add(dotted(where, "number"), f"found something else, expected {much} in hexadecimal digits")
        return WRONG
    if table.reversed:
        if bits % 8:
            report.add(dotted(where, "reversed"), "found with bits that are not whole bytes, expected none")
            return WRONG
        data = data[::-1]
    value = int.from_bytes(data) >> (-bits % 8)
    return NumberedCard(None, (value << (-bits % 8)).to_bytes(len(data)).hex(), bits, key(bits, value))


def _numbered(report: ProblemReport, where: str, table: tables.CardEntry) -> NumberedCard:
    """A number with a layout: a whole number beside its facility code, or both as they are printed."""
    facility, number = _written(table)
    shape = layout(table.format, facility)
    if number is None:
        most = (1 << (shape or LAYOUTS[table.format][0]).number) - 1
        report.add(dotted(where, "number"), f"found something else, expected a whole number from 0 to {most}{_OR}")
    elif shape is None:
        report.add(dotted(where, "facility"), f"missing, expected the facility code of a {table.format} card")
    elif not 0 <= number < 1 << shape.number:
        most = (1 << shape.number) - 1
        report.add(dotted(where, "number"), f"found something else, expected a whole number from 0 to {most}")
    elif facility is not None and facility >= 1 << shape.facility:
        most = (1 << shape.facility) - 1
        report.add(dotted(where, "facility"), f"found {facility}, expected 0 to {most}")
    elif table.bits is not None:
        report.add(dotted(where, "bits"), f"found with format {table.format}, which has a fixed length; expected none")
    elif table.reversed and not _whole(table):
        report.add(dotted(where, "reversed"), "found with facility code and number, expected none")
    else:
        own = key(shape.bits, encode(shape, facility, number))
        return NumberedCard(facility, f"{number:0{shape.digits}d}", None, own)
    return WRONG


def _written(table: tables.CardEntry) -> tuple[int | None, int | None]:
    """Facility code and number; the number is None when it is neither a whole number nor in a printed form."""
    if isinstance(table.number, int):
        return table.facility, table.number
    if table.facility is not None:
        return table.facility, None
    if whole := _whole(table):
        return parts(LAYOUTS[table.format][0], whole[::-1] if table.reversed else whole)
    return pair(table.number) or (None, None)


def _whole(table: tables.CardEntry) -> bytes | None:
    """The bytes of a number that is printed in whole; None for other numbers and formats."""
    if table.format not in PRINTED or not isinstance(table.number, str):
        return None
    return printed(table.number)


def _token(report: ProblemReport, where: str, table: tables.CardEntry, data: bytes) -> NumberedCard:
    """A token comes in clear and is hashed, or as `sha256:` and its hash."""
    text = str(table.number)
    if text.startswith(HASHED) and len(text) == len(HASHED) + _SHA256_DIGITS:
        digest = _hex(text.removeprefix(HASHED))
    else:
        digest = hashlib.sha256(data).digest() if SHORTEST_TOKEN <= len(data) <= MOST_BITS // 8 else b""
    if not digest or table.bits is not None or table.reversed:
        span = f"{SHORTEST_TOKEN} to {MOST_BITS // 8} bytes in hexadecimal digits"
        expected = f"{span}, or {HASHED} and the SHA-256 of them, without bits and reversed"
        report.add(dotted(where, "number"), f"found something else, expected {expected}")
        return WRONG
    return NumberedCard(None, digest.hex(), None, token_key(digest))


def _hex(value: int | str) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) and value.isalnum() else b""
    except ValueError:
        return b""
