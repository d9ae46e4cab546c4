"""What comes from the broker: every refusal with its code, and nothing that anybody can send raises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.commands.parsing import (
    FUTURE_US,
    MAX_COMMAND_BYTES,
    RECORDABLE,
    Context,
    EnteredRecord,
    Order,
    Refusal,
    parse_command,
    reply,
)
from edge.commands.shape import MAX_DEPTH, MAX_DETAILS_BYTES, MAX_SEQUENCE
from edge.model.catalogue import CATALOGUE
from edge.model.messages import Actor, ClockQuality, Subject
from edge.upstream.listening import parse_ack

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW_US = 1_795_384_623_000_000  # 2026-11-22T21:57:03Z
HERE = Context("hq-lobby", ["front", "back"], NOW_US, ClockQuality.SYNCED)
UNSYNCED = Context("hq-lobby", ["front", "back"], NOW_US, ClockQuality.UNSYNCED)
UNLOCK: dict[str, Any] = {
    "id": "c-1",
    "command": "unlock",
    "door": "front",
    "for_s": 5,
    "issued_at": "2026-11-22T21:57:00Z",
    "expires_at": "2026-11-22T21:57:30+00:00",
    "actor": {"id": "op-7", "name": "Ann", "email": "ann@example.org"},
}
LOCK = {"id": "c-2", "command": "lock", "all": True, "issued_at": "2026-11-22T21:57:00Z", "actor": {"id": "op-7"}}
REPLAY = {key: value for key, value in LOCK.items() if key != "all"} | {"command": "replay", "from": 3, "to": 9}

HAPPENED: dict[str, Any] = {
    "type": "user.create_backup_code",
    "object": {"type": "user", "id": "u-7", "name": "Ann Example"},
    "details": {"codes": 10, "from": ["desk", None, {"floor": 1.5}]},
}
RECORD = {key: value for key, value in LOCK.items() if key != "all"} | {"command": "record", "event": HAPPENED}


def now(found: Order | Refusal) -> Order | Refusal:
    """What becomes of it on its first arrival."""
    return found.late or found if isinstance(found, Order) else found


def judge(
    base: Mapping[str, Any] = UNLOCK, context: Context = HERE, *, retained: bool = False, **changes: Any
) -> Order | Refusal:
    """`from_` stands for `from`; None takes a key away."""
    body = {**base, **{key.rstrip("_"): value for key, value in changes.items()}}
    body = {key: value for key, value in body.items() if value is not None}
    return now(parse_command(json.dumps(body).encode(), context, retained=retained))


def test_an_unlock_becomes_an_order() -> None:
    ann = Actor("operator", "op-7", "Ann", "ann@example.org")
    assert judge() == Order("c-1", "unlock", ("front",), ann, NOW_US - 3_000_000, NOW_US + 27_000_000, 5.0)


def test_doors_are_named_one_by_one_or_all() -> None:
    for found in (judge(LOCK), judge(LOCK, all=None, doors=["front", "back", "front"])):
        assert isinstance(found, Order)
        assert found.doors == ("front", "back")


def test_a_replay_has_a_span_and_no_doors() -> None:
    found = judge(REPLAY)
    assert isinstance(found, Order)
    assert (found.span, found.doors) == ((3, 9), ())
    open_end = judge(REPLAY, to=None)
    assert isinstance(open_end, Order)
    assert open_end.span is not None
    assert open_end.span[0] == 3
    assert open_end.span[1] > 10**12


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expires_at": "2026-11-22T21:57:03Z"}, "expired"),
        ({"expires_at": None}, "malformed"),
        ({"issued_at": "2026-11-22T21:58:04Z"}, "issued_in_future"),
        ({"issued_at": None}, "malformed"),
        ({"issued_at": "2026-11-22T21:57:00"}, "malformed"),
        ({"issued_at": "2026-W47-7T21:57:00Z"}, "malformed"),
        ({"issued_at": 1_795_384_620}, "malformed"),
        ({"door": "cellar"}, "unknown_door"),
        ({"door": None, "doors": ["front", "cellar"]}, "unknown_door"),
        ({"door": None}, "malformed"),
        ({"door": None, "doors": []}, "malformed"),
        ({"all": True}, "malformed"),
        ({"command": "fly"}, "unknown_command"),
        ({"command": ["unlock"]}, "unknown_command"),
        ({"command": {"unlock": 1}}, "unknown_command"),
        ({"command": None}, "malformed"),
        ({"command": "record"}, "malformed"),
        ({"command": "apply_directory"}, "malformed"),
        ({"command": "unlock", "directory": {}}, "malformed"),
        ({"command": "edit_directory", "door": None, "for_s": None}, "malformed"),
        ({"command": "edit_directory", "door": None, "for_s": None, "changes_": {}}, "malformed"),
        ({"command": "edit_directory", "door": None, "for_s": None, "changes_": [], "base_": -1}, "malformed"),
        ({"command": "edit_directory", "for_s": None, "changes_": []}, "malformed"),
        ({"command": "unlock", "changes_": []}, "malformed"),
        ({"command": "unlock", "base_": 1}, "malformed"),
        ({"id": None}, "malformed"),
        ({"id": ""}, "malformed"),
        ({"id": "x" * 65}, "malformed"),
        ({"id": "c 1"}, "malformed"),
        ({"id": 7}, "malformed"),
        ({"actor": None}, "malformed"),
        ({"actor": "Ann"}, "malformed"),
        ({"actor": {"name": "Ann"}}, "malformed"),
        ({"actor": {"id": "op-7", "kind": "user"}}, "malformed"),
        ({"for_s": 0.4}, "malformed"),
        ({"for_s": 600.1}, "malformed"),
        ({"for_s": "5"}, "malformed"),
        ({"for_s": True}, "malformed"),
        ({"hurry": True}, "malformed"),
        ({"from_": 1}, "malformed"),
        ({"command": "lock"}, "malformed"),  # for_s goes with unlock only
    ],
)
def test_what_is_refused_and_why(changes: dict[str, Any], code: str) -> None:
    found = judge(**changes)
    assert isinstance(found, Refusal)
    assert found.code == code
    assert found.message


@pytest.mark.parametrize(
    "changes", [{"from_": None}, {"from_": 0}, {"from_": 10}, {"from_": 2**60}, {"door": "front"}, {"all": True}]
)
def test_a_replay_takes_a_span_and_nothing_else(changes: dict[str, Any]) -> None:
    found = judge(REPLAY, **changes)
    assert isinstance(found, Refusal)
    assert found.code == "malformed"


def test_what_nobody_at_a_door_can_witness_is_entered() -> None:
    found = judge(RECORD)
    assert isinstance(found, Order)
    entry = EnteredRecord("user.create_backup_code", Subject("user", "u-7", "Ann Example"), HAPPENED["details"])
    assert (found.entry, found.doors, found.actor) == (entry, (), Actor("operator", "op-7"))
    timed = judge(RECORD, event={**HAPPENED, "time": "2026-11-20T08:00:00Z"})
    assert isinstance(timed, Order)
    assert timed.entry is not None
    assert timed.entry.details == {**HAPPENED["details"], "happened_at": "2026-11-20T08:00:00Z"}
    bare = judge(RECORD, event={key: value for key, value in HAPPENED.items() if key != "details"})
    assert isinstance(bare, Order)
    assert bare.entry is not None
    assert bare.entry.details == {}


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_what_a_controller_witnesses_itself_is_not_entered_from_outside(kind: str) -> None:
    found = judge(RECORD, event={**HAPPENED, "type": kind})
    if kind in RECORDABLE:
        assert isinstance(found, Order)
    else:
        assert isinstance(found, Refusal)
        assert found.code == "not_recordable"


def test_what_can_be_entered_is_what_the_contract_says() -> None:
    user = {"user.activate_2fa", "user.deactivate_2fa", "user.create_backup_code"}
    assert {"subscription.cancel", "subscription.update", *user} == RECORDABLE


def nested(depth: int) -> Any:
    return {} if depth == 1 else {"a": nested(depth - 1)}


@pytest.mark.parametrize(
    "changes",
    [
        {"event": None},
        {"event": 5},
        {"event": {}},
        {"event": {**HAPPENED, "object": None}},
        {"event": {**HAPPENED, "object": {"type": "user", "id": "u-7"}}},
        {"event": {**HAPPENED, "object": {"type": "user", "id": "", "name": "Ann"}}},
        {"event": {**HAPPENED, "object": {"type": "User!", "id": "u-7", "name": "Ann"}}},
        {"event": {**HAPPENED, "object": {"type": "user", "id": "u-7", "name": "Ann\x1b[2J"}}},
        {"event": {**HAPPENED, "object": {"type": "user", "id": "u-7", "name": "A" * 201}}},
        {"event": {**HAPPENED, "details": []}},
        {"event": {**HAPPENED, "details": {"signed_by": "me"}}},
        {"event": {**HAPPENED, "details": {"happened_at": "yesterday"}}},
        {"event": {**HAPPENED, "details": {"big": MAX_SEQUENCE + 1}}},
        {"event": {**HAPPENED, "details": {"huge": 10**400}}},
        {"event": {**HAPPENED, "details": nested(MAX_DEPTH + 1)}},
        {"event": {**HAPPENED, "details": nested(400)}},
        {"event": {**HAPPENED, "details": {"a": "x" * (MAX_DETAILS_BYTES - 7)}}},
        {"event": {**HAPPENED, "time": "yesterday"}},
        {"event": {**HAPPENED, "severity": "alarm"}},
        {"event": {**HAPPENED, "type": "x" * 65}},
        {"door": "front"},
        {"all": True},
        {"for_s": 5},
        {"from_": 1},
        {"command": "diagnose"},
    ],
    ids=str,
)
def test_an_entry_is_small_and_plain_and_nothing_else(changes: dict[str, Any]) -> None:
    found = judge(RECORD, **changes)
    assert isinstance(found, Refusal)
    assert found.code == "malformed"


def test_the_limits_of_an_entry_are_sharp() -> None:
    for details in (nested(MAX_DEPTH), {"a": "x" * (MAX_DETAILS_BYTES - 8)}, {"a": MAX_SEQUENCE, "b": -MAX_SEQUENCE}):
        assert isinstance(judge(RECORD, event={**HAPPENED, "details": details}), Order)


def test_infinity_is_no_detail() -> None:
    payload = json.dumps(RECORD).replace('"codes": 10', '"codes": 1e999').encode()
    found = parse_command(payload, HERE, retained=False)
    assert isinstance(found, Refusal)
    assert found.code == "malformed"


def test_a_retained_command_is_refused_even_when_it_is_good() -> None:
    found = judge(retained=True)
    assert isinstance(found, Refusal)
    assert (found.code, found.id, found.name, found.door) == ("retained", "c-1", "unlock", "front")


def test_the_bounds_of_age_are_sharp() -> None:
    at = {"expires_at": "2026-11-22T21:57:03.000001Z", "issued_at": "2026-11-22T21:58:03Z"}
    assert FUTURE_US == 60_000_000
    assert isinstance(judge(**at), Order)


def test_without_a_clock_a_pulse_is_refused_and_a_mode_is_not() -> None:
    pulse = judge(context=UNSYNCED)
    assert isinstance(pulse, Refusal)
    assert pulse.code == "clock_unsynced"
    late = judge(LOCK, UNSYNCED, expires_at="2001-01-01T00:00:00Z", issued_at="2099-01-01T00:00:00Z")
    assert isinstance(late, Order)


def test_an_expiry_is_kept_for_modes_too() -> None:
    assert isinstance(judge(LOCK), Order)
    found = judge(LOCK, expires_at="2026-11-22T21:57:02Z")
    assert isinstance(found, Refusal)
    assert found.code == "expired"


def test_whom_a_plain_command_names_is_not_named_in_its_refusal() -> None:
    found = judge(expires_at="2026-11-22T21:57:03Z")
    assert isinstance(found, Refusal)
    assert (found.code, found.actor, found.signer) == ("expired", None, None)


def test_where_keys_are_configured_plain_commands_are_refused() -> None:
    signed = Context("hq-lobby", ["front"], NOW_US, ClockQuality.SYNCED, signatures_required=True)
    found = judge(context=signed)
    assert isinstance(found, Refusal)
    assert found.code == "not_signed"


def test_the_limit_of_size_is_sharp() -> None:
    body = json.dumps(UNLOCK).encode()
    fits = body + b" " * (MAX_COMMAND_BYTES - len(body))
    assert MAX_COMMAND_BYTES == 65_536
    assert isinstance(parse_command(fits, HERE, retained=False), Order)
    found = parse_command(fits + b" ", HERE, retained=False)
    assert isinstance(found, Refusal)
    assert found.code == "too_large"


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"unlock"',
    b"{",
    b"[" * 30_000,
    b'{"a":' * 10_000,
    b"\xff\xfe",
    json.dumps(UNLOCK).encode("utf-16"),
    b'{"id":"\xed\xa0\x80"}',
    b'{"id": "c-1", "id": "c-2"}',
    b'{"for_s": NaN}',
    b'{"for_s": -Infinity}',
    b'{"for_s": 1e999}',
    b'{"from": ' + b"9" * 5_000 + b"}",
    json.dumps({**UNLOCK, "command": "\ud800"}).encode(),
    json.dumps({**UNLOCK, "\udfff": 1}).encode(),
    json.dumps({**UNLOCK, "for_s": float("nan")}).encode(),
    json.dumps(UNLOCK).replace('"actor": {', '"actor": {"id": "op-1", ').encode(),
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_json_object_is_malformed_and_can_be_answered(payload: bytes) -> None:
    found = parse_command(payload, HERE, retained=False)
    assert isinstance(found, Refusal)
    assert found.code == "malformed"
    assert json.loads(reply(found.id, found.name, {}, code=found.code, text=found.message))["done"] is False
    assert parse_ack(payload) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(
    st.sampled_from([*UNLOCK, "doors", "all", "from", "to", "event", "hurry"]),
    values
    | st.sampled_from([*UNLOCK.values(), "lock", "replay", "diagnose", "record", HAPPENED, "2026-11-22T21:57:01Z"]),
)


@given(bodies, st.booleans(), st.sampled_from(ClockQuality))
@example({"command": []}, False, ClockQuality.SYNCED)
@example({"command": "record", "event": {**HAPPENED, "details": {"a": 10**400}}}, False, ClockQuality.SYNCED)
def test_no_object_whatever_raises(changes: dict[str, Any], retained: bool, clock: ClockQuality) -> None:
    payload = json.dumps({**UNLOCK, **changes}).encode()
    found = parse_command(payload, Context("hq", ["front"], NOW_US, clock), retained=retained)
    if isinstance(found, Refusal):
        json.loads(reply(found.id, found.name, {}, code=found.code, text=found.message))
    else:
        assert not retained
        assert set(found.doors) <= {"front"}
    parse_ack(payload)


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
def test_no_bytes_whatever_raise(noise: bytes, at: int, byte: int) -> None:
    whole = json.dumps(UNLOCK).encode()
    for payload in (noise, whole[:at], whole[:at] + bytes([byte]) + whole[at + 1 :]):
        found = parse_command(payload, HERE, retained=False)
        if isinstance(found, Refusal):
            reply(found.id, found.name, {}, code=found.code, text=found.message)


def test_an_ack_names_our_stream_and_a_sequence() -> None:
    assert parse_ack(b'{"stream": "hq-lobby/e", "sequence": 17}') == ("hq-lobby/e", 17)


@pytest.mark.parametrize(
    "body",
    [
        {"stream": 7, "sequence": 17},
        {"sequence": 17},
        {"stream": "hq-lobby/e"},
        {"stream": "hq-lobby/e", "sequence": True},
        {"stream": "hq-lobby/e", "sequence": "17"},
        {"stream": "hq-lobby/e", "sequence": 17.0},
        {"stream": "hq-lobby/e", "sequence": -1},
        {"stream": "hq-lobby/e", "sequence": 0},
        [17],
    ],
)
def test_any_other_ack_is_none(body: Any) -> None:
    assert parse_ack(json.dumps(body).encode()) is None


def test_a_reply_says_what_was_done() -> None:
    told = json.loads(reply("c-1", "unlock", {"front": {"done": True, "code": None, "message": ""}}))
    assert told == {
        "id": "c-1",
        "command": "unlock",
        "done": True,
        "code": None,
        "message": "",
        "outcomes": {"front": {"done": True, "code": None, "message": ""}},
    }


HOLD = {key: value for key, value in LOCK.items() if key != "all"} | {"command": "hold_unlocked", "door": "front"}


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, None),
        ({"for_s": 3600}, 3597.0),  # three seconds have passed since it was issued
        ({"for_s": 366 * 86_400}, 366 * 86_400 - 3.0),
        ({"until": "2026-11-22T22:57:03Z"}, 3600.0),
        ({"until": "2026-11-22T22:57:03+01:00", "issued_at": "2026-11-22T20:00:00Z"}, "expired"),
        ({"for_s": 60, "issued_at": "2026-11-22T21:56:03Z"}, "expired"),
        ({"for_s": 0.9}, "malformed"),
        ({"for_s": 366 * 86_400 + 1}, "malformed"),
        ({"until": "2027-11-24T00:00:00Z"}, "malformed"),
        ({"until": "20:00"}, "malformed"),
        ({"until": "2026-11-22T22:57:03Z", "for_s": 60}, "malformed"),
        ({"until": "2026-11-22T22:57:03Z", "command": "block"}, "malformed"),
        ({"until": "2026-11-22T22:57:03Z", "command": "unlock"}, "malformed"),
        ({"for_s": 60, "command": "block"}, "malformed"),
    ],
)
def test_how_long_a_hold_lasts(changes: dict[str, Any], seconds: float | str | None) -> None:
    found = judge(HOLD, **changes)
    assert (found.code if isinstance(found, Refusal) else found.for_s) == seconds


def test_a_clock_that_cannot_tell_holds_for_a_time_but_not_until_one() -> None:
    found = judge(HOLD, UNSYNCED, for_s=3600)
    assert isinstance(found, Order)
    assert found.for_s == 3600.0
    refused = judge(HOLD, UNSYNCED, until="2026-11-22T22:57:03Z")
    assert isinstance(refused, Refusal)
    assert refused.code == "clock_unsynced"
