"""Who may pass: every code, in the order in which reasons count, and nothing that makes a decision raise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.access.anti_passback import NOBODY, Passback, passed, pruned, violates
from edge.access.credentials import AccessRefused, AskPin, Code, Presented, running_access
from edge.access.decisions import Decision, Granted, decide, events_of, lapsed, recipes
from edge.directory.directory import Ask, Directory
from edge.directory.pins import HashParameters
from edge.doors.rules import step
from edge.doors.state import Access, Door, OperatorMode
from edge.model.catalogue import message
from edge.model.messages import NS_PER_S, REX, Actor, CardRead, ClockQuality, Command, CommandName, Subject
from edge.model.policy import DoorPolicy
from tests.support.directories import documents, made
from tests.support.people import ADA, BOB, LOST, MONDAY_NOON, SPARE, SUNDAY_NOON, building, card, door, now

READER = Subject("reader", "front.reader", "Front door reader")
LOST_CLOCK = ClockQuality.UNSYNCED


def code(decision: Decision) -> str:
    if isinstance(decision, AccessRefused):
        return decision.code.value
    return "granted" if isinstance(decision, Granted) else "ask"


def shown(number: int = ADA, pin: str | None = None) -> Presented:
    return Presented(card(number), pin)


def edit(member: str, **changes: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        next(one for one in document["members"] if one["id"] == member).update(changes)

    return change


def test_a_member_with_a_card_may_pass_and_is_named() -> None:
    decision = decide(building(), door(), shown(), now())
    assert isinstance(decision, Granted)
    assert decision.actor == Actor("user", "ada", "Ada", "ada@example.org")
    assert (decision.group.id, decision.credential, decision.extended_s) == ("always", Ask.CARD, None)


def inactive(document: dict[str, Any]) -> None:
    document["cards"][0]["state"] = "inactive"


@pytest.mark.parametrize(
    ("expected", "number", "change", "facets"),
    [
        ("unknown_card", 4242, None, {}),
        ("card_inactive", LOST, None, {}),
        ("card_inactive", ADA, inactive, {}),
        ("disabled", SPARE, None, {}),
        ("disabled", ADA, edit("ada", enabled=False), {}),
        ("not_yet_valid", ADA, edit("ada", valid_from="2026-11-23T12:01"), {}),
        ("granted", ADA, edit("ada", valid_from="2026-11-23T12:00"), {}),
        ("expired", ADA, edit("ada", valid_until="2026-11-23T12:00"), {}),
        ("granted", ADA, edit("ada", valid_until="2026-11-23T12:01"), {}),
        ("no_access", ADA, edit("ada", groups=[]), {}),
        ("locked_down", ADA, None, {"locked_down": True}),
        ("blocked", ADA, None, {"operator": OperatorMode.BLOCKED}),
        ("blocked", ADA, None, {"operator": OperatorMode.BLOCKED, "access": Access(9, REX, unused=False)}),
        ("granted", ADA, None, {"operator": OperatorMode.BLOCKED, "release_input": True}),
        ("interlock", ADA, None, {"interlocked_by": "back"}),
        ("granted", ADA, None, {"interlocked_by": "back", "release_input": True}),
    ],
)
def test_each_reason_has_its_code(expected: str, number: int, change: Any, facets: dict[str, Any]) -> None:
    assert code(decide(building(change), door(**facets), shown(number), now())) == expected


def test_a_schedule_holds_where_its_group_is_the_only_way() -> None:
    directory = building()
    assert code(decide(directory, door(), shown(BOB), now())) == "granted"
    assert code(decide(directory, door(), shown(BOB), now(SUNDAY_NOON))) == "outside_schedule"
    assert code(decide(directory, door("back"), shown(BOB), now())) == "no_access"
    refused = decide(directory, door(), shown(BOB), now(SUNDAY_NOON))
    assert isinstance(refused, AccessRefused)
    assert set(refused.details) == {"schedules", "opens"}
    assert refused.details["schedules"] == [directory.schedules["weekdays"].name]
    opens = datetime.fromisoformat(str(refused.details["opens"]))
    assert code(decide(directory, door(), shown(BOB), now(opens))) == "granted"
    assert code(decide(directory, door(), shown(BOB), now(opens - timedelta(seconds=1)))) == "outside_schedule"
    both = building(edit("bob", groups=["weekdays", "always"]))
    assert code(decide(both, door(), shown(BOB), now(SUNDAY_NOON))) == "granted"


def test_unsynced_a_schedule_does_not_start_and_what_ran_goes_on() -> None:
    directory = building()
    lost = now(quality=LOST_CLOCK)
    refused = decide(directory, door(), shown(BOB), lost)
    assert isinstance(refused, AccessRefused)
    assert refused.details == {"reason": "the clock is not set"}, "nobody knows when it opens"
    assert refused.code == "outside_schedule"
    running = running_access(directory, (), now().moment)
    assert running == {"weekdays"}
    assert running_access(directory, running, lost.moment) == running
    assert code(decide(directory, door(), shown(BOB), now(SUNDAY_NOON, LOST_CLOCK, running=running))) == "granted"
    assert code(decide(directory, door(), shown(ADA), lost)) == "granted", "who needs no time passes"


def test_unsynced_validity_is_judged_by_what_is_certain() -> None:
    begun = building(edit("ada", valid_from="2026-01-01T00:00", valid_until="2026-11-23T12:00"))
    later = datetime(2026, 11, 24, tzinfo=UTC)
    assert code(decide(begun, door(), shown(), now(quality=LOST_CLOCK))) == "not_yet_valid"
    known = {"known": later - timedelta(days=9)}
    assert code(decide(begun, door(), shown(), now(later, LOST_CLOCK, **known))) == "granted"
    assert code(decide(begun, door(), shown(), now(quality=LOST_CLOCK, known=later))) == "expired"


def test_card_and_pin() -> None:
    directory = building(front={"ask": "card_and_pin"})
    assert code(decide(directory, door(), shown(), now())) == "ask"
    assert code(decide(directory, door(), shown(ADA, "2580"), now())) == "granted"
    assert code(decide(directory, door(), shown(ADA, "2581"), now())) == "wrong_pin"
    assert code(decide(directory, door(), shown(ADA, "246810"), now())) == "wrong_pin", "another member's"
    assert code(decide(directory, door(), Presented(pin="246810"), now())) == "no_access"
    assert code(decide(directory, door(locked_down=True), shown(), now())) == "locked_down", "no PIN is asked in vain"
    assert code(decide(directory, door(), shown(), now(locked_out=True))) == "too_many_attempts"
    nameless = building(edit("ada", pin_hash=None), front={"ask": "card_and_pin"})
    assert code(decide(nameless, door(), shown(), now())) == "pin_required"


def test_a_pin_alone_where_the_reader_and_the_member_have_it() -> None:
    for ask in ("pin", "card_or_pin"):
        directory = building(front={"ask": ask})
        granted = decide(directory, door(), Presented(pin="246810"), now())
        assert isinstance(granted, Granted)
        assert (granted.actor.id, granted.credential, granted.card) == ("bob", Ask.PIN, None)
        assert code(decide(directory, door(), Presented(pin="2580"), now())) == "wrong_pin", "not for use alone"
        assert code(decide(directory, door(), Presented(pin="1"), now())) == "wrong_pin"
        locked = now(locked_out=True)
        assert code(decide(directory, door(), Presented(pin="246810"), locked)) == "too_many_attempts"
        expected = "granted" if ask == "card_or_pin" else "pin_required"
        assert code(decide(directory, door(), shown(), locked)) == expected


def test_the_slow_part_can_be_done_beforehand() -> None:
    asking = {"front": {"ask": "card_and_pin"}, "back": {"ask": "card_or_pin"}}
    directory = building(**asking)
    for door_id, presented in (("front", shown(ADA, "2580")), ("back", Presented(pin="246810"))):
        needed = recipes(directory, directory.access(door_id).asking, presented)
        assert len(needed) == 1
        right = {recipe: recipe.digest(presented.pin or "") for recipe in needed}
        wrong = {recipe: recipe.digest("0000") for recipe in needed}
        place = door(door_id)
        assert code(decide(directory, place, presented, now(), digests=wrong)) == "wrong_pin", "it is really used"
        assert code(decide(directory, place, presented, now(), digests=right)) in {"granted", "no_access"}
    assert recipes(directory, directory.access("garage").asking, shown(ADA, "2580")) == ()


@pytest.mark.parametrize("typed", ["", "258", "2" * 13, "25x80", "\ud800"])
def test_what_cannot_be_a_pin_is_never_hashed(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    def hashed(_recipe: HashParameters, _pin: str) -> bytes:
        raise AssertionError("it was hashed")

    directory = building(front={"ask": "card_and_pin"}, back={"ask": "pin"})
    monkeypatch.setattr(HashParameters, "digest", hashed)
    for door_id, presented in (("front", shown(ADA, typed)), ("back", Presented(pin=typed))):
        assert recipes(directory, directory.access(door_id).asking, presented) == ()
        assert code(decide(directory, door(door_id), presented, now())) == "wrong_pin"


def test_of_the_groups_that_let_somebody_pass_the_first_is_named() -> None:
    def in_three_groups(document: dict[str, Any]) -> None:
        document["members"][0]["groups"] = ["weekdays", "always", "on-duty"]
        document["groups"].append({"id": "on-duty", "name": "On duty", "doors": ["back"], "schedule": "weekdays"})
        document["groups"][0]["doors"] = ["front"]

    for door_id, at, named in (("front", MONDAY_NOON, "always"), ("back", MONDAY_NOON, "on-duty")):
        decision = decide(building(in_three_groups), door(door_id), shown(), now(at))
        assert isinstance(decision, Granted)
        assert decision.group.id == named


def test_who_needs_longer_gets_longer() -> None:
    directory = building(edit("ada", extended_unlock=True), front={"extended_unlock_s": 25})
    granted = decide(directory, door(), shown(), now())
    assert isinstance(granted, Granted)
    assert granted.extended_s == 25


def test_only_its_own_exit_lets_somebody_in_again() -> None:
    directory = building(front={"anti_passback": {"exit": "back", "mode": "hard"}})
    inside = passed(NOBODY, directory, "front", "ada", 5)
    assert violates(passed(inside, directory, "side", "ada", 6), directory, "front", "ada", 7)
    assert violates(passed(inside, directory, "back", "bob", 6), directory, "front", "ada", 7)
    assert not violates(passed(inside, directory, "back", "ada", 6), directory, "front", "ada", 7)
    assert not violates(inside, directory, "side", "ada", 7)


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_anti_passback(mode: str) -> None:
    rule = {"anti_passback": {"exit": "back", "mode": mode, "forget_after_s": 3600}}
    directory = building(front=rule)
    inside = passed(NOBODY, directory, "front", "ada", 5)

    def again(place: str, passback: Passback, at_ns: int = 10) -> Decision:
        return decide(directory, door(place), shown(), now(ns=at_ns), passback=passback)

    assert code(again("front", NOBODY)) == "granted"
    second = again("front", inside)
    if mode == "hard":
        assert code(second) == "anti_passback"
    else:
        assert isinstance(second, Granted)
        assert second.passback
        assert events_of(second, shown(), READER, 5)[0].details["anti_passback"] == "soft"
    outside = passed(inside, directory, "back", "ada", 10)
    assert code(again("back", inside)) == "granted"
    assert again("front", outside) == again("front", NOBODY)
    assert again("front", inside, 3600 * NS_PER_S + 5) == again("front", NOBODY), "forgotten in the end"
    assert code(decide(directory, door(), shown(BOB), now(ns=10), passback=inside)) == "granted"
    assert pruned(inside, building()) == NOBODY
    assert pruned(inside, Directory()) == NOBODY


# --- events ---------------------------------------------------------------------------------------------


def test_a_grant_is_recorded_with_the_user_copied_in() -> None:
    [event] = events_of(decide(building(), door(), shown(), now()), shown(), READER, 5, door="front", correlation="x")
    assert (event.type, event.success, event.code, event.door, event.correlation) == (
        "reader.access", True, None, "front", "x",
    )  # fmt: skip
    assert event.actor == Actor("user", "ada", "Ada", "ada@example.org")
    assert event.details == {
        "credential": "card", "group": "always", "card": "c1001", "number": "…1001", "member": "ada",
    }  # fmt: skip
    assert message(event) == "Ada at Front door reader"


def test_a_refusal_shows_the_last_digits_only() -> None:
    presented = Presented(card(54321, facility=201))
    [event] = events_of(decide(building(), door(), presented, now()), presented, READER, 5)
    assert (event.success, event.code, event.actor) == (False, "unknown_card", None)
    assert event.details["number"] == "…4321"
    assert "54321" not in repr(event)
    assert "201" not in repr(event)
    known = decide(building(), door(locked_down=True), shown(), now())
    [event] = events_of(known, shown(), READER, 5)
    assert event.actor is not None
    assert event.details == {"credential": "card", "number": "…1001", "member": "ada"}


def test_a_card_read_wrong_says_so() -> None:
    good = card(ADA)
    torn = CardRead(good.point, good.bits, bytes([good.data[0] ^ 64, *good.data[1:]]), 7)
    decision = decide(building(), door(), Presented(torn), now())
    assert isinstance(decision, AccessRefused)
    assert decision.details["reason"] == "wrong parity"


def test_asking_for_a_pin_is_no_event_and_its_absence_is_one() -> None:
    directory = building(front={"ask": "card_and_pin"})
    asked = decide(directory, door(), shown(), now())
    assert isinstance(asked, AskPin)
    assert events_of(asked, shown(), READER, 5) == []
    [event] = events_of(lapsed(directory, card(ADA)), shown(), READER, 5)
    assert (event.code, event.details["reason"]) == ("pin_required", "no PIN in time")
    assert event.actor is not None
    assert lapsed(Directory(), card(ADA)).code is Code.PIN_REQUIRED


# --- nothing raises ---------------------------------------------------------------------------------------

reads = st.builds(CardRead, st.just("front.reader"), st.integers(-1, 520), st.binary(max_size=66), st.integers())
real = st.sampled_from([card(number) for number in (ADA, BOB, SPARE, LOST, 12345)])
pins = st.one_of(st.none(), st.text(max_size=14), st.sampled_from(["1234", "4711", "2580", "\ud800"]))
facets = st.fixed_dictionaries(
    {},
    optional={
        "locked_down": st.booleans(),
        "release_input": st.booleans(),
        "scheduled": st.booleans(),
        "operator": st.sampled_from(OperatorMode),
        "interlocked_by": st.sampled_from([None, "back"]),
        "access": st.sampled_from([None, Access(10, Actor("user", "u"), True)]),
    },
)
times = st.datetimes(timezones=st.just(UTC)) | st.sampled_from([SUNDAY_NOON])
people = st.builds(lambda d: made(d), documents()) | st.builds(  # noqa: PLW0108  # named when it runs
    lambda ask: building(front={"ask": ask}), st.sampled_from(["card", "pin", "card_or_pin", "card_and_pin"])
)


@settings(max_examples=400, deadline=None)
@given(people, facets, st.builds(Presented, st.none() | reads | real, pins), times, st.data())
def test_no_input_makes_a_decision_raise_and_the_door_agrees(
    directory: Directory, layers: dict[str, Any], presented: Presented, at: datetime, data: Any
) -> None:
    place = Door("front", "Front", "run", **layers)
    current = now(
        at,
        data.draw(st.sampled_from(ClockQuality)),
        known=data.draw(st.none() | times),
        running=data.draw(st.sampled_from([frozenset(), frozenset({"weekdays", "s0"})])),
        locked_out=data.draw(st.booleans()),
    )
    decision = decide(directory, place, presented, current)
    events = events_of(decision, presented, READER, 5)
    assert len(events) == (0 if isinstance(decision, AskPin) else 1)
    json.dumps([dict(event.details) for event in events])
    if isinstance(decision, Granted):
        command = Command("c", CommandName.UNLOCK, decision.actor, 5)
        _, told = step(place, DoorPolicy(), command, 5)
        assert all(event.success for event in told if event.type == "lock.unlock"), "the door refuses what was granted"
