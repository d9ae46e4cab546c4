"""A passage in one row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.catalogue import CATALOGUE, Severity
from edge.model.messages import REX, Actor, ClockQuality, Event, Record, Subject
from edge.reports.passages import Passage, passage

ADA, BOB = Actor("user", "ada", "Ada Lovelace"), Actor("user", "bob", "Bob")
OLGA = Actor("operator", "web:olga", "olga")
CLOCKWORK = Actor("schedule", "working-days", "Working days")
LOCK = Subject("lock", "front", "Front door")
READER = Subject("reader", "front.reader", "Front door reader")


def row(*events: Event) -> Passage:
    return passage([Record(n, one, "a", 0, "", "", n, n, ClockQuality.SYNCED) for n, one in enumerate(events, 1)])


def at(kind: str, actor: Actor | None = None, code: str | None = None, correlation: str = "c", **details: Any) -> Event:
    thing = READER if kind.startswith("reader.") else LOCK
    return Event(
        kind, 0, thing, actor, success=code is None, code=code, correlation=correlation, door="front", details=details
    )


def test_a_card_opens_a_door_for_three_seconds() -> None:
    shown = at("reader.access", ADA, credential="card", group="operations", number="…1001", card="blue-1")
    one = row(shown, at("lock.unlock", ADA), at("lock.opened"), at("lock.closed", open_s=3.2), at("lock.locked"))
    assert (one.tag, one.where, one.people, one.records) == ("granted", "Front door", (ADA,), 5)
    assert (one.openings, one.open_s, one.alarms, one.continued) == (1, 3.2, (), False)
    told = one.to_json()
    assert (told["first"], told["last"], told["shown"], told["severity"]) == (1, 5, 1, "info")
    assert told["details"] == {"credential": "card", "group": "operations", "number": "…1001"}, "not which card"
    assert json.loads(json.dumps(told)) == told


def test_who_is_refused_is_told_with_why() -> None:
    one = row(at("reader.access", ADA, "outside_schedule", "", schedules=["Working days"], opens="2026-11-30T05:00Z"))
    assert (one.tag, one.shown.event.code, one.where) == ("refused", "outside_schedule", "Front door")
    assert one.to_json()["details"] == {"schedules": ["Working days"], "opens": "2026-11-30T05:00Z"}


@pytest.mark.parametrize(
    ("events", "tag"),
    [
        ([at("lock.unlock", REX), at("lock.opened"), at("lock.closed", open_s=1.0)], "exit"),
        ([at("lock.unlock", OLGA)], "granted"),
        ([at("lock.unlock", OLGA, "locked_down", "")], "refused"),
        ([at("lock.unlock", CLOCKWORK)], ""),
        ([at("reader.access", ADA), at("lock.locked"), at("lock.access_not_taken", ADA)], "not taken"),
        ([at("reader.access", ADA), at("lock.unlock", REX), at("lock.opened")], "granted"),
        ([at("reader.access", ADA), at("lock.opened"), at("lock.held_open", ADA)], "alarm"),
        ([at("lock.opened"), at("lock.forced_open"), at("lock.closed", open_s=134)], "alarm"),
        ([at("lock.lock_down", OLGA), at("lock.locked", OLGA)], ""),
        ([at("lock.opened")], ""),
        ([Event("event_export.finished", 0, Subject("event_export", "x", "r"), success=False, code="given_up")], ""),
        ([Event("controller.gap", 0, Subject("controller", "hq", "HQ"))], "alarm"),
    ],
)  # fmt: skip
def test_what_came_of_it(events: list[Event], tag: str) -> None:
    assert row(*events).tag == tag


def test_an_alarm_stands_for_its_passage() -> None:
    one = row(at("reader.access", ADA), at("lock.opened"), at("lock.held_open", ADA), at("lock.closed", open_s=65.0))
    assert (one.shown.event.type, one.alarms, one.severity) == ("lock.held_open", ("lock.held_open",), Severity.ALARM)
    assert one.people == (ADA,)


def test_everybody_who_came_in_by_one_opening_is_told_once() -> None:
    one = row(at("reader.access", ADA), at("reader.access", BOB), at("lock.unlock", BOB), at("lock.unlock", REX))
    assert one.people == (ADA, BOB)


def test_a_lockdown_on_the_way_is_told() -> None:
    one = row(at("lock.unlock", REX), at("lock.lock_down", OLGA), at("lock.locked", OLGA))
    assert (one.tag, one.severity, one.warnings) == ("exit", Severity.WARNING, ("Front door locked down by olga",))
    assert row(at("lock.lock_down", OLGA)).warnings == (), "it stands for the passage itself"


def test_what_goes_on_with_an_earlier_passage_says_so() -> None:
    assert row(at("lock.locked", OLGA)).continued
    assert not row(at("lock.locked", OLGA, correlation="")).continued, "it stands alone"
    assert not row(at("lock.unlock", OLGA), at("lock.locked")).continued


EVENTS = st.builds(
    at,
    st.sampled_from(sorted(CATALOGUE)),
    st.sampled_from([None, ADA, OLGA, REX, CLOCKWORK]),
    st.sampled_from([None, "expired"]),
    st.just("c"),
)


@given(st.lists(EVENTS, min_size=1, max_size=12))
def test_no_alarm_and_nobody_is_left_out(events: list[Event]) -> None:
    one = row(*events)
    alarms = {event.type for event in events if CATALOGUE[event.type].severity is Severity.ALARM}
    assert {*one.alarms} == alarms
    assert (one.tag == "alarm") is bool(alarms)
    assert {*one.people} == {event.actor for event in events if event.actor in {ADA, OLGA}}
    assert one.first.sequence <= one.shown.sequence <= one.last.sequence == one.records
    if not alarms and any(not event.success for event in events):
        assert not one.shown.event.success, "a refusal is not covered up"
