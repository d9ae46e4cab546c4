"""Commands from outside: what is obeyed, and every reason for which one is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.messages import Actor, ClockQuality
from edge.orders import MAX_COMMAND_BYTES, Order, Receiver, Refusal, parse_ack, parse_command, reply

NOW_US = 1_795_384_623_000_000  # 2026-11-22T21:57:03Z
HERE = Receiver("lobby", ("front", "back"), NOW_US, ClockQuality.SYNCED)
UNSYNCED = Receiver("lobby", ("front", "back"), NOW_US, ClockQuality.UNSYNCED)
UNLOCK: dict[str, Any] = {
    "id": "c-1",
    "command": "unlock",
    "door": "front",
    "issued_at": "2026-11-22T21:57:02Z",
    "expires_at": "2026-11-22T21:57:12Z",
    "actor": {"id": "u-1", "name": "Ann"},
}
LOCK = {key: value for key, value in UNLOCK.items() if key != "expires_at"} | {"command": "lock"}
REPLAY = {key: value for key, value in LOCK.items() if key != "door"} | {"command": "replay", "from": 3}


def parse(body: Any, receiver: Receiver = HERE, *, retained: bool = False) -> Order | Refusal:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_command(payload, receiver, retained=retained)


def code(body: Any, receiver: Receiver = HERE, *, retained: bool = False) -> str:
    found = parse(body, receiver, retained=retained)
    assert isinstance(found, Refusal), found
    assert found.message
    return found.code


def test_a_good_unlock_is_understood_to_the_last_field() -> None:
    assert parse(UNLOCK | {"for_s": 7}) == Order(
        "c-1",
        "unlock",
        ("front",),
        Actor("operator", "u-1", "Ann"),
        NOW_US - 1_000_000,
        NOW_US + 9_000_000,
        for_s=7.0,
    )


@pytest.mark.parametrize("name", ["lock", "hold_unlocked", "lock_down", "cancel_lockdown", "block", "unblock"])
def test_every_mode_is_an_order_and_needs_no_expiry(name: str) -> None:
    found = parse(LOCK | {"command": name})
    assert isinstance(found, Order)
    assert (found.name, found.doors, found.expires_us) == (name, ("front",), None)


@pytest.mark.parametrize(
    ("which", "doors"),
    [
        ({"door": "back"}, ("back",)),
        ({"doors": ["back", "front", "back"]}, ("back", "front")),
        ({"all": True}, ("front", "back")),
    ],
)
def test_doors_are_named_singly_as_a_list_or_all(which: dict[str, Any], doors: tuple[str, ...]) -> None:
    found = parse({key: value for key, value in LOCK.items() if key != "door"} | which)
    assert isinstance(found, Order)
    assert found.doors == doors


def test_a_replay_has_a_span_and_a_diagnosis_nothing() -> None:
    found, other = parse(REPLAY | {"to": 9}), parse(REPLAY)
    assert isinstance(found, Order)
    assert isinstance(other, Order)
    assert found.span == (3, 9)
    assert other.span is not None
    assert other.span[1] > 10**15
    diagnose = {key: value for key, value in LOCK.items() if key != "door"} | {"command": "diagnose"}
    assert isinstance(parse(diagnose), Order)


MALFORMED = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[1]",
    "a number": b"7",
    "bad UTF-8": b'{"id": "\xff\xfe"}',
    "not a number": json.dumps(LOCK).replace('"c-1"', "NaN").encode(),
    "infinity": json.dumps(UNLOCK | {"for_s": 1}).replace('"for_s": 1', '"for_s": 1e999').encode(),
    "nested without end": b"[" * 60_000,
    "a nested object without end": b'{"a":' * 10_000,
    "a key twice": b'{"id": "c-1", "id": "c-2"}',
    "a key twice, deeper": json.dumps(LOCK).replace('"name": "Ann"', '"id": "u-2"').encode(),
    "a digit sequence without end": b'{"id": ' + b"9" * 10_000 + b"}",
    "no id": {key: value for key, value in LOCK.items() if key != "id"},
    "an empty id": LOCK | {"id": ""},
    "a long id": LOCK | {"id": "x" * 65},
    "an odd id": LOCK | {"id": "c 1"},
    "an id with a newline": LOCK | {"id": "c-1\n"},
    "a number for id": LOCK | {"id": 7},
    "half a character in the id": LOCK | {"id": "\ud800"},
    "half a character as a key": LOCK | {"\ud800": 1},
    "half a character as a name": LOCK | {"actor": {"id": "u", "name": "\ud800"}},
    "half a character as a door": LOCK | {"door": "\ud800"},
    "no command": {key: value for key, value in LOCK.items() if key != "command"},
    "no actor": {key: value for key, value in LOCK.items() if key != "actor"},
    "an actor without id": LOCK | {"actor": {"name": "Ann"}},
    "an empty actor": LOCK | {"actor": {"id": ""}},
    "an actor's kind": LOCK | {"actor": {"id": "u-1", "kind": "system"}},
    "a text for an actor": LOCK | {"actor": "Ann"},
    "an unknown key": LOCK | {"sudo": True},
    "no issued_at": {key: value for key, value in LOCK.items() if key != "issued_at"},
    "a time without zone": LOCK | {"issued_at": "2026-11-22T21:57:02"},
    "a time that is none": LOCK | {"issued_at": "yesterday"},
    "a number for a time": LOCK | {"issued_at": NOW_US},
    "a long time": LOCK | {"issued_at": "2026-11-22T21:57:02.000000000000000000000000Z"},
    "no door": {key: value for key, value in LOCK.items() if key != "door"},
    "two ways to name doors": LOCK | {"all": True},
    "no doors": {key: value for key, value in LOCK.items() if key != "door"} | {"doors": []},
    "doors as text": {key: value for key, value in LOCK.items() if key != "door"} | {"doors": "front"},
    "a number for all": {key: value for key, value in LOCK.items() if key != "door"} | {"all": 1},
    "an unlock without expiry": LOCK | {"command": "unlock"},
    "a boolean for seconds": UNLOCK | {"for_s": True},
    "text for seconds": UNLOCK | {"for_s": "5"},
    "too short": UNLOCK | {"for_s": 0.4},
    "too long": UNLOCK | {"for_s": 601},
    "seconds for a lock": LOCK | {"for_s": 5},
    "a replay without from": REPLAY | {"from": None},
    "a replay from nothing": REPLAY | {"from": 0},
    "a boolean for from": REPLAY | {"from": True},
    "a fraction for from": REPLAY | {"from": 1.5},
    "a from beyond any log": REPLAY | {"from": 2**63},
    "a to beyond any log": REPLAY | {"to": 10**300},
    "a replay backwards": REPLAY | {"to": 2},
    "a replay of a door": REPLAY | {"door": "front"},
    "from for a lock": LOCK | {"from": 1},
}


@pytest.mark.parametrize("what", sorted(MALFORMED))
def test_malformed(what: str) -> None:
    assert code(MALFORMED[what]) == "malformed"


def test_exactly_64_kib_is_not_too_large_and_one_byte_more_is() -> None:
    body = json.dumps(LOCK).encode()
    full = body + b" " * (MAX_COMMAND_BYTES - len(body))
    assert len(full) == 65_536
    assert isinstance(parse(full), Order)
    assert code(full + b" ") == "too_large"


@pytest.mark.parametrize("name", ["open", "UNLOCK", "", 7, None, True, ["unlock"], {"unlock": 1}])
def test_what_is_no_command_is_unknown_or_malformed_and_never_obeyed(name: object) -> None:
    assert code(LOCK | {"command": name}) in {"unknown_command", "malformed"}


def test_the_other_codes() -> None:
    assert code(UNLOCK, retained=True) == "retained"
    assert code(UNLOCK | {"expires_at": "2026-11-22T21:57:03Z"}) == "expired"
    assert code(LOCK | {"expires_at": "2026-11-22T22:57:02.999+01:00"}) == "expired"
    assert code(LOCK | {"issued_at": "2026-11-22T21:58:03.000001Z"}) == "issued_in_future"
    assert isinstance(parse(LOCK | {"issued_at": "2026-11-22T21:58:03Z"}), Order)
    assert code(LOCK | {"command": "open"}) == "unknown_command"
    assert code(LOCK | {"command": "record"}) == "unsupported_command"
    assert code(LOCK | {"command": "apply_directory"}) == "unsupported_command"
    assert code(LOCK | {"door": "attic"}) == "unknown_door"
    assert code({k: v for k, v in LOCK.items() if k != "door"} | {"doors": ["front", "attic"]}) == "unknown_door"


def test_without_a_clock_modes_may_run_and_pulses_not() -> None:
    assert code(UNLOCK, UNSYNCED) == "clock_unsynced"
    assert isinstance(parse(LOCK | {"issued_at": "2036-01-01T00:00:00Z"}, UNSYNCED), Order)


def test_where_signatures_are_required_nothing_plain_is_obeyed() -> None:
    strict = Receiver("lobby", ("front",), NOW_US, ClockQuality.SYNCED, signatures_required=True)
    assert code(UNLOCK, strict) == "not_signed"
    assert code(LOCK, strict) == "not_signed"


def test_a_refusal_names_the_command_as_far_as_it_can_be_made_out() -> None:
    found = parse(UNLOCK | {"sudo": 1})
    assert isinstance(found, Refusal)
    assert (found.id, found.name, found.door) == ("c-1", "unlock", "front")
    assert "sudo" in found.message
    other = parse(UNLOCK | {"id": "x" * 65, "command": "y" * 65, "door": "attic"})
    assert isinstance(other, Refusal)
    assert (other.id, other.name, other.door) == (None, None, None)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
TIMES = st.sampled_from(["2026-11-22T21:57:02Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "20261122"])
ALMOST = st.fixed_dictionaries(
    {"id": st.just("c-1") | ANY, "command": st.sampled_from(["unlock", "lock", "replay", "diagnose"]) | ANY},
    optional={
        "door": st.just("front") | ANY,
        "doors": st.lists(st.sampled_from(["front", "attic"])) | ANY,
        "all": ANY,
        "issued_at": TIMES | ANY,
        "expires_at": TIMES | ANY,
        "actor": st.fixed_dictionaries({"id": st.text()}) | ANY,
        "for_s": ANY,
        "from": ANY,
        "to": ANY,
    },
)


def judge(payload: bytes, *, retained: bool) -> None:
    found = parse_command(payload, HERE, retained=retained)
    if isinstance(found, Refusal):
        assert json.loads(reply(found.id, found.name, {}, code=found.code, text=found.message))["code"] == found.code
    else:
        assert found.doors or found.name in {"replay", "diagnose"}


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_judged(payload: bytes, retained: bool) -> None:
    judge(payload, retained=retained)
    assert parse_ack(payload, "lobby/e") is None


@given(
    ALMOST | ANY | st.dictionaries(st.sampled_from(sorted(UNLOCK)), ANY).map(lambda odd: UNLOCK | odd), st.booleans()
)
def test_almost_commands_are_judged_and_can_be_answered(body: Any, retained: bool) -> None:
    judge(json.dumps(body).encode(), retained=retained)


def ack(body: Any) -> int | None:
    return parse_ack(body if isinstance(body, bytes) else json.dumps(body).encode(), "lobby/e90c")


def test_an_acknowledgement_is_a_whole_number_of_this_stream() -> None:
    assert ack({"stream": "lobby/e90c", "sequence": 7}) == 7
    for odd in (0, -1, True, 7.0, "7", None, [7]):
        assert ack({"stream": "lobby/e90c", "sequence": odd}) is None
    assert ack({"stream": "lobby/other", "sequence": 7}) is None
    assert ack({"sequence": 7}) is None
    assert ack(b'{"stream": "lobby/e90c", "sequence": 7, "sequence": 8}') is None
    assert ack(b"[" * 60_000) is None
    assert ack(b"\xff") is None
    assert ack(b'{"stream": "lobby/e90c", "sequence": 7}' + b" " * MAX_COMMAND_BYTES) is None
