"""A supervisor and the worst drivers: nothing they do reaches further than their own points."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from edge.doors.driver_supervisor import DriverSupervisor, open_all
from edge.model.messages import Back, Lost, ReaderDisplay
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.model.messages import Json, Signal
    from edge.model.ports import Emit

POINTS = frozenset({"front.lock"})


class Moody:
    """A driver whose methods do what a test puts in `does`: raise that, once for each entry."""

    name = "moody"
    points = POINTS

    def __init__(self, **does: list[Exception | None]) -> None:
        self.does = does
        self.applied: list[Mapping[str, bool]] = []

    def _do(self, what: str) -> None:
        error = self.does[what].pop(0) if self.does.get(what) else None
        if error is not None:
            raise error

    def open(self) -> None:
        self._do("open")

    async def run(self, emit: Emit) -> None:  # noqa: ARG002 -- has nothing to say
        self._do("run")
        await asyncio.get_running_loop().create_future()

    def apply(self, outputs: Mapping[str, bool]) -> None:
        self._do("apply")
        self.applied.append(outputs)

    def level(self, point: str) -> bool | None:  # noqa: ARG002 -- has one input
        self._do("level")
        return True

    def close(self) -> None:
        self._do("close")

    def describe(self) -> Mapping[str, Json]:
        return {}


def kept(driver: Moody, script: Callable[[DriverSupervisor], None], for_s: float = 60.0) -> list[Signal]:
    """Open and run the supervisor, let `script` act between the two; what it reported within `for_s`."""
    signals: list[Signal] = []

    async def main(loop: virtual.VirtualLoop) -> None:
        supervisor = DriverSupervisor(driver, "moody", loop.now_ns)
        supervisor.open()
        script(supervisor)
        task = asyncio.ensure_future(supervisor.run(signals.append))
        await asyncio.sleep(for_s)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    virtual.run(main)
    return signals


def once(signals: list[Signal]) -> None:
    """One loss and one return, in this order, of every point."""
    assert [type(signal) for signal in signals] == [Lost, Back]
    assert all(signal.points == POINTS for signal in signals if isinstance(signal, Lost | Back))


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("a bug"), ImportError("no library")])
def test_a_driver_that_does_not_open_at_start_is_lost_once_and_tried_again(error: Exception) -> None:
    driver = Moody(open=[error, error, error])
    signals = kept(driver, lambda supervisor: supervisor.apply({"front.lock": True}))
    once(signals)
    assert driver.applied == [], "it is not open"


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("a bug")])
def test_whatever_ends_a_run_is_one_loss_and_one_return(error: Exception) -> None:
    once(kept(Moody(run=[error]), lambda _keeper: None))


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("a bug")])
def test_an_output_that_cannot_be_driven_is_a_loss_also_before_the_driver_runs(error: Exception) -> None:
    driver = Moody(apply=[error])
    once(kept(driver, lambda supervisor: supervisor.apply({"front.lock": True})))


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("a bug")])
def test_an_input_that_cannot_be_read_is_unknown_and_a_loss(error: Exception) -> None:
    levels: list[bool | None] = []
    driver = Moody(level=[error])
    once(
        kept(
            driver,
            lambda supervisor: levels.extend([supervisor.level("front.contact"), supervisor.level("front.contact")]),
        )
    )
    assert levels == [None, None]


def test_nothing_is_driven_after_closing_and_closing_never_fails() -> None:
    driver = Moody(close=[RuntimeError("a bug")])

    def script(supervisor: DriverSupervisor) -> None:
        supervisor.close()
        supervisor.apply({"front.lock": True})
        assert not supervisor.online

    kept(driver, script, for_s=0.0)
    assert driver.applied == []


def test_a_driver_that_opens_and_fails_at_once_is_not_tried_in_a_hurry() -> None:
    driver = Moody(run=[OSError("gone")] * 1000)
    kept(driver, lambda _keeper: None, for_s=600.0)
    assert 100 < 1000 - len(driver.does["run"]) < 150, "every 5 s in the end"


class Settings:
    """Enough of a driver's settings for `open_all`."""

    kind = "moody"
    points: ClassVar = dict.fromkeys(POINTS)

    def __init__(self, driver: Moody | None) -> None:
        self.driver = driver

    def create(self, _now_ns: object) -> Moody:
        if self.driver is None:
            raise ImportError("no module named gpiod")
        return self.driver


def test_a_driver_that_cannot_be_made_costs_its_own_points_only() -> None:
    found: list[Signal] = []

    async def main(loop: virtual.VirtualLoop) -> None:
        supervisors = open_all({"broken": Settings(None), "well": Settings(Moody())}, loop.now_ns)  # type: ignore[dict-item]
        assert supervisors["well"].online
        task = asyncio.create_task(supervisors["broken"].run(found.append))
        await asyncio.sleep(60)
        task.cancel()
        assert supervisors["broken"].level("front.lock") is None
        supervisors["broken"].apply({"front.lock": True})
        supervisors["broken"].close()

    virtual.run(main)
    (lost,) = found
    assert isinstance(lost, Lost)
    assert lost.points == POINTS
    assert "no module named gpiod" in lost.reason


class Clinging(Moody):
    """Does not end when it is asked to, and goes on reporting."""

    def __init__(self) -> None:
        super().__init__(apply=[OSError("gone")])
        self.runs = self.asked = 0

    async def run(self, emit: Emit) -> None:
        self.runs += 1
        while True:
            try:
                await asyncio.sleep(5.0)
            except asyncio.CancelledError:
                self.asked += 1
                if self.asked > 1:
                    raise
            emit(Lost(POINTS, "from the past", self.runs))


def test_a_driver_that_does_not_end_is_lost_all_the_same_and_heard_no_more() -> None:
    driver = Clinging()

    def script(supervisor: DriverSupervisor) -> None:
        asyncio.get_running_loop().call_later(1.0, supervisor.apply, {"front.lock": True})

    signals = kept(driver, script, for_s=4.0)
    assert [type(one) for one in signals] == [Lost, Back]
    assert driver.runs == 2


def test_a_driver_that_cancels_itself_is_lost_and_tried_again() -> None:
    class Cancelling(Moody):
        async def run(self, emit: Emit) -> None:
            if self.does["run"]:
                self.does["run"].pop()
                raise asyncio.CancelledError
            await super().run(emit)

    signals = kept(Cancelling(run=[None]), lambda _keeper: None)
    assert [one.reason if isinstance(one, Lost) else "" for one in signals] == ["the driver cancelled itself", ""]


def test_a_light_is_shown_where_the_driver_has_one_and_its_failure_is_a_loss() -> None:
    class Lit(Moody):
        def show(self, point: str, shown: ReaderDisplay) -> None:
            self._do("show")
            self.applied.append({f"{point} {shown}": True})

    driver = Lit(show=[None, OSError("gone")])

    def script(supervisor: DriverSupervisor) -> None:
        for _ in range(3):
            supervisor.show("front.reader", ReaderDisplay.UNLOCKED)

    once(kept(driver, script))
    assert driver.applied == [{"front.reader unlocked": True}]
    kept(Moody(), lambda supervisor: supervisor.show("front.reader", ReaderDisplay.LOCKED))
