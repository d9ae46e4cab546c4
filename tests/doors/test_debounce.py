"""R17: what settles, when, and how it is dated; compared with a slow model that looks at every millisecond."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.doors.debounce import Debouncer, Report, Unstable
from edge.model.messages import Settled

MS = 1_000_000
Edges = list[tuple[int, bool]]


def fed(debouncer: Debouncer, edges: Edges, until_ms: int, *, timely: bool = True) -> list[Report]:
    """Feed edges (milliseconds, level); timely: expire at every deadline, with the true level read back."""
    reports: list[Report] = []
    wire = debouncer.level

    def expire(until_ns: int) -> None:
        while (due_ns := debouncer.deadline_ns) is not None and due_ns <= until_ns:
            reports.extend(debouncer.expire(due_ns if timely else until_ns, wire))

    for at_ms, level in edges:
        if timely:
            expire(at_ms * MS)
        reports += debouncer.feed(level, at_ms * MS)
        wire = level
    expire(until_ms * MS)
    return reports


def closed(debounce_ms: int = 30, instability_ms: int = 1000, urgent: frozenset[bool] = frozenset()) -> Debouncer:
    debouncer = Debouncer(debounce_ms, instability_ms, urgent)
    debouncer.reset(False, 0)
    return debouncer


def alternating(*times_ms: int) -> Edges:
    return [(at_ms, i % 2 == 0) for i, at_ms in enumerate(times_ms)]


def model(  # noqa: C901 - slow and plain on purpose: one look at everything, each millisecond
    edges: Edges, debounce_ms: int, instability_ms: int, until_ms: int, urgent: frozenset[bool] = frozenset()
) -> list[Report]:
    """The same by looking at the wire every millisecond; edges alternate and start from False."""
    at = dict(edges)
    reports: list[Report] = []
    level = wire = restless = judged = False
    first = last = None
    changes_until = edges_until = 0

    def unrest(now: int) -> None:
        nonlocal restless
        if not restless:
            reports.append(Unstable(now * MS))
            restless = True

    def settle() -> None:
        nonlocal level, first, changes_until
        assert first is not None
        if wire != level:
            level = wire
            reports.append(Settled(level, first * MS, restless=restless))
            changes_until = max(changes_until, first) + 500
            if changes_until - first > 15_000 or edges_until - first > 12_000:
                unrest(last or 0)
        first = None

    for now in range(until_ms + 1):
        if first is not None and last is not None:
            quiet_ms = instability_ms if restless and wire not in urgent else debounce_ms
            if now - last >= quiet_ms:
                settle()
            elif now - first >= instability_ms and not judged:
                judged = True
                unrest(now)
                settle()
            elif now - first >= instability_ms:
                first = last
                if now - last >= quiet_ms:
                    settle()
        if now in at:
            calm = changes_until - now <= 7_500 and edges_until - now <= 6_000
            if last is not None and now - last >= instability_ms and first is None and calm:
                restless = judged = False
            wire, last = at[now], now
            if first is None and wire != level:
                first = now
            edges_until = max(edges_until, now) + 40
            if edges_until - now > 12_000 or changes_until - now > 15_000:
                unrest(now)
    return reports


def plain(reports: list[Report]) -> list[Report]:
    return [replace(r, read_back=False) if isinstance(r, Settled) else r for r in reports]


fits = st.lists(st.integers(1, 8), min_size=1, max_size=60)
many = st.lists(st.one_of(fits, st.lists(st.integers(1, 400), max_size=3)), max_size=6)
gaps = many.map(lambda parts: [*itertools.chain(*parts)])


URGENT = st.frozensets(st.booleans())


@given(gaps, st.integers(1, 40), st.integers(40, 300), st.booleans(), URGENT)
def test_settles_like_the_slow_model_however_late_it_is_asked(
    gaps_ms: list[int], debounce_ms: int, instability_ms: int, timely: bool, urgent: frozenset[bool]
) -> None:
    times = [sum(gaps_ms[: i + 1]) for i in range(len(gaps_ms))]
    edges, until_ms = alternating(*times), sum(gaps_ms) + 1000
    seen = fed(closed(debounce_ms, instability_ms, urgent), edges, until_ms, timely=timely)
    assert plain(seen) == model(edges, debounce_ms, instability_ms, until_ms, urgent)


@given(st.lists(st.tuples(st.integers(-20, 60), st.booleans()), max_size=60), st.integers(0, 40), st.integers(40, 300))
def test_lost_doubled_and_backward_edges_still_alternate_and_end_at_the_true_level(
    steps: list[tuple[int, bool]], debounce_ms: int, instability_ms: int
) -> None:
    debouncer = closed(debounce_ms, instability_ms)
    now_ms, edges = 100, []
    for step_ms, level in steps:
        now_ms = max(0, now_ms + step_ms)
        edges.append((now_ms, level))
    latest = max([at for at, _ in edges], default=0)
    reports = fed(debouncer, edges, latest + 2000)
    levels = [r.level for r in reports if isinstance(r, Settled)]
    assert levels == [i % 2 == 0 for i in range(len(levels))]
    assert debouncer.level == (edges[-1][1] if edges else False)
    assert debouncer.deadline_ns is None


def test_a_change_is_dated_by_its_first_edge() -> None:
    assert fed(closed(), alternating(100, 103, 107), 200) == [Settled(True, 100 * MS)]


def test_a_glitch_is_nothing() -> None:
    assert fed(closed(), alternating(100, 110), 200) == []


def test_the_level_counts_exactly_when_it_has_stood_long_enough() -> None:
    debouncer = closed()
    assert debouncer.feed(True, 100 * MS) == []
    assert debouncer.unsettled_since_ns == 100 * MS
    assert debouncer.deadline_ns == 130 * MS
    assert debouncer.expire(130 * MS - 1, True) == []
    assert debouncer.expire(130 * MS, True) == [Settled(True, 100 * MS)]
    assert debouncer.unsettled_since_ns is None
    assert debouncer.deadline_ns is None


def test_an_opening_is_not_missed_because_the_loop_was_late() -> None:
    assert fed(closed(), alternating(100, 500), 600, timely=False) == [
        Settled(True, 100 * MS),
        Settled(False, 500 * MS),
    ]


def test_the_first_level_counts_at_once() -> None:
    debouncer = Debouncer(30, 1000)
    assert debouncer.level is None
    assert debouncer.reset(True, 5) == [Settled(True, 5, initial=True)]
    assert debouncer.deadline_ns is None


def test_a_line_that_returns_forgets_what_was_pending() -> None:
    debouncer = closed()
    debouncer.feed(True, 100 * MS)
    assert debouncer.reset(False, 110 * MS) == [Settled(False, 110 * MS, initial=True)]
    assert debouncer.expire(1000 * MS, False) == []


def test_an_edge_before_any_level_settles_like_any_other() -> None:
    assert fed(Debouncer(30, 1000), [(100, False)], 200) == [Settled(False, 100 * MS)]


def test_no_debounce_passes_every_edge_until_there_are_too_many() -> None:
    reports = fed(closed(0, 1000), alternating(*range(100, 2000)), 4000)
    assert reports[:31] == [Settled(i % 2 == 0, (100 + i) * MS) for i in range(31)]
    assert reports[31] == Unstable(130 * MS)
    assert len(reports) < 36


def test_without_debounce_an_edge_counts_as_soon_as_it_comes() -> None:
    assert closed(0, 1000).feed(True, 100 * MS) == [Settled(True, 100 * MS)]


def test_long_unrest_is_reported_once_and_read_back() -> None:
    reports = fed(closed(), alternating(*range(100, 5100, 25)), 6000)
    assert reports[0] == Unstable(1100 * MS)
    assert sum(isinstance(r, Unstable) for r in reports) == 1


def test_the_level_read_back_is_dated_by_the_first_edge() -> None:
    debouncer = closed()
    for at_ms, level in alternating(*range(100, 1100, 25)):  # ends at False by its edges
        debouncer.feed(level, at_ms * MS)
    level = Settled(True, 100 * MS, read_back=True, restless=True)
    assert debouncer.expire(1100 * MS, True) == [Unstable(1100 * MS), level]


@pytest.mark.parametrize(("pause_ms", "reported"), [(900, 1), (1000, 2)])
def test_unrest_is_reported_again_only_after_real_quiet(pause_ms: int, reported: int) -> None:
    first = list(range(100, 1300, 25))
    second = [first[-1] + pause_ms + i for i in range(0, 1300, 25)]
    reports = fed(closed(), alternating(*first, *second), 6000)
    assert sum(isinstance(r, Unstable) for r in reports) == reported


def test_a_change_after_endless_unrest_is_not_dated_back_to_its_beginning() -> None:
    reports = fed(closed(), alternating(*range(100, 60_101, 5)), 62_000)
    last = reports[-1]
    assert isinstance(last, Settled)
    assert last.level is True
    assert last.at_ns >= (60_100 - 2000) * MS


def test_a_storm_of_which_edges_are_dropped_without_a_word_is_soon_one_unrest() -> None:
    """A line changes every 140 us for 45 s; every 300 ms, the newest 64 edges come, and then it seems quiet."""
    debouncer, reports = closed(), []
    for batch_ms in range(300, 45_000, 300):
        for n in range(64, 0, -1):
            at_ns = batch_ms * MS - n * 140_000
            reports += debouncer.feed(at_ns // 140_000 % 2 == 0, at_ns)
        reports += debouncer.expire(batch_ms * MS, None)
    assert sum(isinstance(r, Unstable) for r in reports) == 1
    assert len(reports) < 10, "two or three openings before there are too many edges"
    debouncer.feed(True, 45_000 * MS)
    assert debouncer.expire(46_000 * MS - 1, True) == []
    debouncer.expire(46_000 * MS, True)
    assert debouncer.level is True, "what it is at last is learnt"


def test_edges_that_were_lost_are_unrest() -> None:
    debouncer = closed()
    assert debouncer.feed(True, 100 * MS, lost=1) == [Unstable(100 * MS)]
    assert debouncer.feed(False, 101 * MS, lost=5000) == []
    assert debouncer.feed(True, 130_000 * MS, lost=1) == [], "5000 edges are not forgotten so soon"


def test_a_storm_of_which_edges_are_known_to_be_lost_opens_nothing() -> None:
    debouncer, reports = closed(), []
    for batch_ms in range(300, 45_000, 300):
        for n in range(64, 0, -1):
            at_ns = batch_ms * MS - n * 140_000
            reports += debouncer.feed(at_ns // 140_000 % 2 == 0, at_ns, lost=2078 if n == 64 else 0)
        reports += debouncer.expire(batch_ms * MS, None)
    assert [type(one) for one in reports][:1] == [Unstable]
    assert len(reports) <= 2, "the level is read once"


@pytest.mark.parametrize(("period_ms", "unstable"), [(200, 1), (500, 0), (1500, 0)])
def test_a_contact_that_opens_and_closes_faster_than_people_can_is_restless(period_ms: int, unstable: int) -> None:
    edges = alternating(*range(1000, 60_000, period_ms))
    reports = fed(closed(), edges, 70_000)
    assert sum(isinstance(r, Unstable) for r in reports) == unstable
    if unstable:
        assert len(reports) < 60 < len(edges)


@pytest.mark.parametrize("urgent", [frozenset[bool](), frozenset({True})])
def test_while_restless_a_level_waits_for_real_quiet_unless_it_is_urgent(urgent: frozenset[bool]) -> None:
    debouncer = closed(urgent=urgent)
    debouncer.feed(False, 100 * MS, lost=100)
    debouncer.feed(True, 200 * MS)
    settled = [Settled(True, 200 * MS, restless=True)]
    assert debouncer.expire(230 * MS, True) == (settled if urgent else [])
    if urgent:
        debouncer.feed(False, 700 * MS)
        assert debouncer.expire(730 * MS, False) == [], "closed is not urgent"
    else:
        assert debouncer.expire(1200 * MS, True) == settled


def test_quiet_ends_the_unrest() -> None:
    debouncer = closed()
    debouncer.feed(False, 100 * MS, lost=10)
    debouncer.feed(True, 1100 * MS)
    assert debouncer.expire(1130 * MS, True) == [Settled(True, 1100 * MS)]


def test_an_edge_to_the_level_that_stands_starts_nothing() -> None:
    debouncer = closed()
    assert debouncer.feed(False, 100 * MS) == []
    assert debouncer.unsettled_since_ns is None


def test_a_time_stamp_that_runs_backwards_shortens_no_wait() -> None:
    debouncer = closed()
    debouncer.feed(True, 100 * MS)
    debouncer.feed(False, 120 * MS)
    debouncer.feed(True, 90 * MS)
    assert debouncer.deadline_ns == 150 * MS


def test_a_lost_last_edge_is_found_by_reading_back() -> None:
    debouncer = closed()
    debouncer.feed(True, 100 * MS)  # and the edge back to False was lost
    assert debouncer.expire(130 * MS, False) == []
    assert debouncer.expire(160 * MS, False) == []
    assert (debouncer.level, debouncer.deadline_ns) == (False, None)


def test_a_level_only_known_from_reading_says_so() -> None:
    debouncer = closed()
    debouncer.feed(True, 100 * MS)
    debouncer.feed(False, 105 * MS)  # and the edge to True was lost
    assert debouncer.expire(135 * MS, True) == []
    assert debouncer.expire(165 * MS, True) == [Settled(True, 100 * MS, read_back=True)]


def test_a_level_that_was_read_has_to_stand_like_any_other() -> None:
    debouncer = closed()
    debouncer.feed(True, 100 * MS)
    assert debouncer.expire(130 * MS, False) == []
    assert debouncer.expire(159 * MS, True) == []
    assert debouncer.deadline_ns == 160 * MS, "who asks too early changes nothing"
    assert debouncer.expire(160 * MS, True) == [], "another one again"
    assert debouncer.expire(190 * MS - 1, True) == []
    assert debouncer.expire(190 * MS, True) == [Settled(True, 100 * MS, read_back=True)]


def test_what_cannot_be_read_back_is_taken_from_the_edges() -> None:
    debouncer = closed()
    debouncer.feed(True, 100 * MS)
    assert debouncer.expire(130 * MS, None) == [Settled(True, 100 * MS)]
