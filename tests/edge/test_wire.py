"""A record on the wire: the contract's shape, always JSON, always the same identity."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue import CATALOGUE
from edge.messages import Actor, ClockQuality, Event, Record, Subject
from edge.wire import Identity, cloudevent, encode, rfc3339

HQ = Identity("hq", "lobby", "e90c")
EVENT = Event(
    "lock.unlock",
    812_345_678_901,
    Subject("lock", "front", "Front door"),
    Actor("user", "u-1", "Ann", "ann@example.org"),
    "user",
    correlation="c-1",
    door="front",
    details={"for_s": 5.0},
)
RECORD = Record(42, EVENT, "boot-1", 812_345_900_000, "p" * 64, "h" * 64, 1_795_384_623_120_456, 1_795_384_623_121_002,
                ClockQuality.SYNCED)  # fmt: skip
FORCED = replace(EVENT, type="lock.forced_open", actor=None, cause=None, details={})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ACTORS = st.none() | st.builds(Actor, TEXT, TEXT, st.none() | TEXT, st.none() | TEXT)
EVENTS = st.builds(
    Event,
    st.sampled_from(sorted(CATALOGUE)),
    st.integers(0, 2**62),
    st.builds(Subject, TEXT, TEXT, TEXT),
    ACTORS,
    st.none() | TEXT,
    success=st.booleans(),
    code=st.none() | TEXT,
    correlation=TEXT,
    door=st.none() | TEXT,
    details=st.dictionaries(TEXT, JSON, max_size=4),
)
TIMES = st.integers(-(10**15), 10**17)
RECORDS = st.builds(
    Record,
    st.integers(1, 10**15),
    EVENTS,
    TEXT,
    st.integers(0, 2**62),
    TEXT,
    TEXT,
    TIMES,
    TIMES,
    st.sampled_from(ClockQuality),
)


def test_a_record_is_the_contracts_object_key_by_key() -> None:
    assert cloudevent(replace(RECORD, event=FORCED), HQ, replayed=False) == {
        "specversion": "1.0",
        "id": "e90c-42",
        "source": "/doorward/hq/lobby",
        "type": "lock.forced_open",
        "subject": "doors/front",
        "time": "2026-11-22T21:57:03.120456Z",
        "datacontenttype": "application/json",
        "sequence": "0000000000000042",
        "recordedtime": "2026-11-22T21:57:03.121002Z",
        "stream": "lobby/e90c",
        "data": {
            "class": "access",
            "severity": "alarm",
            "success": True,
            "code": None,
            "message": "Front door forced open",
            "actor": None,
            "cause": None,
            "object": {"type": "lock", "id": "front", "name": "Front door"},
            "correlation": "c-1",
            "clock": "synced",
            "boot": "boot-1",
            "uptime_ns": 812_345_678_901,
            "replayed": False,
            "prev": "p" * 64,
            "hash": "h" * 64,
            "details": {},
        },
    }


def test_the_actor_is_copied_in_with_name_and_mail() -> None:
    told = json.loads(encode(RECORD, HQ, replayed=False))["data"]["actor"]
    assert told == {"kind": "user", "id": "u-1", "name": "Ann", "email": "ann@example.org"}


def test_what_is_not_known_of_an_actor_is_left_out() -> None:
    record = replace(RECORD, event=replace(EVENT, actor=Actor("schedule", "office-hours")))
    assert json.loads(encode(record, HQ, replayed=False))["data"]["actor"] == {"kind": "schedule", "id": "office-hours"}


def test_what_concerns_no_door_is_about_the_controller() -> None:
    record = replace(RECORD, event=replace(EVENT, door=None))
    assert json.loads(encode(record, HQ, replayed=False))["subject"] == "controller"


@given(RECORDS, st.booleans())
def test_any_record_is_one_json_object_that_says_the_same(record: Record, replayed: bool) -> None:
    told = json.loads(encode(record, HQ, replayed=replayed))
    assert told["id"] == f"e90c-{record.sequence}"
    assert int(told["sequence"]) == record.sequence
    assert len(told["sequence"]) == 16
    assert told["data"]["details"] == dict(record.event.details)
    assert told["data"]["object"]["name"] == record.event.object.name
    assert told["data"]["replayed"] is replayed


@given(RECORDS)
def test_sent_again_only_replayed_differs(record: Record) -> None:
    first, again = (json.loads(encode(record, HQ, replayed=late)) for late in (False, True))
    assert first["data"].pop("replayed") is False
    assert again["data"].pop("replayed") is True
    assert first == again


@given(TIMES)
def test_times_are_utc_with_six_digits_and_lose_nothing(time_us: int) -> None:
    text = rfc3339(time_us)
    moment = datetime.fromisoformat(text)
    assert text.endswith("Z")
    assert len(text) == len("2026-11-22T21:57:03.120456Z")
    assert (moment - datetime.fromisoformat("1970-01-01T00:00:00Z")).total_seconds() * 1e6 // 1e6 == time_us // 10**6
    assert moment.microsecond == time_us % 10**6
