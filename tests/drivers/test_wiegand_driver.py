"""The driver around wires made of pipes: whatever its receiver does, and whoever closes it when."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from drivers.wiegand import driver, lines
from drivers.wiegand.lines import Edge
from drivers.wiegand.points import POINTS, Settings
from edge.model.messages import Back, CardRead, Confirmed, Lost, ReaderDisplay, Signal
from tests.support import virtual
from tests.support.wiegand import KNOWN, MS, train

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping

READER, BUZZER = "front.reader", "front.buzzer"
TABLES: dict[str, dict[str, Any]] = {READER: {"d0": 5, "d1": 6, "led": 7, "beeper": 8}, BUZZER: {"line": 9}}


class Wires:
    """A pair on a pipe that holds a byte while edges wait."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        self.edges: list[Edge] = []
        self.sequence = 0
        self.closed = False

    def fileno(self) -> int:
        assert not self.closed
        return self.out

    def read(self) -> list[Edge]:
        assert not self.closed, "a request that was released is no longer read"
        if self.edges:
            os.read(self.out, 1)
        taken, self.edges = self.edges, []
        return taken

    def low(self) -> list[str]:
        assert not self.closed
        return []

    def listen(self, *, on: bool) -> None:
        assert not self.closed, on

    def send(self, bits: str, last_ns: int) -> None:
        pulses = train(bits)
        for wire, after_ns in pulses:
            self.sequence += 1
            self.edges.append(Edge(last_ns - pulses[-1][1] + after_ns, self.sequence, wire))
        os.write(self.into, b".")


class Chip:
    """Everything that a chip is told."""

    name, label = "gpiochip0", "pinctrl-fake"

    def __init__(self) -> None:
        self.told: list[tuple[int, bool]] = []
        self.pairs: list[Wires] = []
        self.gone = False
        self.held: set[int] = set()
        """Lines of others."""
        self.snatched: set[int] = set()
        """Lines that others claim after it was looked whether they are free."""
        self.driven: set[int] = set()

    def refuse_conflicts(self, wanted: Collection[int]) -> None:
        for line in sorted(wanted):
            if line in self.held:
                raise OSError(errno.EBUSY, f"line {line} is held")

    def drive(self, outputs: Mapping[int, bool]) -> None:
        self.driven |= outputs.keys()

    def let_go(self, outputs: Collection[int]) -> None:
        self.driven -= set(outputs)

    def set(self, line: int, *, on: bool) -> None:
        if line not in self.driven:
            raise OSError(errno.EBADF, f"line {line} has not been claimed")
        if self.gone:
            raise OSError(errno.ENODEV, "it has gone")
        self.told.append((line, on))

    def close(self) -> None:
        for pair in self.pairs:
            if not pair.closed:
                pair.closed = True
                os.close(pair.out)
                os.close(pair.into)


class Bench:
    """A driver with its chip on a virtual clock."""

    def __init__(self, loop: virtual.VirtualLoop) -> None:
        self.loop = loop
        points = {name: POINTS[name.split(".")[1]].model_validate(table) for name, table in TABLES.items()}
        self.driver = driver.create("bench", Settings(), points, loop.now_ns)
        self.chip = Chip()
        self.seen: list[Signal] = []
        self.after: Callable[[Signal], None] = lambda _: None

    def emit(self, signal: Signal) -> None:
        self.seen.append(signal)
        self.after(signal)

    def card(self) -> None:
        """A card whose last bit comes now."""
        self.chip.pairs[-1].send(KNOWN["h10301"], self.loop.now_ns())

    @property
    def cards(self) -> int:
        return sum(isinstance(signal, CardRead) for signal in self.seen)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], None]]:
    made: list[Bench] = []

    def pair(chip: Chip, d0: int, d1: int) -> Wires:
        if chip.snatched & {d0, d1}:
            raise OSError(errno.EBUSY, "somebody was quicker")
        chip.pairs.append(Wires())
        return chip.pairs[-1]

    monkeypatch.setattr(lines, "Chip", lambda *_: made[-1].chip)
    monkeypatch.setattr(lines, "Pair", pair)

    def live(script: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
        async def main(loop: virtual.VirtualLoop) -> None:
            monkeypatch.setattr(lines.KernelClock, "ticks", staticmethod(loop.now_ns))
            made.append(Bench(loop))
            await script(made[-1])

        virtual.run(main)

    yield live
    for one in made:
        one.chip.close()


def test_a_card_comes_after_the_gap_and_nothing_after_run_has_ended(bench: Any) -> None:
    async def script(it: Bench) -> None:
        it.driver.open()
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        it.card()
        await asyncio.sleep(0.029)
        assert it.cards == 0
        await asyncio.sleep(0.002)
        assert it.cards == 1
        it.card()
        await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await asyncio.sleep(1)
        assert it.cards == 1

    bench(script)


def test_a_receiver_may_close_the_driver(bench: Any) -> None:
    async def script(it: Bench) -> None:
        it.driver.open()
        it.after = lambda _: it.driver.close()
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        it.card()
        with pytest.raises(OSError, match="has been closed"):
            await run
        assert it.cards == 1
        await asyncio.sleep(5)
        assert all(pair.closed for pair in it.chip.pairs)

    bench(script)


def test_a_sounder_is_confirmed_once_also_when_it_was_told_before_run(bench: Any) -> None:
    async def script(it: Bench) -> None:
        it.driver.open()
        it.driver.apply({BUZZER: True})
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        it.driver.apply({BUZZER: True})
        it.driver.apply({BUZZER: False})
        assert [(s.point, s.asserted) for s in it.seen if isinstance(s, Confirmed)] == [(BUZZER, True), (BUZZER, False)]
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        it.driver.close()
        assert it.chip.told[-1] == (8, False)

    bench(script)


def test_answers_take_their_time_and_end_with_run(bench: Any) -> None:
    async def script(it: Bench) -> None:
        it.driver.open()
        it.driver.answer(READER, granted=True)  # nobody runs: nobody would put it off again
        assert it.chip.told == []
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        it.driver.answer(READER, granted=True)
        it.chip.told.clear()
        await asyncio.sleep(0.99)
        assert it.chip.told == []
        await asyncio.sleep(0.02)
        assert it.chip.told == [(7, False)]
        it.driver.answer(READER, granted=False)
        it.chip.told.clear()
        await asyncio.sleep(0.15)
        assert it.chip.told == [(8, False)]
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        it.chip.told.clear()
        await asyncio.sleep(5)
        assert it.chip.told == []

    bench(script)


def test_the_light_is_on_while_the_door_stands_unlocked_and_off_at_the_end(bench: Any) -> None:
    async def script(it: Bench) -> None:
        it.driver.open()
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        for shown, on in (
            (ReaderDisplay.UNLOCKED, True),
            (ReaderDisplay.REFUSING, False),
            (ReaderDisplay.UNLOCKED, True),
        ):
            it.driver.show(READER, shown)
            assert it.chip.told[-1] == (7, on)
        it.driver.answer(READER, granted=True)
        await asyncio.sleep(2)
        assert it.chip.told[-1] == (7, True), "after the answer as before"
        it.driver.answer(READER, granted=False)
        await asyncio.sleep(2)
        assert (7, False) not in it.chip.told[-6:]
        it.driver.answer(READER, granted=True)
        it.driver.show(READER, ReaderDisplay.LOCKED)
        assert it.chip.told[-1] == (7, True), "an answer is shown to its end"
        await asyncio.sleep(2)
        assert it.chip.told[-1] == (7, False)
        it.driver.show(READER, ReaderDisplay.UNLOCKED)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert [on for line, on in it.chip.told if line == 7][-1] is False

    bench(script)


def test_the_light_blinks_while_the_reader_listens_and_between_answers(bench: Any) -> None:
    def lit(it: Bench) -> list[bool]:
        return [on for line, on in it.chip.told if line == 7]

    async def script(it: Bench) -> None:
        it.driver.open()
        it.driver.show(READER, ReaderDisplay.LISTENING)  # as it comes back, before anybody runs
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.9)
        assert lit(it) == [True, False, True, False, True]
        it.driver.answer(READER, granted=True)
        it.chip.told.clear()
        await asyncio.sleep(0.9)
        assert lit(it) == [], "an answer is shown to its end"
        await asyncio.sleep(0.9)
        assert len(set(lit(it))) == 2
        it.driver.show(READER, ReaderDisplay.UNLOCKED)
        it.chip.told.clear()
        await asyncio.sleep(2)
        assert it.chip.told == []
        it.driver.show(READER, ReaderDisplay.LISTENING)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert lit(it)[-1] is False
        it.chip.told.clear()
        await asyncio.sleep(2)
        assert it.chip.told == []
        it.driver.close()

    bench(script)


def test_an_answer_never_raises(bench: Any) -> None:
    async def script(it: Bench) -> None:
        it.driver.open()
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        it.chip.gone = True
        it.driver.answer(READER, granted=False)
        it.driver.answer(BUZZER, granted=False)
        with pytest.raises(OSError, match="it has gone"):
            it.driver.apply({BUZZER: True})
        await asyncio.sleep(1)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        it.driver.close()

    bench(script)


def test_run_ends_when_a_wire_says_that_the_chip_has_gone(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: Wires) -> list[str]:
        raise OSError(errno.ENODEV, "gone, noticed by the look of every second")

    async def script(it: Bench) -> None:
        it.driver.open()
        monkeypatch.setattr(Wires, "low", gone)
        with pytest.raises(OSError, match="noticed by the look"):
            await it.driver.run(it.emit)
        assert not [signal for signal in it.seen if isinstance(signal, Lost)]

    bench(script)


def test_a_driver_that_is_not_open_says_so(bench: Any) -> None:
    async def script(it: Bench) -> None:
        with pytest.raises(OSError, match="not open"):
            await it.driver.run(it.emit)
        with pytest.raises(OSError, match="not open"):
            it.driver.apply({BUZZER: True})
        assert it.driver.level(READER) is None
        it.driver.close()
        closed = json.dumps(dict(it.driver.describe()), allow_nan=False)
        it.driver.open()
        assert set(json.loads(closed)["readers"]) == set(dict(it.driver.describe())["readers"]) == {READER}  # type: ignore[arg-type]
        it.driver.close()
        it.driver.close()
        assert (it.driver.name, it.driver.points) == ("bench", frozenset(TABLES))

    bench(script)


def test_the_clock_of_edges_and_the_boot_clock_are_compared(bench: Any) -> None:
    """An hour of sleep is in the boot clock and not in the other; it is noticed within a second."""

    async def script(it: Bench) -> None:
        asleep_ns = 0
        it.driver._now_ns = lambda: it.loop.now_ns() + asleep_ns
        it.driver.open()
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        asleep_ns = 3_600_000 * MS
        await asyncio.sleep(1.5)
        it.card()
        last_ns = it.loop.now_ns() + asleep_ns
        await asyncio.sleep(0.1)
        [read] = it.seen
        assert isinstance(read, CardRead)
        assert abs(read.at_ns - last_ns) < MS
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    bench(script)


@pytest.mark.parametrize("how", ["held", "snatched"])
def test_a_reader_whose_line_another_has_is_lost_alone_and_tried_every_two_seconds(bench: Any, how: str) -> None:
    async def script(it: Bench) -> None:
        getattr(it.chip, how).add(6)
        it.driver.open()
        run = asyncio.ensure_future(it.driver.run(it.emit))
        await asyncio.sleep(0.01)
        [lost] = it.seen
        assert isinstance(lost, Lost)
        assert lost.points == {READER}
        it.driver.show(READER, ReaderDisplay.UNLOCKED)
        it.driver.answer(READER, granted=True)
        it.driver.apply({BUZZER: True})
        assert it.chip.told == [(9, True)]
        assert it.chip.driven == {9}, "nothing of it is kept"
        getattr(it.chip, how).clear()
        await asyncio.sleep(1.5)
        assert not it.chip.pairs
        it.after = lambda signal: it.driver.show(READER, ReaderDisplay.UNLOCKED) if isinstance(signal, Back) else None
        await asyncio.sleep(1)
        assert [signal.points for signal in it.seen if isinstance(signal, Back)] == [{READER}]
        assert it.chip.told[-1] == (7, True), "whoever hears of it can use it at once"
        it.card()
        await asyncio.sleep(0.1)
        assert it.cards == 1
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert it.chip.told[-1] == (8, False)
        it.card()
        await asyncio.sleep(5)
        assert it.cards == 1, "it is not listened to after run"

    bench(script)


@pytest.mark.parametrize("at", [Lost, Back])
def test_a_receiver_may_close_the_driver_when_a_reader_is_lost_or_back(bench: Any, at: type[Signal]) -> None:
    async def script(it: Bench) -> None:
        it.chip.held.add(6)
        it.driver.open()
        it.chip.held.clear()
        it.after = lambda signal: it.driver.close() if isinstance(signal, at) else None
        with pytest.raises(OSError, match="has been closed"):
            await it.driver.run(it.emit)
        await asyncio.sleep(5)
        assert all(pair.closed for pair in it.chip.pairs)

    bench(script)
