"""R18: of the doors of a group, one is open or released at a time, whoever asks, and as long as nobody knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.doors.modes import Mode
from edge.doors.runner import Runner
from edge.model.messages import (
    SYSTEM,
    Actor,
    Back,
    CommandName,
    Event,
    InputFault,
    InterlockChanged,
    Level,
    Lost,
    ScheduleSays,
)
from edge.model.policy import DoorPolicy, Timing
from edge.settings.controller import DoorSettings
from tests.support import virtual
from tests.support.rules import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

DOORS = ("left", "right")
OTTO = Actor("operator", "o1", "Otto")
ADA = Actor("user", "u1", "Ada")
HOURS = Actor("schedule", "hours", "Hours")


class Airlock:
    """A runner with a group of doors, whose contacts have not been seen yet."""

    def __init__(self, loop: virtual.VirtualLoop, doors: Sequence[str] = DOORS, **policy: Any) -> None:
        self.loop = loop
        self.wires: dict[str, bool] = {}
        self.events: list[Event] = []
        points = dict.fromkeys(("lock", "contact", "rex"), "wire")
        inputs = {"contact": Timing(), "rex": Timing()}
        chosen = {key: DoorSettings(key, key, DoorPolicy(interlock="air", **policy), points, inputs) for key in doors}
        self.runner = Runner(chosen, {}, wires=self, journal=self, now_ns=loop.now_ns, run="r")  # type: ignore[arg-type]

    def apply(self, _driver: str, outputs: Mapping[str, bool]) -> bool:
        self.wires |= outputs
        return True

    def level(self, _point: str) -> bool | None:
        return None

    def driver_of(self, _point: str) -> str:
        return "wire"

    def append(self, events: Sequence[Event], _modes: Mapping[str, str] | None = None) -> None:
        self.events += events

    def start(self) -> Airlock:
        self.runner.start()
        for door in self.runner.doors:
            self.see(door, False, initial=True)
        return self

    def see(self, door: str, opened: bool, *, initial: bool = False) -> None:
        self.runner.take(Level(f"{door}.contact", opened, self.loop.now_ns(), initial))

    async def move(self, door: str, opened: bool) -> None:
        self.see(door, opened)
        await asyncio.sleep(0.1)

    def ask(self, name: str, door: str, actor: Actor = OTTO) -> str | None:
        """The code of a refusal."""
        outcome = self.runner.command(CommandName(name), [door], command_id="c", actor=actor)[door]
        return outcome.code

    def scheduled(self, door: str, standing: bool) -> None:
        self.runner.schedule(door, ScheduleSays(standing, (), HOURS, self.loop.now_ns()), "{}")

    def rex(self, door: str) -> None:
        self.runner.take(Level(f"{door}.rex", True, self.loop.now_ns()))
        self.runner.take(Level(f"{door}.rex", False, self.loop.now_ns() + 40_000_000))

    @property
    def released(self) -> list[str]:
        return sorted(point.partition(".")[0] for point, value in self.wires.items() if value)


def play(script: Callable[[Airlock], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def main(loop: virtual.VirtualLoop) -> None:
        airlock = Airlock(loop, **settings)
        await script(airlock)
        airlock.runner.stop()

    virtual.run(main)


def test_a_schedule_waits_for_an_open_door_and_takes_effect_when_it_is_closed() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        assert airlock.ask("unlock", "left") is None
        await airlock.move("left", True)
        await asyncio.sleep(10)
        airlock.scheduled("right", True)
        assert airlock.runner.door("right").mode is Mode.LOCKED
        assert airlock.runner.door("right").waits
        assert airlock.released == []
        await airlock.move("left", False)
        assert airlock.released == ["right"]
        assert airlock.runner.door("right").mode is Mode.UNLOCKED
        last = airlock.events[-1]
        assert (last.type, last.door, last.cause, last.actor) == ("lock.unlock", "right", "schedule", SYSTEM)
        assert last.details == {"waited_for": "left"}

    play(script)


def test_of_two_schedules_the_second_follows_when_the_first_ends() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        airlock.scheduled("left", True)
        airlock.scheduled("right", True)
        assert airlock.released == ["left"]
        airlock.scheduled("left", False)
        assert airlock.released == ["right"]
        airlock.scheduled("right", False)
        assert airlock.released == []

    play(script)


def test_a_schedule_that_ends_while_it_waits_releases_nothing_later() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        airlock.scheduled("left", True)
        airlock.scheduled("right", True)
        airlock.scheduled("right", False)
        airlock.scheduled("left", False)
        assert airlock.released == []
        assert not airlock.runner.door("right").waits

    play(script)


def test_a_hold_behind_a_lockdown_waits_like_any_other() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        airlock.ask("hold_unlocked", "left")
        airlock.ask("lock_down", "left")
        assert airlock.ask("unlock", "right") is None
        airlock.ask("cancel_lockdown", "left")
        assert airlock.released == ["right"]
        await asyncio.sleep(5)
        assert airlock.released == ["left"]
        assert airlock.events[-1].cause == "operator"

    play(script)


def test_what_stands_released_stays_so_when_another_door_is_forced() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        airlock.scheduled("left", True)
        await airlock.move("right", True)
        assert airlock.released == ["left"]

    play(script)


def test_restored_holds_wait_until_the_others_have_been_seen_closed() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.runner.start()
        airlock.runner.restore(dict.fromkeys(DOORS, '{"operator": "unlocked"}'))
        assert airlock.released == []
        airlock.see("left", False, initial=True)
        assert airlock.released == ["right"]
        airlock.see("right", False, initial=True)
        assert airlock.released == ["right"]
        airlock.ask("lock", "right")
        assert airlock.released == ["left"]

    play(script)


def test_a_contact_that_was_never_seen_counts_as_open_for_cards_but_not_for_exits() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.runner.start()
        airlock.see("left", False, initial=True)
        assert airlock.ask("unlock", "left", ADA) == "interlock"
        airlock.rex("left")
        await asyncio.sleep(0.1)
        assert airlock.released == ["left"], "nobody stays in because a contact is broken"

    play(script, rex_in_interlock=False)


@pytest.mark.parametrize("gone", [Lost(frozenset({"left.contact"}), "cut", 0), InputFault("left.contact", "short", 0)])
def test_a_contact_that_is_lost_counts_as_open_until_it_is_back(gone: Lost | InputFault) -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        airlock.runner.take(gone)
        assert airlock.ask("unlock", "right", ADA) == "interlock"
        airlock.runner.take(Back(frozenset({"left.contact"}), airlock.loop.now_ns()))
        airlock.see("left", False, initial=True)
        assert airlock.ask("unlock", "right", ADA) is None

    play(script)


def test_a_door_known_to_be_open_is_named_before_one_that_nobody_knows() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.start()
        airlock.runner.take(Lost(frozenset({"a.contact"}), "cut", airlock.loop.now_ns()))
        door = airlock.runner.door("c")
        assert (door.interlocked_by, door.interlock_known) == ("a", False)
        await airlock.move("b", True)
        door = airlock.runner.door("c")
        assert (door.interlocked_by, door.interlock_known) == ("b", True)
        await airlock.move("b", False)
        door = airlock.runner.door("c")
        assert (door.interlocked_by, door.interlock_known) == ("a", False)

    play(script, doors=("a", "b", "c"))


def test_doors_without_contacts_are_judged_by_their_locks() -> None:
    async def script(airlock: Airlock) -> None:
        airlock.runner.start()
        assert airlock.ask("unlock", "left") is None
        assert airlock.ask("unlock", "right") == "interlock"
        await asyncio.sleep(5)
        assert airlock.ask("unlock", "right") is None

    play(script, has_contact=False)


def test_doors_that_stood_open_for_a_fire_do_not_both_stay_so() -> None:
    bench = Bench()
    bench.give(InterlockChanged("back", bench.now_ns))
    bench.release(True)
    bench.give(ScheduleSays(True, (), HOURS, bench.now_ns))
    assert bench.door.mode is Mode.LOCKED_OPEN
    bench.release(False)
    assert bench.door.mode is Mode.LOCKED
    assert bench.door.waits


def test_an_exit_while_another_is_open_does_not_let_a_schedule_in() -> None:
    bench = Bench(unlock_s=5.0)
    bench.give(InterlockChanged("back", bench.now_ns))
    bench.rex()
    bench.give(ScheduleSays(True, (), HOURS, bench.now_ns))
    assert bench.door.mode is Mode.ACCESSED
    assert bench.wait(6) == ["lock.locked", "lock.access_not_taken"]
    assert bench.door.waits


MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "unlock",
                "card",
                "hold_unlocked",
                "lock",
                "lock_down",
                "cancel_lockdown",
                "block",
                "unblock",
                "begin",
                "end",
                "open",
                "close",
                "lose",
                "regain",
                "wait",
                "restore",
            ]
        ),
        st.sampled_from(DOORS),
    ),
    max_size=30,
)


async def _walk(airlock: Airlock, moves: list[tuple[str, str]]) -> None:
    airlock.start()
    for name, door in moves:
        other = next(one for one in DOORS if one != door)
        if name in {"begin", "end"}:
            airlock.scheduled(door, name == "begin")
        elif name in {"open", "close"}:
            await airlock.move(door, name == "open")
        elif name == "lose":
            airlock.runner.take(Lost(frozenset({f"{door}.contact"}), "cut", airlock.loop.now_ns()))
        elif name == "regain":
            airlock.runner.take(Back(frozenset({f"{door}.contact"}), airlock.loop.now_ns()))
            airlock.see(door, False, initial=True)
        elif name == "wait":
            await asyncio.sleep(3)
        elif name == "restore":
            airlock.runner.restore({door: '{"operator": "unlocked"}'})
        else:
            airlock.ask("unlock" if name == "card" else name, door, ADA if name == "card" else OTTO)
        assert len(airlock.released) <= 1, (name, door)
        for one, rest in ((door, other), (other, door)):
            state, free = airlock.runner.door(one), airlock.runner.door(rest)
            if state.waits:
                assert free.released or free.contact != "closed", "what waits takes effect when it is free"


@settings(max_examples=150, deadline=None)
@given(MOVES)
def test_no_two_doors_are_released_whatever_happens(moves: list[tuple[str, str]]) -> None:
    play(lambda airlock: _walk(airlock, moves))
