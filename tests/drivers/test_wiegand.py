"""Pulse trains become cards and keys, and nothing else does: no wire is touched here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.wiegand.frames import CardFrame, DropReason, KeyFrame, parity_is_right, understand
from drivers.wiegand.points import POINTS, Settings, addresses
from drivers.wiegand.pulses import MOST_BITS, Burst, Collector, Fault
from edge.directory import cards
from edge.model.messages import CardRead
from tests.support.wiegand import KNOWN, MS, US, bits_of, train

GAP_NS, GLITCH_NS = 30 * MS, 100 * US
LAYOUTS = [shape for shapes in cards.LAYOUTS.values() for shape in shapes]
FOREVER_NS = 1 << 62


def collected(pulses: list[tuple[int, int]]) -> tuple[list[Burst], Collector]:
    """The bursts of a train, and who collected them."""
    collector = Collector(GAP_NS, GLITCH_NS)
    bursts = [burst for wire, at_ns in pulses if (burst := collector.pulse(wire, at_ns)) is not None]
    last = collector.silence(FOREVER_NS)
    return bursts + ([last] if last is not None else []), collector


def understood(
    pulses: list[tuple[int, int]], cards_: Any = "auto", keypad: Any = "auto"
) -> list[CardFrame | KeyFrame | DropReason]:
    return [understand(burst, cards_, keypad) for burst in collected(pulses)[0]]


def card(bits: str) -> CardFrame:
    """What a reader's bits look like to the rest of Doorward."""
    size = (len(bits) + 7) // 8
    return CardFrame(len(bits), int(bits.ljust(size * 8, "0"), 2).to_bytes(size))


# --- cards --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    ("interval_ns", "jitter_ns"), [(200 * US, 20 * US), (1 * MS, 300 * US), (2 * MS, 700 * US), (20 * MS, 2 * MS)]
)
def test_known_cards_at_every_speed_that_readers_have(name: str, interval_ns: int, jitter_ns: int) -> None:
    pulses = train(KNOWN[name], start_ns=10**15, interval_ns=interval_ns, jitter_ns=jitter_ns, seed=7)
    assert understood(pulses) == [card(KNOWN[name])]


@pytest.mark.parametrize(
    ("name", "facility", "number"),
    [
        ("h10301", 1, "01001"),
        ("h10306", 4660, "22136"),
        ("corporate 1000", 1234, "0567890"),
        ("h10304", 1234, "123456"),
    ],
)
def test_what_is_printed_on_the_card_is_what_the_directory_finds(name: str, facility: int, number: str) -> None:
    [found] = understood(train(KNOWN[name]))
    assert isinstance(found, CardFrame)
    reading = cards.reading(CardRead("front.reader", found.bits, found.data, 0))
    assert (reading.facility, reading.number) == (facility, number)


def test_a_card_is_dated_by_its_last_pulse_and_over_after_the_gap() -> None:
    collector = Collector(GAP_NS, GLITCH_NS)
    pulses = train(KNOWN["h10301"], start_ns=5 * MS)
    assert collector.due_ns is None
    for wire, at_ns in pulses:
        assert collector.pulse(wire, at_ns) is None
        assert collector.due_ns == at_ns + GAP_NS
    last_ns = pulses[-1][1]
    assert collector.silence(last_ns + GAP_NS - 1) is None
    burst = collector.silence(last_ns + GAP_NS)
    assert burst is not None
    assert (burst.bits, burst.at_ns, burst.fault) == (26, last_ns, None)
    assert collector.due_ns is None
    assert collector.silence(FOREVER_NS) is None


def test_two_cards_in_a_row_are_two() -> None:
    first = train(KNOWN["h10301"])
    second = train(KNOWN["h10306"], start_ns=first[-1][1] + GAP_NS)
    assert understood(first + second) == [card(KNOWN["h10301"]), card(KNOWN["h10306"])]


def test_two_cards_without_a_pause_are_none() -> None:
    first = train(KNOWN["h10301"])
    second = train(KNOWN["h10306"], start_ns=first[-1][1] + GAP_NS - 1)
    assert understood(first + second) == [DropReason.LENGTH]


@pytest.mark.parametrize("name", KNOWN)
def test_a_card_cut_anywhere_is_no_card(name: str) -> None:
    """Where the length is said. Without, what is left of a long card may look like a short one (docs/wiegand.md)."""
    whole = train(KNOWN[name])
    assert understood(whole, str(len(whole))) == [card(KNOWN[name])]
    for length in range(1, len(whole)):
        for part in (whole[:length], whole[-length:]):
            assert isinstance(understood(part, str(len(whole)), "off")[0], DropReason)
            [found] = understood(part, keypad="off")
            assert not isinstance(found, CardFrame) or found.bits in {shape.bits for shape in LAYOUTS}


def test_exchanged_wires_are_called_so() -> None:
    for bits in KNOWN.values():
        exchanged = [(1 - wire, at_ns) for wire, at_ns in train(bits)]
        assert understood(exchanged) == [DropReason.SWAPPED]


def test_raw_takes_every_length_and_looks_at_no_parity() -> None:
    for bits in ("1" * 9, "10" * 13, "01" * 16, "1" * 56, "10" * (MOST_BITS // 2)):
        assert understood(train(bits), "raw") == [card(bits)]
        assert understood(train(bits)) != [card(bits)]
    assert understood(train("1" * 8), "raw", "off") == [DropReason.LENGTH]
    assert understood(train("1" * (MOST_BITS + 1)), "raw") == [DropReason.TOO_LONG]


# --- parity, held against the layouts of edge.directory.cards ---------------------------------------------------


@given(shape=st.sampled_from(LAYOUTS), value=st.integers(0, (1 << 48) - 1))
def test_parity_is_what_the_layouts_say(shape: cards.Layout, value: int) -> None:
    value %= 1 << shape.bits
    assert parity_is_right(shape.bits, value) is cards.parity_is_right(shape, value)


def test_every_layout_has_its_parity_and_nothing_else_has_one() -> None:
    checked = {bits for bits in range(MOST_BITS + 1) if parity_is_right(bits, 0) is not None}
    assert checked == {shape.bits for shape in LAYOUTS}


@given(data=st.data(), shape=st.sampled_from(LAYOUTS), interval_us=st.integers(200, 20_000))
def test_every_valid_card_with_bounded_jitter_is_read(
    data: st.DataObject, shape: cards.Layout, interval_us: int
) -> None:
    facility = data.draw(st.integers(0, (1 << shape.facility) - 1)) if shape.facility else None
    value = cards.encode(shape, facility, data.draw(st.integers(0, (1 << shape.number) - 1)))
    most_us = (interval_us - 100) // 2  # so that no two are closer than 100 us, nor as far apart as the gap
    offsets = data.draw(st.lists(st.integers(0, most_us), min_size=shape.bits, max_size=shape.bits))
    bits = bits_of(value, shape.bits)
    pulses = [
        (int(bit), (place * interval_us + off) * US) for place, (bit, off) in enumerate(zip(bits, offsets, strict=True))
    ]
    assert understood(pulses, str(shape.bits)) == [card(bits)]


@given(shape=st.sampled_from(LAYOUTS), number=st.integers(0, (1 << 35) - 1), flipped=st.integers(0, 47))
def test_one_wrong_bit_is_never_a_card(shape: cards.Layout, number: int, flipped: int) -> None:
    good = cards.encode(shape, 0, number % (1 << shape.number))
    bad = good ^ (1 << flipped % shape.bits)
    assert not isinstance(understood(train(bits_of(bad, shape.bits)), str(shape.bits))[0], CardFrame)
    assert not isinstance(understood(train(bits_of(bad, shape.bits)))[0], CardFrame)


@pytest.mark.parametrize("shape", [shape for shape in LAYOUTS if shape.bits in cards.SHARED], ids=lambda s: str(s.bits))
def test_lengths_that_many_formats_have_are_read_only_where_they_are_set(shape: cards.Layout) -> None:
    bits = bits_of(cards.encode(shape, 18, 54919), shape.bits)
    assert understood(train(bits), str(shape.bits)) == [card(bits)]
    assert understood(train(bits)) == [DropReason.LENGTH], "not with wrong parity, which would blame the cable"
    assert understood(train(bits), "26") == [DropReason.LENGTH]


# --- noise -----------------------------------------------------------------------------------------


@given(
    pulses=st.lists(st.tuples(st.integers(0, 1), st.integers(-50, 40_000)), max_size=120),
    cards_=st.sampled_from(["auto", "raw"]),
    keypad=st.sampled_from(["auto", "4bit", "8bit", "off"]),
)
def test_noise_never_raises_and_never_is_a_card_with_wrong_parity(
    pulses: list[tuple[int, int]], cards_: str, keypad: str
) -> None:
    at_ns, noise = 0, []
    for wire, after_us in pulses:  # a little backwards, too: no clock should, and nothing may break if it does
        at_ns += after_us * US
        noise.append((wire, at_ns))
    for found in understood(noise, cards_, keypad):
        if isinstance(found, CardFrame):
            value = int.from_bytes(found.data) >> (-found.bits % 8)
            assert cards_ == "raw" or parity_is_right(found.bits, value) is True
            assert 9 <= found.bits <= MOST_BITS
            assert value < 1 << found.bits
        elif isinstance(found, KeyFrame):
            assert keypad != "off"


@given(st.lists(st.integers(0, 1), min_size=1, max_size=3), st.integers(200, 29_999))
def test_a_few_stray_bits_are_a_fragment(wires: list[int], apart_us: int) -> None:
    assert understood([(wire, i * apart_us * US) for i, wire in enumerate(wires)], "raw") == [DropReason.FRAGMENT]


def test_ringing_is_one_pulse_and_is_counted() -> None:
    clean = train(KNOWN["h10301"])
    ringing = [(wire, at_ns + echo) for wire, at_ns in clean for echo in (0, 3 * US, 60 * US)]
    bursts, collector = collected(ringing)
    assert [understand(burst, "auto", "off") for burst in bursts] == [card(KNOWN["h10301"])]
    assert collector.glitches == 52
    assert bursts[0].at_ns == clean[-1][1]


@pytest.mark.parametrize("apart_ns", [0, 15 * US, 99 * US])
def test_both_wires_at_once_spoil_the_burst(apart_ns: int) -> None:
    pulses = train(KNOWN["h10301"])
    wire, at_ns = pulses[10]
    pulses.insert(11, (1 - wire, at_ns + apart_ns))
    assert understood(pulses) == [DropReason.COLLISION]
    assert understood(pulses, "raw") == [DropReason.COLLISION]


def test_a_spoilt_burst_spoils_no_other() -> None:
    spoilt = [(0, 0), (1, 5 * US), *train("1" * 30, start_ns=MS)]
    good = train(KNOWN["h10306"], start_ns=200 * MS)
    assert understood(spoilt + good) == [DropReason.COLLISION, card(KNOWN["h10306"])]


def test_edges_that_were_lost_spoil_what_they_may_belong_to_and_no_more() -> None:
    collector, bursts = Collector(GAP_NS, GLITCH_NS), []
    for start_ms, torn in ((0, False), (200, True), (400, False)):
        for place, (wire, at_ns) in enumerate(train(KNOWN["h10301"], start_ns=start_ms * MS)):
            bursts.append(collector.pulse(wire, at_ns, torn=torn and place == 0))
    bursts.append(collector.silence(FOREVER_NS))
    assert [b.fault for b in bursts if b] == [Fault.TORN, Fault.TORN, None]


def test_what_was_forgotten_is_gone() -> None:
    collector = Collector(GAP_NS, GLITCH_NS)
    for wire, at_ns in train(KNOWN["h10301"])[:13]:
        collector.pulse(wire, at_ns)
    collector.forget()
    assert collector.silence(FOREVER_NS) is None


def test_no_bits_in_what_may_be_printed() -> None:
    [burst] = collected(train(KNOWN["h10301"]))[0]
    assert str(burst.value) not in repr(burst)


# --- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "key"), [*enumerate("0123456789*#")])
def test_keys(value: int, key: str) -> None:
    four, eight = bits_of(value, 4), bits_of((15 - value) << 4 | value, 8)
    for keypad in ("auto", "4bit"):
        assert understood(train(four), keypad=keypad) == [KeyFrame(key)]
    for keypad in ("auto", "8bit"):
        assert understood(train(eight), keypad=keypad) == [KeyFrame(key)]
    for bits, keypad in ((four, "8bit"), (eight, "4bit"), (four, "off"), (eight, "off")):
        assert understood(train(bits), keypad=keypad) == [DropReason.LENGTH]


def test_values_that_are_no_keys() -> None:
    wrong = [byte for byte in range(256) if understood(train(bits_of(byte, 8))) == [DropReason.KEY]]
    assert len(wrong) == 256 - 16


@pytest.mark.parametrize("bits", [4, 8])
def test_exchanged_wires_of_a_keypad_are_seen(bits: int) -> None:
    """0 to 3 come as what no key has; the others as other keys, which nobody can tell."""
    for value in range(4):
        right = value if bits == 4 else (15 - value) << 4 | value
        exchanged = right ^ ((1 << bits) - 1)
        assert understood(train(bits_of(exchanged, bits))) == [DropReason.SWAPPED]


def test_a_pin_typed_fast_is_so_many_keys() -> None:
    pulses, at_ns = [], 0
    for value in (1, 2, 3, 4, 11):
        pulses += train(bits_of(value, 4), start_ns=at_ns)
        at_ns = pulses[-1][1] + GAP_NS
    assert understood(pulses) == [KeyFrame(key) for key in "1234#"]


@pytest.mark.parametrize(("number", "keys"), [(0, "0000#"), (42, "0042#"), (2580, "2580#"), (65_535, "65535#")])
@pytest.mark.parametrize("format_", ["auto", "34", "raw"])
def test_a_pin_that_comes_as_a_card_is_a_pin_where_the_reader_is_set_so(number: int, keys: str, format_: str) -> None:
    """Whatever length its cards have."""
    bits = bits_of(cards.encode(cards.layout(cards.Format.WIEGAND26, 0), 0, number), 26)
    assert understood(train(bits), format_, "26bit") == [KeyFrame(keys)]
    assert understood(train(bits)) == [card(bits)]


def test_other_cards_at_such_a_reader_are_cards_and_misread_pins_are_nothing() -> None:
    assert understood(train(KNOWN["h10301"]), keypad="26bit") == [card(KNOWN["h10301"])]
    pin = bits_of(cards.encode(cards.layout(cards.Format.WIEGAND26, 0), 0, 2580), 26)
    assert understood(train(pin[:-1] + "10"[int(pin[-1])]), keypad="26bit") == [DropReason.PARITY]
    assert understood(train(bits_of(7, 4)), keypad="26bit") == [DropReason.LENGTH]


# --- what an installer may write -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"gap_ms": 4}, "greater than or equal to 5"),
        ({"gap_ms": 501}, "less than or equal to 500"),
        ({"gap_ms": 30.0}, "valid integer"),
        ({"glitch_us": 191}, "less than or equal to 190"),
        ({"glitch_us": 9}, "greater than or equal to 10"),
        ({"chip": -1}, "greater than or equal to 0"),
        ({"gap": 30}, "not permitted"),
    ],
)
def test_settings_that_cannot_be(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Settings.model_validate(table)


@pytest.mark.parametrize(
    "table",
    [
        {"d0": 5, "d1": 5},
        {"d0": 5, "d1": 6, "led": 5},
        {"d0": 5, "d1": 6, "led": 7, "beeper": 7},
        {"d0": 5, "d1": 6, "beeper": 6},
    ],
)
def test_a_reader_has_every_line_once(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected another line than"):
        POINTS["reader"].model_validate(table)


@pytest.mark.parametrize("table", [{"d0": 5}, {"d1": 5}, {"d0": 512, "d1": 1}, {"d0": 1, "d1": 2, "format": "27"}])
def test_readers_that_cannot_be(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        POINTS["reader"].model_validate(table)


def test_what_a_point_occupies() -> None:
    reader = POINTS["reader"].model_validate({"d0": 5, "d1": 6, "led": 7, "beeper": 8})
    assert addresses(reader) == {"line 5", "line 6", "line 7", "line 8"}
    assert addresses(POINTS["buzzer"].model_validate({"line": 9})) == {"line 9"}
