"""What is wrong with a door: each condition comes with what makes it so, keeps its time and goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edge.doors.conditions import KINDS, conditions
from edge.model.catalogue import Severity
from edge.model.messages import ContactFault, ContactMoved, PointsBack, PointsLost, TamperChanged
from tests.support.rules import Bench

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = frozenset({"front.contact", "front.lock"})


def forced(bench: Bench) -> None:
    bench.open()


def held(bench: Bench) -> None:
    bench.unlock()
    bench.open()
    bench.wait(30)


def too_long(bench: Bench) -> None:
    bench.unlock()
    bench.open()
    bench.wait(26)


def tampered(bench: Bench) -> None:
    bench.give(TamperChanged("front.tamper", True, bench.now_ns))
    bench.give(TamperChanged("front.rex", True, bench.now_ns))


def untampered(bench: Bench) -> None:
    bench.give(TamperChanged("front.tamper", False, bench.now_ns))
    bench.give(TamperChanged("front.rex", False, bench.now_ns))


CASES: dict[str, tuple[Callable[[Bench], object], Callable[[Bench], object], str]] = {
    "forced_open": (forced, Bench.close, ""),
    "held_open": (held, Bench.close, ""),
    "tamper": (tampered, untampered, "front.rex, front.tamper"),
    "contact_fault": (
        lambda bench: bench.give(ContactFault("cut", bench.now_ns)),
        lambda bench: bench.give(ContactMoved(False, bench.now_ns)),
        "",
    ),
    "fault": (
        lambda bench: bench.give(PointsLost(POINTS, True, True, "unplugged", bench.now_ns)),
        lambda bench: bench.give(PointsBack(POINTS, bench.now_ns)),
        "unplugged",
    ),
    "held_open_warning": (too_long, Bench.close, ""),
    "release_input": (lambda bench: bench.release(True), lambda bench: bench.release(False), ""),
}
"""Code -> what brings it, what ends it, and its detail."""


def test_every_condition_is_shown_here() -> None:
    assert set(CASES) == set(KINDS), "tests/doors/test_conditions.py shows how each row of KINDS comes and goes"


@pytest.mark.parametrize("code", CASES)
def test_a_condition_comes_keeps_its_time_and_goes(code: str) -> None:
    bench = Bench(held_open_s=30.0, held_open_warning_s=5.0)
    assert conditions(bench.door, (), 1) == ()
    begin, end, detail = CASES[code]
    begin(bench)
    found = conditions(bench.door, (), 7)
    assert [(one.kind, one.detail, one.since_ns) for one in found] == [(KINDS[code], detail, 7)]
    assert conditions(bench.door, found, 9) == found
    end(bench)
    assert conditions(bench.door, found, 9) == ()


def test_one_thing_more_begins_when_it_comes() -> None:
    bench = Bench()
    forced(bench)
    found = conditions(bench.door, (), 7)
    tampered(bench)
    both = conditions(bench.door, found, 9)
    assert [(one.kind.code, one.since_ns) for one in both] == [("forced_open", 7), ("tamper", 9)]


def test_the_worst_comes_first_and_every_word_can_stand_in_a_line() -> None:
    severities = [kind.severity for kind in KINDS.values()]
    assert severities == sorted(severities, key=[Severity.ALARM, Severity.WARNING].index)
    for code, kind in KINDS.items():
        assert code == kind.code
        assert code.isidentifier(), "a label, a key and a part of an id"
        assert json.dumps(kind.words) == f'"{kind.words}"'
        assert kind.words == kind.words.strip().rstrip(".")
