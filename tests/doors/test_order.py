"""The rules when things come to be known in another order than they happened in."""

from __future__ import annotations

import pytest

from edge.doors.modes import Mode
from edge.doors.state import OperatorMode, outputs
from edge.model.messages import ContactMoved, PointsBack, PointsLost, ReleaseInput, Restore
from tests.support.rules import USER, Bench

# --- inputs that settle late (R4, R7, R12) --------------------


@pytest.mark.parametrize("what", ["rex", "release"])
def test_what_came_before_an_opening_authorises_it_although_it_settled_later(what: str) -> None:
    bench = Bench(rex_unlocks=False, rex_settle_ms=60, held_open_s=30)
    bench.wait(1)
    assert bench.open(ago_s=0.03) == ["lock.opened"], "an exit request may still be settling"
    bench.wait(0.02)
    if what == "rex":
        assert bench.rex(ago_s=0.055) == []
    else:
        bench.give(ReleaseInput(True, bench.now_ns - 55_000_000))
    assert "lock.forced_open" not in bench.wait(5)


def test_what_came_after_an_opening_does_not_authorise_it() -> None:
    bench = Bench(rex_settle_ms=60)
    bench.open(ago_s=0.03)
    bench.wait(0.01)
    bench.rex(ago_s=0.03)
    assert bench.wait(0.02) == ["lock.forced_open"]
    assert bench.last("lock.forced_open").at_ns == bench.last("lock.opened").at_ns, "dated by its first edge"


def test_an_exit_request_at_the_end_of_the_grace_may_settle_after_it() -> None:
    bench = Bench(rex_grace_ms=500, rex_settle_ms=60)
    bench.open()
    bench.wait(0.54)
    assert bench.rex(ago_s=0.045) == ["lock.unlock"]
    assert "lock.forced_open" not in bench.wait(1)
    late = Bench(rex_grace_ms=500, rex_settle_ms=60)
    late.open()
    late.wait(0.54)
    late.rex(ago_s=0.03)
    assert "lock.forced_open" in late.wait(1)


def test_an_opening_that_ends_within_the_grace_is_forced_all_the_same() -> None:
    bench = Bench(rex_grace_ms=500)
    bench.open()
    bench.wait(0.2)
    assert bench.close() == ["lock.forced_open", "lock.closed"]
    assert bench.last("lock.closed").details["cleared"] == "forced_open"


def test_a_closing_ends_no_unlock_that_came_after_it() -> None:
    bench = Bench(unlock_s=5, relock="close")
    bench.unlock()
    bench.open()
    bench.wait(1)
    assert bench.rex(ago_s=0.01) == ["lock.unlock"]
    assert bench.close(ago_s=0.03) == ["lock.closed"], "it settled after the exit request, but was before it"
    assert outputs(bench.door).released
    assert bench.wait(5.1) == ["lock.locked", "lock.access_not_taken"]


def test_a_closing_ends_no_shunt_that_came_after_it() -> None:
    bench = Bench(rex_unlocks=False)
    bench.rex()
    bench.open()
    bench.wait(1)
    bench.rex(ago_s=0.01)
    bench.close(ago_s=0.03)
    assert bench.open() == ["lock.opened"]
    bench.wait(1)
    bench.close()
    assert bench.open() == ["lock.opened", "lock.forced_open"]


# --- R8 in every ending --------------------


@pytest.mark.parametrize("ending", ["lock", "lock_down", "block", "time"])
def test_each_access_that_nobody_took_is_recorded_however_it_ends(ending: str) -> None:
    bench = Bench(unlock_s=5)
    bench.unlock()
    seen = bench.wait(5) if ending == "time" else bench.ask(ending)
    assert seen[-1] == "lock.locked"
    assert bench.wait(1) == ["lock.access_not_taken"]


def test_two_accesses_in_a_hurry_are_both_not_taken() -> None:
    bench = Bench()
    for _ in range(2):
        bench.unlock()
        bench.ask("lock")
    bench.wait(1)
    missed = [event for event in bench.events if event.type == "lock.access_not_taken"]
    unlocks = [event for event in bench.events if event.type == "lock.unlock"]
    assert [event.correlation for event in missed] == [event.correlation for event in unlocks]
    assert len({event.correlation for event in missed}) == 2


# --- R5 with everything that may come between --------------------


@pytest.mark.parametrize("relock", ["open", "close", "timer"])
@pytest.mark.parametrize("counts_from", ["open", "unlock"])
def test_held_open_is_the_same_with_every_relock(relock: str, counts_from: str) -> None:
    bench = Bench(unlock_s=10, held_open_s=30, relock=relock, held_open_from=counts_from)
    bench.unlock()
    bench.wait(3)
    bench.open()
    due_s = 30 if counts_from == "open" else 27
    assert "lock.held_open" not in bench.wait(due_s - 0.1)
    assert bench.wait(0.2) == ["lock.held_open"]


def test_a_mode_that_stands_open_silences_the_warning_and_its_end_starts_the_count() -> None:
    bench = Bench(held_open_s=30, held_open_warning_s=10)
    bench.unlock()
    bench.open()
    bench.wait(25)
    assert outputs(bench.door).buzzer
    bench.ask("hold_unlocked")
    assert not outputs(bench.door).buzzer
    bench.wait(100)
    bench.ask("lock_down")
    assert not outputs(bench.door).buzzer
    assert bench.wait(29.9) == []
    assert outputs(bench.door).buzzer
    assert bench.wait(0.2) == ["lock.held_open"]


def test_the_buzzer_sounds_on_through_the_alarm_until_the_door_closes() -> None:
    bench = Bench(held_open_s=30, held_open_warning_s=10)
    bench.unlock()
    bench.open()
    bench.wait(31)
    assert bench.door.alarm == "held_open"
    assert outputs(bench.door).buzzer
    bench.close()
    assert not outputs(bench.door).buzzer


def test_a_lockdown_while_the_warning_sounds_delays_no_alarm() -> None:
    bench = Bench(held_open_s=30, held_open_warning_s=10)
    bench.unlock()
    bench.open()
    bench.wait(25)
    bench.ask("lock_down")
    assert bench.wait(5.1) == ["lock.held_open"]


def test_forced_is_decided_although_the_line_goes_within_the_grace() -> None:
    bench = Bench(rex_grace_ms=500)
    bench.open()
    points = frozenset({"front.contact"})
    bench.give(PointsLost(points, True, False, "cut", bench.now_ns))
    assert bench.wait(1) == ["lock.forced_open"]
    bench.give(PointsBack(points, bench.now_ns))
    assert bench.close() == ["lock.closed"]
    assert bench.door.alarm == "normal"


# --- R14: memory that comes late --------------------

MEMORIES = [
    ({"operator": "unlocked"}, ["lock"], OperatorMode.NONE, False),
    ({"operator": "unlocked"}, ["unblock"], OperatorMode.UNLOCKED, False),
    ({"operator": "unlocked"}, ["block"], OperatorMode.BLOCKED, False),
    ({"operator": "blocked"}, ["lock"], OperatorMode.BLOCKED, False),
    ({"operator": "blocked"}, ["unblock"], OperatorMode.NONE, False),
    ({"operator": "blocked"}, ["hold_unlocked"], OperatorMode.UNLOCKED, False),
    ({"operator": "none"}, ["hold_unlocked"], OperatorMode.UNLOCKED, False),
    ({"operator": "unlocked", "locked_down": True}, ["cancel_lockdown"], OperatorMode.UNLOCKED, False),
    ({"operator": "unlocked"}, ["lock_down"], OperatorMode.UNLOCKED, True),
    ({"operator": "unlocked", "locked_down": True}, ["lock"], OperatorMode.NONE, True),
]


@pytest.mark.parametrize(("memory", "said", "operator", "locked_down"), MEMORIES)
def test_what_was_said_meanwhile_is_newer_than_the_memory(
    memory: dict[str, str | bool], said: list[str], operator: OperatorMode, locked_down: bool
) -> None:
    bench = Bench()
    for name in said:
        bench.ask(name)
    bench.give(Restore(memory, bench.now_ns))
    assert (bench.door.operator, bench.door.locked_down) == (operator, locked_down)


def test_a_lockdown_that_comes_back_late_ends_an_access() -> None:
    bench = Bench(unlock_s=60)
    bench.unlock(USER)
    assert bench.give(Restore({"locked_down": True}, bench.now_ns)) == ["lock.locked"]
    assert bench.door.mode is Mode.LOCKED_DOWN


def test_a_memory_that_changes_nothing_ends_no_exit() -> None:
    bench = Bench(unlock_s=60)
    bench.ask("lock_down")
    bench.rex()
    assert bench.give(Restore({"locked_down": True}, bench.now_ns)) == []
    assert outputs(bench.door).released


def test_a_first_level_that_settles_before_its_own_time_is_still_the_first() -> None:
    bench = Bench()
    bench.door = type(bench.door)("front", "Front door", "run")
    assert bench.give(ContactMoved(False, bench.now_ns)) == []
    assert bench.open() == ["lock.opened", "lock.forced_open"], "closed was known, so this one is no first sight"
