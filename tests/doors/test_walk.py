"""hypothesis walks a door through anything the world can do; the laws of `edge.doors.rules` must hold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.doors.modes import Mode
from edge.doors.rules import next_deadline
from edge.doors.state import Door, outputs
from edge.model.messages import NS_PER_S, InputStirs, InterlockChanged, PointsBack, PointsLost, RexReleased
from tests.support.rules import OPERATOR, USER, Bench

POINTS = frozenset({"front.contact", "front.lock"})
MOVES = st.one_of(
    st.tuples(st.sampled_from(["open", "close", "rex"]), st.sampled_from([0.0, 0.01, 0.03, 0.4])),
    st.tuples(st.just("wait"), st.sampled_from([0.005, 0.03, 0.5, 1.0, 4.99, 5.0, 29.0, 700.0])),
    st.tuples(st.sampled_from(["unlock", "operator"]), st.sampled_from([None, 0.5, 5.0, 60.0])),
    st.tuples(
        st.sampled_from(["lock", "hold_unlocked", "lock_down", "cancel_lockdown", "block", "unblock"]), st.none()
    ),
    st.tuples(st.sampled_from(["release", "lost", "interlock", "stirs", "still"]), st.booleans()),
    st.tuples(st.just("hold"), st.sampled_from([1.0, 600.0])),
)
POLICIES = st.fixed_dictionaries(
    {
        "relock": st.sampled_from(["open", "close", "timer", "closed"]),
        "rex_level_s": st.sampled_from([0.0, 60.0]),
        "relock_delay_s": st.sampled_from([0.0, 1.0]),
        "held_open_s": st.sampled_from([3.0, 30.0]),
        "held_open_from": st.sampled_from(["open", "unlock"]),
        "held_open_warning_s": st.sampled_from([0.0, 2.0]),
        "rex_unlocks": st.booleans(),
        "rex_grace_ms": st.sampled_from([0, 500]),
        "rex_in_lockdown": st.booleans(),
        "rex_in_interlock": st.booleans(),
    }
)


def _move(bench: Bench, name: str, argument: float | bool | None) -> None:
    if name in {"open", "close", "rex"}:
        getattr(bench, name)(argument)
    elif name == "wait":
        bench.wait(argument or 0)
    elif name in {"unlock", "operator"}:
        bench.unlock(USER if name == "unlock" else OPERATOR, argument)
    elif name == "release":
        bench.release(bool(argument))
    elif name == "lost":
        gone = PointsLost(POINTS, True, True, "cable", bench.now_ns)
        bench.give(gone if argument else PointsBack(POINTS, bench.now_ns))
    elif name == "still":
        bench.give(RexReleased(bench.now_ns))
    elif name == "hold":
        bench.ask("hold_unlocked", for_s=argument)
    elif name == "stirs":
        bench.give(InputStirs("rex", bench.now_ns, bench.now_ns + NS_PER_S if argument else 0))
    elif name == "interlock":
        bench.give(InterlockChanged("back" if argument else None, bench.now_ns))
    else:
        bench.ask(name)


@settings(max_examples=400, deadline=None)
@given(policy=POLICIES, moves=st.lists(MOVES, max_size=40))
def test_the_laws_hold_whatever_happens(policy: dict, moves: list[tuple]) -> None:
    bench = Bench(**policy)
    for name, argument in moves:
        before, seen = bench.door, len(bench.events)
        _move(bench, name, argument)
        after, new = bench.door, bench.events[seen:]
        granted = [e for e in new if e.type == "lock.unlock" and e.success]

        # a lockdown is left by its cancel only; and locks, but for exit requests and the release input
        if before.locked_down and not after.locked_down:
            assert name == "cancel_lockdown"
        if after.locked_down and not before.locked_down:
            assert after.access is None
        if after.locked_down and _until_ns(after) > _until_ns(before):
            assert granted
            assert all(e.cause == "rex" for e in granted)
        if after.locked_down and not after.release_input and outputs(after).released and not after.ajar:
            assert after.access is not None

        # never released past its deadline
        due_ns = next_deadline(after, bench.policy)
        assert due_ns is None or due_ns > bench.now_ns
        if outputs(after).released and after.mode not in {Mode.UNLOCKED, Mode.LOCKED_OPEN}:
            assert (after.access and after.access.until_ns > bench.now_ns) or after.exit_held or after.ajar
        _bounded(bench, [e.type for e in new])

        # what was authorised all the while is not forced
        if name == "open" and outputs(before).released and argument == 0.0:
            assert "lock.forced_open" not in [e.type for e in new]
        # an alarm ends by closing only
        if before.alarm != "normal":
            assert after.alarm == before.alarm or "lock.closed" in [e.type for e in new]

    moved = [e.type for e in bench.events if e.type in {"lock.opened", "lock.closed"}]
    assert moved == ["lock.opened", "lock.closed"] * (len(moved) // 2) + ["lock.opened"] * (len(moved) % 2)
    for opening in _openings(bench.types):
        assert opening.count("lock.held_open") <= 1
        assert opening.count("lock.forced_open") <= 1
        assert not ({"lock.held_open", "lock.forced_open"} <= set(opening)), "one alarm per opening"


def _bounded(bench: Bench, new: list[str]) -> None:
    """What keeps a lock released for another reason than an access has its own end."""
    door = bench.door
    if door.exit_held:
        assert door.rex_level is not None
        assert bench.now_ns < door.rex_level.until_ns <= bench.now_ns + 60 * NS_PER_S
    if door.ajar:
        assert bench.policy.relock == "closed"
        assert door.opening is not None
    if bench.policy.relock == "closed" and "lock.locked" in new:
        assert door.opening is None or "lock.opened" in new
    assert door.hold_until_ns is None or door.operator == "unlocked"


def _until_ns(door: Door) -> int:
    return door.access.until_ns if door.access is not None else 0


def _openings(types: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for event_type in types:
        if event_type == "lock.opened":
            found.append([])
        found[-1].append(event_type)
    return found


@settings(max_examples=200, deadline=None)
@given(policy=POLICIES, moves=st.lists(MOVES, max_size=30))
def test_each_release_is_followed_by_exactly_one_locked(policy: dict, moves: list[tuple]) -> None:
    bench = Bench(**policy)
    released, locked = 0, 0
    for name, argument in moves:
        if name == "lost":  # what nobody can tell the relay is recorded later, or never
            continue
        was, seen = outputs(bench.door).released, len(bench.events)
        _move(bench, name, argument)
        new = [event.type for event in bench.events[seen:]]
        locked += new.count("lock.locked")
        if not was and (outputs(bench.door).released or "lock.locked" in new):
            released += 1
    assert released - locked == int(outputs(bench.door).released)
