"""One board, its time handed in: what is asked of it when, and what its answers and silences come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.modbus.board import PROBE_NS, REFRESH_NS, Board, boards
from drivers.modbus.duties import FLASH_TENTHS, READ_BACK_NS
from drivers.modbus.frames import Read, SetCoil, SetRegister
from drivers.modbus.points import POINTS, Settings
from edge.model.messages import Back, Confirmed, Level, Lost

if TYPE_CHECKING:
    from drivers.modbus.frames import Question, Values
    from edge.model.messages import Signal

MS = 1_000_000
S = 1000 * MS
LOCK = {"unit": 1, "coil": 0, "unlocked": "on", "resting": "locked"}
REGISTER = {"unit": 1, "register": 1, "on": 0x0100, "off": 0x0200, "unlocked": "on", "resting": "locked"}
CONTACT = {"unit": 1, "input": 0}


class Desk:
    """Puts a board's questions as soon as they are due, to a board of relays that only tests keep from answering."""

    def __init__(self, points: dict[str, dict[str, Any]], **settings: Any) -> None:
        models = {point: POINTS[point.rpartition(".")[2]](**table) for point, table in points.items()}
        chosen = Settings(port="/dev/null", **{"poll_ms": 100, **settings})
        self.board: Board = next(iter(boards(chosen, models).values()))
        self.now_ns = 0
        self.asked: list[tuple[int, Question]] = []
        self.signals: list[Signal] = []
        self.coils: dict[int, bool] = {}
        self.inputs: dict[int, int] = {}
        self.registers: dict[int, int] = {}
        """Holding registers as they read."""
        self.reads = {0x0100: 1, 0x0200: 0}
        """What a register reads when this was written to it."""
        self.silent = False
        self.deaf = False

    def run(self, for_ns: int) -> list[Signal]:
        """What it reports in that time."""
        self.signals, until_ns = [], self.now_ns + for_ns
        while (due_ns := self.board.due_ns(reading=True)) is not None and due_ns <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            turn = self.board.turn(self.now_ns, reading=True)
            assert turn is not None
            self.asked.append((self.now_ns, turn.question))
            if self.silent:
                self.signals += self.board.failed(turn, "does not answer", self.now_ns)
            else:
                values = self._answer(turn.question)
                self.signals += self.board.answered(turn, values, self.now_ns)
                self.signals += self.board.confirmed(self.now_ns)
        self.now_ns = until_ns
        return self.signals

    def of(self, kind: type[Question]) -> list[tuple[int, Question]]:
        return [(at_ns, question) for at_ns, question in self.asked if isinstance(question, kind)]

    def _answer(self, question: Question) -> Values:
        if isinstance(question, SetCoil):
            if not self.deaf:
                self.coils[question.coil] = question.on
        elif isinstance(question, SetRegister):
            if not self.deaf:
                self.registers[question.register] = self.reads.get(question.value, question.value)
        elif isinstance(question, Read):
            table = {"coil": self.coils, "holding": self.registers}.get(question.table, self.inputs)
            return tuple(int(table.get(question.first + i, 0)) for i in range(question.count))
        return ()


def test_relays_come_first_then_everything_else_and_then_the_levels() -> None:
    desk = Desk({"a.lock": LOCK, "a.contact": CONTACT}, watchdog=[{"unit": 1, "holding": 8, "value": 5}])
    assert desk.run(0) == [Level("a.contact", True, 0, initial=True)]
    kinds = [type(question) for _, question in desk.asked]
    assert kinds[0] is SetCoil
    assert (kinds.count(Read), kinds.count(SetRegister)) == (2, 1)


def test_inputs_are_polled_and_coils_read_back_at_their_own_pace() -> None:
    desk = Desk({"a.lock": LOCK, "a.contact": CONTACT})
    desk.run(1 * S)
    reads = [question.table for _, question in desk.of(Read) if isinstance(question, Read)]
    assert reads.count("discrete") == 11
    assert reads.count("coil") == 1 + 1 * S // READ_BACK_NS


def test_an_edge_is_dated_by_the_poll_that_saw_it() -> None:
    desk = Desk({"a.contact": CONTACT})
    desk.inputs[0] = 1
    assert desk.run(0) == [Level("a.contact", False, 0, initial=True)]
    desk.now_ns = 50 * MS
    desk.inputs[0] = 0
    assert desk.run(100 * MS) == [Level("a.contact", True, 100 * MS)]


def test_a_relay_that_was_reset_is_told_again_and_nobody_hears_of_it() -> None:
    desk = Desk({"a.lock": LOCK})
    desk.run(0)
    desk.board.want("a.lock", asserted=True)
    assert desk.run(0) == [Confirmed("a.lock", True, 0)]
    desk.coils[0] = False
    assert desk.run(READ_BACK_NS) == []
    assert desk.coils[0] is True
    assert desk.board.facts()["repairs"] == 1


def test_a_relay_that_does_not_obey_is_a_loss_and_not_an_endless_one() -> None:
    desk = Desk({"a.lock": LOCK}, misses=2)
    desk.run(0)
    desk.deaf = True
    desk.board.want("a.lock", asserted=True)
    [lost] = desk.run(3 * READ_BACK_NS)
    assert lost == Lost(frozenset({"a.lock"}), "unit 1 does not keep coil 0 as told", READ_BACK_NS)
    assert desk.run(10 * S) == []
    desk.deaf = False
    assert isinstance(desk.run(2 * PROBE_NS)[0], Back)


def test_a_flash_is_renewed_well_before_it_ends_until_the_lock_rests() -> None:
    desk = Desk({"a.lock": LOCK | {"flash": "waveshare"}})
    desk.run(0)
    assert desk.of(SetCoil) == [(0, SetCoil(1, 0, on=False))]
    desk.asked.clear()
    desk.board.want("a.lock", asserted=True)
    desk.run(10 * S)
    flashes = desk.of(SetCoil)
    assert {question for _, question in flashes} == {SetCoil(1, 0, on=True, tenths=FLASH_TENTHS)}
    assert [at_ns for at_ns, _ in flashes] == [second * REFRESH_NS for second in range(11)]
    assert REFRESH_NS * 3 < FLASH_TENTHS * 100 * MS
    desk.asked.clear()
    desk.board.want("a.lock", asserted=False)
    desk.run(10 * S)
    assert desk.of(SetCoil) == [(10 * S, SetCoil(1, 0, on=False))]


def test_a_flash_always_falls_back_to_rest() -> None:
    off_opens = Desk({"a.lock": LOCK | {"unlocked": "off", "flash": "waveshare"}})
    off_opens.board.want("a.lock", asserted=True)
    off_opens.run(0)
    assert off_opens.of(SetCoil)[0][1] == SetCoil(1, 0, on=False, tenths=FLASH_TENTHS)
    rests_open = Desk({"a.lock": LOCK | {"resting": "unlocked", "flash": "waveshare"}})
    rests_open.run(0)
    assert rests_open.of(SetCoil)[0][1] == SetCoil(1, 0, on=True)
    rests_open.board.want("a.lock", asserted=False)
    rests_open.run(0)
    assert rests_open.of(SetCoil)[-1][1] == SetCoil(1, 0, on=False, tenths=FLASH_TENTHS)


def test_a_watchdog_is_written_once_or_as_often_as_it_wants() -> None:
    dogs = [{"unit": 1, "holding": 8, "value": 5}, {"unit": 1, "holding": 9, "value": 7, "every_s": 2}]
    desk = Desk({"a.lock": LOCK}, watchdog=dogs)
    desk.run(4 * S)
    assert [at_ns for at_ns, question in desk.asked if question == SetRegister(1, 8, 5)] == [0]
    assert [at_ns for at_ns, question in desk.asked if question == SetRegister(1, 9, 7)] == [0, 2 * S, 4 * S]


def test_a_silent_board_is_lost_once_and_asked_seldom() -> None:
    desk = Desk({"a.lock": LOCK, "a.contact": CONTACT}, misses=3)
    desk.run(1 * S)
    desk.asked.clear()
    desk.silent = True
    [lost] = desk.run(1 * S)
    assert isinstance(lost, Lost)
    assert (lost.points, lost.reason) == (frozenset({"a.lock", "a.contact"}), "unit 1 does not answer")
    assert desk.board.levels == {}
    desk.asked.clear()
    assert desk.run(10 * PROBE_NS) == []
    assert len(desk.asked) == 10


def test_one_failure_is_no_loss_and_the_same_relay_is_told_again_soon() -> None:
    desk = Desk({"a.lock": LOCK, "a.contact": CONTACT}, misses=2)
    desk.run(0)
    turn_at = desk.now_ns
    desk.board.want("a.lock", asserted=True)
    turn = desk.board.turn(turn_at, reading=True)
    assert turn is not None
    assert desk.board.failed(turn, "does not answer", turn_at) == []
    assert desk.run(100 * MS) == [Confirmed("a.lock", True, 100 * MS)]


def test_a_board_that_is_back_has_the_newest_wish_before_it_is_reported() -> None:
    desk = Desk({"a.lock": LOCK, "a.contact": CONTACT})
    desk.run(0)
    desk.silent = True
    desk.board.want("a.lock", asserted=True)
    desk.run(5 * S)
    desk.board.want("a.lock", asserted=False)
    desk.board.want("a.lock", asserted=True)
    desk.silent = False
    desk.asked.clear()
    back, level, confirmed = desk.run(PROBE_NS)
    assert desk.asked[0][1] == SetCoil(1, 0, on=True)
    assert isinstance(back, Back)
    assert isinstance(level, Level)
    assert level.initial
    assert confirmed == Confirmed("a.lock", True, desk.asked[2][0])


def test_neighbours_are_read_together_and_far_ones_apart() -> None:
    points = {f"{door}.contact": {"unit": 1, "input": number} for door, number in (("a", 0), ("b", 16), ("c", 40))}
    points["d.contact"] = {"unit": 1, "input": 128, "table": "holding", "bit": 3}
    desk = Desk(points)
    desk.run(0)
    assert {question for _, question in desk.asked} == {
        Read(1, "discrete", 0, 17),
        Read(1, "discrete", 40, 1),
        Read(1, "holding", 128, 1),
    }


def test_one_bit_of_a_register_is_an_input() -> None:
    desk = Desk({"a.rex": {"unit": 1, "input": 5, "table": "input", "bit": 3}})
    desk.inputs[5] = 0b0111
    assert desk.run(0) == [Level("a.rex", False, 0, initial=True)]
    desk.inputs[5] = 0b1000
    assert desk.run(100 * MS) == [Level("a.rex", True, 100 * MS)]


def test_the_slowest_poll_is_told() -> None:
    desk = Desk({"a.contact": CONTACT})
    desk.run(1 * S)
    assert desk.board.facts()["slowest_poll_ms"] == 100
    desk.now_ns += 2 * S
    desk.run(0)
    assert desk.board.facts()["slowest_poll_ms"] == 2000


def test_a_write_without_an_answer_may_have_been_heard() -> None:
    desk = Desk({"a.lock": LOCK})
    desk.run(0)
    desk.board.want("a.lock", asserted=True)
    turn = desk.board.turn(0, reading=True)
    assert turn is not None
    desk.coils[0] = True  # it has been heard
    desk.board.failed(turn, "does not answer", 0)
    desk.board.want("a.lock", asserted=False)
    assert desk.run(0) == [Confirmed("a.lock", False, 0)]
    assert desk.coils[0] is False


def test_a_relay_is_confirmed_when_it_was_read_back_and_not_before() -> None:
    """An adapter that echoes answers every write with the write itself, whether or not there is a board."""
    desk = Desk({"a.lock": LOCK})
    desk.run(0)
    desk.board.want("a.lock", asserted=True)
    desk.deaf = True
    assert not [signal for signal in desk.run(300 * MS) if isinstance(signal, Confirmed)]
    desk.deaf = False
    desk.board.want("a.lock", asserted=True)
    confirmed = [signal for signal in desk.run(1 * S) if isinstance(signal, Confirmed)]
    assert [(signal.point, signal.asserted) for signal in confirmed] == [("a.lock", True)]


def test_what_was_told_is_read_back_at_once() -> None:
    desk = Desk({"a.lock": LOCK})
    desk.run(100 * MS)
    desk.board.want("a.lock", asserted=True)
    assert desk.run(0) == [Confirmed("a.lock", True, 100 * MS)]


def test_a_relay_by_register_is_written_with_its_two_values_and_read_back() -> None:
    desk = Desk({"a.lock": REGISTER})
    desk.run(0)
    assert [question for _, question in desk.asked] == [SetRegister(1, 1, 0x0200), Read(1, "holding", 1, 1)]
    desk.board.want("a.lock", asserted=True)
    assert desk.run(0) == [Confirmed("a.lock", True, 0)]
    desk.board.want("a.lock", asserted=False)
    assert desk.run(0) == [Confirmed("a.lock", False, 0)]
    assert [question.value for _, question in desk.of(SetRegister)] == [0x0200, 0x0100, 0x0200]  # type: ignore[union-attr]  # only writes
    desk.registers[1] = 1  # a hand on the board's own button
    assert desk.run(READ_BACK_NS) == []
    assert desk.registers[1] == 0
    assert desk.board.facts()["repairs"] == 1


def test_a_register_that_reads_as_it_was_written() -> None:
    desk = Desk({"a.lock": REGISTER | {"on_reads": 0x0100, "off_reads": 0x0200}})
    desk.reads = {}
    desk.run(0)
    desk.board.want("a.lock", asserted=True)
    assert desk.run(10 * S) == [Confirmed("a.lock", True, 0)]
    assert desk.board.facts()["repairs"] == 0


def test_a_register_that_reads_neither_value_is_no_state_of_a_relay() -> None:
    desk = Desk({"a.lock": REGISTER}, misses=2)
    desk.reads = {0x0200: 0, 0x0100: 7}
    desk.run(0)
    desk.board.want("a.lock", asserted=True)
    [lost] = desk.run(3 * READ_BACK_NS)
    assert isinstance(lost, Lost)
    assert lost.reason == "unit 1 does not keep register 1 as told"


def test_a_relay_by_register_that_only_echoes_is_never_confirmed() -> None:
    desk = Desk({"a.lock": REGISTER})
    desk.run(0)
    desk.deaf = True
    desk.board.want("a.lock", asserted=True)
    assert not [signal for signal in desk.run(5 * S) if isinstance(signal, Confirmed)]


def test_relays_by_coil_and_by_register_keep_apart() -> None:
    """The same number in two tables."""
    desk = Desk({"a.lock": LOCK | {"coil": 1}, "b.lock": REGISTER})
    desk.run(0)
    desk.board.want("b.lock", asserted=True)
    desk.run(2 * S)
    assert (desk.coils[1], desk.registers[1]) == (False, 1)
    assert desk.board.facts()["repairs"] == 0
