"""The conversation over links in memory and in virtual time: what is sent, when, and what moves the cursor."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge.model.ports import Incoming, LinkError
from edge.upstream.alarm_lane import MISTAKE_S
from edge.upstream.alarm_lane import SINK as ALARMS
from edge.upstream.messages import SINK
from edge.upstream.outbox import AHEAD
from edge.upstream.records import CHUNK, GIVE_WAY_S, IN_VAIN_S, MAX_REPLAYS, NOBODY_S, STALL_S, Records
from edge.upstream.retained import SAID, STATUS_EVERY_S
from edge.upstream.sync import RETRY_S
from tests.support import virtual
from tests.support.journal import FORCED, OPENED, FakeJournal
from tests.support.upstream import TOPIC, FakeLink, Sent, Talk, converse

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.log.reading.query import Query, QueryPage
    from edge.model.messages import Record
    from tests.support.virtual import VirtualLoop

REFUSED, NOBODY = 0x87, 0x10


def answers(code: int | None, *names: str) -> Callable[[Sent], int | None]:
    """The broker answers so on these topics, and well on others."""
    return lambda sent: code if sent.name in names else 0


# --- the log goes out ------------------------------------------------------------------------------------


def test_the_log_goes_out_in_order_and_the_cursor_follows() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 1_234)
        await talk.start()
        assert talk.cursor == 1_234
        talk.journal.record()
        await talk.settle()

    talk = converse(script)
    assert talk.net.sequences() == list(range(1, 1_236))
    assert talk.cursor == 1_235
    # by the chunk, and once what the broker's witness may know; what is committed meanwhile is not read at all
    assert talk.journal.reads <= 1_234 / CHUNK + 3


def test_a_backlog_gives_way_to_what_is_on_its_way_to_the_disk() -> None:
    """A commit, and so an alarm, takes a multiple of its time while a backlog drains in the same interpreter."""

    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 5_000)
        talk.journal.waiting = 1
        await talk.start()
        assert not talk.net.on("events")
        assert talk.net.on("status")  # only what comes from the backlog waits
        reads = talk.journal.reads
        assert reads <= 2  # one of them for what the broker's witness may know
        talk.journal.waiting = 0
        talk.journal.record(FORCED)
        await talk.settle()

    talk = converse(script)
    assert talk.net.sequences() == list(range(1, 5_002))
    names = [sent.name for sent in talk.net.sent]
    assert names.index("alarms") < names.index("events")


def test_a_backlog_does_not_give_way_for_long() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 5_000)
        talk.journal.waiting = 1  # and stays, as on a disk that hangs
        await talk.start()
        await asyncio.sleep(GIVE_WAY_S - 0.002)
        assert not talk.net.on("events")
        await asyncio.sleep(0.002)
        assert talk.cursor == 5_000
        talk.journal.write([OPENED] * 5_000, tell=False)
        talk.upstream.door_changed("front")
        await talk.settle()
        assert talk.cursor == 10_000  # not again so soon
        await asyncio.sleep(IN_VAIN_S)
        talk.journal.write([OPENED] * 5_000, tell=False)
        talk.upstream.door_changed("front")
        await talk.settle()
        assert talk.cursor == 10_000
        await asyncio.sleep(GIVE_WAY_S)
        assert talk.cursor == 15_000

    converse(script)


def test_what_is_no_backlog_gives_way_to_nothing() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.waiting = 1
        talk.journal.write([OPENED] * 3)
        assert talk.net.sequences() == [1, 2, 3]

    converse(script)


def test_a_link_that_goes_takes_along_that_it_gave_way() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 5_000)
        talk.journal.waiting = 1
        await talk.start()
        talk.upstream.lost("gone")
        await talk.settle()
        talk.journal.waiting = 0
        await asyncio.sleep(2 * RETRY_S[1])
        assert talk.cursor == 5_000

    converse(script)


def test_an_alarm_leaves_before_the_next_message_is_made() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        before = len(talk.net.sent)
        talk.journal.write([OPENED, FORCED, OPENED])
        assert [sent.name for sent in talk.net.sent[before:]] == ["alarms"]
        await talk.settle()
        assert talk.net.sequences() == [1, 2, 3]

    converse(script)


def test_the_cursor_waits_for_the_oldest() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(None, "events")
        await talk.start()
        talk.journal.write([OPENED] * 3)
        await talk.settle()
        seen = []
        for link, mid, _ in [talk.net.held[i] for i in (2, 0, 1)]:
            link.acknowledge(mid)
            seen.append(talk.cursor)
        assert seen == [0, 1, 3]

    converse(script)


@pytest.mark.parametrize(("window", "receive_maximum"), [(20, 3), (3, 20), (1, 1)])
def test_never_more_under_way_than_we_and_the_broker_want(window: int, receive_maximum: int) -> None:
    async def script(talk: Talk) -> None:
        talk.net.receive_maximum = receive_maximum
        talk.journal.write([OPENED, FORCED] * 100)
        talk.net.code = answers(None, "events", "alarms")
        await talk.start()
        for _ in range(30):  # statuses become due, doors change and replies wait meanwhile
            await asyncio.sleep(STATUS_EVERY_S / 10)
            talk.upstream.door_changed("front")
            talk.upstream.reply(None, b"{}", None)
            held, talk.net.held = talk.net.held, []
            for link, mid, _ in held:
                link.acknowledge(mid)
        talk.net.code = lambda _sent: 0
        held, talk.net.held = talk.net.held, []
        for link, mid, _ in held:
            link.acknowledge(mid)
        await talk.settle()
        assert talk.cursor == 200

    talk = converse(script, window=window)
    assert talk.net.most_in_flight == min(window, receive_maximum)
    assert len(talk.net.links) == 1


def test_what_retention_removed_holds_nothing_up() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 20)
        talk.journal.remove([1, 2, 7, 8, 9])
        await talk.start()
        assert talk.cursor == 20

    assert converse(script).net.sequences() == [3, 4, 5, 6, *range(10, 21)]


def test_a_log_that_cannot_be_read_for_a_while_is_read_later_and_not_all_the_time() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 5)
        talk.journal.readable = False
        await talk.start()
        await asyncio.sleep(60)
        assert talk.journal.reads < 30
        talk.journal.readable = True
        await asyncio.sleep(10)
        assert talk.cursor == 5

    converse(script)


def test_replayed_tells_what_left_late() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.record()
        await asyncio.sleep(11)
        talk.journal.record()
        await talk.start()

    sent = converse(script).net.on("events")
    assert [one.content["data"]["replayed"] for one in sent] == [True, False]


def test_a_log_that_was_set_aside_is_followed_by_its_successor_from_the_start() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 5)
        talk.net.code = answers(None, "events")
        await talk.start()
        talk.journal.set_aside()
        talk.journal.write([OPENED] * 8)
        for link, mid, _ in talk.net.held:  # about the log that is no more
            link.acknowledge(mid)
        assert talk.cursor == 0
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(60)
        assert talk.cursor == 8

    sent = converse(script).net.on("events")
    assert [one.content["id"] for one in sent[5:]] == [f"epoch-2-{n}" for n in range(1, 9)]


def test_a_replay_of_a_log_that_was_set_aside_is_not_sent_from_its_successor() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 5)
        await talk.start()
        talk.net.link.cut()
        talk.upstream.replay(1, 5)
        talk.journal.set_aside()
        talk.journal.write([OPENED] * 8)
        await asyncio.sleep(60)
        assert talk.cursor == 8

    sent = converse(script).net.on("events")
    assert [one.content["id"] for one in sent[5:]] == [f"epoch-2-{n}" for n in range(1, 9)]


# --- nobody there, or not wanted ---------------------------------------------------------------------------


def test_while_nobody_subscribes_records_wait_and_status_says_so() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(NOBODY, "events")
        talk.journal.write([OPENED] * 3)
        await talk.start()
        assert talk.cursor == 0
        assert talk.upstream.facts()["state"] == "no_subscriber"
        assert talk.net.on("status")[-1].content["no_subscriber"] is True
        await asyncio.sleep(NOBODY_S * 3 + 1)
        tries = [sent.at_s for sent in talk.net.on("events") if sent.sequence == 1]
        assert [round(b - a) for a, b in pairwise(tries)] == [NOBODY_S] * 3
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(NOBODY_S)
        assert talk.cursor == 3
        assert talk.upstream.facts()["state"] == "online"
        assert talk.upstream.facts()["last_error"] is None
        assert talk.net.on("status")[-1].content["no_subscriber"] is False

    assert not converse(script).desk.refusals  # that nobody listens is no fault of the broker


def test_a_refusal_is_one_fault_and_ends_with_one_more() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(REFUSED, "events")
        talk.journal.write([OPENED] * 3)
        await talk.start()
        await asyncio.sleep(NOBODY_S * 5 + 1)
        assert talk.cursor == 0
        assert talk.upstream.facts()["state"] == "refused"
        assert "0x87" in str(talk.upstream.facts()["last_error"])
        assert len(talk.desk.refusals) == 1
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(NOBODY_S)
        assert talk.cursor == 3
        assert talk.upstream.facts()["state"] == "online"

    reason, end = converse(script).desk.refusals
    assert reason is not None
    assert f"{TOPIC}/events" in reason
    assert end is None


def test_a_broker_that_refuses_every_other_message_does_not_have_us_write_for_ever() -> None:
    async def script(talk: Talk) -> None:
        count = 0

        def every_other(_sent: Sent) -> int:
            nonlocal count
            count += 1
            return 0x97 if count % 2 else 0

        def told(reason: str | None) -> None:
            talk.desk.refusals.append(reason)
            talk.journal.record("controller.fault" if reason else "controller.fault_cleared")

        talk.desk.upstream_refuses = told  # type: ignore[method-assign]
        talk.net.code = every_other
        await talk.start()
        talk.journal.write([OPENED] * 50)
        await asyncio.sleep(600)
        assert len(talk.desk.refusals) <= 2 * 600 / NOBODY_S
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(120)
        assert talk.cursor == talk.journal.committed
        assert talk.desk.refusals[-1] is None

    converse(script)


@pytest.mark.parametrize("name", ["doors/front/state", "status", "alarms"])
def test_a_refused_topic_is_a_fault_and_the_events_go_on(name: str) -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(REFUSED, name)
        await talk.start()
        talk.journal.write([OPENED, FORCED, OPENED])
        await asyncio.sleep(1)
        assert talk.cursor == 3
        assert talk.upstream.facts()["state"] == "refused"
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(NOBODY_S + 5)
        talk.upstream.door_changed("front")
        await asyncio.sleep(STATUS_EVERY_S + 5)
        assert talk.upstream.facts()["state"] == "online"

    talk = converse(script)
    assert len(talk.desk.refusals) == 2
    assert talk.net.sequences("alarms")[-1] == 2


def test_not_to_be_allowed_to_read_commands_is_a_fault_until_a_link_allows_it() -> None:
    async def script(talk: Talk) -> None:
        talk.net.suback = REFUSED
        await talk.start()
        assert talk.upstream.facts()["state"] == "refused"
        talk.net.suback = 1
        talk.net.link.cut()
        await asyncio.sleep(5)
        assert talk.upstream.facts()["state"] == "online"

    reason, end = converse(script).desk.refusals
    assert reason is not None
    assert "commands" in reason
    assert end is None


def test_a_refused_connection_is_a_fault_until_one_is_accepted() -> None:
    async def script(talk: Talk) -> None:
        talk.net.unreachable = LinkError("the broker refused us: Not authorized", refused=True)
        await talk.start()
        await asyncio.sleep(300)
        assert talk.upstream.facts()["state"] == "refused"
        talk.net.unreachable = None
        await asyncio.sleep(RETRY_S[1] + 1)
        assert talk.upstream.facts()["state"] == "online"

    assert converse(script).desk.refusals == ["the broker refused us: Not authorized", None]


# --- links come and go ---------------------------------------------------------------------------------


def test_a_new_link_starts_after_the_cursor() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 10)
        talk.net.code = lambda sent: None if sent.name == "events" and sent.sequence > 4 else 0
        await talk.start()
        assert talk.cursor == 4
        talk.net.link.cut()
        await talk.settle()
        talk.journal.write([OPENED] * 2)  # nobody is there to take them
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(5)

    talk = converse(script)
    assert talk.net.sequences() == [*range(1, 11), *range(5, 13)]
    assert talk.cursor == 12


def test_connections_are_counted_and_attempts_are_not() -> None:
    async def script(talk: Talk) -> None:
        talk.net.unreachable = LinkError("no route to host")
        await talk.start()
        await asyncio.sleep(600)
        facts = talk.upstream.facts()
        assert (facts["connections"], facts["reconnects"], facts["taken_over"]) == (0, 0, 0)
        talk.net.unreachable = None
        await asyncio.sleep(RETRY_S[1] + 1)
        for _ in range(3):
            talk.net.link.cut("the broker ended the connection: Session taken over")
            await asyncio.sleep(RETRY_S[1] + 1)
        facts = talk.upstream.facts()
        assert (facts["connections"], facts["reconnects"], facts["taken_over"]) == (4, 3, 3)
        assert (facts["connections_last_hour"], facts["taken_over_last_hour"]) == (4, 3)
        await asyncio.sleep(3_600)
        facts = talk.upstream.facts()
        assert (facts["connections_last_hour"], facts["taken_over_last_hour"], facts["taken_over"]) == (0, 0, 3)

    converse(script)


def test_attempts_are_spread_and_grow_to_a_minute() -> None:
    async def script(talk: Talk) -> None:
        talk.net.unreachable = LinkError("no route to host")
        await talk.start()
        await asyncio.sleep(3_600)

    talk = converse(script)
    pauses = [after - before for before, after in pairwise(talk.net.attempts)]
    assert all(RETRY_S[0] <= pause <= RETRY_S[1] for pause in pauses)
    assert max(pauses[:3]) <= 8 * RETRY_S[0]
    assert max(pauses) > 40
    assert len({round(pause, 3) for pause in pauses}) > len(pauses) // 2
    assert not talk.desk.refusals
    other = converse(script, seed=2)
    assert other.net.attempts[1:4] != talk.net.attempts[1:4]  # a fleet does not come back in step


def test_a_mistake_of_our_own_ends_with_the_link_it_happened_on() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 3)
        talk.net.unreachable = RuntimeError("a bug")
        await talk.start()
        assert talk.upstream.conversation.state == "offline"
        assert "a bug" in str(talk.upstream.conversation.last_error)
        talk.net.unreachable = None
        await asyncio.sleep(120)

    assert converse(script).cursor == 3


def test_a_link_that_was_of_use_is_tried_again_soon() -> None:
    async def script(talk: Talk) -> None:
        talk.net.unreachable = LinkError("no route to host")
        await talk.start()
        await asyncio.sleep(600)
        talk.net.unreachable = None
        await asyncio.sleep(RETRY_S[1])
        talk.net.link.cut()
        cut_s, attempts = talk.loop.time(), len(talk.net.attempts)
        await asyncio.sleep(3)
        assert talk.net.attempts[attempts] - cut_s <= 2 * RETRY_S[0]

    converse(script)


@pytest.mark.parametrize("by_application", [False, True])
def test_a_silent_link_is_given_up_and_sent_again_on_the_next(by_application: bool) -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.net.code = lambda _sent: None
        first = talk.net.link
        talk.journal.record()
        await asyncio.sleep(STALL_S + 10)
        assert not first.alive
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(5)
        assert talk.net.sequences()[-1] == 1
        assert len(talk.net.links) > 1

    converse(script, by_application=by_application)


def test_a_link_that_dies_while_sending_loses_no_answer() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.net.link.alive = False  # nobody has told us yet
        talk.upstream.reply(None, b'{"id":"c-1"}', None)
        await asyncio.sleep(5)

    assert [sent.content for sent in converse(script).net.on("replies")] == [{"id": "c-1"}]


# --- the application acknowledges -------------------------------------------------------------------------


def test_only_the_application_moves_its_cursor() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.write([OPENED] * 10)
        await talk.settle()
        assert talk.cursor == 0
        talk.ack(4)
        assert talk.cursor == 4
        for wrong in (
            lambda: talk.ack(9, stream="test/other"),
            lambda: talk.ack(11),  # never sent
            lambda: talk.ack(9, retained=True),
            lambda: talk.upstream.incoming(Incoming(f"{TOPIC}/ack", b"\xff", retained=False)),
        ):
            wrong()
        assert talk.cursor == 4
        assert talk.upstream.facts()["ignored_acks"] == 4
        talk.ack(3)  # a step back
        assert talk.cursor == 4
        talk.ack(10)
        assert talk.cursor == 10

    converse(script, by_application=True)


def test_an_ack_of_the_link_before_counts() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.write([OPENED] * 10)
        await talk.settle()
        talk.net.code = answers(None, "events", "status")
        talk.net.link.cut()
        await asyncio.sleep(5)
        talk.ack(10)
        assert talk.cursor == 10

    converse(script, by_application=True, window=1)


def test_an_ack_means_nothing_where_the_broker_acknowledges() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(None, "events")
        await talk.start()
        talk.journal.write([OPENED] * 3)
        await talk.settle()
        talk.ack(3)
        assert talk.cursor == 0

    converse(script)


def test_sending_runs_ahead_of_the_application_by_so_much_only() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 2_000)
        await talk.start()
        assert talk.net.sequences() == list(range(1, AHEAD + 1))
        talk.ack(100)
        await talk.settle()
        assert talk.net.sequences()[-1] == AHEAD + 100

    converse(script, by_application=True)


def test_an_application_that_missed_something_gets_it_again_although_more_arrives_all_the_time() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        for _ in range(60):
            talk.journal.record()
            await asyncio.sleep(1)
        again = [sent.at_s for sent in talk.net.on("events") if sent.sequence == 1]
        assert len(again) == 2
        assert STALL_S <= again[1] - again[0] <= STALL_S + 5
        await asyncio.sleep(3_600)
        copies = len([sent for sent in talk.net.on("events") if sent.sequence == 1])
        assert 8 < copies < 20  # more and more patiently: who is away for an hour finds no mountain of copies

    converse(script, by_application=True)


# --- alarms ---------------------------------------------------------------------------------------------------


def test_an_alarm_overtakes_the_backlog() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 10_000)
        talk.net.code = lambda sent: None if sent.name == "events" and sent.sequence > 100 else 0
        await talk.start()
        assert talk.cursor == 100
        alarm = talk.journal.record(FORCED)
        link, mid, _ = talk.net.held.pop(0)
        link.acknowledge(mid)
        assert talk.net.sent[-1].name == "alarms"  # the very next place is its
        assert talk.net.sent[-1].sequence == alarm.sequence

    converse(script)


def test_alarms_from_before_the_link_go_first_and_once() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([*[OPENED] * 3_000, FORCED, OPENED, FORCED])
        await talk.start()
        talk.net.link.cut()
        await asyncio.sleep(5)

    talk = converse(script)
    assert talk.net.sequences("alarms") == [3_001, 3_003]
    names = [sent.name for sent in talk.net.sent if sent.name in {"alarms", "events"}]
    assert names.index("alarms") < 100
    assert set(range(1, 3_004)) == set(talk.net.sequences())  # the records themselves stay in their row


def test_an_alarm_that_was_not_taken_is_sent_on_the_next_link() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(None, "alarms")
        await talk.start()
        talk.journal.write([FORCED, FORCED])
        await talk.settle()
        talk.net.link.cut()
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(5)

    assert converse(script).net.sequences("alarms") == [1, 2, 1, 2]


def test_while_nobody_hears_anything_alarms_are_kept_and_newer_ones_tried_at_once() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = lambda sent: NOBODY if sent.name in {"events", "alarms"} else 0
        await talk.start()
        talk.journal.write([FORCED, FORCED])
        await asyncio.sleep(5)
        assert talk.net.sequences("alarms") == [1, 2]
        talk.net.code = lambda _sent: 0
        talk.journal.record(FORCED)
        await talk.settle()
        assert talk.net.sequences("alarms") == [1, 2, 3, 1, 2]
        await asyncio.sleep(NOBODY_S * 2)
        assert talk.net.sequences("alarms") == [1, 2, 3, 1, 2]

    converse(script)


def test_who_subscribes_to_events_only_is_not_bothered_with_copies() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(NOBODY, "alarms")
        await talk.start()
        for _ in range(5):
            talk.journal.record(FORCED)
            await asyncio.sleep(NOBODY_S + 1)
        assert talk.journal.cursor("mqtt-alarms") == 5
        assert talk.upstream.facts()["state"] == "online"

    assert converse(script).net.sequences("alarms") == [1, 2, 3, 4, 5]


def test_a_refused_alarm_is_tried_again() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(REFUSED, "alarms")
        await talk.start()
        talk.journal.record(FORCED)
        await asyncio.sleep(NOBODY_S * 2 + 1)
        assert talk.net.sequences("alarms") == [1, 1, 1]
        assert talk.journal.cursor("mqtt-alarms") == 0
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(NOBODY_S)
        assert talk.journal.cursor("mqtt-alarms") == 1

    converse(script)


def test_more_alarms_than_are_kept_all_arrive() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.net.code = answers(None, "alarms")
        for _ in range(30):
            talk.journal.write([FORCED] * 100)
        await talk.settle()
        talk.net.code = lambda _sent: 0
        for link, mid, _ in talk.net.held:
            link.acknowledge(mid)
        await asyncio.sleep(60)

    talk = converse(script)
    assert set(talk.net.sequences("alarms")) == set(range(1, 3_001))
    assert talk.journal.cursor("mqtt-alarms") == 3_000


# --- states, status, answers, replays ---------------------------------------------------------------------------


def test_every_state_is_told_on_a_new_link_and_the_newest_wins() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        assert {sent.name for sent in talk.net.sent} == {"stream", "status", "doors/front/state", "doors/back/state"}
        assert all(sent.retained for sent in talk.net.sent)
        talk.net.code = answers(None, "events")
        talk.journal.write([OPENED] * 20)  # the window is full
        await talk.settle()
        for contact in ("open", "closed", "open"):
            talk.desk.states["front"] = contact
            talk.upstream.door_changed("front")
        for link, mid, _ in talk.net.held:
            link.acknowledge(mid)
        await talk.settle()
        assert [sent.content["contact"] for sent in talk.net.on("doors/front/state")] == ["closed", "open"]

    converse(script)


def test_a_state_leaves_after_what_made_it_so_is_on_the_disk() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.writable = False
        talk.desk.states["front"] = "open"
        talk.upstream.door_changed("front")
        await asyncio.sleep(30)
        talk.net.link.cut()  # nor over the next link
        await asyncio.sleep(30)
        assert {sent.content["contact"] for sent in talk.net.on("doors/front/state")} == {"closed"}
        talk.journal.writable = True
        await asyncio.sleep(1)
        assert talk.net.on("doors/front/state")[-1].content["contact"] == "open"

    converse(script)


def test_a_door_that_comes_while_we_talk_is_said_at_once_and_its_state_is_known_to_be_kept() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        before = len(talk.net.on("status"))
        talk.desk.states["shed"] = "closed"
        talk.upstream.settings_changed(("front", "back", "shed"))
        await talk.settle()
        [state] = talk.net.on("doors/shed/state")
        assert (state.content, state.retained) == ({"id": "shed", "contact": "closed"}, True)
        [status] = talk.net.on("status")[before:]
        assert status.content["doors"] == ["front", "back", "shed"]
        assert json.loads(talk.journal.kept[SAID]) == ["back", "front", "shed"]
        assert len(talk.net.on("doors/front/state")) == 1

    converse(script)


def test_the_state_of_a_door_that_is_no_more_is_taken_back_once() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.kept[SAID] = '["front", "cellar", "attic"]'
        talk.net.code = answers(REFUSED, "doors/attic/state")
        await talk.start()
        assert json.loads(talk.journal.kept[SAID]) == ["attic", "back", "front"]  # refused: it is tried again
        talk.net.code = lambda _sent: 0
        talk.net.link.cut()
        await asyncio.sleep(5)
        assert json.loads(talk.journal.kept[SAID]) == ["back", "front"]
        talk.net.link.cut()
        await asyncio.sleep(5)

    talk = converse(script)
    for door, times in (("cellar", 1), ("attic", 2)):
        taken_back = talk.net.on(f"doors/{door}/state")
        assert [(sent.content, sent.retained) for sent in taken_back] == [(None, True)] * times


def test_a_stop_says_so_and_sends_no_will() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.write([OPENED] * 3)
        await talk.settle()
        assert talk.net.link.will["online"] is False
        await talk.upstream.close(1.0)

    talk = converse(script)
    first, last = talk.net.on("status")[0], talk.net.on("status")[-1]
    assert (first.content["online"], last.content["online"]) == (True, False)
    assert (last.content["cursor"], last.content["sequence"]) == (3, 3)
    assert talk.net.sent[-1] is last
    assert talk.net.link.clean


def test_a_stop_over_a_silent_link_leaves_the_word_to_the_will() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.net.code = lambda _sent: None
        talk.journal.write([OPENED] * 30)
        await talk.settle()
        before_s = talk.loop.time()
        await talk.upstream.close(1.0)
        assert talk.loop.time() - before_s < 2.0

    talk = converse(script)
    assert not talk.net.link.clean
    assert not talk.net.link.alive


def test_answers_go_where_they_are_wanted_and_nowhere_else() -> None:
    asked = ["desk/42/answers", None, "desk/+/x", "#", "", "$SYS/x", f"{TOPIC}/events", f"{TOPIC}/status", "x" * 2_000]
    asked.append(f"{TOPIC}/replies/desk-1")

    async def script(talk: Talk) -> None:
        await talk.start()
        for number, topic in enumerate(asked):
            talk.upstream.reply(topic, b"%d" % number, b"\x00cor%d" % number)
        await talk.settle()

    sent = [one for one in converse(script).net.sent if one.correlation is not None]
    elsewhere = len(asked) - 2
    assert [one.name for one in sent] == ["desk/42/answers", *["replies"] * elsewhere, "replies/desk-1"]
    assert sent[3].correlation == b"\x00cor3"
    assert not any(one.retained for one in sent)


def test_a_refused_answer_elsewhere_is_no_fault_of_ours() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(REFUSED, "desk/42")
        await talk.start()
        talk.upstream.reply("desk/42", b"{}", None)
        await talk.settle()
        assert talk.upstream.facts()["state"] == "online"

    assert not converse(script).desk.refusals


def test_answers_under_way_when_the_link_is_lost_are_sent_again() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.net.code = answers(None, "replies")
        for number in range(3):
            talk.upstream.reply(None, b"%d" % number, None)
        await talk.settle()
        talk.net.link.cut()
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(5)

    assert [sent.content for sent in converse(script).net.on("replies")] == [0, 1, 2, 0, 1, 2]


def test_commands_reach_the_desk() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.upstream.incoming(Incoming(f"{TOPIC}/commands", b"{}", retained=True))
        talk.upstream.incoming(Incoming("elsewhere", b"{}", retained=False))

    assert [one.topic for one in converse(script).desk.orders] == [f"{TOPIC}/commands"]


def test_a_replay_sends_a_range_again_and_disturbs_nothing() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 2_000)
        await talk.start()
        talk.upstream.replay(600, 1_700)
        await talk.settle()
        again = talk.net.on("events")[2_000:]
        assert [sent.sequence for sent in again] == list(range(600, 1_701))
        assert all(sent.content["data"]["replayed"] for sent in again)
        assert talk.cursor == 2_000
        talk.upstream.replay(7, 7)
        await talk.settle()
        assert talk.net.sequences()[3_101:] == [7]
        talk.upstream.replay(2_001, 5_000)  # nothing there
        talk.journal.record()
        await talk.settle()
        assert talk.cursor == 2_001

    converse(script)


def test_of_too_many_replays_nothing_is_lost_and_what_lies_between_comes_along() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 1_000)
        await talk.start()
        wanted = range(1, 1_000, 4)
        for sequence in wanted:
            talk.upstream.replay(sequence, sequence)
        await talk.settle()
        again = talk.net.sequences()[1_000:]
        assert {*wanted} < {*again}
        assert again == sorted({*again})
        apart = sum(after - before > 1 for before, after in pairwise([-1, *again]))
        assert apart == MAX_REPLAYS

    converse(script)


def test_new_records_go_before_a_replay() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 500)
        await talk.start()
        talk.net.code = answers(None, "events")
        talk.upstream.replay(1, 500)
        await talk.settle()
        fresh = talk.journal.record()
        link, mid, _ = talk.net.held.pop(0)
        link.acknowledge(mid)
        assert talk.net.sent[-1].sequence == fresh.sequence

    converse(script)


@pytest.mark.parametrize("code", [None, NOBODY, REFUSED])
def test_a_replay_that_was_interrupted_goes_on(code: int | None) -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 1_500)
        await talk.start()
        start = len(talk.net.sent)
        talk.net.code = lambda sent: code if sent.name == "events" and len(talk.net.sent) > start + 700 else 0
        talk.upstream.replay(1, 1_500)
        await talk.settle()
        if code is None:
            talk.net.link.cut()
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(NOBODY_S + 5)
        taken = {sent.sequence for sent in talk.net.sent[start:] if sent.name == "events"}
        assert taken == set(range(1, 1_501))
        assert talk.cursor == 1_500

    converse(script)


def test_what_comes_back_while_a_replay_is_read_is_in_nobodys_place() -> None:
    async def main(_loop: VirtualLoop) -> None:
        journal, gate = FakeJournal(), asyncio.Event()
        journal.write([OPENED] * 1_000)
        journal.advance(SINK, 1_000)
        read = journal.read

        async def slowly(after: int, limit: int) -> list[Record]:
            await gate.wait()
            return await read(after, limit)

        journal.read = slowly  # type: ignore[method-assign]
        records, sent = Records(journal, lambda: None, by_application=False), list[int]()  # type: ignore[arg-type]
        records.begin()
        records.replay(1, 250)

        async def step() -> None:
            records.fetch()
            await asyncio.sleep(NOBODY_S + 1)
            while (found := records.next(asyncio.get_running_loop().time())) is not None:
                sent.append(found[0].sequence)
                if len(sent) != 100:  # the hundredth comes back, see below
                    records.taken(found[0].sequence, again=True)

        gate.set()
        await step()
        assert sent == list(range(1, 101))
        gate.clear()
        records.fetch()
        await asyncio.sleep(0)
        records.came_back(100, again=True)
        gate.set()
        for _ in range(4):
            await step()
        assert sorted(sent) == sorted([*range(1, 251), 100])

    virtual.run(main)


def test_alarms_that_cannot_be_read_do_not_count_as_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED, FORCED, OPENED])
        query, mistakes = talk.journal.query, [ValueError("a damaged index")]

        async def mistaken(asked: Query) -> QueryPage:
            if mistakes and FORCED in asked.types:
                raise mistakes.pop()
            return await query(asked)

        talk.journal.query = mistaken  # type: ignore[method-assign]
        await talk.start()
        talk.journal.record(FORCED)
        await talk.settle()
        assert [sent.sequence for sent in talk.net.on("alarms")] == [4]
        assert talk.journal.cursor(ALARMS) == 0, "the first one was not sent"
        await asyncio.sleep(MISTAKE_S + 1)
        assert {sent.sequence for sent in talk.net.on("alarms")} == {2, 4}
        assert talk.journal.cursor(ALARMS) == 4

    converse(script)
    assert "a damaged index" in caplog.text


# --- everything at once ---------------------------------------------------------------------------------------


class Consumer:
    """Stores what was taken; a broker without a memory, which loses what it took when it dies."""

    def __init__(self, talk: Talk, chance: random.Random, *, acknowledges: bool) -> None:
        self.talk, self.chance, self.acknowledges = talk, chance, acknowledges
        self.stored: set[int] = set()
        self.alarms: set[int] = set()
        self.calm = False

    def answer(self, sent: Sent) -> int | None:
        if sent.name not in {"events", "alarms"}:
            return 0
        roll = 1.0 if self.calm else self.chance.random()
        if roll < 0.05:
            return self.chance.choice([NOBODY if sent.name == "events" else REFUSED, REFUSED, 0x97, None])
        if self.acknowledges and sent.name == "events" and roll < 0.15:
            return 0  # the broker took it and died before the application had it
        (self.stored if sent.name == "events" else self.alarms).add(sent.sequence)
        if self.acknowledges and sent.name == "events":
            row = self.talk.cursor
            while row + 1 in self.stored:
                row += 1
            if row and (self.calm or self.chance.random() < 0.9):
                self.talk.loop.call_soon(self.talk.ack, row)
        return 0


@pytest.mark.parametrize("by_application", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_lost_refused_or_cut_everything_arrives(seed: int, by_application: bool) -> None:
    chance = random.Random(seed)

    async def script(talk: Talk) -> None:
        consumer = Consumer(talk, chance, acknowledges=by_application)
        talk.net.code = consumer.answer
        talk.net.receive_maximum = chance.choice([1, 5, 20, 65_535])
        await talk.start()
        for _ in range(40):
            talk.journal.write(chance.choices([OPENED, FORCED], [9, 1], k=chance.randrange(60)))
            talk.upstream.door_changed("front")
            await asyncio.sleep(chance.choice([0.0, 0.01, 1.0, 7.0, 40.0]))
            if chance.random() < 0.4 and talk.net.links:
                link: FakeLink = talk.net.link
                link.cut()
            talk.net.unreachable = LinkError("away") if chance.random() < 0.2 else None
        consumer.calm, talk.net.unreachable = True, None
        await asyncio.sleep(2_000)
        assert talk.cursor == talk.journal.committed
        assert consumer.stored == set(range(1, talk.journal.committed + 1))
        assert consumer.alarms >= {n for n, r in talk.journal.records.items() if r.event.type == FORCED}
        assert talk.upstream.facts()["state"] == "online"
        assert not talk.desk.refusals or talk.desk.refusals[-1] is None

    talk = converse(script, by_application=by_application, seed=seed)
    first_time = list(dict.fromkeys(talk.net.sequences()))
    assert first_time == sorted(first_time)  # a first delivery is in order


# --- alerts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, NOBODY, REFUSED])
def test_an_alert_is_taken_when_somebody_has_it(code: int) -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = answers(code, "alerts")
        await talk.start()
        if code == 0:
            await talk.upstream.alert(b'{"n": 1}')
        else:
            with pytest.raises(LinkError, match="nobody took it"):
                await talk.upstream.alert(b'{"n": 1}')

    assert [sent.content for sent in converse(script).net.sent if sent.name == "alerts"] == [{"n": 1}]


def test_an_alert_that_is_under_way_when_the_link_goes_was_perhaps_not_taken() -> None:
    async def script(talk: Talk) -> None:
        with pytest.raises(LinkError, match="no link"):
            await talk.upstream.alert(b"{}")
        talk.net.code = answers(None, "alerts")
        await talk.start()
        waits = asyncio.ensure_future(talk.upstream.alert(b"{}"))
        await asyncio.sleep(0.1)
        talk.net.link.cut()
        with pytest.raises(LinkError, match="was lost"):
            await waits
        assert not talk.net.link.alive

    converse(script)
