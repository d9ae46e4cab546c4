"""Card formats against frames written down bit by bit, and reads of any kind."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.directory.cards import (
    LAYOUTS,
    SHARED,
    Format,
    encode,
    key,
    keys_of,
    layout,
    parity_is_right,
    reading,
    token_key,
)
from edge.model.messages import CardRead


def read(bits: str) -> CardRead:
    """A read from its bits as they come off the wire."""
    padded = bits + "0" * (-len(bits) % 8)
    return CardRead("front.reader", len(bits), int(padded, 2).to_bytes(len(padded) // 8), 7)


FRAMES = {
    # parity | facility | number | parity, worked out by hand
    (Format.WIEGAND26, 12, 34567): "1" + "00001100" + "1000011100000111" + "1",
    (Format.WIEGAND26, 255, 65535): "0" + "1" * 8 + "1" * 16 + "1",
    (Format.WIEGAND34, 700, 42): "0" + f"{700:016b}" + f"{42:016b}" + "0",
    (Format.WIEGAND36, 18, 54919): "1" + "00010010" + "00" + f"{54919:024b}" + "0",
    (Format.WIEGAND40, 0xABC, 0x1234): "1111" + f"{0xABC:012b}" + f"{0x1234:016b}" + f"{0xFA ^ 0xBC ^ 0x12 ^ 0x34:08b}",
    (Format.WIEGAND37, 1, 2): "1" + f"{1:016b}" + f"{2:019b}" + "0",
}


@pytest.mark.parametrize(("card", "bits"), FRAMES.items(), ids=str)
def test_a_frame_is_what_the_format_says(card: tuple[Format, int, int], bits: str) -> None:
    card_format, facility, number = card
    shape = layout(card_format, facility)
    assert shape is not None
    assert f"{encode(shape, facility, number):0{shape.bits}b}" == bits
    found = reading(read(bits))
    assert (found.format, found.facility, int(found.number)) == card


def test_corporate_1000_has_three_parities_over_thirds() -> None:
    shape = layout(Format.WIEGAND35, 0xABC)
    assert shape is not None
    bits = f"{encode(shape, 0xABC, 0x12345):035b}"
    assert bits[2:34] == f"{0xABC:012b}{0x12345:020b}"
    assert bits.count("1") % 2 == 1
    pairs = [place for place in range(2, 34) if (place - 2) % 3 != 2]
    assert sum(bits[place] == "1" for place in pairs) % 2 == (bits[1] == "1")
    shifted = [place for place in range(1, 34) if (place - 1) % 3 != 2]
    assert sum(bits[place] == "1" for place in shifted) % 2 == (bits[34] == "0")


def test_corporate_1000_of_48_bits_has_the_same_parities() -> None:
    shape = layout(Format.WIEGAND48, 0x2ABCDE)
    assert shape is not None
    bits = f"{encode(shape, 0x2ABCDE, 0x123456):048b}"
    assert bits[2:47] == f"{0x2ABCDE:022b}{0x123456:023b}"
    assert bits.count("1") % 2 == 1
    pairs = [place for place in range(2, 47) if (place - 2) % 3 != 2]
    assert sum(bits[place] == "1" for place in pairs) % 2 == (bits[1] == "1")
    shifted = [place for place in range(1, 47) if (place - 1) % 3 != 2]
    assert sum(bits[place] == "1" for place in shifted) % 2 == (bits[47] == "0")


def test_a_card_that_was_issued_anew_is_no_other_number() -> None:
    """The two bits between facility code and number of a card of 36 bits: shown as raw, parity right."""
    first = f"{encode(LAYOUTS[Format.WIEGAND36][0], 18, 54919):036b}"
    anew = "0" + first[1:10] + "1" + first[11:]  # issue level 1 with its parity
    found = reading(read(anew))
    assert (found.format, found.facility, found.parity) == (Format.RAW, None, True)


shapes = st.sampled_from([(name, shape) for name, both in LAYOUTS.items() for shape in both[:1]])


@given(shapes, st.data())
def test_any_number_comes_back_and_no_single_bit_may_flip(named: tuple[Format, object], data: st.DataObject) -> None:
    card_format, _ = named
    shape = LAYOUTS[card_format][0]
    facility = data.draw(st.integers(0, (1 << shape.facility) - 1))
    number = data.draw(st.integers(0, (1 << shape.number) - 1))
    bits = f"{encode(shape, facility, number):0{shape.bits}b}"
    found = reading(read(bits))
    assert (found.format, found.facility, int(found.number), found.parity) == (card_format, facility, number, True)
    assert len(found.number) == shape.digits
    flipped = data.draw(st.integers(0, shape.bits - 1))
    wrong = bits[:flipped] + "10"[int(bits[flipped])] + bits[flipped + 1 :]
    assert not parity_is_right(shape, int(wrong, 2))
    bad = reading(read(wrong))
    assert (bad.format, bad.parity) == (Format.RAW, shape.bits in SHARED)
    assert keys_of(read(wrong)) != keys_of(read(bits))


@given(st.integers(-5, 600), st.binary(max_size=80))
def test_no_read_raises_and_nothing_shows_the_whole_of_it(bits: int, data: bytes) -> None:
    seen = CardRead("front.reader", bits, data, 7)
    found = reading(seen)
    shown = found.shown.removeprefix("…")
    assert len(shown) <= 4
    assert len(shown) < len(found.number) or found.number == ""
    assert len(keys_of(seen)) <= 2


def test_padding_is_no_part_of_a_card() -> None:
    clean, dirty = CardRead("r", 30, b"\x01\x02\x03\x04", 7), CardRead("r", 30, b"\x01\x02\x03\x07\xff", 7)
    assert keys_of(clean) == keys_of(dirty) == (key(30, 0x01020304 >> 2),)
    assert keys_of(CardRead("r", 32, b"\x01\x02\x03\x04", 7))[0] != keys_of(clean)[0]


def test_a_token_is_looked_up_by_its_hash() -> None:
    secret = bytes(range(16))
    assert token_key(hashlib.sha256(secret).digest()) in keys_of(CardRead("r", 128, secret, 7))
