"""What waits for the disk: bounded, in order, alarms dropped last, every drop counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.log.buffer import MAX_CONTROL, Buffer, Call, ClockReading, Cursor, Gap, Work, is_alarm
from edge.log.reading.times import Offset
from edge.model.messages import ClockQuality
from tests.support.logs import forced, opened


def drain(buffer: Buffer) -> Work:
    """Everything that waits, as one."""
    whole = Work()
    while (work := buffer.take(cursors_due=True)) is not None:
        whole.entries += work.entries
        whole.events += work.events
        whole.cursors |= work.cursors
        for door, mode in work.modes.items():
            whole.modes[door] = max(whole.modes.get(door, (0, "")), mode)
        buffer.done(work)
    return whole


@given(
    bound=st.integers(1, 12),
    calls=st.lists(st.lists(st.booleans(), min_size=1, max_size=4), max_size=30),
    taken=st.sets(st.integers(0, 30), max_size=2),
)
def test_plain_events_go_before_alarms_and_all_are_counted(bound: int, calls: list[list[bool]], taken: set[int]):
    buffer, number = Buffer(bound), 0
    given_alarms = given_plain = 0
    works = []
    for index, call in enumerate(calls):
        events = []
        for alarm in call:
            number += 1
            events.append(forced(number, number) if alarm else opened(number, number))
        plain_waits = any(not is_alarm(e) for w in buffer._entries if isinstance(w, Call) for e in w.events)
        lost_alarms = sum(entry.alarms for entry in buffer._entries if isinstance(entry, Gap))
        buffer.append(events, {"front": str(index)})
        assert buffer.waiting <= bound
        gained = sum(entry.alarms for entry in buffer._entries if isinstance(entry, Gap)) - lost_alarms
        still = any(not is_alarm(e) for w in buffer._entries if isinstance(w, Call) for e in w.events)
        assert not (gained and plain_waits and still)  # no alarm went while a plain event stayed
        given_alarms += sum(call)
        given_plain += len(call) - sum(call)
        if index in taken:
            works.append(drain(buffer))
    works.append(drain(buffer))
    entries = [entry for work in works for entry in work.entries]
    kept = [event for entry in entries if isinstance(entry, Call) for event in entry.events]
    gaps = [entry for entry in entries if isinstance(entry, Gap)]
    order = [event.at_ns for event in kept]
    assert order == sorted(order)
    assert len(kept) + sum(gap.events for gap in gaps) == number
    assert sum(map(is_alarm, kept)) + sum(gap.alarms for gap in gaps) == given_alarms
    assert buffer.dropped == sum(gap.events for gap in gaps)
    assert buffer.waiting == 0
    modes = [(0, "")] + [mode for work in works for mode in work.modes.values()]
    modes += [(entry.number, entry.modes["front"]) for entry in entries if isinstance(entry, Call) and entry.modes]
    if calls:
        assert max(modes)[1] == str(len(calls) - 1)  # the latest mode is never dropped


def test_a_gap_stands_where_the_first_event_was_dropped():
    buffer = Buffer(2)
    for number in range(4):
        buffer.append([opened(number, number)], {})
    work = drain(buffer)
    assert [type(entry) for entry in work.entries] == [Call, Call, Gap]
    buffer.append([opened(9, 9)], {})
    assert [type(entry) for entry in drain(buffer).entries] == [Call]


def test_what_is_no_event_is_bounded_too():
    buffer, note = Buffer(), ClockReading(Offset(0, 0, ClockQuality.SYNCED))
    assert all(buffer.control(note) for _ in range(MAX_CONTROL))
    assert not buffer.control(note)
    drain(buffer)
    assert buffer.control(note)


def test_cursors_wait_for_company():
    buffer = Buffer()
    buffer.cursor("mqtt", "e1", 1)
    buffer.cursor("mqtt", "e1", 2)
    assert buffer.take(cursors_due=False) is None
    assert buffer.cursors_wait
    buffer.append([opened()], {})
    work = buffer.take(cursors_due=False)
    assert work is not None
    assert work.cursors == {"mqtt": Cursor("e1", 2)}
    assert not buffer.cursors_wait


def test_a_thousand_modes_without_room_for_events_are_one_mode():
    buffer = Buffer(1)
    buffer.append([forced()], {"front": "first"})
    for number in range(1_000):
        buffer.append([forced()], {"front": str(number)})
    assert len(buffer._entries) == 2  # the one that fits, and the gap
    assert drain(buffer).modes == {"front": (1_001, "999")}
