"""The rules of a door, one after the other; R-numbers are those of the contract."""

from __future__ import annotations

import pytest

from edge.doors.modes import TRANSITIONS, Mode, NewMode, RefusedByMode, Trigger
from edge.doors.state import Contact, Lock, outputs, remembered
from edge.model.messages import (
    NS_PER_S,
    ContactFault,
    ContactMoved,
    InputStirs,
    InputUnstable,
    InterlockChanged,
    LockConfirmed,
    PointsBack,
    PointsLost,
    ReleaseInput,
    Restore,
    RexPressed,
    TamperChanged,
)
from tests.support.rules import OPERATOR, USER, Bench

# --- R1 unlock --------------------


def test_an_unlock_releases_at_once_and_returns_to_the_mode_before() -> None:
    bench = Bench(unlock_s=5)
    assert bench.unlock() == ["lock.unlock"]
    assert bench.door.mode is Mode.ACCESSED
    assert outputs(bench.door).released
    event = bench.last("lock.unlock")
    assert (event.actor, event.cause, event.success) == (USER, "user", True)
    assert bench.wait(4.999) == []
    assert bench.wait(0.001)[0] == "lock.locked"
    assert bench.door.mode is Mode.LOCKED
    assert not outputs(bench.door).released


def test_a_second_unlock_extends_and_never_shortens() -> None:
    bench = Bench(unlock_s=5)
    bench.unlock(for_s=20)
    bench.wait(1)
    assert bench.unlock(for_s=2) == ["lock.unlock"]
    assert bench.wait(18.9) == []
    assert "lock.locked" in bench.wait(0.1)
    bench.unlock()
    bench.wait(3)
    bench.unlock()
    assert bench.wait(4.9) == []
    assert "lock.locked" in bench.wait(0.2)


def test_an_unlock_while_held_unlocked_is_recorded_and_changes_nothing() -> None:
    bench = Bench(unlock_s=5)
    bench.ask("hold_unlocked")
    assert bench.unlock() == ["lock.unlock"]
    assert bench.wait(600) == []
    assert bench.door.mode is Mode.UNLOCKED


# --- R2 opened and closed, R3 relock --------------------


def test_repeated_levels_are_one_opening_and_one_closing() -> None:
    bench = Bench()
    bench.unlock()
    assert bench.open() == ["lock.opened"]
    assert bench.open() == []
    bench.wait(2.5)
    assert bench.close() == ["lock.closed", "lock.locked"]
    assert bench.close() == []
    assert bench.last("lock.closed").details["open_s"] == 2.5


def test_relock_on_closing_locks_then_even_with_time_left() -> None:
    bench = Bench(unlock_s=60, relock="close")
    bench.unlock()
    bench.open()
    bench.wait(1)
    assert bench.close() == ["lock.closed", "lock.locked"]
    assert bench.last("lock.locked").cause == "closed"


def test_relock_on_opening_locks_after_the_delay() -> None:
    bench = Bench(unlock_s=60, relock="open", relock_delay_s=1.5)
    bench.unlock()
    assert bench.open() == ["lock.opened"]
    assert bench.wait(1.4) == []
    assert bench.wait(0.1) == ["lock.locked"]
    assert bench.last("lock.locked").cause == "opened"
    assert Bench(relock="open").policy.relock_delay_s == 0


def test_relock_on_opening_without_delay_locks_at_the_opening() -> None:
    bench = Bench(unlock_s=60, relock="open")
    bench.unlock()
    assert bench.open() == ["lock.opened", "lock.locked"]


def test_the_timer_is_always_the_fallback() -> None:
    for relock in ("open", "close", "timer"):
        bench = Bench(unlock_s=5, relock=relock, held_open_s=600)
        bench.unlock()
        if relock != "open":
            bench.open()
        assert bench.wait(5)[0] == "lock.locked", relock
        assert bench.last("lock.locked").cause == "timer"


def test_relock_by_timer_leaves_the_lock_released_over_a_closing() -> None:
    bench = Bench(unlock_s=10, relock="timer")
    bench.unlock()
    bench.open()
    bench.wait(2)
    assert bench.close() == ["lock.closed"]
    assert bench.open() == ["lock.opened"]
    assert bench.door.alarm == "normal"


# --- R4 forced open --------------------


def test_an_opening_that_nothing_authorised_is_forced() -> None:
    bench = Bench()
    assert bench.open() == ["lock.opened", "lock.forced_open"]
    assert bench.door.alarm == "forced_open"


def test_an_opening_after_the_unlock_ran_out_is_forced() -> None:
    bench = Bench(unlock_s=5)
    bench.unlock()
    bench.wait(5.1)
    assert bench.open(ago_s=0.03) == ["lock.opened", "lock.forced_open"]


def test_an_opening_is_judged_by_its_first_edge() -> None:
    bench = Bench(unlock_s=5, debounce_ms=30)
    bench.unlock()
    assert bench.wait(5.02) == ["lock.locked"]
    assert bench.open(ago_s=0.025) == ["lock.opened"], "the edge came while the lock was released"
    assert bench.wait(1) == [], "and so the access was taken"
    early = Bench()
    early.wait(1)
    early.unlock()
    early.wait(0.01)
    assert early.open(ago_s=0.02) == ["lock.opened", "lock.forced_open"], "the edge came before the unlock"


# --- R5 held open --------------------


def test_held_open_counts_from_the_unlock_once_per_opening() -> None:
    bench = Bench(unlock_s=5, held_open_s=30)
    bench.unlock()
    bench.wait(4)
    bench.open()
    assert bench.wait(25.9) == ["lock.locked"]
    assert bench.wait(0.1) == ["lock.held_open"]
    assert bench.door.alarm == "held_open"
    assert bench.last("lock.held_open").actor == USER
    assert bench.wait(1000) == []


def test_held_open_can_count_from_the_opening() -> None:
    bench = Bench(unlock_s=5, held_open_s=30, held_open_from="open")
    bench.unlock()
    bench.wait(4)
    bench.open()
    assert bench.wait(29.9) == ["lock.locked"]
    assert bench.wait(0.1) == ["lock.held_open"]


def test_the_warning_comes_before_the_alarm_and_sounds() -> None:
    bench = Bench(held_open_s=30, held_open_warning_s=10)
    bench.unlock()
    bench.open()
    bench.wait(19.9)
    assert not outputs(bench.door).buzzer
    bench.wait(0.2)
    assert outputs(bench.door).buzzer
    bench.close()
    assert not outputs(bench.door).buzzer


def test_a_new_unlock_restarts_the_count_before_the_alarm_only() -> None:
    bench = Bench(held_open_s=30, held_open_warning_s=10)
    bench.unlock()
    bench.open()
    bench.wait(25)
    assert bench.door.warning
    bench.unlock()
    assert not bench.door.warning
    assert "lock.held_open" not in bench.wait(29.9)
    assert "lock.held_open" in bench.wait(0.2)
    bench.unlock()
    assert bench.door.alarm == "held_open", "after the alarm only closing ends it"
    assert "lock.held_open" not in bench.wait(100)


def test_held_open_rests_while_unlocked_and_starts_when_that_ends() -> None:
    bench = Bench(held_open_s=30)
    bench.ask("hold_unlocked")
    bench.open()
    assert bench.wait(500) == []
    assert bench.ask("lock") == ["lock.locked"]
    assert bench.wait(29.9) == []
    assert bench.wait(0.1) == ["lock.held_open"]


def test_a_forced_opening_does_not_become_held_open() -> None:
    bench = Bench(held_open_s=30)
    bench.open()
    bench.unlock()
    assert "lock.held_open" not in bench.wait(100)
    assert bench.door.alarm == "forced_open"


def test_an_unlock_longer_than_held_open_counts_from_a_late_opening() -> None:
    bench = Bench(unlock_s=60, held_open_s=30)
    bench.unlock()
    bench.wait(45)
    assert bench.open() == ["lock.opened"]
    assert "lock.held_open" not in bench.wait(29.9)
    assert "lock.held_open" in bench.wait(0.2)


# --- R6 alarms end at closing --------------------


@pytest.mark.parametrize("alarm", ["forced_open", "held_open"])
def test_closing_ends_the_alarm_and_names_it(alarm: str) -> None:
    bench = Bench(held_open_s=30)
    if alarm == "held_open":
        bench.unlock()
    bench.open()
    bench.wait(31)
    mode = bench.door.mode
    assert bench.door.alarm == alarm
    bench.close()
    assert bench.door.alarm == "normal"
    assert bench.last("lock.closed").details["cleared"] == alarm
    assert bench.door.mode is mode
    bench.unlock()
    bench.open()
    bench.close()
    assert bench.last("lock.closed").details["cleared"] is None


# --- R7 request to exit --------------------


def test_a_rex_unlocks_and_authorises() -> None:
    bench = Bench(unlock_s=5)
    assert bench.rex() == ["lock.unlock"]
    event = bench.last("lock.unlock")
    assert (event.cause, event.actor.kind if event.actor else None) == ("rex", "rex")
    assert bench.open() == ["lock.opened"]


def test_a_rex_that_does_not_unlock_still_shunts() -> None:
    bench = Bench(rex_unlocks=False, rex_shunt_s=5)
    assert bench.rex() == []
    assert bench.door.mode is Mode.LOCKED
    bench.wait(4.9)
    assert bench.open() == ["lock.opened"]
    assert bench.last("lock.opened").details["authorised_by"] == "rex"
    bench.close()
    assert bench.open() == ["lock.opened", "lock.forced_open"], "after closing a fresh edge is needed"


def test_the_shunt_ends() -> None:
    bench = Bench(rex_unlocks=False, rex_shunt_s=5)
    bench.rex()
    bench.wait(5.1)
    assert bench.open() == ["lock.opened", "lock.forced_open"]


def test_a_rex_never_clears_a_standing_alarm() -> None:
    bench = Bench()
    bench.open()
    assert bench.rex() == ["lock.unlock"]
    assert bench.door.alarm == "forced_open"


def test_a_rex_within_the_grace_authorises_and_forced_waits_for_it() -> None:
    bench = Bench(rex_grace_ms=500, held_open_s=30)
    assert bench.open() == ["lock.opened"]
    bench.wait(0.4)
    assert bench.rex() == ["lock.unlock"]
    assert bench.wait(5) == ["lock.locked"]
    late = Bench(rex_grace_ms=500)
    late.open()
    assert late.wait(0.5) == ["lock.forced_open"]
    late.rex()
    assert late.door.alarm == "forced_open"


@pytest.mark.parametrize(("command", "mode"), [("lock_down", "locked_down"), ("block", "blocked")])
def test_a_rex_works_in_lockdown_and_blocked_unless_told_otherwise(command: str, mode: str) -> None:
    bench = Bench(unlock_s=5)
    bench.ask(command)
    assert bench.rex() == ["lock.unlock"]
    assert outputs(bench.door).released
    assert bench.open() == ["lock.opened"]
    assert bench.close() == ["lock.closed", "lock.locked"]
    assert bench.door.mode == mode
    strict = Bench(rex_in_lockdown=False)
    strict.ask(command)
    assert strict.rex() == ["lock.unlock"]
    assert (strict.events[-1].success, strict.events[-1].code) == (False, mode)
    assert not outputs(strict.door).released


# --- R8 access not taken --------------------


def test_an_access_that_nobody_takes_is_recorded_after_the_lock() -> None:
    bench = Bench(unlock_s=5)
    bench.unlock()
    assert bench.wait(6) == ["lock.locked", "lock.access_not_taken"]
    assert bench.last("lock.access_not_taken").actor == USER
    assert bench.last("lock.access_not_taken").correlation == bench.last("lock.unlock").correlation


def test_an_access_is_taken_when_the_door_opened_or_was_not_closed_all_the_while() -> None:
    bench = Bench(unlock_s=5, relock="timer")
    bench.unlock()
    bench.open()
    bench.close()
    assert bench.wait(6) == ["lock.locked"]
    blind = Bench(unlock_s=5)
    blind.give(PointsLost(frozenset({"front.contact"}), True, False, "cut", blind.now_ns))
    blind.unlock()
    assert blind.wait(6) == ["lock.locked"]


# --- R10 lockdown --------------------


def test_a_lockdown_locks_at_once_refuses_every_unlock_and_ends_by_its_cancel_only() -> None:
    bench = Bench(unlock_s=5)
    bench.ask("hold_unlocked")
    assert bench.ask("lock_down") == ["lock.lock_down", "lock.locked"]
    for name, actor in (("unlock", USER), ("unlock", OPERATOR), ("hold_unlocked", OPERATOR)):
        assert bench.ask(name, actor) == ["lock.unlock"]
        assert (bench.events[-1].success, bench.events[-1].code) == (False, "locked_down")
    for name in ("lock", "block", "unblock", "lock_down"):
        bench.ask(name)
        assert bench.door.mode is Mode.LOCKED_DOWN
    assert bench.ask("cancel_lockdown") == ["lock.cancel_lockdown"]
    assert bench.door.mode is Mode.LOCKED


def test_after_a_lockdown_the_operators_mode_comes_back_but_no_access() -> None:
    bench = Bench(unlock_s=50)
    bench.ask("hold_unlocked")
    bench.ask("lock_down")
    bench.ask("cancel_lockdown")
    assert bench.door.mode is Mode.UNLOCKED
    other = Bench(unlock_s=50)
    other.unlock()
    other.ask("lock_down")
    other.ask("cancel_lockdown")
    assert other.door.mode is Mode.LOCKED


# --- R11 operator modes --------------------


def test_blocked_refuses_users_and_not_operators() -> None:
    bench = Bench(unlock_s=5)
    assert bench.ask("block") == ["lock.update"]
    assert bench.unlock(USER) == ["lock.unlock"]
    assert bench.events[-1].code == "blocked"
    assert bench.unlock(OPERATOR) == ["lock.unlock"]
    assert bench.door.mode is Mode.ACCESSED
    bench.wait(6)
    assert bench.door.mode is Mode.BLOCKED
    bench.ask("unblock")
    assert bench.door.mode is Mode.LOCKED


def test_lock_ends_an_access_and_a_hold() -> None:
    bench = Bench(unlock_s=50)
    bench.unlock()
    assert bench.ask("lock") == ["lock.locked"]
    bench.ask("hold_unlocked")
    assert bench.ask("lock") == ["lock.locked"]
    assert bench.ask("lock") == []


# --- R12 release input, R13 priority --------------------


def test_the_release_input_beats_everything_and_masks_alarms() -> None:
    bench = Bench(held_open_s=30)
    bench.ask("hold_unlocked")
    bench.ask("lock_down")
    assert bench.release(True) == ["controller_input.triggered"]
    assert bench.door.mode is Mode.LOCKED_OPEN
    assert outputs(bench.door).released
    for name in ("lock", "block", "lock_down"):
        bench.ask(name)
        assert outputs(bench.door).released, name
    assert bench.open() == ["lock.opened"]
    assert bench.wait(100) == []
    bench.close()
    assert bench.release(False) == ["lock.locked"]
    assert bench.door.mode is Mode.LOCKED_DOWN, "lower layers are remembered"


def test_what_is_below_comes_back_layer_by_layer() -> None:
    bench = Bench(unlock_s=500)
    bench.unlock()
    bench.ask("hold_unlocked")
    bench.release(True)
    assert bench.release(False) == []
    assert bench.door.mode is Mode.UNLOCKED


# --- R14 start, R16 lost driver --------------------


def test_a_contact_first_seen_open_is_not_forced_and_counts() -> None:
    bench = Bench(held_open_s=30)
    bench.door = type(bench.door)("front", "Front door", "run")
    assert bench.open() == ["lock.opened"]
    assert bench.last("lock.opened").details["observed"] == "at_start"
    assert bench.wait(30) == ["lock.held_open"]


def test_lockdown_and_operator_modes_return_and_an_unlock_does_not() -> None:
    before = Bench(unlock_s=500)
    before.ask("hold_unlocked")
    before.ask("lock_down")
    memory = remembered(before.door)
    after = Bench()
    after.give(Restore(memory, after.now_ns))
    assert after.door.mode is Mode.LOCKED_DOWN
    after.ask("cancel_lockdown")
    assert after.door.mode is Mode.UNLOCKED
    accessed = Bench(unlock_s=500)
    accessed.unlock()
    fresh = Bench()
    fresh.give(Restore(remembered(accessed.door), fresh.now_ns))
    assert fresh.door.mode is Mode.LOCKED
    strange = Bench()
    strange.give(Restore({"operator": ["?"], "locked_down": "yes"}, strange.now_ns))
    assert strange.door.mode is Mode.LOCKED


def test_a_lost_line_makes_facets_unknown_and_its_return_forces_nothing() -> None:
    bench = Bench(held_open_s=30)
    bench.give(LockConfirmed(False, bench.now_ns))
    points = frozenset({"front.contact", "front.lock"})
    assert bench.give(PointsLost(points, True, True, "cable", bench.now_ns)) == []
    assert (bench.door.contact, bench.door.lock, bench.door.fault) == (Contact.UNKNOWN, Lock.UNKNOWN, "cable")
    bench.wait(60)
    bench.give(PointsBack(points, bench.now_ns))
    assert bench.door.fault is None
    assert bench.open() == ["lock.opened"]
    assert bench.last("lock.opened").details["observed"] == "after_fault"
    assert bench.wait(30) == ["lock.held_open"]


def test_openings_alternate_over_a_lost_line() -> None:
    bench = Bench(held_open_s=30)
    bench.unlock()
    bench.open()
    points = frozenset({"front.contact"})
    bench.give(PointsLost(points, True, False, "cable", bench.now_ns))
    assert bench.wait(100) == ["lock.locked"], "nobody can say that it is held open"
    bench.give(PointsBack(points, bench.now_ns))
    assert bench.open() == [], "it was open before"
    assert bench.wait(30) == ["lock.held_open"]
    bench.give(PointsLost(points, True, False, "cable", bench.now_ns))
    assert bench.close() == ["lock.closed"]
    assert bench.last("lock.closed").details["cleared"] == "held_open"


def test_a_cut_contact_is_tampering() -> None:
    bench = Bench()
    assert bench.give(ContactFault("cut", bench.now_ns)) == ["controller_input.tamper"]
    assert bench.give(ContactFault("cut", bench.now_ns)) == []
    assert bench.door.contact is Contact.FAULT
    bench.give(ContactFault(None, bench.now_ns))
    assert bench.give(ContactMoved(False, bench.now_ns)) == []
    assert bench.door.contact is Contact.CLOSED


# --- R17, R18 and inputs --------------------


def test_tamper_and_unrest_are_recorded_once() -> None:
    bench = Bench()
    assert bench.give(TamperChanged("front.tamper", True, bench.now_ns)) == ["controller_input.tamper"]
    assert bench.give(TamperChanged("front.tamper", True, bench.now_ns)) == []
    assert bench.door.tamper == {"front.tamper"}
    assert bench.give(TamperChanged("front.tamper", False, bench.now_ns)) == []
    assert bench.give(InputUnstable("front.rex", bench.now_ns)) == ["controller_input.unstable"]


def test_a_reader_that_is_tampered_with_is_told_from_an_input() -> None:
    bench = Bench()
    assert bench.give(TamperChanged("front.reader", True, bench.now_ns)) == ["reader.tamper"]
    assert bench.last("reader.tamper").object.id == "front.reader"


@pytest.mark.parametrize("release", ["rex", "unlock"])
def test_a_block_refuses_cards_while_something_else_releases_the_door(release: str) -> None:
    bench = Bench(unlock_s=5.0)
    bench.ask("block")
    bench.rex() if release == "rex" else bench.unlock(OPERATOR)
    released = bench.now_s
    assert outputs(bench.door).released
    for _ in range(3):
        bench.wait(1.5)
        assert bench.unlock(USER) == ["lock.unlock"]
        assert (bench.events[-1].success, bench.events[-1].code) == (False, "blocked")
    assert bench.wait(0.5) == ["lock.locked"]
    assert bench.last("lock.locked").at_ns == round((released + 5.0) * NS_PER_S)


def test_a_block_refuses_no_operator_and_no_exit_while_something_releases_the_door() -> None:
    bench = Bench(unlock_s=5.0)
    bench.ask("block")
    bench.rex()
    bench.wait(4.0)
    bench.unlock(OPERATOR)
    bench.wait(4.0)
    bench.rex()
    bench.wait(4.0)
    assert outputs(bench.door).released


def test_a_blocked_door_that_stands_open_for_a_fire_refuses_nobody() -> None:
    bench = Bench()
    bench.ask("block")
    bench.release(True)
    bench.unlock(USER)
    assert bench.events[-1].success


def test_an_interlock_refuses_unlocks_but_by_default_no_exit() -> None:
    bench = Bench()
    bench.give(InterlockChanged("back", bench.now_ns))
    for name in ("unlock", "hold_unlocked"):
        assert bench.ask(name) == ["lock.unlock"]
        assert (bench.events[-1].code, bench.events[-1].details) == ("interlock", {"held_by": "back"})
    assert bench.rex() == ["lock.unlock"]
    assert bench.events[-1].success
    bench.give(InterlockChanged(None, bench.now_ns))
    assert bench.unlock() == ["lock.unlock"]
    assert bench.events[-1].success
    strict = Bench(rex_in_interlock=False)
    strict.give(InterlockChanged("back", strict.now_ns))
    strict.rex()
    assert strict.events[-1].code == "interlock"


@pytest.mark.parametrize(("after_s", "forced"), [(0.015, False), (0.5, False), (0.501, True)])
def test_the_grace_holds_for_an_exit_request_that_settles_before_the_opening(after_s: float, forced: bool) -> None:
    """The contact bounces for longer than the button, or has a longer debounce."""
    bench = Bench(rex_grace_ms=500, rex_unlocks=False)
    bench.wait(1.0)
    bench.rex(ago_s=1.0 - after_s)
    bench.open(ago_s=1.0)
    bench.wait(1.0)
    assert ("lock.forced_open" in bench.types) is forced
    assert bench.last("lock.opened").details["authorised_by"] == (None if forced else "rex")


@pytest.mark.parametrize(("role", "after_s", "waits"), [("release", 0.0, True), ("release", 0.01, False)])
def test_no_opening_is_called_forced_while_what_may_authorise_it_is_settling(
    role: str, after_s: float, waits: bool
) -> None:
    bench = Bench()
    bench.wait(1.0)
    opened_s = bench.now_s - 0.1
    began_ns = round((opened_s + after_s) * NS_PER_S)
    bench.give(InputStirs(role, began_ns, began_ns + NS_PER_S))
    bench.open(ago_s=0.1)
    assert ("lock.forced_open" in bench.types) is not waits
    bench.wait(0.5)
    bench.give(ReleaseInput(True, began_ns))
    assert ("lock.forced_open" in bench.types) is not waits


def test_an_opening_is_forced_as_soon_as_what_stirred_is_at_rest() -> None:
    bench = Bench()
    for until_s, passed in ((1.0, []), (0.0, ["lock.forced_open"])):
        until_ns = bench.now_ns + round(until_s * NS_PER_S) if until_s else 0
        assert bench.give(InputStirs("rex", bench.now_ns, until_ns)) == passed
        if until_s:
            bench.open()
    assert bench.last("lock.forced_open").at_ns == bench.last("lock.opened").at_ns


def test_an_input_that_stirs_for_ever_keeps_no_alarm_back() -> None:
    bench = Bench()
    bench.give(InputStirs("rex", bench.now_ns, bench.now_ns + NS_PER_S))
    bench.open()
    assert bench.wait(0.999) == []
    bench.give(InputStirs("rex", bench.now_ns, bench.now_ns + NS_PER_S))
    assert bench.types[-1:] == ["lock.forced_open"]


def test_an_exit_request_that_bounces_within_the_grace_is_waited_for() -> None:
    bench = Bench(rex_grace_ms=500, rex_unlocks=False)
    bench.open()
    bench.wait(0.499)
    began_ns = bench.now_ns
    bench.give(InputStirs("rex", began_ns, began_ns + NS_PER_S))
    assert bench.wait(0.4) == []
    bench.give(RexPressed(began_ns))
    bench.give(InputStirs("rex", began_ns, 0))
    bench.wait(1.0)
    assert "lock.forced_open" not in bench.types


def test_a_restless_exit_button_is_obeyed_and_recorded_once_a_minute() -> None:
    bench = Bench(unlock_s=5.0)
    for _ in range(400):
        bench.give(RexPressed(bench.now_ns, restless=True))
        assert outputs(bench.door).released
        bench.wait(0.3)
    assert bench.types.count("lock.unlock") == 2
    assert "lock.locked" in bench.wait(5.0)
    bench.give(RexPressed(bench.now_ns, restless=True))
    assert bench.types[-1] == "lock.unlock", "a release is always recorded"


@pytest.mark.parametrize("name", ["lock_down", "hold_unlocked"])
def test_a_restless_exit_button_that_changes_nothing_fills_no_log(name: str) -> None:
    bench = Bench(rex_in_lockdown=False)
    bench.ask(name)
    bench.wait(100)
    for _ in range(300):
        bench.give(RexPressed(bench.now_ns, restless=True))
        bench.wait(0.3)
    assert [event.cause for event in bench.events].count("rex") == 2


# --- passages --------------------


def test_the_events_of_one_passage_share_a_correlation() -> None:
    bench = Bench()
    bench.unlock()
    bench.open()
    bench.close()
    passage = {event.correlation for event in bench.events}
    assert len(passage) == 1
    bench.wait(1)
    bench.open()
    bench.close()
    assert {event.correlation for event in bench.events[-3:]}.isdisjoint(passage)
    assert len({event.correlation for event in bench.events[-3:]}) == 1


def test_a_lockdown_is_no_part_of_a_passage_that_is_over() -> None:
    bench = Bench()
    bench.unlock()
    bench.open()
    bench.close()
    passage = bench.events[-1].correlation
    bench.ask("lock_down")
    bench.ask("cancel_lockdown")
    down, cancelled = bench.last("lock.lock_down"), bench.last("lock.cancel_lockdown")
    assert len({"", passage, down.correlation, cancelled.correlation}) == 4
    bench.unlock()
    bench.ask("lock_down")
    assert bench.last("lock.lock_down").correlation == bench.last("lock.unlock").correlation, "it ended this one"


# --- the table --------------------


def _in(mode: Mode) -> Bench:
    bench = Bench(unlock_s=500)
    {
        Mode.LOCKED: lambda: None,
        Mode.ACCESSED: bench.unlock,
        Mode.UNLOCKED: lambda: bench.ask("hold_unlocked"),
        Mode.BLOCKED: lambda: bench.ask("block"),
        Mode.LOCKED_DOWN: lambda: bench.ask("lock_down"),
        Mode.LOCKED_OPEN: lambda: bench.release(True),
    }[mode]()
    assert bench.door.mode is mode
    bench.events.clear()
    return bench


def _pull(bench: Bench, trigger: Trigger) -> None:
    if trigger in {Trigger.ACCESS, Trigger.UNLOCK}:
        bench.unlock(USER if trigger is Trigger.ACCESS else OPERATOR)
    elif trigger is Trigger.REX:
        bench.rex()
    elif trigger in {Trigger.RELEASE, Trigger.RELEASE_OFF}:
        bench.release(trigger is Trigger.RELEASE)
    elif trigger is Trigger.ACCESS_OVER:
        bench.wait(500)
    else:
        bench.ask(trigger.value)


@pytest.mark.parametrize(("mode", "trigger"), list(TRANSITIONS))
def test_every_row_of_the_table_is_what_the_rules_do(mode: Mode, trigger: Trigger) -> None:
    bench, verdict = _in(mode), TRANSITIONS[mode, trigger]
    _pull(bench, trigger)
    if isinstance(verdict, RefusedByMode):
        assert [event.code for event in bench.events] == [verdict.code]
        assert bench.door.mode is mode
    elif isinstance(verdict, NewMode):
        assert bench.door.mode is verdict.mode
        assert all(event.success for event in bench.events)
    else:
        assert bench.door.mode is mode
        assert all(event.success for event in bench.events)


def test_the_table_names_every_mode_and_trigger() -> None:
    assert set(TRANSITIONS) == {(mode, trigger) for mode in Mode for trigger in Trigger}
