"""Messages: the bytes of the standard, and nothing a reader says can raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.osdp import messages


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (messages.POLL, "60"),
        (messages.IDENTIFY, "61 00"),
        (messages.CAPABILITIES, "62 00"),
        (messages.output(3, messages.OutputAction.ON_TIMED, 5.0), "68 03 05 32 00"),
        (messages.output(0, messages.OutputAction.OFF), "68 00 01 00 00"),
        (messages.light(0, messages.Colour.GREEN, 2.0), "69 00 00 02 01 00 02 00 14 00 00 00 00 00 00"),
        (messages.standing(0, messages.Colour.GREEN), "69 00 00 00 00 00 00 00 00 00 01 01 00 02 00"),
        (messages.standing(1, messages.Colour.RED, blink_s=0.5), "69 01 00 00 00 00 00 00 00 00 01 05 05 01 00"),
        (messages.sound(1, 0.2, 0.3, 3), "6a 01 02 02 03 03"),
        (messages.silence(0), "6a 00 01 00 00 00"),
        (messages.text(0, "Hi", 3), "6b 00 03 03 01 01 02 48 69"),
        (messages.communication(5, 115200), "6e 05 00 c2 01 00"),
        (messages.keyset(bytes(range(16))), "75 01 10 " + bytes(range(16)).hex(" ")),
    ],
)
def test_an_order_is_these_bytes(order: messages.OsdpCommand, expected: str) -> None:
    assert (bytes((order.code,)) + order.data).hex(" ") == expected


@pytest.mark.parametrize(
    ("code", "data", "expected"),
    [
        (0x40, "", messages.Ack()),
        (0x41, "04", messages.Nak(4)),
        (0x45, "cafeba 07 02 67120000 010203", messages.DeviceIdentity("cafeba", 7, 2, 4711, "1.2.3")),
        (0x46, "020402 080100", messages.Capabilities({2: (4, 2), 8: (1, 0)})),
        (0x48, "01 00", messages.LocalStatus(tamper=True, power_failure=False)),
        (0x49, "00 01 02", messages.InputStatus(b"\0\1\2")),
        (0x50, "00 01 1a00 000c0e40", messages.CardData(0, 26, bytes.fromhex("000c0e40"), "wiegand")),
        (0x50, "01 00 0400 ff", messages.CardData(1, 4, b"\xf0", "raw")),
        (0x51, "00 00 03 313233", messages.CardData(0, 24, b"123", "ascii")),
        (0x51, "00 00 04 313233", messages.CardData(0, 24, b"123", "ascii")),  # the count is off
        (0x51, "00 00 00 313233", messages.CardData(0, 24, b"123", "ascii")),
        (
            0x51,
            "00 00 02 313233",
            messages.CardData(0, 24, b"123", "ascii"),
        ),  # cut to two it would be another's card, too
        (0x53, "00 05 31 32 0d 7f 41", messages.KeypadData(0, "12#*")),
        (0x54, "05 00c20100", messages.Communication(5, 115200)),
        (0x79, "", messages.Busy()),
    ],
)
def test_a_reply_means_this(code: int, data: str, expected: messages.Message) -> None:
    assert messages.parse(code, bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (0x40, "00"),
        (0x41, ""),
        (0x45, "00"),
        (0x46, "0204"),
        (0x48, "01"),
        (0x50, "00 01 1a00 000c0e"),  # fewer bytes than bits
        (0x50, "00 01 1a00 000c0e4000"),
        (0x50, "00 01 0000"),
        (0x50, "00 01 ffff 00"),
        (0x51, "00 00 01"),  # no character
        (0x51, "00 00"),
        (0x51, "00 00 ff" + (messages.LONGEST_CARD // 8 + 1) * "31"),  # longer than any card
        (0x53, "00 05 31"),
        (0x76, "00"),
        (0x78, "00"),
        (0xB1, "0102"),
    ],
)
def test_what_does_not_fit_is_unreadable(code: int, data: str) -> None:
    content = bytes.fromhex(data)
    assert messages.parse(code, content) == messages.Unreadable(code, len(content))


@given(st.integers(0, 255), st.binary(max_size=300))
def test_no_reply_raises(code: int, data: bytes) -> None:
    message = messages.parse(code, data)
    if isinstance(message, messages.CardData):
        assert len(message.data) * 8 >= message.bits > 0
        assert int.from_bytes(message.data, "big") % (1 << (len(message.data) * 8 - message.bits)) == 0
    if isinstance(message, messages.KeypadData):
        assert set(message.keys) <= set("0123456789*#")
