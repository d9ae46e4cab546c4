"""What keeps a lock released for a time of its own, and what is recorded when it is told to lock late or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from edge.doors.modes import Mode
from edge.doors.state import outputs
from edge.model.messages import (
    NS_PER_S,
    Command,
    CommandName,
    ContactMoved,
    Event,
    InputStirs,
    PointsBack,
    PointsLost,
    Restore,
    RexPressed,
    RexReleased,
    ScheduleSays,
    Subject,
)
from tests.doors.test_runner import Bench as Shell
from tests.doors.test_runner import play
from tests.support.rules import OPERATOR, USER, Bench

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

POINTS = frozenset({"front.contact", "front.lock", "front.rex"})
HOUR_S = 3600.0


def lose(bench: Bench, points: frozenset[str] = POINTS) -> list[str]:
    contact, lock = "front.contact" in points, "front.lock" in points
    return bench.give(PointsLost(points, contact, lock, "cut", bench.now_ns))


def regain(bench: Bench) -> list[str]:
    return bench.give(PointsBack(POINTS, bench.now_ns))


def schedule(bench: Bench, standing: bool) -> list[str]:
    return bench.give(ScheduleSays(standing, (), OPERATOR, bench.now_ns))


# --- a relock that is late, or that nobody can be told -------------------------------------------


@pytest.mark.parametrize(("late_s", "said"), [(0.0, False), (0.1, False), (0.101, True), (19.8, True)])
def test_a_relock_is_dated_when_the_relay_is_told(late_s: float, said: bool) -> None:
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    due_ns = bench.now_ns + 5 * NS_PER_S
    bench.now_s += 5.0 + late_s
    bench.give(None)
    event = bench.last("lock.locked")
    assert (event.at_ns, event.cause) == (bench.now_ns, "timer")
    assert event.details == ({"due": due_ns, "late_s": round(late_s, 3)} if said else {})


def test_an_opening_before_the_late_relock_is_not_forced() -> None:
    """The lock was released all the while."""
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    bench.now_s += 10.0
    bench.open(ago_s=1.0)
    assert "lock.forced_open" not in bench.types
    assert "lock.access_not_taken" not in bench.types
    bench.close()
    bench.wait(1.0)
    bench.open()
    assert bench.types[-1] == "lock.forced_open"


def test_what_no_relay_is_told_is_recorded_when_one_can_be() -> None:
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    due_ns = bench.now_ns + 5 * NS_PER_S
    lose(bench)
    assert bench.wait(60.0) == []
    assert regain(bench) == ["lock.locked"]
    event = bench.last("lock.locked")
    assert (event.at_ns, event.cause) == (bench.now_ns, "timer")
    assert event.details == {"due": due_ns, "late_s": 55.0}
    assert regain(bench) == []


def test_what_was_released_again_meanwhile_was_never_locked() -> None:
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    lose(bench)
    bench.wait(60.0)
    bench.ask("hold_unlocked")
    assert regain(bench) == []
    assert bench.ask("lock") == ["lock.locked"]
    assert bench.last("lock.locked").details == {}


def test_only_the_locks_own_driver_matters() -> None:
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    lose(bench, frozenset({"front.contact"}))
    assert bench.wait(5.0) == ["lock.locked"]


def test_a_driver_that_fails_at_the_relock_is_no_lock_locked() -> None:
    async def script(shell: Shell) -> None:
        shell.ask("unlock", for_s=5.0)
        shell.broken = True
        await asyncio.sleep(6)
        shell.lose("front.lock")
        assert shell.types() == ["lock.unlock", "lock.access_not_taken", "controller.fault"]
        shell.broken = False
        await asyncio.sleep(10)
        shell.regain("front.lock")
        assert shell.types()[-2:] == ["controller.fault_cleared", "lock.locked"]
        assert shell.events[-1].details["late_s"] == 11.0

    play(script)


# --- bolts: relock = "closed" --------------------------------------------------------------------


def test_a_bolt_does_not_come_out_before_the_door_is_closed() -> None:
    bench = Bench(relock="closed", unlock_s=5.0, held_open_s=30.0)
    bench.unlock()
    bench.wait(1)
    bench.open()
    assert bench.wait(35) == ["lock.held_open"]
    assert outputs(bench.door).released
    assert bench.door.mode is Mode.LOCKED
    assert bench.close() == ["lock.closed", "lock.locked"]
    assert bench.last("lock.locked").cause == "closed"
    assert not outputs(bench.door).released
    bench.wait(1)
    assert bench.open() == ["lock.opened", "lock.forced_open"]


@pytest.mark.parametrize("name", ["lock", "lock_down", "block"])
def test_nothing_that_is_asked_throws_a_bolt_into_an_open_door(name: str) -> None:
    bench = Bench(relock="closed")
    bench.ask("hold_unlocked")
    bench.open()
    assert "lock.locked" not in bench.ask(name)
    assert outputs(bench.door).released
    bench.wait(3600)
    assert "lock.locked" in bench.close()
    assert not outputs(bench.door).released


def test_the_end_of_a_schedule_or_of_a_fire_throws_no_bolt_either() -> None:
    for begin, end in (
        (lambda b: schedule(b, True), lambda b: schedule(b, False)),
        (lambda b: b.release(True), lambda b: b.release(False)),
    ):
        bench = Bench(relock="closed")
        begin(bench)
        bench.open()
        end(bench)
        assert outputs(bench.door).released
        bench.close()
        assert not outputs(bench.door).released


def test_a_bolt_locks_a_closed_door_when_the_time_is_over_and_at_closing_before() -> None:
    bench = Bench(relock="closed", unlock_s=5.0)
    bench.unlock()
    assert bench.wait(5) == ["lock.locked"]
    bench.unlock()
    bench.wait(1)
    bench.open()
    assert bench.close() == ["lock.closed", "lock.locked"]


def test_a_bolt_waits_for_a_contact_that_is_just_settling() -> None:
    bench = Bench(relock="closed", unlock_s=5.0)
    bench.unlock()
    bench.wait(4.99)
    first_ns = bench.now_ns
    bench.give(InputStirs("contact", first_ns, first_ns + NS_PER_S))
    assert bench.wait(0.02) == []
    bench.give(ContactMoved(True, first_ns))
    bench.give(InputStirs("contact", first_ns, 0))
    assert bench.wait(1.0) == []
    assert outputs(bench.door).released
    assert bench.close() == ["lock.closed", "lock.locked"]


def test_a_contact_that_settles_closed_keeps_no_bolt() -> None:
    bench = Bench(relock="closed", unlock_s=5.0)
    bench.unlock()
    bench.wait(4.99)
    bench.give(InputStirs("contact", bench.now_ns, bench.now_ns + NS_PER_S))
    bench.wait(0.02)
    assert bench.give(InputStirs("contact", bench.now_ns, 0)) == ["lock.locked"]


def test_a_contact_that_is_lost_while_the_door_is_open_keeps_the_bolt_in() -> None:
    bench = Bench(relock="closed", unlock_s=5.0)
    bench.unlock()
    bench.open()
    lose(bench, frozenset({"front.contact"}))
    bench.wait(60)
    assert outputs(bench.door).released
    bench.give(PointsBack(frozenset({"front.contact"}), bench.now_ns))
    assert bench.close() == ["lock.closed", "lock.locked"]


# --- a motion sensor as exit request -------------------------------------------------------------


def test_a_sensor_that_stays_active_lets_the_second_one_out() -> None:
    bench = Bench(unlock_s=5.0, rex_level_s=60.0)
    bench.rex()
    bench.wait(1)
    bench.open()
    bench.wait(3)
    assert bench.close() == ["lock.closed"]
    assert outputs(bench.door).released
    bench.wait(4)
    assert bench.open() == ["lock.opened"]
    assert bench.last("lock.opened").details["authorised_by"] == "access"
    bench.close()
    assert bench.give(RexReleased(bench.now_ns)) == ["lock.locked"]
    assert bench.last("lock.locked").cause == "rex"


def test_a_sensor_that_stays_active_for_ever_releases_for_its_bound() -> None:
    bench = Bench(unlock_s=5.0, rex_level_s=60.0, rex_shunt_s=5.0)
    bench.rex()
    assert bench.wait(59.999) == []
    assert bench.wait(0.001) == ["lock.locked"]
    bench.wait(1.0)
    assert bench.open()[-1] == "lock.forced_open"
    bench.close()
    assert bench.give(RexReleased(bench.now_ns)) == []


def test_a_sensor_without_a_lock_of_its_own_shunts_while_it_is_active() -> None:
    bench = Bench(rex_unlocks=False, rex_level_s=60.0, rex_shunt_s=5.0)
    bench.rex()
    for _ in range(4):
        bench.wait(10)
        assert not outputs(bench.door).released
        assert bench.open() == ["lock.opened"]
        bench.close()
    bench.give(RexReleased(bench.now_ns))
    bench.wait(5)
    assert bench.open() == ["lock.opened"], "as long as after a button"
    bench.close()
    bench.wait(1)
    assert bench.open()[-1] == "lock.forced_open"


def test_a_short_sight_releases_no_shorter_than_a_button() -> None:
    bench = Bench(unlock_s=5.0, rex_level_s=60.0)
    bench.rex()
    bench.wait(1)
    assert bench.give(RexReleased(bench.now_ns)) == []
    assert bench.wait(4.1) == ["lock.locked", "lock.access_not_taken"]


@pytest.mark.parametrize("name", ["lock", "lock_down", "block"])
def test_who_locks_ends_what_a_sensor_keeps_released(name: str) -> None:
    bench = Bench(rex_level_s=60.0)
    bench.rex()
    bench.wait(10)
    assert "lock.locked" in bench.ask(name)
    assert not outputs(bench.door).released


def test_a_sensor_that_may_not_unlock_in_a_lockdown_keeps_nothing_released() -> None:
    bench = Bench(rex_level_s=60.0, rex_in_lockdown=False)
    bench.ask("lock_down")
    bench.rex()
    assert not outputs(bench.door).released


def test_under_a_sensors_eye_a_door_stays_released_when_its_schedule_ends() -> None:
    bench = Bench(rex_level_s=60.0, unlock_s=1.0)
    schedule(bench, True)
    bench.rex()
    bench.wait(10)
    schedule(bench, False)
    assert outputs(bench.door).released
    assert bench.wait(50) == ["lock.locked"]


def test_a_sensor_whose_line_is_lost_releases_nothing_any_more() -> None:
    bench = Bench(rex_level_s=60.0, unlock_s=1.0)
    bench.rex()
    bench.wait(10)
    assert lose(bench, frozenset({"front.rex"})) == ["lock.locked"]


def test_without_the_setting_an_edge_counts_and_no_level() -> None:
    bench = Bench(unlock_s=5.0)
    bench.give(RexPressed(bench.now_ns))
    assert bench.wait(5.1) == ["lock.locked", "lock.access_not_taken"]


def test_the_runner_tells_when_a_sensor_is_at_rest() -> None:
    async def script(shell: Shell) -> None:
        shell.see("front", "rex", True, initial=True)
        shell.see("front", "rex", False)
        await asyncio.sleep(1)
        shell.see("front", "rex", True)
        await asyncio.sleep(20)
        assert shell.released()
        shell.see("front", "rex", False)
        await asyncio.sleep(1)
        assert not shell.released()

    play(script, rex_level_s=60.0)


# --- a hold with an end --------------------------------------------------------------------------


def test_a_hold_ends_when_it_was_said_to() -> None:
    bench = Bench()
    bench.ask("hold_unlocked", for_s=8 * HOUR_S)
    assert bench.last("lock.unlock").details == {"for_s": 8 * HOUR_S}
    assert bench.wait(8 * HOUR_S - 0.001) == []
    assert bench.wait(0.001) == ["lock.locked"]
    event = bench.last("lock.locked")
    assert (event.cause, event.actor, bench.door.mode) == ("timer", None, Mode.LOCKED)
    assert bench.wait(24 * HOUR_S) == []


def test_after_a_hold_the_door_is_what_its_schedule_says_then() -> None:
    bench = Bench()
    bench.ask("hold_unlocked", for_s=HOUR_S)
    schedule(bench, True)
    assert bench.wait(HOUR_S) == []
    assert bench.door.mode is Mode.UNLOCKED
    schedule(bench, False)
    assert bench.door.mode is Mode.LOCKED


def test_a_new_hold_takes_the_place_of_the_last() -> None:
    bench = Bench()
    bench.ask("hold_unlocked", for_s=HOUR_S)
    bench.ask("hold_unlocked", for_s=60.0)
    assert bench.wait(60.0) == ["lock.locked"]
    bench.ask("hold_unlocked", for_s=60.0)
    bench.ask("hold_unlocked")
    assert bench.wait(HOUR_S) == []


@pytest.mark.parametrize("name", ["lock", "block"])
def test_what_ends_a_hold_ends_its_end(name: str) -> None:
    bench = Bench()
    bench.ask("hold_unlocked", for_s=HOUR_S)
    bench.ask(name)
    bench.ask("unblock")
    bench.ask("hold_unlocked")
    assert bench.wait(2 * HOUR_S) == []


def test_a_hold_that_ends_in_a_lockdown_does_not_come_back() -> None:
    bench = Bench()
    bench.ask("hold_unlocked", for_s=HOUR_S)
    bench.ask("lock_down")
    bench.wait(HOUR_S)
    bench.ask("cancel_lockdown")
    assert bench.door.mode is Mode.LOCKED


def test_a_restored_hold_that_is_over_releases_nothing() -> None:
    bench = Bench()
    memory = {"operator": "unlocked", "hold_until_ns": bench.now_ns}
    assert bench.give(Restore(memory, bench.now_ns)) == []
    assert bench.door.mode is Mode.LOCKED


def test_what_is_no_time_is_no_end() -> None:
    bench = Bench()
    bench.give(Restore({"operator": "unlocked", "hold_until_ns": "soon"}, bench.now_ns))
    assert (bench.door.mode, bench.door.hold_until_ns) == (Mode.UNLOCKED, None)


class Lives:
    """Two runs of the daemon with a calendar between them."""

    def __init__(self) -> None:
        self.memory: dict[str, Any] = {}

    def first(self, *, for_s: float | None, lasts_s: float, wall_s: float = 1e9) -> None:
        async def script(shell: Shell) -> None:
            shell.wall_us = lambda: round(wall_s * 1e6)
            shell.ask("hold_unlocked", for_s=for_s)
            await asyncio.sleep(lasts_s)
            self.memory = dict(shell.modes)

        play(script)

    def second(self, wall_s: float, *, after_s: float, synced_s: float | None = None) -> bool:
        """Whether the door is still released so long after the start."""
        found: list[bool] = []

        async def script(shell: Shell) -> None:
            began_s = shell.loop.time()
            wall = {"s": wall_s}
            shell.wall_us = lambda: round((wall["s"] + shell.loop.time() - began_s) * 1e6)
            shell.runner.restore({key: json.dumps(one) for key, one in self.memory.items()})
            if synced_s is not None:
                wall["s"] = synced_s
                shell.runner.clock_changed(trusted=False)
                shell.runner.clock_changed(trusted=True)
            await asyncio.sleep(after_s)
            found.append(shell.released())

        play(script)
        return found[0]


@pytest.mark.parametrize(
    ("away_s", "after_s", "released"),
    [(100.0, 3499.0, True), (100.0, 3501.0, False), (7200.0, 0.0, False)],
)
def test_a_hold_ends_across_a_restart(away_s: float, after_s: float, released: bool) -> None:
    lives = Lives()
    lives.first(for_s=HOUR_S, lasts_s=0.0)
    assert lives.second(1e9 + away_s, after_s=after_s) is released


def test_a_hold_without_an_end_has_none_after_a_restart() -> None:
    lives = Lives()
    lives.first(for_s=None, lasts_s=0.0)
    assert lives.memory == {"front": {"locked_down": False, "operator": "unlocked"}}
    assert lives.second(2e9, after_s=100_000.0)


def test_a_clock_that_is_behind_prolongs_a_hold_by_no_more_than_its_length() -> None:
    lives = Lives()
    lives.first(for_s=HOUR_S, lasts_s=0.0)
    assert lives.second(1e6, after_s=3599.0)
    assert not lives.second(1e6, after_s=3601.0)


def test_a_restored_hold_ends_by_the_calendar_once_that_can_be_trusted() -> None:
    lives = Lives()
    lives.first(for_s=HOUR_S, lasts_s=0.0)
    assert lives.second(1e6, synced_s=1e9 + 3000.0, after_s=599.0)
    assert not lives.second(1e6, synced_s=1e9 + 3000.0, after_s=601.0)
    assert not lives.second(1e6, synced_s=1e9 + 4000.0, after_s=0.0)


def test_the_memory_says_when_by_the_calendar() -> None:
    lives = Lives()
    lives.first(for_s=HOUR_S, lasts_s=0.0)
    wanted: Mapping[str, Any] = {"locked_down": False, "operator": "unlocked"}
    assert lives.memory == {"front": {**wanted, "until_us": 1_000_003_600_000_000, "said_us": 10**15}}


# --- after a late wake -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unlock_s", "order"), [(5.0, ["lock.locked", "lock.held_open"]), (60.0, ["lock.held_open", "lock.locked"])]
)
def test_what_was_due_meanwhile_comes_in_the_order_in_which_it_was_due(unlock_s: float, order: list[str]) -> None:
    bench = Bench(unlock_s=unlock_s, relock="timer", held_open_s=30.0)
    bench.unlock()
    bench.wait(1.0)
    bench.open()
    bench.now_s += 600.0
    assert bench.give(None) == order
    assert bench.last("lock.held_open").at_ns == round((100.0 + 30.0) * NS_PER_S)
    assert bench.last("lock.held_open").actor == USER


def test_a_late_item_comes_after_what_was_due_before_it_and_before_what_was_due_after_it() -> None:
    bench = Bench(unlock_s=600.0, relock="timer", held_open_s=30.0)
    bench.unlock()
    bench.open()
    bench.now_s += 60.0
    assert bench.give(ContactMoved(False, bench.now_ns - 40 * NS_PER_S)) == ["lock.closed"]
    assert bench.last("lock.closed").details["cleared"] is None
    bench.open()
    bench.now_s += 60.0
    assert bench.give(ContactMoved(False, bench.now_ns - 10 * NS_PER_S)) == ["lock.held_open", "lock.closed"]
    assert bench.last("lock.closed").details["cleared"] == "held_open"


@pytest.mark.parametrize(("after_s", "forced"), [(5.0, False), (5.001, True)])
def test_an_opening_at_the_very_end_of_an_access_is_authorised(after_s: float, forced: bool) -> None:
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    bench.wait(5.0)
    bench.wait(after_s - 5.0)
    bench.open()
    assert ("lock.forced_open" in bench.types) is forced


def test_an_unlock_at_the_very_end_of_an_access_prolongs_it() -> None:
    bench = Bench(unlock_s=5.0)
    bench.unlock()
    bench.now_s += 5.0
    assert bench.unlock() == ["lock.unlock"], "the lock does not come out in between"
    assert bench.wait(5.0) == ["lock.locked"]


@pytest.mark.parametrize(
    ("name", "event", "cause"),
    [
        ("hold_unlocked", "lock.unlock", "operator"),
        ("lock", "lock.locked", "operator"),
        ("lock_down", "lock.locked", "lockdown"),
        ("lock_down", "lock.lock_down", "operator"),
        ("lock_down cancel_lockdown", "lock.cancel_lockdown", "operator"),
        ("block", "lock.update", "operator"),
        ("block unblock", "lock.update", "operator"),
    ],
)
def test_what_an_operator_does_names_its_cause_and_who(name: str, event: str, cause: str) -> None:
    bench = Bench()
    bench.ask("hold_unlocked")
    for one in name.split():
        bench.ask(one)
    found = bench.last(event)
    assert (found.cause, found.actor, found.success) == (cause, OPERATOR, True)


# --- what led to a command --------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [False, True])
def test_all_that_led_to_an_unlock_is_recorded_before_it_as_one_passage(refused: bool) -> None:
    bench = Bench()
    if refused:
        bench.give(Command("c", CommandName.LOCK_DOWN, OPERATOR, bench.now_ns))
    reader = Subject("reader", "front.reader", "Front reader")
    led_to_it = tuple(Event(kind, bench.now_ns, reader, USER) for kind in ("reader.tamper", "reader.access"))
    told = bench.give(Command("c", CommandName.UNLOCK, USER, bench.now_ns, events=led_to_it))
    assert told == ["reader.tamper", "reader.access", "lock.unlock"]
    assert len({event.correlation for event in bench.events[-3:]}) == 1
    assert (bench.events[-1].correlation == "") is refused
