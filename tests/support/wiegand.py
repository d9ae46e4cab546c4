"""Pulse trains as Wiegand readers send them, and known cards as they stand on paper."""

from __future__ import annotations

import random
from typing import Final

US: Final = 1_000
MS: Final = 1_000_000

KNOWN: Final = {
    # 26 bits: facility 1, card 1001. Even over 12 bits, facility, number, odd over 12 bits.
    "h10301": "1" + "00000001" + "0000001111101001" + "0",
    # 26 bits: facility 159, card 40207.
    "h10301 high": "0" + "10011111" + "1001110100001111" + "0",
    # 34 bits: facility 4660, card 22136.
    "h10306": "1" + "0001001000110100" + "0101011001111000" + "1",
    # 37 bits: facility 1234, card 123456.
    "h10304": "1" + "0000010011010010" + "0011110001001000000" + "1",
    # 37 bits: card 12345678901.
    "h10302": "1" + "01011011111110111000001110000110101" + "0",
    # 35 bits: company 1234, card 567890. Odd over all, even over two of three, ..., odd over two of three.
    "corporate 1000": "11" + "010011010010" + "10001010101001010010" + "0",
}
"""Bits as the reader sends them, first one first; parity worked out by hand for these, not by our own code."""


def bits_of(value: int, count: int) -> str:
    return f"{value:0{count}b}"


def train(
    bits: str, *, start_ns: int = 0, interval_ns: int = 2 * MS, jitter_ns: int = 0, seed: int = 0
) -> list[tuple[int, int]]:
    """(wire, nanoseconds) of each pulse: an interval apart, each off its place by up to the jitter."""
    chance = random.Random(seed)
    return [
        (int(bit), start_ns + place * interval_ns + chance.randint(-jitter_ns, jitter_ns))
        for place, bit in enumerate(bits)
    ]
