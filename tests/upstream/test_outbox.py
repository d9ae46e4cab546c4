"""The window over the log: its cursor passes only what was acknowledged or is not there any more."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.model.messages import ClockQuality, Event, Record, Subject
from edge.upstream.outbox import AHEAD, MAX_WAITING, Outbox

EVENT = Event("lock.opened", 0, Subject("lock", "front", "Front"))


def record(sequence: int) -> Record:
    return Record(sequence, EVENT, "boot", 0, "", "", 0, 0, ClockQuality.SYNCED)


def records(first: int, last: int) -> list[Record]:
    return [record(sequence) for sequence in range(first, last + 1)]


class Way(RuleBasedStateMachine):
    """Against a slow model: sets of what is in the log, what was sent and what was acknowledged."""

    by_application = False

    def __init__(self) -> None:
        super().__init__()
        self.box = Outbox(0, by_application=self.by_application)
        self.removed: set[int] = set()
        self.acknowledged: set[int] = set()
        self.flying: list[int] = []
        self.since_rewind: list[int] = []
        self.before = 0

    @rule(count=st.integers(1, 8), lost=st.sets(st.integers(0, 7)))
    def read(self, count: int, lost: set[int]) -> None:
        """The log is read on; some of it may have been removed meanwhile, but never the newest."""
        first = self.box.read_through + 1
        self.removed |= {first + n for n in lost if n < count - 1 and first + n not in self.acknowledged}
        self.box.feed([r for r in records(first, first + count - 1) if r.sequence not in self.removed])

    @rule()
    def read_twice(self) -> None:
        self.box.feed([record(n) for n in range(1, self.box.read_through + 1) if n not in self.removed])

    @rule()
    def send(self) -> None:
        sent = self.box.next()
        if sent is not None:
            assert sent.sequence > self.box.cursor
            assert not self.since_rewind or sent.sequence > self.since_rewind[-1]
            self.since_rewind.append(sent.sequence)
            self.flying.append(sent.sequence)

    @rule(data=st.data())
    def broker_takes(self, data: st.DataObject) -> None:
        if self.flying:
            sequence = data.draw(st.sampled_from(self.flying))
            self.flying.remove(sequence)
            moved = self.box.taken(sequence)
            if self.by_application:
                assert not moved
            else:
                self.acknowledged.add(sequence)

    @rule(data=st.data())
    def application_stores(self, data: st.DataObject) -> None:
        sequence = data.draw(st.integers(0, self.box.read_through))
        moved = self.box.acknowledged_through(sequence)
        if self.by_application:
            self.acknowledged |= set(range(1, sequence + 1))
            assert moved == (sequence > self.before)
        else:
            assert not moved

    @rule()
    def cut(self) -> None:
        self.box.rewind()
        self.since_rewind.clear()
        assert self.box.sent_through == self.box.read_through == self.box.cursor

    @invariant()
    def the_cursor_passes_only_what_is_settled_and_never_goes_back(self) -> None:
        assert self.box.cursor >= self.before
        passed = set(range(self.before + 1, self.box.cursor + 1))
        assert passed <= self.acknowledged | self.removed
        self.before = self.box.cursor

    @invariant()
    def counts_fit(self) -> None:
        assert self.box.unacknowledged >= 0
        assert self.box.cursor <= self.box.sent_through <= self.box.read_through
        assert 0 <= self.box.room <= MAX_WAITING

    def teardown(self) -> None:
        """In the end everything arrives, in order, each record that is still there."""
        highest, start = self.box.read_through, self.box.cursor
        self.box.rewind()
        sent: list[int] = []
        while self.box.cursor < highest:
            after = self.box.read_through
            self.box.feed([r for r in records(after + 1, highest) if r.sequence not in self.removed])
            found = self.box.next()
            if found is None:
                break
            sent.append(found.sequence)
            if self.by_application:
                self.box.acknowledged_through(found.sequence)
            else:
                self.box.taken(found.sequence)
        assert sent == [n for n in range(start + 1, highest + 1) if n not in self.removed]
        assert self.box.cursor == highest


class WayByApplication(Way):
    """Only the application's word moves the cursor."""

    by_application = True


Way.TestCase.settings = WayByApplication.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestByBroker = Way.TestCase
TestByApplication = WayByApplication.TestCase


def test_acknowledgements_out_of_order_move_the_cursor_only_when_the_first_one_is_there() -> None:
    box = Outbox(0, by_application=False)
    box.feed(records(1, 3))
    assert [found.sequence for found in (box.next(), box.next(), box.next()) if found] == [1, 2, 3]
    assert not box.taken(3)
    assert not box.taken(2)
    assert box.cursor == 0
    assert box.taken(1)
    assert box.cursor == 3


def test_what_the_log_no_longer_has_does_not_hold_the_cursor() -> None:
    box = Outbox(4, by_application=False)
    box.feed([record(9), record(10)])
    found = box.next()
    assert found is not None
    assert found.sequence == 9
    assert box.cursor == 8
    assert box.taken(9)
    assert box.cursor == 9


def test_no_more_is_kept_than_there_is_room_for_and_the_rest_is_read_later() -> None:
    box = Outbox(0, by_application=False)
    box.feed(records(1, MAX_WAITING + 5))
    assert (box.read_through, box.room) == (MAX_WAITING, 0)
    assert not box.follows(MAX_WAITING + 1)
    assert box.next() is not None
    assert box.follows(MAX_WAITING + 1)


def test_the_broker_is_sent_no_more_than_the_application_may_lag_behind() -> None:
    box = Outbox(0, by_application=True)
    box.feed(records(1, AHEAD + 50))
    sent = 0
    while box.next() is not None:
        sent += 1
        box.taken(sent)
    assert sent == AHEAD
    assert box.cursor == 0
    assert box.acknowledged_through(10)
    assert sum(box.next() is not None for _ in range(50)) == 10


def test_where_the_broker_acknowledges_one_late_record_holds_no_other_up() -> None:
    box = Outbox(0, by_application=False)
    box.feed(records(1, AHEAD + 50))
    for sequence in range(1, AHEAD + 51):
        assert box.next() is not None
        assert not (sequence > 1 and box.taken(sequence))
    assert box.cursor == 0


@pytest.mark.parametrize("sequence", [0, -3, 5])
def test_an_old_word_of_the_application_changes_nothing(sequence: int) -> None:
    box = Outbox(5, by_application=True)
    assert not box.acknowledged_through(sequence)
    assert box.cursor == 5
