"""Messages: the bytes of the standard, and nothing a reader says can raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.osdp import messages as m


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (m.POLL, "60"),
        (m.IDENTIFY, "61 00"),
        (m.CAPABILITIES, "62 00"),
        (m.output(3, m.Output.ON_TIMED, 5.0), "68 03 05 32 00"),
        (m.output(0, m.Output.OFF), "68 00 01 00 00"),
        (m.light(0, m.Colour.GREEN, 2.0), "69 00 00 02 01 00 02 00 14 00 00 00 00 00 00"),
        (m.standing(0, m.Colour.GREEN), "69 00 00 00 00 00 00 00 00 00 01 01 00 02 00"),
        (m.standing(1, m.Colour.RED, blink_s=0.5), "69 01 00 00 00 00 00 00 00 00 01 05 05 01 00"),
        (m.sound(1, 0.2, 0.3, 3), "6a 01 02 02 03 03"),
        (m.silence(0), "6a 00 01 00 00 00"),
        (m.text(0, "Hi", 3), "6b 00 03 03 01 01 02 48 69"),
        (m.communication(5, 115200), "6e 05 00 c2 01 00"),
        (m.keyset(bytes(range(16))), "75 01 10 " + bytes(range(16)).hex(" ")),
    ],
)
def test_an_order_is_these_bytes(order: m.Order, expected: str) -> None:
    assert (bytes((order.code,)) + order.data).hex(" ") == expected


@pytest.mark.parametrize(
    ("code", "data", "expected"),
    [
        (0x40, "", m.Ack()),
        (0x41, "04", m.Nak(4)),
        (0x45, "cafeba 07 02 67120000 010203", m.Identity("cafeba", 7, 2, 4711, "1.2.3")),
        (0x46, "020402 080100", m.Capabilities({2: (4, 2), 8: (1, 0)})),
        (0x48, "01 00", m.LocalStatus(tamper=True, power_failure=False)),
        (0x49, "00 01 02", m.InputStatus(b"\0\1\2")),
        (0x50, "00 01 1a00 000c0e40", m.Card(0, 26, bytes.fromhex("000c0e40"), "wiegand")),
        (0x50, "01 00 0400 ff", m.Card(1, 4, b"\xf0", "raw")),
        (0x51, "00 00 03 313233", m.Card(0, 24, b"123", "ascii")),
        (0x51, "00 00 04 313233", m.Card(0, 24, b"123", "ascii")),  # the count is off
        (0x51, "00 00 00 313233", m.Card(0, 24, b"123", "ascii")),
        (0x51, "00 00 02 313233", m.Card(0, 24, b"123", "ascii")),  # cut to two it would be another's card, too
        (0x53, "00 05 31 32 0d 7f 41", m.Keys(0, "12#*")),
        (0x54, "05 00c20100", m.Communication(5, 115200)),
        (0x79, "", m.Busy()),
    ],
)
def test_a_reply_means_this(code: int, data: str, expected: m.Message) -> None:
    assert m.parse(code, bytes.fromhex(data)) == expected


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
        (0x51, "00 00 ff" + (m.LONGEST_CARD // 8 + 1) * "31"),  # longer than any card
        (0x53, "00 05 31"),
        (0x76, "00"),
        (0x78, "00"),
        (0xB1, "0102"),
    ],
)
def test_what_does_not_fit_is_unreadable(code: int, data: str) -> None:
    content = bytes.fromhex(data)
    assert m.parse(code, content) == m.Unreadable(code, len(content))


@given(st.integers(0, 255), st.binary(max_size=300))
def test_no_reply_raises(code: int, data: bytes) -> None:
    message = m.parse(code, data)
    if isinstance(message, m.Card):
        assert len(message.data) * 8 >= message.bits > 0
        assert int.from_bytes(message.data, "big") % (1 << (len(message.data) * 8 - message.bits)) == 0
    if isinstance(message, m.Keys):
        assert set(message.keys) <= set("0123456789*#")
