"""Frames: there and back, through noise, and what a checksum or a CRC lets through."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from drivers.osdp.frames import LARGEST, MARK, SOM, Frame, Parser, checksum, crc16, mended

DATA = st.binary(max_size=200)
BLOCKS = st.one_of(
    st.just(b""),
    st.builds(lambda kind, rest: bytes((kind,)) + rest, st.integers(0x11, 0x18), st.binary(max_size=4)),
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    block = draw(BLOCKS)
    frame = Frame(
        draw(st.integers(0, 126)),
        draw(st.booleans()),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 255)),
        draw(DATA),
        block,
        crc=draw(st.booleans()),
    )
    return frame.with_mac(draw(st.binary(min_size=4, max_size=4))) if block[:1] >= b"\x15" else frame


def test_a_poll_is_the_bytes_that_other_panels_send() -> None:
    assert Frame(0x65, False, 0, 0x60).encode().hex(" ") == "53 65 08 00 04 60 60 90"


def test_the_crc_is_the_one_of_the_standard() -> None:
    assert crc16(b"123456789") == 0xE5CC, "CRC-16, polynomial 0x1021, seed 0x1D0F: its published check value"


def test_a_checksum_makes_the_sum_zero() -> None:
    raw = Frame(1, False, 0, 0x60, crc=False).encode()
    assert len(raw) == 7
    assert sum(raw) % 256 == 0
    assert checksum(b"\x01\x02") == 0xFD


@given(st.lists(frames(), max_size=5), st.data())
def test_every_frame_comes_back_in_whatever_portions(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(bytes((MARK,)) * (i % 3) + frame.encode() for i, frame in enumerate(sent))
    parser, got = Parser(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += parser.feed(stream[:size])
        stream = stream[size:]
    assert got == sent
    assert not parser.pending


@given(st.binary(max_size=400))
@example(bytes((SOM,)) * 300)
@example(bytes.fromhex("5301060004"))
@example(bytes.fromhex("53010800086000") + b"\0" * 8)
def test_noise_raises_nothing_and_is_not_kept(noise: bytes) -> None:
    parser = Parser()
    parser.feed(noise)
    parser.flush()
    assert not parser.pending


@given(st.binary(max_size=100), frames())
def test_the_frame_after_noise_is_found(noise: bytes, frame: Frame) -> None:
    parser = Parser()
    got = parser.feed(noise) + parser.feed(frame.encode()) + parser.flush()
    assert got[-1:] == [frame] or frame in got


@given(frames(), st.data())
def test_a_damaged_frame_does_not_take_the_next_one_with_it(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(frame.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    following = Frame(9, True, 1, 0x40)
    parser = Parser()
    got = parser.feed(bytes(raw) + following.encode()) + parser.flush()
    assert following in got
    assert frame not in got


def test_the_parser_keeps_one_frame_at_most() -> None:
    parser = Parser()
    beginning = bytes((SOM, 1)) + LARGEST.to_bytes(2, "little") + b"\x04"
    for _ in range(100):
        parser.feed(beginning + bytes(997))
    assert len(parser._buffer) <= 2 * LARGEST


@given(frames(), st.data())
def test_one_wrong_byte_can_be_put_right(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(replace(frame, reply=True, crc=True).encode())
    right = bytes(raw)
    at = data.draw(st.integers(1, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert right in [candidate.encode() for candidate in mended(bytes((MARK,)) + bytes(raw))]


@given(st.binary(max_size=300))
def test_mending_noise_raises_nothing(noise: bytes) -> None:
    for frame in mended(noise):
        assert len(frame.encode()) <= len(noise)


def test_mending_does_not_make_up_a_frame_from_two_wrong_bytes() -> None:
    raw = bytearray(Frame(1, True, 1, 0x50, bytes(20)).encode())
    raw[7] ^= 0xA5
    raw[12] ^= 0x5A
    assert Frame(1, True, 1, 0x50, bytes(20)) not in mended(bytes(raw))
