"""Which bytes are the answer to a question, and which are noise."""

from __future__ import annotations

import pytest
from pymodbus.framer import FramerRTU

from drivers.modbus.frames import ExceptionReply, Question, Read, ReplyBuffer, SetCoil, SetRegister, encode

INPUTS = Read(unit=1, table="discrete", first=0, count=3)


def framed(body: str) -> bytes:
    """A frame of these bytes, with its CRC."""
    data = bytes.fromhex(body)
    return data + FramerRTU.compute_CRC(data).to_bytes(2, "big")


def heard(question: Question, *pieces: bytes) -> list[object]:
    hearing = ReplyBuffer(question, encode(question))
    return [hearing.take(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("question", "frame"),
    [
        (SetCoil(1, 0, on=True), "01 05 00 00 FF 00 8C 3A"),
        (SetCoil(1, 0, on=False), "01 05 00 00 00 00 CD CA"),
        (SetCoil(1, 0, on=True, tenths=7), "01 05 02 00 00 07 8D B0"),
        (SetCoil(1, 0, on=False, tenths=8), "01 05 04 00 00 08 CD 3C"),
        (Read(1, "coil", 0, 8), "01 01 00 00 00 08 3D CC"),
        (Read(1, "discrete", 0, 8), "01 02 00 00 00 08 79 CC"),
        (Read(1, "holding", 0x4000, 1), "01 03 40 00 00 01 91 CA"),
        (SetRegister(1, 0x4000, 1), "01 06 40 00 00 01 5D CA"),
    ],
)
def test_questions_are_those_of_the_boards_manuals(question: Question, frame: str) -> None:
    assert encode(question) == bytes.fromhex(frame)


def test_an_answer_is_taken_when_it_is_whole() -> None:
    answer = framed("01 02 01 05")
    assert heard(INPUTS, *(answer[i : i + 1] for i in range(len(answer)))) == [None] * 5 + [(1, 0, 1)]


def test_registers_are_numbers() -> None:
    assert heard(Read(9, "holding", 128, 2), framed("09 03 04 01 02 FF FF")) == [(0x0102, 0xFFFF)]


def test_an_answer_behind_noise_is_found_and_the_noise_counted() -> None:
    hearing = ReplyBuffer(INPUTS, encode(INPUTS))
    assert hearing.take(b"\x01\x02\x01\x00\xff\x01" + framed("01 02 01 05") + b"\x00") == (1, 0, 1)
    assert hearing.noise == 7


@pytest.mark.parametrize(
    "other",
    [
        framed("02 02 01 05"),  # another unit
        framed("01 01 01 05"),  # another function
        framed("01 02 02 05 00"),  # another length
        framed("01 02 01 05")[:-1] + b"\x00",  # a wrong CRC
        framed("02 82 02"),  # another unit's refusal
        framed("01 81 02"),  # the refusal of another function
        encode(INPUTS),  # our own words
    ],
)
def test_what_is_not_the_answer_is_noise(other: bytes) -> None:
    hearing = ReplyBuffer(INPUTS, encode(INPUTS))
    assert hearing.take(other) is None
    assert hearing.noise == len(other)
    assert hearing.take(framed("01 02 01 02")) == (0, 1, 0)


def test_a_write_is_answered_with_its_own_words_only() -> None:
    on, off = encode(SetCoil(1, 3, on=True)), encode(SetCoil(1, 3, on=False))
    assert heard(SetCoil(1, 3, on=True), off, on) == [None, ()]


def test_a_refusal_says_why() -> None:
    with pytest.raises(ExceptionReply, match=r"refuses: illegal data address \(2\)"):
        heard(INPUTS, framed("01 82 02"))
    with pytest.raises(ExceptionReply, match="its own"):
        heard(SetCoil(1, 0, on=True), framed("01 85 63"))


def test_behind_an_adapter_that_echoes_the_answer_to_a_write_is_the_second_one() -> None:
    question = SetCoil(1, 0, on=True)
    sent = encode(question)
    hearing = ReplyBuffer(question, sent, echo=True)
    assert hearing.take(sent) is None
    assert hearing.take(sent) == ()
    assert ReplyBuffer(question, sent, echo=True).take(b"\x00" + sent) == (), (
        "and of one that has stopped it is the first"
    )


def test_the_echo_of_a_read_is_no_answer_to_it_and_shows_that_there_is_one() -> None:
    hearing = ReplyBuffer(INPUTS, encode(INPUTS))
    assert hearing.take(encode(INPUTS)) is None
    assert hearing.echoed
