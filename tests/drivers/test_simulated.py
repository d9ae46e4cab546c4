"""The simulated doors: what each hand does, and what the wires say of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from drivers.simulated.driver import PRESS_S, REMEMBERED, SimulatedDriver, create
from drivers.simulated.points import POINTS as MODELS
from drivers.simulated.points import Settings
from edge.model.messages import Back, CardRead, Confirmed, KeysPressed, Level, Lost, Signal
from edge.model.roles import INPUTS, ROLES, SIM_ACTIONS, SWITCHES
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Seat:
    """A simulated driver in virtual time."""

    def __init__(self, loop: virtual.VirtualLoop, **settings: float) -> None:
        points: dict[str, Any] = {f"front.{role}": MODELS[role]() for role in ROLES if role != "lock"}
        points["front.lock"] = MODELS["lock"](resting="locked")
        points |= {"back.lock": MODELS["lock"](resting="unlocked"), "back.contact": MODELS["contact"]()}
        points["controller.release"] = MODELS["release"]()
        self.driver: SimulatedDriver = create("bench", Settings(**settings), points, loop.now_ns)
        self.signals: list[Signal] = []
        self.driver.open()
        self.task = asyncio.ensure_future(self.driver.run(self.signals.append))

    def edges(self) -> list[tuple[str, bool]]:
        return [(s.point, s.asserted) for s in self.signals if isinstance(s, Level) and not s.initial]

    async def after(self, seconds: float = 0.0) -> None:
        await asyncio.sleep(seconds)


def play(scene: Callable[[Seat], Coroutine[Any, Any, None]], **settings: float) -> Seat:
    async def main(loop: virtual.VirtualLoop) -> Seat:
        seat = Seat(loop, **settings)
        await seat.after()
        await scene(seat)
        seat.task.cancel()
        await asyncio.gather(seat.task, return_exceptions=True)
        seat.driver.close()
        return seat

    return virtual.run(main)


def test_a_leaf_moves_whatever_its_lock_does() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", "open")
        seat.driver.simulate("front", "open")
        seat.driver.simulate("front", "close")

    assert play(scene).edges() == [("front.contact", True), ("front.contact", False)]


def test_a_moving_contact_bounces_and_ends_where_its_leaf_is() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", "open")
        await seat.after(1)

    levels = [level for _, level in play(scene, bounce_ms=21).edges()]
    assert len(levels) >= 9
    assert levels == [i % 2 == 0 for i in range(len(levels))]
    assert levels[-1] is True


@pytest.mark.parametrize("standing", ["open", "close"])
def test_a_burst_ends_at_the_level_before(standing: str) -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", standing)
        seat.signals.clear()
        seat.driver.simulate("front", "bounce", "15")
        await seat.after(1)
        assert seat.driver.level("front.contact") is (standing == "open")

    edges = play(scene).edges()
    assert len(edges) >= 6
    assert edges[0][1] is (standing != "open")
    assert edges[-1][1] is (standing == "open")


def test_a_leaf_that_moves_during_a_burst_ends_where_it_is() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", "bounce", "500")
        await seat.after(0.1)
        seat.driver.simulate("front", "open")
        await seat.after(1)
        assert seat.driver.level("front.contact") is True

    play(scene)


def test_a_finger_presses_and_lets_go() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", "rex")
        await seat.after(PRESS_S - 0.01)
        assert seat.driver.level("front.rex") is True
        await seat.after(0.02)

    assert play(scene).edges() == [("front.rex", True), ("front.rex", False)]


def test_a_stuck_button_stays_pressed() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", "rex")
        seat.driver.simulate("front", "rex", "on")
        await seat.after(60)

    assert play(scene).edges() == [("front.rex", True)]


@pytest.mark.parametrize("action", [name for name in SWITCHES if name != "rex"])
def test_a_switch_changes_over_or_takes_on_and_off(action: str) -> None:
    async def scene(seat: Seat) -> None:
        for argument in (None, None, "on", "on", "off"):
            seat.driver.simulate("front", action, argument)

    assert [level for _, level in play(scene).edges()] == [True, False, True, False]


def test_the_release_input_for_all_doors_is_the_controllers() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("controller", "release", "on")

    assert play(scene).edges() == [("controller.release", True)]


def test_behind_a_cut_cable_nothing_is_seen_and_nothing_is_driven() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.apply({"front.lock": True, "back.lock": False})
        seat.driver.simulate("front", "cut")
        seat.driver.simulate("front", "cut")
        seat.signals.clear()
        seat.driver.simulate("front", "open")
        seat.driver.simulate("front", "tamper")
        seat.driver.simulate("front", "card", "7")
        seat.driver.apply({"front.lock": True, "back.lock": True})
        assert [level for _, level in seat.driver.history("front.lock")] == [False, True, False]
        assert [level for _, level in seat.driver.history("back.lock")] == [True, False, True]
        assert seat.driver.level("front.contact") is None
        assert seat.driver.level("back.contact") is False

    seen = play(scene).signals
    assert [type(s) for s in seen] == [Confirmed]


def test_a_mended_cable_brings_back_what_is_there_now() -> None:
    mine = {f"front.{role}" for role in ROLES}

    async def scene(seat: Seat) -> None:
        seat.signals.clear()
        seat.driver.simulate("front", "cut")
        seat.driver.simulate("front", "open")
        seat.driver.simulate("front", "mend")
        seat.driver.simulate("front", "mend")

    lost, back, *levels = play(scene).signals
    assert isinstance(lost, Lost)
    assert isinstance(back, Back)
    assert lost.points == back.points == mine
    first = {s.point: s.asserted for s in levels if isinstance(s, Level) and s.initial}
    assert first == {f"front.{name}": name == "contact" for name in INPUTS}
    assert len(levels) == len(first)


def test_a_cable_that_is_cut_while_the_line_returns_is_still_lost() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.simulate("front", "cut")
        seat.driver.unplug()
        await asyncio.gather(seat.task, return_exceptions=True)
        seat.driver.plug()
        seat.driver.open()
        seat.signals.clear()
        seat.task = asyncio.ensure_future(seat.driver.run(seat.signals.append))
        await seat.after()

    lost, *levels = play(scene).signals
    assert isinstance(lost, Lost)
    assert [s.point for s in levels if isinstance(s, Level)] == ["back.contact", "controller.release"]


def test_an_output_can_be_slow_to_answer_and_then_tells_the_latest() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.apply({"front.lock": True})
        await seat.after(0.1)
        seat.driver.apply({"front.lock": False})
        await seat.after(0.19)
        assert not any(isinstance(s, Confirmed) for s in seat.signals)
        await seat.after(0.02)

    confirmed = [s for s in play(scene, confirm_ms=200).signals if isinstance(s, Confirmed)]
    assert [(c.point, c.asserted) for c in confirmed] == [("front.lock", False)]


@pytest.mark.parametrize(
    ("argument", "bits"),
    [
        ("1", "0 00000000 0000000000000001 0"),
        ("0:0", "0 00000000 0000000000000000 1"),
        ("255:65535", "0 11111111 1111111111111111 1"),
        ("1:0", "1 00000001 0000000000000000 1"),
    ],
)
def test_a_card_is_26_bits_with_both_parities(argument: str, bits: str) -> None:
    async def scene(seat: Seat) -> None:
        seat.signals.clear()
        seat.driver.simulate("front", "card", argument)

    [read] = play(scene).signals
    assert isinstance(read, CardRead)
    assert (read.point, read.bits) == ("front.reader", 26)
    assert f"{int.from_bytes(read.data, 'big'):032b}" == bits.replace(" ", "").ljust(32, "0")


def test_a_pin_is_typed_with_its_enter_key_after_the_card() -> None:
    async def scene(seat: Seat) -> None:
        seat.signals.clear()
        seat.driver.simulate("front", "card", "7 pin 2580")
        seat.driver.simulate("front", "pin", "99")
        seat.driver.simulate("front", "cut")
        seat.driver.simulate("front", "pin", "1")

    card, keys, more, _lost = play(scene).signals
    assert isinstance(card, CardRead)
    assert [one.keys for one in (keys, more) if isinstance(one, KeysPressed)] == ["2580#", "99#"]


def test_what_a_reader_says_is_remembered() -> None:
    async def scene(seat: Seat) -> None:
        seat.driver.answer("front.reader", granted=True)
        seat.driver.answer("front.reader", granted=False)
        assert seat.driver.describe()["readers"] == {"front.reader": "refused"}

    play(scene)


@pytest.mark.parametrize(
    ("door", "action", "argument", "says"),
    [
        ("cellar", "open", None, 'no door "cellar" here, there are: back, controller, front'),
        ("front", "kick", None, f'there is no action "kick", there are: {", ".join(SIM_ACTIONS)}'),
        ("front", "open", "wide", "open takes nothing after it"),
        ("front", "rex", "twice", 'rex takes "on", "off" or nothing after it, not "twice"'),
        ("front", "bounce", "-1", 'bounce takes 1 to 60000 milliseconds after it, not "-1"'),
        ("front", "bounce", "nan", 'bounce takes 1 to 60000 milliseconds after it, not "nan"'),
        ("front", "bounce", "much", 'bounce takes 1 to 60000 milliseconds after it, not "much"'),
        ("front", "pin", "12a", 'pin takes digits after it, not "12a"'),
        ("back", "rex", None, 'the door "back" has no simulated rex'),
        (
            "front",
            "card",
            "70000",
            'card takes a number up to 65535 after it, or FACILITY:NUMBER with a facility up to 255, not "70000"',
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(door: str, action: str, argument: str | None, says: str) -> None:
    async def scene(seat: Seat) -> None:
        with pytest.raises(ValueError, match=r".+") as refused:
            seat.driver.simulate(door, action, argument)
        assert str(refused.value) == says

    play(scene)


def test_a_history_is_bounded() -> None:
    async def scene(seat: Seat) -> None:
        for i in range(2 * REMEMBERED):
            seat.driver.apply({"front.buzzer": i % 2 == 0})
        assert len(seat.driver.history("front.buzzer")) == REMEMBERED

    play(scene)


def test_an_elevator_has_a_reader_relays_and_buttons_and_no_leaf() -> None:
    async def main(loop: virtual.VirtualLoop) -> None:
        points: dict[str, Any] = {"lift.reader": MODELS["reader"](), "lift/roof.rex": MODELS["rex"]()}
        points["lift/roof.lock"] = MODELS["lock"](resting="locked")
        driver, signals = create("bench", Settings(), points, loop.now_ns), list[Signal]()
        driver.open()
        task = asyncio.ensure_future(driver.run(signals.append))
        await asyncio.sleep(0)
        driver.simulate("lift", "card", "1001")
        driver.apply({"lift/roof.lock": True})
        driver.simulate("lift/roof", "rex")
        await asyncio.sleep(1)
        driver.simulate("lift/roof", "cut")
        for place in ("lift", "lift/roof"):
            with pytest.raises(ValueError, match=f'"{place}" has no simulated leaf'):
                driver.simulate(place, "open")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        initial, read, took, down, up, cut = signals
        assert (initial, down, up) == (
            Level("lift/roof.rex", False, 1000 * 10**9, initial=True),
            Level("lift/roof.rex", True, 1000 * 10**9),
            Level("lift/roof.rex", False, round((1000 + PRESS_S) * 10**9)),
        )
        assert (type(read), took) == (CardRead, Confirmed("lift/roof.lock", True, 1000 * 10**9))
        assert cut == Lost(frozenset({"lift/roof.lock", "lift/roof.rex"}), "cable cut", 1001 * 10**9)
        assert [level for _, level in driver.history("lift/roof.lock")] == [False, True, False]
        assert driver.describe()["leaves"] == {}
        assert driver.describe()["cut"] == ["lift/roof"]

    virtual.run(main)
