"""A reader's own memory: keys, a card that waits for its PIN, wrong PINs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.access.credentials import AccessRefused, AskPin, Presented
from edge.access.decisions import decide
from edge.access.keypad import MOST_KEYS, Keypad, PinNotGiven, Seen, judged, next_deadline, step
from edge.directory.directory import Ask, ReaderPolicy
from edge.model.messages import NS_PER_S, CardRead, KeysPressed
from tests.support.people import ADA, building, card, door, now

BOTH = ReaderPolicy(Ask.CARD_AND_PIN, pin_within_s=10, wrong_pins=3, wrong_pins_within_s=60, locked_out_s=120)


class Reader:
    """A reader at `front`, with decisions made as the daemon makes them."""

    def __init__(self, asking: ReaderPolicy = BOTH) -> None:
        self.asking, self.keypad, self.now_s = asking, Keypad(), 100.0
        self.directory = building(front={"ask": asking.ask.value})

    def give(self, item: CardRead | KeysPressed | None) -> list[str]:
        now_ns = round(self.now_s * NS_PER_S)
        self.keypad, seen = step(self.keypad, self.asking, item, now_ns)
        return [self._answer(one, now_ns) for one in seen]

    def _answer(self, one: Seen, now_ns: int) -> str:
        if isinstance(one, PinNotGiven):
            return "lapsed"
        decision = decide(self.directory, door(), one, now())
        self.keypad = judged(self.keypad, self.asking, one, decision, now_ns)
        if isinstance(decision, AccessRefused):
            return decision.code.value
        return "ask" if isinstance(decision, AskPin) else "granted"

    def card(self, number: int = ADA) -> list[str]:
        return self.give(card(number))

    def keys(self, keys: str) -> list[str]:
        return self.give(KeysPressed("front.reader", keys, 7))

    def wait(self, seconds: float) -> list[str]:
        self.now_s += seconds
        return self.give(None)


def test_a_card_and_its_pin() -> None:
    reader = Reader()
    assert reader.card() == ["ask"]
    assert reader.keys("25") == []
    assert reader.keys("80#") == ["granted"]
    assert reader.keys("2580#") == ["no_access"], "a PIN without its card is nothing here"


def test_the_pin_has_its_time() -> None:
    reader = Reader()
    reader.card()
    assert next_deadline(reader.keypad) == 110 * NS_PER_S
    assert reader.wait(9.9) == []
    assert reader.wait(0.1) == ["lapsed"]
    assert next_deadline(reader.keypad) is None
    assert reader.keys("2580#") == ["no_access"]


def test_a_late_key_meets_no_card_although_nobody_looked_at_the_deadline() -> None:
    reader = Reader()
    reader.card()
    reader.now_s += 11
    assert reader.keys("2580#") == ["lapsed", "no_access"]


def test_clearing_forgets_keys_and_waiting_forgets_them_too() -> None:
    reader = Reader()
    reader.card()
    assert reader.keys("999*2580#") == ["granted"]
    reader = Reader(ReaderPolicy(Ask.CARD_OR_PIN))
    reader.keys("99")
    assert reader.wait(10) == []
    assert reader.keys("246810#") == ["granted"]


@pytest.mark.parametrize("other", ["A", "x", "²", "٣"])
def test_only_ten_keys_are_part_of_a_pin(other: str) -> None:
    reader = Reader()
    reader.card()
    assert reader.keys(f"25{other}80#") == ["granted"]


def test_another_card_takes_the_place_of_the_one_that_waits() -> None:
    reader = Reader()
    reader.card()
    assert reader.card(4242) == ["unknown_card"]
    assert reader.keys("2580#") == ["no_access"]


@pytest.mark.parametrize("ask", [Ask.CARD, Ask.CARD_OR_PIN])
def test_cards_that_need_no_pin_are_not_held_up(ask: Ask) -> None:
    reader = Reader(ReaderPolicy(ask, wrong_pins=1))
    reader.keys("9999#")
    assert reader.card() == ["granted"]


def test_a_reader_of_cards_refuses_a_pin() -> None:
    reader = Reader(ReaderPolicy(Ask.CARD))
    assert reader.keys("258") == []
    assert reader.keys("0#") == ["no_access"]
    assert reader.keypad.keys == ""


signals = st.one_of(
    st.none(),
    st.sampled_from([card(ADA), card(4242)]),
    st.builds(KeysPressed, st.just("front.reader"), st.text("0123456789*#x²", max_size=30), st.just(7)),
)


@given(st.sampled_from(Ask), st.lists(st.tuples(signals, st.integers(0, 30)), max_size=12))
def test_whatever_comes_the_reader_stays_small(
    ask: Ask, items: list[tuple[CardRead | KeysPressed | None, int]]
) -> None:
    reader = Reader(ReaderPolicy(ask, wrong_pins=2))
    for item, gap in items:
        reader.give(item)
        reader.now_s += gap
        assert len(reader.keypad.keys) <= MOST_KEYS


def test_a_keypad_shows_nobody_its_keys() -> None:
    keypad, _ = step(Keypad(), BOTH, KeysPressed("r", "271828", 7), 0)
    assert "2718" not in repr(keypad)
    assert "2718" not in repr(Presented(pin="271828"))
    assert repr(Keypad(waiting=card(ADA), waits_until_ns=7)) == repr(Keypad(waits_until_ns=7)), "nor a card that waits"
