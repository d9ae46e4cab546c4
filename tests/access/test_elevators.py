"""Elevators in virtual time: who may choose what and for how long, and what goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as examples
from hypothesis import settings as effort
from hypothesis import strategies as st

from edge.access.credentials import Presented
from edge.access.elevator_rules import Permit, permit
from edge.access.elevators import AGAIN_NS, Elevators
from edge.directory.directory import Elevator, Floor
from edge.model.messages import (
    NS_PER_S,
    Back,
    CardRead,
    Confirmed,
    Event,
    InputFault,
    Level,
    Lost,
    Subject,
)
from edge.model.policy import Timing
from edge.settings.controller import ElevatorSettings, FloorSettings
from tests.support import virtual
from tests.support.configs import GOOD, settings_of
from tests.support.people import ADA, BOB, building, card, now

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from edge.directory.directory import Directory

MS = 1_000_000
FLOORS = {
    "0": FloorSettings("wire", "wire", Timing()),
    "1": FloorSettings("other", "other", Timing()),
    "2": FloorSettings("wire"),
}
LIFT = ElevatorSettings("lift", "Goods lift", "wire", FLOORS)


class Bench:
    """The elevator `lift` with floors 0, 1 and 2 on two drivers, and `spare` that nobody uses."""

    def __init__(self, loop: virtual.VirtualLoop, change: Any = None) -> None:
        self.loop = loop
        self.directory: Directory = building(change)
        self.relays: dict[str, bool] = {}
        self.driven: list[tuple[str, bool]] = []
        self.reads: dict[str, bool] = {}
        self.events: list[Event] = []
        self.told: list[str] = []
        self.broken: set[str] = set()
        self.journal_fails = False
        elevators = {"lift": LIFT, "spare": ElevatorSettings("spare", "Spare", "wire", {"0": FloorSettings("wire")})}
        self.elevators = Elevators(elevators, wires=self, journal=self, now_ns=loop.now_ns, run="r")  # type: ignore[arg-type]
        self.elevators.listeners.append(self.told.append)

    # wires
    def apply(self, driver: str, outputs: Mapping[str, bool]) -> bool:
        if driver in self.broken:
            raise RuntimeError("a bug")
        for point, value in outputs.items():
            key, _, floor = point.removesuffix(".lock").partition("/")
            assert driver == ("other" if (key, floor) == ("lift", "1") else "wire")
            self.relays[point] = value
            self.driven.append((point, value))
            self.elevators.take(Confirmed(point, value, self.loop.now_ns()))
        return True

    def level(self, point: str) -> bool | None:
        return self.reads.get(point)

    def driver_of(self, point: str) -> str:
        raise AssertionError(point)

    # journal
    def append(self, events: Sequence[Event]) -> None:
        if self.journal_fails:
            raise RuntimeError("a full disk")
        self.events += events

    # hands
    def show(self, number: int = ADA) -> None:
        """A card, as the readers' shell hands it on."""
        elevator = self.directory.elevators["lift"]
        answer = permit(self.directory, elevator, Presented(card(number)), now())
        assert isinstance(answer, Permit)
        shown = Event("reader.access", self.loop.now_ns(), Subject("reader", "lift.reader", "Lift reader"))
        self.elevators.permitted(elevator, answer, [shown])

    def press(self, floor: str, asserted: bool = True, *, initial: bool = False) -> None:
        point = f"lift/{floor}.rex"
        self.reads[point] = asserted
        self.elevators.take(Level(point, asserted, self.loop.now_ns(), initial))

    async def push(self, floor: str) -> None:
        """As a finger does it, until it has settled."""
        self.press(floor)
        await asyncio.sleep(0.2)
        self.press(floor, False)
        await asyncio.sleep(0.2)

    def lose(self, *points: str) -> None:
        self.elevators.take(Lost(frozenset({*points, "front.lock"}), "cut", self.loop.now_ns()))

    def back(self, *points: str) -> None:
        self.elevators.take(Back(frozenset({*points, "front.lock"}), self.loop.now_ns()))

    def free(self) -> set[str]:
        """The floors of `lift` that may be chosen, by what the relays were told."""
        return {point[5] for point, value in self.relays.items() if value}

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def facts(self, floor: str) -> Any:
        facts: Any = self.elevators.facts({})
        return facts["lift"]["floors"][floor]


def play(scene: Callable[[Bench], Coroutine[Any, Any, None]], change: Any = None) -> Bench:
    async def main(loop: virtual.VirtualLoop) -> Bench:
        bench = Bench(loop, change)
        bench.elevators.start()
        for floor in "01":
            bench.press(floor, False, initial=True)
        await scene(bench)
        bench.elevators.stop()
        return bench

    return virtual.run(main)


def test_its_points_are_known_and_every_relay_rests_at_first() -> None:
    async def scene(bench: Bench) -> None:
        relays = {"lift/0.lock", "lift/1.lock", "lift/2.lock", "spare/0.lock"}
        assert bench.elevators.points == relays | {"lift.reader", "spare.reader", "lift/0.rex", "lift/1.rex"}
        assert bench.relays == dict.fromkeys(relays, False)
        assert bench.events == []

    play(scene)


def test_the_floors_that_were_given_and_no_others_may_be_chosen_for_so_long() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        assert bench.free() == {"0", "2"}
        await asyncio.sleep(9.99)
        assert bench.free() == {"0", "2"}
        await asyncio.sleep(0.02)
        assert bench.free() == set()

    bench = play(scene)
    assert bench.driven[4:] == [
        ("lift/0.lock", True),
        ("lift/2.lock", True),
        ("lift/0.lock", False),
        ("lift/2.lock", False),
    ]
    access, given = bench.events
    assert (access.type, given.type) == ("reader.access", "elevator.permit")
    assert access.correlation == given.correlation == "r-lift-1"
    assert given.details == {"floors": ["0", "2"], "names": ["Floor 0", "Floor 2"], "for_s": 10.0}
    assert given.actor is not None
    assert (given.actor.name, given.at_ns) == ("Ada", 1000 * NS_PER_S)


def test_a_button_that_is_used_in_time_is_a_record_of_the_same_passage() -> None:
    async def scene(bench: Bench) -> None:
        await bench.push("0")
        bench.show(ADA)
        await bench.push("1")
        await bench.push("0")
        await bench.push("0")
        await asyncio.sleep(10)
        await bench.push("0")
        bench.show(ADA)
        await bench.push("0")

    bench = play(scene)
    passage = ["reader.access", "elevator.permit", "elevator.permitted"]
    assert bench.types() == [*passage, *passage], "before, after, another floor and a second time say nothing"
    assert [event.correlation for event in bench.events] == ["r-lift-1"] * 3 + ["r-lift-2"] * 3
    assert bench.events[2].details == {"floor": "0", "name": "Floor 0"}


def test_a_button_pressed_in_time_counts_when_it_settles_too_late() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        await asyncio.sleep(9.99)
        bench.press("0")
        await asyncio.sleep(1)
        assert bench.free() == set()

    event = play(scene).events[-1]
    assert (event.type, event.at_ns) == ("elevator.permitted", 1009_990 * MS)


def test_a_button_that_was_held_before_counts_from_the_permit_on() -> None:
    async def scene(bench: Bench) -> None:
        bench.press("0")
        await asyncio.sleep(5)
        bench.show(ADA)
        await asyncio.sleep(5)

    event = play(scene).events[-1]
    assert (event.type, event.at_ns) == ("elevator.permitted", 1005 * NS_PER_S)


def test_a_glitch_is_no_choice() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        bench.press("0")
        await asyncio.sleep(0.02)
        bench.press("0", False)
        await asyncio.sleep(1)

    assert "elevator.permitted" not in play(scene).types()


def test_who_enters_second_takes_nothing_from_the_first() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        await asyncio.sleep(4)
        bench.show(BOB)
        assert bench.free() == {"0", "1", "2"}
        await bench.push("0")
        await asyncio.sleep(5.7)
        assert bench.free() == {"0", "1"}, "the first permit is over, and the second goes on"
        await asyncio.sleep(4)
        assert bench.free() == set()

    chosen = play(scene).events[-1]
    assert chosen.actor is not None
    assert (chosen.type, chosen.actor.id, chosen.correlation) == ("elevator.permitted", "bob", "r-lift-2")


def test_who_needs_longer_has_longer() -> None:
    def change(document: dict[str, Any]) -> None:
        document["members"][0]["extended_unlock"] = True

    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        await asyncio.sleep(19)
        assert bench.facts("0") == {
            "name": "0",
            "permitted": True,
            "permitted_for_s": 1.0,
            "relay": "unlocked",
            "button": False,
        }
        await asyncio.sleep(1.01)
        assert bench.free() == set()

    play(scene, change)


def test_what_status_says() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        await asyncio.sleep(2.5)
        bench.press("0")
        await asyncio.sleep(0.5)
        bench.lose("lift/2.lock")
        bench.elevators.take(InputFault("lift/1.rex", "short", bench.loop.now_ns()))

    async def ended(bench: Bench) -> None:
        await scene(bench)
        given = {"permitted": True, "permitted_for_s": 7.0}
        shut = {"permitted": False, "permitted_for_s": None, "relay": "locked", "button": None}
        known = {"lift": Elevator("lift", "Lift", {"1": Floor("1", "Kitchen")})}
        assert bench.elevators.facts(known) == {
            "lift": {
                "name": "Goods lift",
                "floors": {
                    "0": {"name": "0", **given, "relay": "unlocked", "button": True},
                    "1": {"name": "Kitchen", **shut},
                    "2": {"name": "2", **given, "relay": "unknown", "button": None},
                },
                "lost": ["lift/2.lock"],
                "faulty": ["lift/1.rex"],
            },
            "spare": {
                "name": "Spare",
                "floors": {"0": {"name": "0", **shut}},
                "lost": [],
                "faulty": [],
            },
        }
        bench.elevators.stop()
        assert bench.facts("0")["permitted"] is False

    assert {*play(ended).told} == {"lift", "spare"}


# --- lines --------------------------------------------------------------------------------------------


def test_a_line_that_returns_while_a_permit_runs_is_put_right() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        bench.lose("lift/0.lock", "lift/0.rex")
        bench.relays["lift/0.lock"] = False  # rests by itself
        assert bench.facts("0")["relay"] == "unknown"
        await asyncio.sleep(3)
        bench.back("lift/0.lock", "lift/0.rex")
        assert bench.free() == {"0", "2"}
        bench.press("0", False, initial=True)
        await bench.push("0")
        await asyncio.sleep(7)
        assert bench.free() == set()

    assert play(scene).types() == ["reader.access", "elevator.permit", "elevator.permitted"], (
        "no fault: not ours to say"
    )


def test_a_permit_while_the_line_is_lost_says_what_could_not_be_driven() -> None:
    async def scene(bench: Bench) -> None:
        bench.lose("lift/2.lock")
        bench.show(ADA)
        await asyncio.sleep(11)
        bench.back("lift/2.lock")
        assert bench.relays["lift/2.lock"] is False

    assert play(scene).events[1].details["not_driven"] == ["2"]


def test_floors_that_are_not_wired_here_are_named() -> None:
    def change(document: dict[str, Any]) -> None:
        document["elevators"][0]["floors"].append({"id": "9", "name": "Attic"})
        document["groups"][0]["stops"][0]["floors"].append("9")

    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        assert bench.free() == {"0", "2"}

    assert play(scene, change).events[1].details["not_driven"] == ["9"]


def test_a_button_on_a_lost_line_says_nothing_until_it_is_read_anew() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        bench.lose("lift/0.rex")
        await bench.push("0")
        assert bench.types() == ["reader.access", "elevator.permit"]
        bench.back("lift/0.rex")
        bench.press("0", initial=True)

    assert play(scene).types()[2:] == ["elevator.permitted"], "held while its floor is given"


@pytest.mark.parametrize("settled_s", [1.0, 0.01])
@pytest.mark.parametrize("how", ["lost", "faulty"])
def test_a_button_that_was_held_when_its_line_went_chooses_nothing_later(how: str, settled_s: float) -> None:
    async def scene(bench: Bench) -> None:
        bench.press("0")
        await asyncio.sleep(settled_s)
        if how == "lost":
            bench.lose("lift/0.rex")
        else:
            bench.elevators.take(InputFault("lift/0.rex", "open", bench.loop.now_ns()))
        bench.show(ADA)
        await asyncio.sleep(1)

    assert "elevator.permitted" not in play(scene).types()


def test_a_button_that_is_well_again_is_read_at_once() -> None:
    async def scene(bench: Bench) -> None:
        bench.elevators.take(InputFault("lift/0.rex", "open", bench.loop.now_ns()))
        bench.reads["lift/0.rex"] = True
        bench.elevators.take(InputFault("lift/0.rex", None, bench.loop.now_ns()))
        bench.show(ADA)

    assert play(scene).types()[-1] == "elevator.permitted"


def test_a_relay_that_is_lost_alone_leaves_its_button_heard() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        bench.press("0")
        bench.lose("lift/0.lock")
        await asyncio.sleep(1)

    assert play(scene).types()[2:] == ["elevator.permitted"]


def test_a_cut_wire_of_a_button_is_tampering_once() -> None:
    async def scene(bench: Bench) -> None:
        for reason in ("open", "short", None, "open"):
            bench.elevators.take(InputFault("lift/0.rex", reason, bench.loop.now_ns()))
        bench.elevators.take(InputFault("lift.reader", "open", bench.loop.now_ns()))

    told = [(event.type, event.object.id, event.details) for event in play(scene).events]
    assert told == [
        ("controller_input.tamper", "lift/0.rex", {"reason": "open"}),
        ("controller_input.tamper", "lift/0.rex", {"reason": "open"}),
        ("reader.tamper", "lift.reader", {"reason": "open"}),
    ]


def test_a_restless_button_is_called_unstable_once() -> None:
    async def scene(bench: Bench) -> None:
        for n in range(200):
            bench.press("0", n % 2 == 0)
            await asyncio.sleep(0.01)

    [event] = play(scene).events
    assert (event.type, event.object.id, event.object.name) == (
        "controller_input.unstable",
        "lift/0.rex",
        "Goods lift 0 button",
    )


def test_what_is_not_its_own_is_left_alone() -> None:
    async def scene(bench: Bench) -> None:
        for signal in (
            Level("front.contact", True, 5),
            Confirmed("front.lock", True, 5),
            InputFault("front.rex", "open", 5),
            Lost(frozenset({"front.lock"}), "cut", 5),
            Back(frozenset({"front.lock"}), 5),
            CardRead("lift.reader", 26, b"abcd", 5),
            Level("lift/2.rex", True, 5),
            Level("lift/0.lock", True, 5, initial=True),
        ):
            bench.elevators.take(signal)
        await asyncio.sleep(1)
        assert bench.facts("0")["button"] is False, "a relay's level is no button's"

    bench = play(scene)
    assert (bench.events, len(bench.driven)) == ([], 4)


# --- mistakes and the end ---------------------------------------------------------------------------


def test_a_driver_that_fails_is_tried_again_and_the_others_go_on() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(BOB)
        assert bench.free() == {"0", "1"}
        await asyncio.sleep(9.5)
        bench.broken.add("other")
        await asyncio.sleep(2)
        assert bench.free() == {"1"}, "the other driver's relay rests in time"
        bench.broken.clear()
        await asyncio.sleep(AGAIN_NS / NS_PER_S)
        assert bench.free() == set()

    faults = [event for event in play(scene).events if event.type == "controller.fault"]
    assert [(event.object.id, event.code) for event in faults] == [("lift", "internal_error")], "recorded once"


def test_a_floor_that_could_not_be_driven_is_said_and_given_soon_after() -> None:
    async def scene(bench: Bench) -> None:
        bench.broken.add("other")
        bench.show(BOB)
        bench.broken.clear()
        assert bench.free() == {"0"}
        await asyncio.sleep(1)
        assert bench.free() == {"0", "1"}
        await asyncio.sleep(9.01)
        assert bench.free() == set()

    [given] = [event for event in play(scene).events if event.type == "elevator.permit"]
    assert given.details["not_driven"] == ["1"]


def test_a_log_that_fails_keeps_no_relay_released() -> None:
    async def scene(bench: Bench) -> None:
        bench.journal_fails = True
        bench.show(ADA)
        assert bench.free() == {"0", "2"}
        await bench.push("0")
        await asyncio.sleep(10)
        assert bench.free() == set()
        bench.journal_fails = False
        bench.show(ADA)

    assert play(scene).types() == ["reader.access", "elevator.permit"]


def test_a_listeners_mistake_is_no_elevators() -> None:
    async def scene(bench: Bench) -> None:
        bench.elevators.listeners.insert(0, lambda _key: {}["x"])
        bench.show(ADA)
        await asyncio.sleep(11)
        assert bench.free() == set()

    assert play(scene).types().count("controller.fault") == 1


def test_after_the_stop_nothing_moves() -> None:
    async def scene(bench: Bench) -> None:
        bench.show(ADA)
        bench.press("0")
        bench.elevators.stop()
        told = len(bench.driven), len(bench.events)
        bench.show(BOB)
        await bench.push("0")
        bench.lose("lift/0.lock")
        bench.back("lift/0.lock")
        await asyncio.sleep(20)
        assert (len(bench.driven), len(bench.events)) == told

    play(scene)


# --- whatever comes ----------------------------------------------------------------------------------

POINTS = ("lift/0.lock", "lift/0.rex", "lift/1.lock", "lift/1.rex", "lift/2.lock", "lift.reader")
acts = st.one_of(
    st.tuples(st.just("show"), st.sampled_from([ADA, BOB])),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.01, 0.03, 0.5, 3.0, 9.99, 10.0, 25.0])),
    st.tuples(st.just("press"), st.tuples(st.sampled_from("01"), st.booleans(), st.booleans())),
    st.tuples(st.sampled_from(["lose", "back"]), st.sets(st.sampled_from(POINTS), min_size=1)),
    st.tuples(st.just("fault"), st.tuples(st.sampled_from(POINTS), st.sampled_from([None, "open"]))),
)


def given_by(bench: Bench, at_ns: int) -> set[str]:
    """The floors that the records of permits give at a time."""
    permits = [event for event in bench.events if event.type == "elevator.permit"]
    running = [one for one in permits if one.at_ns <= at_ns < one.at_ns + round(one.details["for_s"] * NS_PER_S)]
    return {floor for one in running for floor in one.details["floors"]}


@effort(deadline=None)
@examples(st.lists(acts, max_size=25))
def test_whatever_comes_a_relay_is_released_while_and_only_while_a_permit_runs(steps: list[tuple[str, Any]]) -> None:
    async def scene(bench: Bench) -> None:
        lost: set[str] = set()
        for act, what in steps:
            if act == "wait":
                await asyncio.sleep(what)
                await asyncio.sleep(1e-6)  # timers that are due now have fired
            elif act == "show":
                bench.show(what)
            elif act == "press":
                bench.press(what[0], what[1], initial=what[2])
            elif act == "fault":
                bench.elevators.take(InputFault(*what, bench.loop.now_ns()))
            else:
                getattr(bench, act)(*what)
                lost = lost | what if act == "lose" else lost - what
            allowed = given_by(bench, bench.loop.now_ns())
            assert bench.free() <= allowed, "never beyond a permit"
            here = {floor for floor in "012" if f"lift/{floor}.lock" not in lost}
            assert bench.free() & here == allowed & here, "never short of one"
            assert {floor for floor in "012" if bench.facts(floor)["permitted"]} == allowed

    bench = play(scene)
    assert "controller.fault" not in bench.types()
    for event in bench.events:
        if event.type == "elevator.permitted":
            assert event.details["floor"] in given_by(bench, event.at_ns)
    passages = [
        (event.correlation, event.details["floor"]) for event in bench.events if event.type == "elevator.permitted"
    ]
    assert len(passages) == len(set(passages)), "a floor is chosen once for each permit"


# --- with a driver and a configuration --------------------------------------------------------------


def test_a_simulated_elevator_from_its_configuration(tmp_path: Path) -> None:
    text = """
[elevator.lift]
reader = { driver = "sim" }
[elevator.lift.floor.0]
relay = { driver = "sim", resting = "unlocked" }
button = { driver = "sim" }
[elevator.lift.floor.1]
relay = { driver = "sim", resting = "locked" }
"""
    configured = settings_of(tmp_path, GOOD + text)

    async def main(loop: virtual.VirtualLoop) -> None:
        bench = Bench(loop)
        driver: Any = configured.drivers["sim"].create(loop.now_ns)
        bench.apply = lambda _driver, outputs: driver.apply(outputs)  # type: ignore[method-assign]
        bench.level = driver.level  # type: ignore[method-assign]
        bench.elevators = Elevators(configured.elevators, wires=bench, journal=bench, now_ns=loop.now_ns, run="r")  # type: ignore[arg-type]
        driver.open()
        bench.elevators.start()
        task = asyncio.ensure_future(driver.run(bench.elevators.take))
        await asyncio.sleep(0)
        assert (bench.facts("0")["relay"], bench.facts("1")["relay"]) == ("locked", "locked")
        bench.show(ADA)
        driver.simulate("lift/0", "rex")
        await asyncio.sleep(1)
        assert (bench.facts("0")["relay"], bench.facts("1")["relay"]) == ("unlocked", "locked")
        driver.simulate("lift/0", "cut")
        assert bench.facts("0")["relay"] == "unknown"
        await asyncio.sleep(10)
        driver.simulate("lift/0", "mend")
        assert bench.facts("0")["relay"] == "locked"
        assert bench.types() == ["reader.access", "elevator.permit", "elevator.permitted"]
        bench.elevators.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        driver.close()
        levels = [level for _, level in driver.history("lift/0.lock")]
        assert levels == [True, False, True, False, True], "rest, start, permit (and the cut), back, rest"

    virtual.run(main)
