"""Alerts: who hears of what, how often, and what happens if nobody answers."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alerts.memory import read, written
from edge.alerts.rules import (
    MOST_ALERTS,
    MOST_WAITING,
    acknowledged,
    alert_by_id,
    due,
    fold,
    next_deadline,
    sounding,
    taken,
)
from edge.alerts.state import AlertState, Notice, NoticeKind
from edge.model.messages import NS_PER_S, Actor, ClockQuality, Event, Record, Subject
from edge.settings.alert_policies import Actions, AlertPolicy, Siren, matches
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

ADA = Actor("user", "ada", "Ada")
QUIET_S, ESCALATE_S = 300, 900
FORCED = AlertPolicy(
    "forced",
    "Forced open",
    frozenset({"lock.forced_open"}),
    quiet_s=QUIET_S,
    actions=Actions(mqtt=True, siren=Siren("front", 60)),
    escalate_after_s=ESCALATE_S,
    escalate_to=Actions(email=("chief@example.org",)),
)


class Town:
    """What the directory knows, for tests."""

    def groups_of(self, user: str) -> frozenset[str]:
        return frozenset({"staff"} if user == "ada" else set())

    def active(self, schedule: str, record: Record) -> bool:
        return schedule == "night" and record.sequence % 2 == 1


TOWN = Town()


def record(number: int, door: str | None = "front", kind: str = "lock.forced_open", **more: Any) -> Record:
    event = Event(kind, number, Subject("lock", door or "hq", "Front door"), door=door, **more)
    return Record(number, event, "b", number, "", "", number, number, ClockQuality.SYNCED)


class Desk:
    """Somebody who takes each message at once, and remembers when."""

    def __init__(self, *policies: AlertPolicy) -> None:
        self.policies = {policy.id: policy for policy in policies}
        self.state = AlertState()
        self.told: list[tuple[float, str, Notice]] = []
        self.now_ns = 0
        self.number = 0

    def at(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        until_ns = round(seconds * NS_PER_S)
        while (deadline := next_deadline(self.state, self.policies)) is not None and deadline <= until_ns:
            self.now_ns = max(deadline, self.now_ns)
            before = self.state
            self.state = due(self.state, self.policies, self.now_ns)
            assert self.state != before, "a deadline that brings nothing would come again for ever"
            self._take()
        self.now_ns = until_ns

    def happens(self, door: str | None = "front", age_s: float = 0, **more: Any) -> None:
        self.number += 1
        one = record(self.number, door, **more)
        self.state = fold(self.state, self.policies, one, TOWN, self.now_ns, round(age_s * NS_PER_S))
        self._take()

    def acknowledge(self, alert_id: str) -> bool:
        alert = alert_by_id(self.state, alert_id)
        if alert is not None:
            self.state = acknowledged(self.state, alert)
        return alert is not None

    def _take(self) -> None:
        for channel, notices in self.state.waiting.items():
            for notice in notices:
                self.told.append((self.now_ns / NS_PER_S, channel, notice))
                self.state = taken(self.state, channel, notice.id)
        assert not self.state.waiting

    @property
    def said(self) -> list[tuple[float, str, str, int]]:
        return [(at_s, channel, notice.kind.value, notice.count) for at_s, channel, notice in self.told]


# --- once, counted, escalated -------------------------------------------------------------------------------


def test_an_alert_is_told_once_counted_while_it_repeats_and_told_again_later() -> None:
    desk = Desk(replace(FORCED, escalate_after_s=None))
    desk.happens()
    for second in (1, 2, 299):
        desk.at(second)
        desk.happens()
    desk.at(301)
    desk.happens()
    assert desk.said == [(0, "mqtt", "raised", 1), (301, "mqtt", "repeated", 5)]
    assert {notice.alert for _, _, notice in desk.told} == {"forced-1"}
    assert [notice.id for _, _, notice in desk.told] == ["forced-1-1", "forced-1-2"]


def test_doors_do_not_silence_each_other() -> None:
    desk = Desk(FORCED)
    for door in ("front", "back", None, "front", "back"):
        desk.happens(door)
    assert [(notice.door, notice.alert) for _, _, notice in desk.told] == [
        ("front", "forced-1"),
        ("back", "forced-2"),
        ("", "forced-3"),
    ]


def test_nobody_answers() -> None:
    desk = Desk(FORCED)
    desk.happens()
    desk.at(10 * ESCALATE_S)
    assert desk.said == [(0, "mqtt", "raised", 1), (ESCALATE_S, "email", "escalated", 1)]
    assert desk.told[1][2].to == ("chief@example.org",)
    assert alert_by_id(desk.state, "forced-1")


def test_somebody_answers() -> None:
    desk = Desk(FORCED)
    desk.happens()
    assert sounding(desk.state, desk.now_ns) == {"front"}
    desk.at(20)
    assert desk.acknowledge("forced-1")
    assert not desk.acknowledge("forced-1")
    assert sounding(desk.state, desk.now_ns) == set()
    desk.at(10 * ESCALATE_S)
    assert len(desk.told) == 1
    assert desk.state.alerts == {}
    desk.happens()
    assert desk.told[-1][2].alert == "forced-2"


def test_what_happens_after_an_answer_is_not_swallowed() -> None:
    desk = Desk(FORCED)
    desk.happens()
    desk.acknowledge("forced-1")
    for second in (50, 60):
        desk.at(second)
        desk.happens()
    desk.at(QUIET_S + ESCALATE_S)
    assert desk.said[1:] == [(QUIET_S, "mqtt", "raised", 2), (QUIET_S + ESCALATE_S, "email", "escalated", 2)]
    assert desk.told[1][2].alert == "forced-2", "an alert of its own, to be answered on its own"


def test_a_siren_ends_by_itself() -> None:
    desk = Desk(FORCED)
    desk.happens()
    desk.at(59.9)
    assert sounding(desk.state, desk.now_ns) == {"front"}
    desk.at(60)
    assert sounding(desk.state, desk.now_ns) == set()
    assert all(not alert.sirens for alert in desk.state.alerts.values())


def test_a_siren_does_not_sound_for_what_is_long_past() -> None:
    desk = Desk(FORCED)
    desk.happens("front", age_s=45)
    assert sounding(desk.state, 14 * NS_PER_S) == {"front"}
    assert sounding(desk.state, 15 * NS_PER_S) == set()
    desk.happens("back", age_s=3600)
    assert [notice.door for _, _, notice in desk.told] == ["front", "back"], "it is told all the same"
    assert len([alert for alert in desk.state.alerts.values() if alert.sirens]) == 1


def test_a_siren_does_not_sound_when_a_quiet_time_is_over_for_what_happened_in_it() -> None:
    desk = Desk(replace(FORCED, actions=Actions(mqtt=True, siren=Siren("front", 60))))
    desk.happens()
    desk.acknowledge("forced-1")
    desk.at(10)
    desk.happens()
    desk.at(QUIET_S + 1)
    assert desk.said[-1][:3] == (QUIET_S, "mqtt", "raised")
    assert sounding(desk.state, desk.now_ns) == set(), "it was 290 s ago"
    clock = FakeClock()
    kept = read(written(desk.state, "hq", clock), desk.policies, "hq", clock)
    assert kept is not None
    assert [one.happened_ns for one in kept.alerts.values()] == [10 * NS_PER_S]


def test_an_answer_raises_no_alert() -> None:
    answer = Event(
        "integration.update", 1, Subject("integration", "alert.forced", "Forced"), ADA, details={"acknowledged": "x-1"}
    )
    policy = AlertPolicy("int", "Integrations", frozenset({"integration.update"}))
    assert not matches(policy, replace(record(1), event=answer), TOWN)
    assert matches(policy, replace(record(1), event=replace(answer, details={"disabled": [True, False]})), TOWN)


def test_a_message_that_was_given_up_raises_no_alert() -> None:
    event = Event(
        "integration.warn_due_to_error", 1, Subject("integration", "alert.x", "X"), details={"given_up": "x-1"}
    )
    policy = AlertPolicy("int", "Integrations", frozenset({"integration.warn_due_to_error"}))
    assert not matches(policy, replace(record(1), event=event), TOWN)
    assert matches(policy, replace(record(1), event=replace(event, object=Subject("integration", "x", "X"))), TOWN)


def test_the_siren_of_an_escalation_sounds_from_when_it_was_due() -> None:
    policy = replace(FORCED, actions=Actions(), escalate_to=Actions(siren=Siren("front", 60)))
    desk = Desk(policy)
    desk.happens()
    late_ns = (ESCALATE_S + 45) * NS_PER_S
    state = due(desk.state, desk.policies, late_ns)
    assert sounding(state, late_ns) == {"front"}
    assert sounding(state, late_ns + 15 * NS_PER_S) == set()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["happens", "acknowledge", "wait"]),
        st.sampled_from(["front", "back"]),
        st.sampled_from([0, 1, 100, QUIET_S, ESCALATE_S]),
    ),
    max_size=40,
)


def lived(
    steps: list[tuple[str, str, int]], policy: AlertPolicy, restarts: bool
) -> tuple[Desk, dict[str, list[int]], dict[str, tuple[float, int]]]:
    """Go through the steps and a long time after them; what happened where, and what was answered when."""
    desk, seconds = Desk(policy), 0.0
    happened: dict[str, list[int]] = {"front": [], "back": []}
    answered: dict[str, tuple[float, int]] = {}
    for what, door, pause_s in steps:
        seconds += pause_s
        desk.at(seconds)
        if what == "happens":
            desk.happens(door)
            happened[door].append(desk.number)
        elif what == "acknowledge":
            for alert in [*desk.state.alerts.values()]:
                if alert.door == door and desk.acknowledge(alert.id):
                    answered[alert.id] = seconds, alert.sequence
        if restarts:
            clock = FakeClock(lambda: desk.now_ns)
            again = read(written(desk.state, "s", clock), desk.policies, "s", clock)
            assert again is not None
            desk.state = replace(desk.state, alerts={k: replace(a, sirens=()) for k, a in desk.state.alerts.items()})
            assert again == desk.state
    desk.at(seconds + 10_000)
    return desk, happened, answered


@settings(max_examples=300, deadline=None)
@given(
    steps=STEPS,
    quiet_s=st.sampled_from([0, 1, 300, 2000]),
    escalate_s=st.sampled_from([None, 0.5, 900]),
    restarts=st.booleans(),
)
def test_never_too_often_never_unanswered(
    steps: list[tuple[str, str, int]], quiet_s: int, escalate_s: float | None, restarts: bool
) -> None:
    desk, happened, answered = lived(steps, replace(FORCED, quiet_s=quiet_s, escalate_after_s=escalate_s), restarts)
    for door in ("front", "back"):
        plain = [at_s for at_s, _, n in desk.told if n.door == door and n.kind is not NoticeKind.ESCALATED]
        assert all(b - a >= quiet_s for a, b in itertools.pairwise(plain)), "one message for each quiet time"
        raised = {n.alert: at_s for at_s, _, n in desk.told if n.door == door and n.kind is NoticeKind.RAISED}
        escalated = {n.alert: at_s for at_s, _, n in desk.told if n.door == door and n.kind is NoticeKind.ESCALATED}
        assert len([n for _, _, n in desk.told if n.door == door and n.kind is NoticeKind.ESCALATED]) == len(escalated)
        for alert, at_s in raised.items():
            if escalate_s is None:
                assert alert not in escalated
            elif alert in escalated:
                assert escalated[alert] == pytest.approx(at_s + escalate_s)
            else:
                assert answered[alert][0] <= at_s + escalate_s, "neither escalated nor answered"
        open_or_told = {n.sequence for _, _, n in desk.told if n.door == door}
        open_or_told |= {a.sequence for a in desk.state.alerts.values() if a.door == door}
        open_or_told |= {sequence for _, sequence in answered.values()}
        assert not happened[door] or max(happened[door]) in open_or_told, "the latest is known to somebody"


def test_a_record_is_looked_at_once() -> None:
    policies = {"forced": FORCED}
    state = fold(AlertState(), policies, record(5), TOWN, 0)
    assert fold(state, policies, record(5), TOWN, 0) is state
    assert fold(state, policies, record(4), TOWN, 0) is state
    assert state.through == 5


# --- bounds -------------------------------------------------------------------------------------------------


def test_a_channel_that_takes_nothing_keeps_the_newest() -> None:
    policy, state = replace(FORCED, escalate_after_s=None), AlertState()
    for number in range(1, MOST_WAITING + 11):
        state = fold(state, {"forced": policy}, record(number, f"door-{number}"), TOWN, 0)
    assert len(state.waiting["mqtt"]) == MOST_WAITING
    assert state.waiting["mqtt"][-1].sequence == MOST_WAITING + 10
    assert state.left_out == {"mqtt": 10}
    state = taken(state, "mqtt", state.waiting["mqtt"][0].id)
    assert state.left_out == {}


def test_the_oldest_alert_makes_room_but_not_in_silence() -> None:
    desk = Desk(FORCED)
    for number in range(MOST_ALERTS + 5):
        desk.happens(f"door-{number}")
    assert len(desk.state.alerts) == MOST_ALERTS
    assert [n.door for _, channel, n in desk.told if channel == "email"] == [f"door-{n}" for n in range(5)]


def test_what_waits_for_nothing_goes_first() -> None:
    desk = Desk(FORCED)
    for number in range(MOST_ALERTS):
        desk.happens(f"door-{number}")
    desk.acknowledge("forced-100")
    desk.happens("one-more")
    assert "forced/door-99" not in desk.state.alerts
    assert not [n for _, channel, n in desk.told if channel == "email"]


# --- which records ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, True),
        ({"types": frozenset({"lock.opened"})}, False),
        ({"doors": frozenset({"front", "back"})}, True),
        ({"doors": frozenset({"back"})}, False),
        ({"people": frozenset({"ada"})}, True),
        ({"people": frozenset({"grace"})}, False),
        ({"groups": frozenset({"staff"})}, True),
        ({"groups": frozenset({"cleaners"})}, True),
        ({"groups": frozenset({"guests"})}, False),
        ({"people": frozenset({"ada"}), "groups": frozenset({"guests"})}, False),
        ({"outcome": "success"}, True),
        ({"outcome": "failure"}, False),
        ({"schedule": "night"}, True),
        ({"schedule": "noon"}, False),
    ],
)
def test_what_a_policy_is_about(limits: dict[str, Any], expected: bool) -> None:
    policy = replace(FORCED, types=frozenset({"reader.access"}))
    one = record(1, "front", "reader.access", actor=ADA, details={"group": "cleaners"})
    assert matches(replace(policy, **limits), one, TOWN) is expected


def test_nobody_is_not_a_person() -> None:
    for actor in (None, Actor("operator", "ada"), Actor("schedule", "ada")):
        one = record(1, "front", "reader.access", actor=actor)
        policy = replace(FORCED, types=frozenset({"reader.access"}), people=frozenset({"ada"}))
        assert not matches(policy, one, TOWN)


# --- over a restart -----------------------------------------------------------------------------------------


def kept(
    state: AlertState, then: FakeClock, now: FakeClock, policies: Sequence[AlertPolicy] = (FORCED,)
) -> AlertState | None:
    return read(written(state, "hq/1", then), {policy.id: policy for policy in policies}, "hq/1", now)


def test_an_escalation_does_not_wait_longer_for_a_power_cut() -> None:
    then, now = FakeClock(), FakeClock(boot_id="another", wall_us=FakeClock().wall_us() + 600_000_000)
    then.ns, now.ns = 5_000 * NS_PER_S, 7 * NS_PER_S
    then.step(-4_999 * 1_000_000)
    now.step(-6 * 1_000_000)
    state = fold(AlertState(), {"forced": FORCED}, record(1), TOWN, then.now_ns())
    after = kept(state, then, now)
    assert after is not None
    [alert] = after.alerts.values()
    assert now.now_ns() - alert.raised_ns == 600 * NS_PER_S
    assert alert.sirens == (), "a siren does not begin again"
    assert after.waiting == state.waiting


@pytest.mark.parametrize("unsynced", ["then", "now"])
def test_without_a_calendar_the_time_of_a_power_cut_does_not_count(unsynced: str) -> None:
    then, now = FakeClock(), FakeClock(boot_id="another", wall_us=FakeClock().wall_us() + 600_000_000)
    {"then": then, "now": now}[unsynced].set_quality(ClockQuality.UNSYNCED)
    after = kept(fold(AlertState(), {"forced": FORCED}, record(1), TOWN, then.now_ns()), then, now)
    assert after is not None
    [alert] = after.alerts.values()
    assert alert.raised_ns == now.now_ns()


def test_a_policy_that_is_no_more_leaves_nothing_behind() -> None:
    clock = FakeClock()
    state = fold(AlertState(), {"forced": FORCED}, record(1), TOWN, clock.now_ns())
    after = kept(state, clock, clock, [replace(FORCED, id="other")])
    assert after == AlertState(through=1)


def test_another_stream_is_looked_at_from_its_start() -> None:
    clock = FakeClock()
    text = written(AlertState(through=9), "hq/1", clock)
    after = read(text, {}, "hq/2", clock)
    assert after == AlertState()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"at_ns": 1}', '{"at_ns": "x", "boot": 1, "alerts": 3}'])
def test_a_memory_that_makes_no_sense_is_none(text: str) -> None:
    assert read(text, {"forced": FORCED}, "hq/1", FakeClock()) is None
