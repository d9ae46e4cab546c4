"""Records outwards: exactly the contract's JSON, for every event type, whatever the names are."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.model.catalogue import CATALOGUE
from edge.model.cloudevents import CONTENT_TYPE, Identity, cloudevent, encode, rfc3339, to_bytes
from edge.model.messages import Actor, ClockQuality, Event, Record, Subject

HQ = Identity("hq", "hq-lobby", "01J9ZK")
FORCED = Record(
    sequence=42,
    event=Event(
        "lock.forced_open",
        812_345_678_901,
        Subject("lock", "front", "Front door"),
        correlation="c-7",
        door="front",
        details={"by": "edge"},
    ),
    boot="b0075001",
    recorded_ns=812_346_000_000,
    prev="aa" * 32,
    hash="bb" * 32,
    time_us=1_795_384_623_120_456,
    recorded_us=1_795_384_623_121_002,
    clock=ClockQuality.SYNCED,
)
GOLDEN = {
    "specversion": "1.0",
    "id": "01J9ZK-42",
    "source": "/doorward/hq/hq-lobby",
    "type": "lock.forced_open",
    "subject": "doors/front",
    "time": "2026-11-22T21:57:03.120456Z",
    "datacontenttype": "application/json",
    "sequence": "0000000000000042",
    "recordedtime": "2026-11-22T21:57:03.121002Z",
    "stream": "hq-lobby/01J9ZK",
    "data": {
        "class": "access",
        "severity": "alarm",
        "success": True,
        "code": None,
        "message": "Front door forced open",
        "actor": None,
        "cause": None,
        "object": {"type": "lock", "id": "front", "name": "Front door"},
        "correlation": "c-7",
        "clock": "synced",
        "boot": "b0075001",
        "uptime_ns": 812_345_678_901,
        "replayed": False,
        "prev": "aa" * 32,
        "hash": "bb" * 32,
        "details": {"by": "edge"},
    },
}

text = st.text(max_size=20)
actors = st.none() | st.builds(
    Actor, st.sampled_from(["user", "operator", "rex"]), text, st.none() | text, st.none() | text
)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | text
details = st.dictionaries(text, scalars | st.lists(scalars, max_size=3), max_size=4)
micros = st.integers(0, 4_102_444_800_000_000)  # to the year 2100
events = st.builds(
    Event,
    st.sampled_from(sorted(CATALOGUE)),
    st.integers(0, 2**62),
    st.builds(Subject, text, text, text),
    actors,
    st.none() | text,
    st.booleans(),
    st.none() | text,
    text,
    st.none() | st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    details,
)
records = st.builds(
    Record,
    st.integers(1, 10**16 - 1),
    events,
    text,
    st.integers(0, 2**62),
    text,
    text,
    micros,
    micros,
    st.sampled_from(ClockQuality),
)


def test_a_record_is_exactly_the_json_of_the_contract() -> None:
    assert cloudevent(FORCED, HQ, replayed=False) == GOLDEN
    assert list(cloudevent(FORCED, HQ, replayed=False)) == list(GOLDEN)  # people read it, too
    assert json.loads(encode(FORCED, HQ, replayed=False)) == GOLDEN
    assert CONTENT_TYPE == "application/cloudevents+json"


def test_an_actor_is_copied_in_without_what_is_not_known() -> None:
    event = replace(FORCED.event, actor=Actor("user", "u-1", "Ann"))
    wire = json.loads(encode(replace(FORCED, event=event), HQ, replayed=False))
    assert wire["data"]["actor"] == {"kind": "user", "id": "u-1", "name": "Ann"}


def test_a_record_of_the_controller_names_no_door() -> None:
    wire = json.loads(encode(replace(FORCED, event=replace(FORCED.event, door=None)), HQ, replayed=True))
    assert wire["subject"] == "controller"
    assert wire["data"]["replayed"] is True


@given(records, st.booleans())
def test_any_record_survives_the_wire(record: Record, replayed: bool) -> None:
    payload = encode(record, HQ, replayed=replayed)
    assert payload == to_bytes(cloudevent(record, HQ, replayed=replayed))
    wire = json.loads(payload)
    event, data = record.event, wire["data"]
    assert wire.keys() == GOLDEN.keys()
    assert data.keys() == GOLDEN["data"].keys()  # type: ignore[attr-defined]
    assert int(wire["sequence"]) == record.sequence
    assert wire["id"] == f"01J9ZK-{record.sequence}"
    assert data["details"] == dict(event.details)
    assert data["object"] == {"type": event.object.type, "id": event.object.id, "name": event.object.name}
    assert (data["success"], data["code"], data["cause"]) == (event.success, event.code, event.cause)
    assert (data["prev"], data["hash"], data["uptime_ns"]) == (record.prev, record.hash, event.at_ns)
    assert (data["class"], data["severity"]) == (CATALOGUE[event.type].event_class, CATALOGUE[event.type].severity)
    if event.actor is None:
        assert data["actor"] is None
    else:
        assert Actor(**data["actor"]) == event.actor


@given(st.integers(1, 10**16 - 1), st.integers(1, 10**16 - 1))
def test_sequences_sort_as_text(one: int, other: int) -> None:
    """The CloudEvents extension `sequence` is compared lexicographically."""
    first, second = (cloudevent(replace(FORCED, sequence=n), HQ, replayed=False)["sequence"] for n in (one, other))
    assert isinstance(first, str)
    assert isinstance(second, str)
    assert (first < second) == (one < other)


@given(micros)
def test_times_keep_their_microseconds(time_us: int) -> None:
    shown = rfc3339(time_us)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shown)
    assert rfc3339(time_us + 1) > shown


def test_names_in_any_language_stay_what_they_are() -> None:
    assert to_bytes({"name": "Tür 玄関"}) == '{"name":"Tür 玄関"}'.encode()
