"""One reader with wires made of Python: edges in disorder, edges that are missing, storms and stuck wires."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from drivers.wiegand.lines import Edge
from drivers.wiegand.points import Reader, Settings
from drivers.wiegand.reader import DEAF_S, MOST_EDGES, STALE_NS, STORM_EDGES, STUCK_S, OpenReader
from edge.model.messages import Back, CardRead, KeysPressed, Lost, Signal
from tests.support.wiegand import KNOWN, MS, US, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.wiegand.frames import Keypad

POINT = "front.reader"
BOOT_NS = 7_000_000_000
"""How far the boot clock is ahead."""
S = 1_000 * MS


class Bench:
    """A reader, its wires, and a clock."""

    def __init__(self, keypad: Keypad = "auto", **settings: int) -> None:
        self.waiting: list[Edge] = []
        self.held_low: list[str] = []
        self.listening = True
        self.sequence = 0
        self.ns = BOOT_NS
        model = Reader(d0=5, d1=6, keypad=keypad)
        self.reader = OpenReader(POINT, model, Settings(**settings), self, lambda ticks: ticks + BOOT_NS)

    def fileno(self) -> int:
        return -1

    def read(self) -> Sequence[Edge]:
        taken, self.waiting = self.waiting, []
        return taken

    def low(self) -> Sequence[str]:
        return self.held_low

    def listen(self, *, on: bool) -> None:
        self.listening = on

    def happen(self, pulses: list[tuple[int, int]]) -> list[Edge]:
        """Pulses on the wires now, the first at this moment; the clock ends up at the last of them."""
        edges = []
        for wire, after_ns in pulses:
            self.sequence += 1
            edges.append(Edge(self.ns - BOOT_NS + after_ns, self.sequence, wire))
        self.ns += pulses[-1][1]
        if self.listening:
            self.waiting += edges
        return edges

    def fetch(self) -> list[Signal]:
        return self.reader.fetch(self.ns)

    def silence(self, for_ns: int = 30 * MS) -> list[Signal]:
        self.ns += for_ns
        return self.reader.silence(self.ns)

    def second(self) -> list[Signal]:
        self.ns += S
        return self.reader.second(self.ns)

    def reads(self, bits: str) -> list[Signal]:
        """What comes of a card that is read well."""
        self.happen(train(bits))
        return [*self.fetch(), *self.silence()]

    def fact(self, name: str) -> object:
        return self.reader.facts()[name]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_card_is_reported_after_the_gap_and_dated_by_its_last_pulse(bench: Bench) -> None:
    bench.happen(train(KNOWN["h10301"]))
    last_ns = bench.ns
    assert bench.fetch() == []
    assert bench.reader.due_ns == last_ns + 30 * MS
    assert bench.silence(29 * MS) == []
    [read] = bench.silence(1 * MS)
    assert isinstance(read, CardRead)
    assert (read.point, read.bits, read.at_ns) == (POINT, 26, last_ns)
    assert read.data.hex() == f"{int(KNOWN['h10301'], 2) << 6:08x}"
    assert bench.reader.due_ns is None
    assert bench.fact("cards") == 1


def test_a_key_is_reported(bench: Bench) -> None:
    assert bench.reads("1011") == [KeysPressed(POINT, "#", bench.ns - 30 * MS)]
    assert (bench.fact("keys"), bench.fact("cards")) == (1, 0)


def test_a_pin_that_comes_as_a_card_is_reported_as_keys() -> None:
    bench = Bench(keypad="26bit")
    pin = "00000000000001010000101001"  # facility 0, number 2580
    assert bench.reads(pin) == [KeysPressed(POINT, "2580#", bench.ns - 30 * MS)]
    assert (bench.fact("keys"), bench.fact("cards")) == (1, 0)


@pytest.mark.parametrize("seed", range(5))
def test_edges_that_are_queued_the_wrong_way_round_are_put_right(bench: Bench, seed: int) -> None:
    """The kernel has a thread for each line."""
    chance = random.Random(seed)
    bench.happen(train(KNOWN["h10306"], interval_ns=200 * US))
    whole, bench.waiting = bench.waiting, []
    while whole:  # in batches, each a little shuffled against the next
        batch, whole = whole[:3], whole[3:]
        if whole and chance.random() < 0.5:
            batch[-1], whole[0] = whole[0], batch[-1]
        chance.shuffle(batch)
        bench.waiting = batch
        bench.fetch()
    [read] = bench.silence()
    assert isinstance(read, CardRead)
    assert int.from_bytes(read.data) >> 6 == int(KNOWN["h10306"], 2)
    assert bench.fact("torn") == 0


@pytest.mark.parametrize("missing", range(25))
def test_a_missing_edge_spoils_the_card_and_not_the_next(bench: Bench, missing: int) -> None:
    bench.happen(train(KNOWN["h10301"]))
    del bench.waiting[missing]
    assert [*bench.fetch(), *bench.silence()] == []
    assert bench.fact("torn") == 1
    assert len(bench.reads(KNOWN["h10306"])) == 1


def test_the_number_of_edges_may_begin_anew(bench: Bench) -> None:
    bench.sequence = (1 << 32) - 14
    bench.happen(train(KNOWN["h10301"]))
    bench.waiting = [Edge(e.ticks, e.sequence % (1 << 32), e.wire) for e in bench.waiting]
    bench.reader._sequence = (1 << 32) - 14
    bench.fetch()
    assert len(bench.silence()) == 1


def test_two_cards_that_are_fetched_together_are_two(bench: Bench) -> None:
    bench.happen(train(KNOWN["h10301"]))
    bench.ns += 40 * MS
    bench.happen(train(KNOWN["h10304"]))
    bench.fetch()
    assert [read.bits for read in bench.silence() if isinstance(read, CardRead)] == [26, 37]


def test_a_card_that_is_heard_of_too_late_is_not_acted_upon(bench: Bench) -> None:
    bench.happen(train(KNOWN["h10301"]))
    bench.ns += STALE_NS - 100 * MS
    bench.happen(train(KNOWN["h10304"]))
    bench.ns += 200 * MS
    bench.fetch()
    assert [read.bits for read in bench.silence(0) if isinstance(read, CardRead)] == [37]
    assert (bench.fact("stale"), bench.fact("cards")) == (1, 1)


def test_what_is_dropped_is_counted_and_shows_no_bits(bench: Bench) -> None:
    good = KNOWN["h10301"]
    wrong = good[:5] + "10"[int(good[5])] + good[6:]
    for bits in ("1", "111", wrong, "".join("10"[int(bit)] for bit in good), "1" * 30, "1111", "00010001"):
        assert bench.reads(bits) == []
    facts = bench.reader.facts()
    assert {name: facts[name] for name in ("fragments", "wrong_parity", "swapped", "other_lengths", "wrong_keys")} == {
        "fragments": 2,
        "wrong_parity": 1,
        "swapped": 2,
        "other_lengths": 1,
        "wrong_keys": 1,
    }
    assert facts["last_dropped_bits"] == 8
    assert str(int(wrong, 2)) not in str(facts)


def test_pulses_without_an_end_are_not_kept(bench: Bench) -> None:
    for _ in range(20):
        bench.happen(train("10" * 100, interval_ns=MS))
        bench.ns += MS
        assert bench.fetch() == []
        assert len(bench.reader._edges) <= MOST_EDGES
    assert bench.silence() == []
    assert bench.fact("too_long") == 1
    assert len(bench.reads(KNOWN["h10301"])) == 1


def storm(bench: Bench) -> list[Signal]:
    signals: list[Signal] = []
    for _ in range(STORM_EDGES // 500 + 1):
        bench.happen(train("10" * 250, interval_ns=20 * US))
        signals += bench.fetch()
    return signals


def test_a_storm_is_not_listened_to_until_it_is_over(bench: Bench) -> None:
    [lost] = storm(bench)
    assert isinstance(lost, Lost)
    assert lost.points == {POINT}
    assert "lines 5 and 6" in lost.reason
    assert not bench.listening
    for _ in range(DEAF_S - 1):
        assert bench.second() == []
        assert not bench.listening
    assert bench.second() == []
    assert bench.listening
    assert storm(bench) == []  # it still blows, which is known
    assert not bench.listening
    for _ in range(DEAF_S):
        assert bench.second() == []
    assert bench.second() == [Back(frozenset({POINT}), bench.ns)]
    assert bench.reader.trouble is None
    assert len(bench.reads(KNOWN["h10301"])) == 1


def test_a_wire_that_is_held_low_is_told_once(bench: Bench) -> None:
    assert len(bench.reads(KNOWN["h10301"])) == 1
    bench.held_low = ["D1 (line 6)"]
    assert [bench.second() for _ in range(STUCK_S - 1)] == [[]] * (STUCK_S - 1)
    [lost] = bench.second()
    assert isinstance(lost, Lost)
    assert "D1 (line 6) is held low" in lost.reason
    assert bench.second() == []
    assert bench.reads(KNOWN["h10301"]) == []  # nothing is believed meanwhile
    assert bench.fact("trouble") == lost.reason
    bench.held_low = []
    assert bench.second() == [Back(frozenset({POINT}), bench.ns)]
    assert len(bench.reads(KNOWN["h10301"])) == 1


def test_looking_at_a_pulse_is_no_trouble(bench: Bench) -> None:
    for _ in range(10):
        bench.held_low = ["D0 (line 5)"]
        for _ in range(STUCK_S - 1):
            assert bench.second() == []
        bench.held_low = []
        assert bench.second() == []
