"""The number of a card entry: checked, and worked out to what the card sends.

One rule: a number or token that is wrong is not repeated in the problem, only what was expected.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from edge.cards import LAYOUTS, MOST_BITS, Format, encode, key, layout, token_key
from edge.problems import dotted

if TYPE_CHECKING:
    from edge import directory_tables as tables
    from edge.problems import Report

SHORTEST_TOKEN: Final = 16
"""Bytes; a shorter secret could be guessed from its hash."""
HASHED: Final = "sha256:"
_SHA256_DIGITS: Final = 64


def number_of(report: Report, where: str, table: tables.Card) -> tuple[str, int | None, bytes]:
    """Work out the number as it is shown, its bits, and what the card sends; empty when it is wrong."""
    at = dotted(where, "number")
    if table.format in LAYOUTS:
        shape = layout(table.format, table.facility)
        if shape is None:
            missing = f"missing, expected the facility code of a {table.format} card"
            report.add(dotted(where, "facility"), missing)
        elif not isinstance(table.number, int) or not 0 <= table.number < 1 << shape.number:
            most = (1 << shape.number) - 1
            report.add(at, f"found something else, expected a whole number from 0 to {most}")
        elif (table.facility or 0) >= 1 << shape.facility and table.facility is not None:
            most = (1 << shape.facility) - 1
            report.add(dotted(where, "facility"), f"found {table.facility}, expected 0 to {most}")
        elif table.bits is not None:
            report.add(dotted(where, "bits"), "found with a format that says it, expected none")
        else:
            value = encode(shape, table.facility, table.number)
            return f"{table.number:0{shape.digits}d}", None, key(shape.bits, value)
        return "", None, b""
    if table.facility is not None:
        report.add(dotted(where, "facility"), f"found with format {table.format}, expected none")
    data = _hex(table.number)
    if table.format is Format.TOKEN:
        return _token(report, where, table, data)
    bits = len(data) * 8 if table.bits is None else table.bits
    if not data or bits > MOST_BITS or (bits + 7) // 8 != len(data):
        much = f"{bits} bits" if table.bits is not None else f"1 to {MOST_BITS} bits"
        report.add(at, f"found something else, expected {much} in hexadecimal digits")
        return "", None, b""
    value = int.from_bytes(data) >> (-bits % 8)
    return (value << (-bits % 8)).to_bytes(len(data)).hex(), bits, key(bits, value)


def _token(report: Report, where: str, table: tables.Card, data: bytes) -> tuple[str, int | None, bytes]:
    """A token comes in clear and is hashed, or as `sha256:` and its hash."""
    text = str(table.number)
    if text.startswith(HASHED) and len(text) == len(HASHED) + _SHA256_DIGITS:
        digest = _hex(text.removeprefix(HASHED))
    else:
        digest = hashlib.sha256(data).digest() if SHORTEST_TOKEN <= len(data) <= MOST_BITS // 8 else b""
    if not digest or table.bits is not None:
        span = f"{SHORTEST_TOKEN} to {MOST_BITS // 8} bytes in hexadecimal digits"
        expected = f"{span}, or {HASHED} and the SHA-256 of them, without bits"
        report.add(dotted(where, "number"), f"found something else, expected {expected}")
        return "", None, b""
    return digest.hex(), None, token_key(digest)


def _hex(value: int | str) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) and value.isalnum() else b""
    except ValueError:
        return b""
