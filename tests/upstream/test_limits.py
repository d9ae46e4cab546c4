"""A broker's limits: what it announces is obeyed, what does not fit is said once, and records go on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge.model.cloudevents import Identity, encode_cut
from edge.upstream.in_flight import HANG_UPS, LEFT_OUT_S
from edge.upstream.limits import NO_QOS, NO_RETAIN
from edge.upstream.retained import SAID, STATUS_EVERY_S
from tests.support.journal import FORCED, OPENED
from tests.support.upstream import Sent, Talk, converse

if TYPE_CHECKING:
    from edge.model.messages import Json
    from edge.model.ports import Incoming, Will

HERE = Identity("lab", "test", "epoch-1")


def large(talk: Talk, sequence: int, **more: Any) -> None:
    """Give a record more details than a broker takes."""
    record = talk.journal.records[sequence]
    talk.journal.records[sequence] = replace(record, event=replace(record.event, details={"x": "a" * 5_000}, **more))


def sizes(talk: Talk, most: int) -> list[str]:
    """Refuse on the wire what is larger than announced: a broker hangs up on it."""
    talk.net.maximum_packet = most
    over: list[str] = []

    def look(name: str, payload: bytes) -> bool:
        if len(payload) > most:
            over.append(name)
        return len(payload) > most

    talk.net.hangs_up = look
    return over


def test_a_record_that_is_too_large_leaves_cut_and_the_others_whole() -> None:
    async def script(talk: Talk) -> None:
        over = sizes(talk, 2_000)
        talk.journal.write([OPENED, FORCED, OPENED], tell=False)
        large(talk, 2)
        await talk.start()
        assert talk.cursor == 3
        assert len(talk.net.links) == 1
        assert over == []

    talk = converse(script)
    details = [sent.content["data"]["details"] for sent in talk.net.on("events")]
    assert details == [{}, {"truncated": True}, {}]
    assert [sent.content["data"]["details"] for sent in talk.net.on("alarms")] == [{"truncated": True}]
    assert [topic.rpartition("/")[2] for topic, _ in talk.desk.left_out] == ["alarms", "events"]  # once each


def test_a_record_of_long_names_is_cut_further() -> None:
    async def script(talk: Talk) -> None:
        record = talk.journal.record(OPENED)
        event = replace(
            record.event, correlation="c" * 900, object=replace(record.event.object, name="n" * 900), details={"x": "y"}
        )
        talk.journal.records[1] = replace(record, event=event)
        for most in (10_000, 1_200):
            content = encode_cut(talk.journal.records[1], HERE, replayed=False, most=most)
            assert json.loads(content)["data"]["details"] == {"truncated": True}
            assert len(content) <= most

    converse(script)


@pytest.mark.parametrize("correlation", [b"c", b"c" * 7_000])
def test_an_answer_that_is_too_large_is_short_and_ends_nothing(correlation: bytes) -> None:
    async def script(talk: Talk) -> None:
        over = sizes(talk, 2_000)
        await talk.start()
        answer: Json = {"id": "c1", "command": "diagnose", "done": True, "message": "", "outcomes": ["x" * 9_000]}
        talk.upstream.reply("desk/7", json.dumps(answer).encode(), correlation)
        talk.journal.record(OPENED)
        await asyncio.sleep(60)
        assert talk.cursor == 1
        assert over == []
        assert len(talk.net.links) == 1

    sent = [one for one in converse(script).net.sent if one.name in {"desk/7", "replies"}]
    [answer] = [one.content for one in sent]
    assert (answer["id"], answer["done"], answer["outcomes"]) == ("c1", True, {})
    assert "2000" in answer["message"]
    where = ("desk/7", b"c") if len(correlation) == 1 else ("replies", None)
    assert [(one.name, one.correlation) for one in sent] == [where]


def test_a_state_that_is_too_large_is_left_out_by_name_and_said_once() -> None:
    async def script(talk: Talk) -> None:
        sizes(talk, 2_000)
        talk.desk.states["front"] = "x" * 5_000
        await talk.start()
        for _ in range(5):
            talk.upstream.door_changed("front")
            talk.journal.record(OPENED)
            await asyncio.sleep(30)
        assert talk.cursor == 5
        assert list(talk.upstream.facts()["left_out"]) == ["doorward/v1/lab/test/doors/front/state"]  # type: ignore[arg-type]

    talk = converse(script)
    assert [topic for topic, _ in talk.desk.left_out] == ["doors/front/state"]
    assert talk.net.on("doors/back/state")
    assert len(talk.net.links) == 1


class Extra:
    """Somebody with more to say than a window."""

    topics = ("ha/status",)

    def __init__(self, size: int) -> None:
        self.size, self.left = size, 0

    def begin(self) -> None:
        self.left = 50

    def heard(self, incoming: Incoming, now_s: float) -> bool | None:
        raise AssertionError(incoming, now_s)

    def next(self) -> tuple[str, bytes] | None:
        self.left -= 1
        return (f"ha/{self.left}", json.dumps("x" * self.size).encode()) if self.left >= 0 else None


def test_a_guest_and_the_records_do_not_wait_for_each_other() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 2_000)
        await talk.start()
        assert talk.cursor == 2_000

    names = [sent.name for sent in converse(script, extra=Extra(10)).net.sent]
    said = [at for at, name in enumerate(names) if name.startswith("ha/")]
    assert len(said) == 50
    assert said[-1] < 1_000  # it waits for no backlog
    assert names.index("events") <= 53  # nor a backlog for more than it has to say


def test_what_is_too_large_of_a_guest_is_left_out() -> None:
    async def script(talk: Talk) -> None:
        over = sizes(talk, 2_000)
        talk.journal.write([OPENED] * 20)
        await talk.start()
        assert talk.cursor == 20
        assert over == []

    assert len(converse(script, extra=Extra(5_000)).desk.left_out) == 50


@pytest.mark.parametrize("guilty", ["doors/front/state", "ha/3", "desk/7", "status"])
def test_a_topic_that_the_broker_hangs_up_on_is_found_out_and_left_out(guilty: str) -> None:
    """A broker with an access list of its own kind ends the connection, and does not say at what."""

    async def script(talk: Talk) -> None:
        talk.net.hangs_up = lambda name, _payload: name == guilty
        talk.journal.write([OPENED] * 30)
        talk.upstream.reply("desk/7", b"{}", None)
        await talk.start()
        await asyncio.sleep(600)
        assert talk.cursor == 30
        assert talk.upstream.conversation.state == "online"
        links = len(talk.net.links)
        assert links <= HANG_UPS + 2
        await asyncio.sleep(LEFT_OUT_S - 900)
        assert len(talk.net.links) == links

    talk = converse(script, extra=Extra(10))
    assert [topic for topic, _ in talk.desk.left_out] == [guilty]
    assert talk.net.on("doors/back/state")


def test_a_record_that_the_broker_hangs_up_on_leaves_without_its_details() -> None:
    async def script(talk: Talk) -> None:
        talk.net.hangs_up = lambda name, payload: name == "events" and len(payload) > 2_000  # and does not announce it
        talk.journal.write([OPENED] * 3, tell=False)
        large(talk, 2)
        await talk.start()
        await asyncio.sleep(300)
        assert talk.cursor == 3

    assert converse(script).net.on("events")[1].content["data"]["details"] == {"truncated": True}


def test_a_broker_that_retains_nothing_gets_what_it_can_take_and_is_named_once() -> None:
    async def script(talk: Talk) -> None:
        talk.net.retains = False
        talk.net.judges_will = lambda will: NO_RETAIN if will.retain else 0
        await talk.start()
        await asyncio.sleep(10)
        talk.net.link.cut()
        await asyncio.sleep(10)
        assert talk.upstream.conversation.state == "online"

    assert [topic for topic, _ in converse(script).desk.left_out] == ["status"]


@pytest.mark.parametrize("by_application", [False, True])
def test_a_broker_that_acknowledges_nothing_is_trusted_with_records_only_where_the_application_acknowledges(
    by_application: bool,
) -> None:
    async def script(talk: Talk) -> None:
        talk.net.maximum_qos = 0

        def judged(will: Will) -> int:
            return NO_QOS if will.qos else 0

        talk.net.judges_will = judged
        talk.journal.write([OPENED, FORCED])
        await talk.start()
        await asyncio.sleep(30)
        assert bool(talk.net.on("events")) == by_application
        assert talk.net.on("doors/front/state")
        assert talk.cursor == 0

    talk = converse(script, by_application=by_application)
    assert len(talk.desk.left_out) == (not by_application)


def test_answers_that_wait_are_bounded_in_bytes() -> None:
    async def script(talk: Talk) -> None:
        for number in range(100):
            talk.upstream.reply(None, json.dumps({"id": str(number), "x": "y" * 50_000}).encode(), b"c" * 10_000)
        await talk.start()
        ids = [int(sent.content["id"]) for sent in talk.net.on("replies")]
        assert ids == list(range(100 - len(ids), 100))
        assert 10 < len(ids) < 20

    converse(script)


def test_whoever_was_told_of_a_door_forgets_it_before_its_state_is_taken_back() -> None:
    """Home Assistant is told by its own topics; an empty state of a door that it still knows is an error to it."""

    async def script(talk: Talk) -> None:
        talk.journal.kept[SAID] = '["cellar"]'
        await talk.start()
        await asyncio.sleep(STATUS_EVERY_S / 2)
        assert not talk.net.on("doors/cellar/state")
        await asyncio.sleep(STATUS_EVERY_S)

    talk = converse(script, extra=Extra(3))
    assert [sent.content for sent in talk.net.on("doors/cellar/state")] == [None]


def test_a_broker_that_refuses_a_topic_and_then_hangs_up_gets_the_rest() -> None:
    """As mosquitto 2.0 does where an access list of an earlier release knows no `stream`."""

    async def script(talk: Talk) -> None:
        def code(sent: Sent) -> int:
            if sent.name != "stream":
                return 0
            asyncio.get_running_loop().call_later(0.01, talk.net.link.cut)
            return 0x87

        talk.net.code = code
        await talk.start()
        talk.journal.record(OPENED)
        await asyncio.sleep(300)
        assert talk.cursor == 1
        assert len(talk.net.on("stream")) == HANG_UPS

    talk = converse(script)
    assert talk.net.sequences() == [1]
