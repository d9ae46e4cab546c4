"""The GPIO driver on gpiozero's own mock pins, and what it accepts as wiring."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from gpiozero.pins.mock import MockFactory
from pydantic import ValidationError

from drivers.gpio import driver as gpio
from drivers.gpio.points import POINTS, Settings, addresses
from drivers.gpio.wire import BootTime
from edge.model.messages import Back, Confirmed, Level, Lost, Signal
from tests.support.virtual import run

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK, CONTACT, REX, BUZZER = "front.lock", "front.contact", "front.rex", "front.buzzer"


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    it = MockFactory()
    yield it
    it.reset()


def driver_on(factory: Any, points: dict[str, dict[str, Any]], now_ns: Any = lambda: 0) -> gpio.GpioDriver:
    models = {name: POINTS[name.split(".")[1]](**table) for name, table in points.items()}
    driver = gpio.create("gpio", Settings(), models, now_ns, factory)
    assert isinstance(driver, gpio.GpioDriver)
    return driver


LOCKED: dict[str, Any] = {"line": 17, "unlocked": "high", "resting": "locked"}
PLAIN = {LOCK: LOCKED, CONTACT: {"line": 27}, REX: {"line": 22}, BUZZER: {"line": 23}}


class Bench:
    """A running driver and what it said."""

    def __init__(self, driver: gpio.GpioDriver) -> None:
        self.driver = driver
        self.said: list[Signal] = []
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self.driver.open()
        self.task = asyncio.ensure_future(self.driver.run(self.said.append))
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.driver.close()

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    def levels(self, point: str) -> list[bool]:
        return [s.asserted for s in self.said if isinstance(s, Level) and s.point == point]


# --- wiring --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "table"),
    [
        ("lock", {"line": 17, "unlocked": "high"}),  # no resting level
        ("lock", {"line": 17, "resting": "locked"}),  # no polarity
        ("lock", {"line": 17, "unlocked": "high", "resting": "open"}),
        ("lock", {**LOCKED, "pull": "up"}),
        ("contact", {"line": -1}),
        ("contact", {"line": 512}),
        ("contact", {"line": "27"}),
        ("contact", {"line": True}),
        ("contact", {"line": 27, "closed": "LOW"}),
        ("contact", {"line": 27, "active": "low"}),
        ("rex", {"line": 22, "pull": "upp"}),
        ("rex", {}),
        ("buzzer", {"line": 23, "pull": "up"}),
    ],
)
def test_wiring_that_is_refused(role: str, table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        POINTS[role](**table)


@pytest.mark.parametrize("chip", [-1, "", True, 1.5, None])
def test_a_chip_that_is_no_chip_is_refused(chip: Any) -> None:
    with pytest.raises(ValidationError):
        Settings(chip=chip)


@pytest.mark.parametrize("chip", [0, 4, "pinctrl-rp1", "/dev/gpiochip0"])
def test_a_chip_by_number_label_or_path(chip: Any) -> None:
    assert Settings(chip=chip).chip == chip


def test_a_point_occupies_its_line() -> None:
    assert addresses(POINTS["lock"](**LOCKED)) == {"line 17"}
    assert addresses(POINTS["rex"](line=17)) == {"line 17"}


def test_the_usual_wiring_needs_no_words() -> None:
    """A contact and a button between the line and ground, with the internal pull-up."""
    assert POINTS["contact"](line=1).model_dump() == {"line": 1, "pull": "up", "closed": "low"}
    assert POINTS["rex"](line=1).model_dump() == {"line": 1, "pull": "up", "active": "low"}


# --- levels and meanings -------------------------------------------------------------------------


@pytest.mark.parametrize("unlocked", ["high", "low"])
@pytest.mark.parametrize("resting", ["locked", "unlocked"])
def test_outputs_say_what_they_mean(factory: MockFactory, unlocked: str, resting: str) -> None:
    async def scene() -> None:
        driver = driver_on(factory, {LOCK: {"line": 17, "unlocked": unlocked, "resting": resting}})
        async with Bench(driver) as bench:
            pin, released = factory.pin(17), unlocked == "high"
            assert pin.function == "output"
            assert pin.state is (released if resting == "unlocked" else not released)
            assert bench.said == []
            for asserted in (True, True, False):
                driver.apply({LOCK: asserted})
                assert pin.state is (released if asserted else not released)
            assert bench.said == [Confirmed(LOCK, True, 0), Confirmed(LOCK, True, 0), Confirmed(LOCK, False, 0)]

    run(lambda _: scene())


@pytest.mark.parametrize("pull", ["up", "down", "none"])
@pytest.mark.parametrize(
    ("role", "table", "asserts_when_high"),
    [
        ("contact", {"closed": "low"}, True),
        ("contact", {"closed": "high"}, False),
        ("rex", {"active": "low"}, False),
        ("rex", {"active": "high"}, True),
        ("release", {"active": "low"}, False),
        ("tamper", {"active": "high"}, True),
    ],
)
def test_inputs_say_what_they_mean(
    factory: MockFactory, role: str, table: dict[str, str], asserts_when_high: bool, pull: str
) -> None:
    async def scene() -> None:
        point = f"a.{role}"
        async with Bench(driver_on(factory, {point: {"line": 27, "pull": pull, **table}})) as bench:
            pin = factory.pin(27)
            assert pin.pull == {"none": "floating"}.get(pull, pull)
            for high in (True, False, True):
                pin.drive_high() if high else pin.drive_low()
                await bench.settle()
                assert bench.driver.level(point) is (high == asserts_when_high)
                assert bench.levels(point)[-1] is (high == asserts_when_high)

    run(lambda _: scene())


def test_first_levels_then_edges_from_any_thread(factory: MockFactory) -> None:
    async def scene() -> None:
        async with Bench(driver_on(factory, PLAIN)) as bench:
            first = [s for s in bench.said if isinstance(s, Level)]
            assert [(s.point, s.asserted, s.initial) for s in first] == [(CONTACT, True, True), (REX, False, True)]
            pin = factory.pin(27)
            thread = threading.Thread(target=lambda: [pin.drive_low(), pin.drive_high(), pin.drive_low()])
            thread.start()
            await asyncio.to_thread(thread.join)
            await bench.settle()
            assert bench.levels(CONTACT) == [True, False, True, False]
            edges = [s for s in bench.said if isinstance(s, Level) and not s.initial]
            assert [s.at_ns for s in edges] == sorted({s.at_ns for s in edges})

    run(lambda _: scene())


def test_a_level_that_changed_without_an_edge_is_found_within_a_second(factory: MockFactory) -> None:
    async def scene() -> None:
        async with Bench(driver_on(factory, PLAIN)) as bench:
            factory.pin(27)._state = False
            await asyncio.sleep(gpio.RECONCILE_S + 0.1)
            assert bench.levels(CONTACT) == [True, False]
            assert bench.driver.describe()["read_backs"] == 1
            await asyncio.sleep(10 * gpio.RECONCILE_S)
            assert bench.levels(CONTACT) == [True, False]

    run(lambda _: scene())


def test_a_burst_whose_last_edge_is_missing_is_read_back_at_once(factory: MockFactory) -> None:
    async def scene() -> None:
        async with Bench(driver_on(factory, PLAIN)) as bench:
            began_s = asyncio.get_running_loop().time()
            factory.pin(27).drive_low()
            factory.pin(27)._state = True
            await bench.settle()
            assert bench.levels(CONTACT) == [True, False, True]
            assert asyncio.get_running_loop().time() == began_s, "the reconcile has not been waited for"

    run(lambda _: scene())


def test_an_output_that_does_not_follow_is_lost_after_two_looks(factory: MockFactory) -> None:
    async def scene() -> None:
        async with Bench(driver_on(factory, PLAIN)) as bench:
            bench.said.clear()
            factory.pin(17)._state = True
            await asyncio.sleep(gpio.RECONCILE_S + 0.1)
            assert bench.said == []
            await asyncio.sleep(gpio.RECONCILE_S)
            (lost,) = bench.said
            assert isinstance(lost, Lost)
            assert lost.points == {LOCK}
            assert "line 17 is driven low" in lost.reason
            assert bench.driver.describe()["stuck"] == [LOCK]
            factory.pin(17)._state = False
            bench.said.clear()
            await asyncio.sleep(gpio.RECONCILE_S)
            assert [type(s) for s in bench.said] == [Back, Confirmed]
            assert bench.driver.describe()["stuck"] == []

    run(lambda _: scene())


# --- coming and going ------------------------------------------------------------------------------


def test_what_was_applied_before_the_run_is_confirmed_by_it(factory: MockFactory) -> None:
    async def scene() -> None:
        driver = driver_on(factory, PLAIN)
        driver.open()
        driver.apply({LOCK: True})
        said: list[Signal] = []
        task = asyncio.ensure_future(driver.run(said.append))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        driver.close()
        assert Confirmed(LOCK, True, 0) in said

    run(lambda _: scene())


def test_close_rests_every_output_and_never_raises(factory: MockFactory) -> None:
    driver = driver_on(factory, {LOCK: {"line": 17, "unlocked": "low", "resting": "locked"}, BUZZER: {"line": 23}})
    driver.close()
    driver.open()
    driver.apply({LOCK: True, BUZZER: True})
    lock, buzzer = factory.pin(17), factory.pin(23)
    lock.clear_states()
    buzzer.clear_states()
    driver.close()
    driver.close()
    assert [state.state for state in lock.states] == [False, True]
    assert [state.state for state in buzzer.states] == [True, False]
    assert lock.function == buzzer.function == "input"


def test_a_closed_driver_says_so(factory: MockFactory) -> None:
    driver = driver_on(factory, PLAIN)
    assert driver.level(CONTACT) is None
    with pytest.raises(OSError, match="not open"):
        driver.apply({LOCK: True})
    with pytest.raises(OSError, match="not open"):
        asyncio.run(driver.run(lambda _: None))
    assert driver.describe()["lines"] == {LOCK: 17, CONTACT: 27, REX: 22, BUZZER: 23}


def test_one_output_that_fails_does_not_keep_the_others_back(factory: MockFactory) -> None:
    driver = driver_on(factory, {LOCK: LOCKED, "back.lock": {**LOCKED, "line": 18}})
    driver.open()
    broken = factory.pin(17)

    def refuse(_: object) -> None:
        raise OSError(5, "the line is broken")

    broken._set_state = refuse
    with pytest.raises(OSError, match="the line is broken"):
        driver.apply({LOCK: True, "back.lock": True})
    assert factory.pin(18).state is True
    driver.close()


def test_a_pin_that_gpiozero_refuses_is_an_os_error_and_nothing_stays_claimed(factory: MockFactory) -> None:
    driver = driver_on(factory, {CONTACT: {"line": 300}, REX: {"line": 301}})
    with pytest.raises(OSError, match="300"):
        driver.open()
    other = driver_on(factory, {LOCK: LOCKED})
    other.open()
    other.close()


# --- time --------------------------------------------------------------------------------------------


# --- more points while it runs --------------------------------------------------------------------

MORE = {"back.contact": {"line": 6}, "back.lock": {"line": 5, "unlocked": "low", "resting": "unlocked"}}


def models(points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: POINTS[name.split(".")[1]](**table) for name, table in points.items()}


def test_points_are_added_at_rest_and_then_reported(factory: MockFactory) -> None:
    async def script(_loop: object) -> None:
        driver = driver_on(factory, PLAIN)
        async with Bench(driver) as bench:
            driver.apply({LOCK: True})
            said = len(bench.said)
            factory.pin(6).drive_high()
            driver.add(models(MORE))
            assert (factory.pin(5).function, factory.pin(5).state) == ("output", False), "unlocked, as it rests"
            assert factory.pin(17).state is True, "the other lock stays as it was told"
            assert len(bench.said) == said, "nothing is said from within"
            driver.apply({"back.lock": False})
            assert factory.pin(5).state is True
            await bench.settle()
            [first] = [s for s in bench.said[said:] if isinstance(s, Level)]
            assert (first.point, first.asserted, first.initial) == ("back.contact", True, True)
            factory.pin(6).drive_low()
            await bench.settle()
            assert bench.levels("back.contact") == [True, False], "its edges are heard"
            assert not any(isinstance(s, Lost) for s in bench.said)
            assert driver.points == {*PLAIN, *MORE}
        assert factory.pin(5).state is False, "at rest again"

    run(script)


def test_a_line_that_cannot_be_had_is_a_fault_of_its_point_alone(factory: MockFactory) -> None:
    async def script(_loop: object) -> None:
        driver = driver_on(factory, PLAIN)
        async with Bench(driver) as bench:
            driver.add(models({**MORE, "back.rex": {"line": 17}}))  # the other door's lock has it
            driver.apply({"back.lock": True})
            await bench.settle()
            [lost] = [s for s in bench.said if isinstance(s, Lost)]
            assert lost.points == {"back.rex"}
            assert bench.levels("back.contact") == [True]
            assert factory.pin(17).function == "output"

    run(script)


def test_a_mistake_while_points_are_added_is_no_other_points(
    factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(_loop: object) -> None:
        driver = driver_on(factory, PLAIN)
        async with Bench(driver):
            with monkeypatch.context() as broken:
                broken.setattr(driver, "_wire", lambda _name: 1 // 0)
                with pytest.raises(ZeroDivisionError):
                    driver.add(models(MORE))
            driver.apply({"back.lock": True, LOCK: True})  # an error here would be the whole chip's loss
            assert factory.pin(17).state is True

    run(script)


def test_points_that_come_while_the_chip_is_away_are_claimed_with_it(factory: MockFactory) -> None:
    async def script(_loop: object) -> None:
        driver = driver_on(factory, PLAIN)
        driver.add(models(MORE))
        assert driver.level("back.contact") is None
        async with Bench(driver) as bench:
            await bench.settle()
            assert bench.levels("back.contact") == [True]
            assert factory.pin(5).function == "output"

    run(script)


def test_a_look_at_all_lines_finds_no_edge_before_the_first_level(factory: MockFactory) -> None:
    async def script(_loop: object) -> None:
        driver = driver_on(factory, PLAIN)
        async with Bench(driver) as bench:
            driver.add(models(MORE))
            driver._reconcile()
            await bench.settle()
            [first] = [s for s in bench.said if isinstance(s, Level) and s.point == "back.contact"]
            assert first.initial

    run(script)


class Ticks:
    """A factory's clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000

    def ticks(self) -> int:
        return self.now_ns

    def ticks_diff(self, later: int, earlier: int) -> float:
        return (later - earlier) / 1e9


def test_edges_are_dated_on_the_boot_clock() -> None:
    ticks, asleep_ns = Ticks(), [100]
    boot = BootTime(ticks, lambda: ticks.now_ns + asleep_ns[0])
    assert boot.at_ns(4_999_999_999) == 5_000_000_099
    ticks.now_ns += 3_600_000_000_000
    boot.sync()
    assert boot.at_ns(ticks.now_ns) == ticks.now_ns + 100
    asleep_ns[0] += 999_000  # two readings of two clocks are never taken at once
    boot.sync()
    assert boot.at_ns(ticks.now_ns) == ticks.now_ns + 100
    asleep_ns[0] += 60_000_000_000  # suspended: only the boot clock goes on
    boot.sync()
    assert boot.at_ns(ticks.now_ns) == ticks.now_ns + asleep_ns[0]


def test_the_narrowest_of_three_comparisons_counts() -> None:
    ticks = Ticks()
    delays_ns = iter([0, 8_000_000, 0])  # we were held up in the middle of the second

    def boot_ns() -> int:
        ticks.now_ns += next(delays_ns, 0)
        return ticks.now_ns

    assert BootTime(ticks, boot_ns).at_ns(ticks.now_ns) == ticks.now_ns
