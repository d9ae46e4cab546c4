"""What the broker keeps of us: a log that went back in time uses no number twice, and is found out before it sends."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.model.ports import Incoming
from edge.upstream.sync import TICK_S
from edge.upstream.witness import RENEWAL_S, WITNESS_S
from tests.support.journal import OPENED
from tests.support.upstream import TOPIC, Talk, converse

if TYPE_CHECKING:
    from collections.abc import Callable

START = "controller.start"


def word_of(talk: Talk) -> bytes:
    """What the broker keeps when a conversation is over."""
    return json.dumps(talk.net.on("stream")[-1].content).encode()


def first_life(*event_types: str) -> bytes:
    async def script(talk: Talk) -> None:
        talk.journal.write([START, *event_types], tell=False)
        await talk.start()

    return word_of(converse(script))


def second_life(
    kept: bytes | None, *event_types: str, since: int | None = None, cursor: int = 0, by_application: bool = False
) -> Talk:
    """The log as an image of it has it, and what was recorded `since`."""

    async def script(talk: Talk) -> None:
        talk.net.kept = kept
        whole = [START, *event_types]
        talk.journal.write(whole[:since], tell=False)
        talk.journal.life = "2nd "
        talk.journal.write(whole[since:] if since is not None else [], tell=False)
        talk.journal.cursors["mqtt"] = cursor
        await talk.start()
        await asyncio.sleep(10)
        if by_application:
            talk.ack(2, stream="test/epoch-1")
            talk.ack(4)
            assert talk.cursor == 4

    return converse(script, by_application=by_application)


def ids(talk: Talk) -> list[str]:
    return [sent.content["id"] for sent in talk.net.on("events")]


def test_a_log_that_went_back_goes_on_in_another_stream_and_tells_what_is_old_as_it_was() -> None:
    kept = first_life(OPENED, OPENED, OPENED)
    talk = second_life(kept, OPENED, START, OPENED, since=2, cursor=1)  # an image of the first two, and a run since
    assert ids(talk) == ["epoch-1-2", "anew-1-3", "anew-1-4"]
    assert [sent.content["stream"] for sent in talk.net.on("events")] == ["test/epoch-1", "test/anew-1", "test/anew-1"]


def test_an_application_may_acknowledge_what_is_left_of_the_stream_before() -> None:
    kept = first_life(OPENED, OPENED, OPENED)
    second_life(kept, OPENED, START, OPENED, since=2, cursor=1, by_application=True)


def test_numbers_that_were_overtaken_are_told_apart_by_what_they_are() -> None:
    """More was recorded since than the broker ever knew of."""
    kept = first_life(OPENED, OPENED)
    talk = second_life(kept, START, OPENED, OPENED, OPENED, OPENED, since=1, cursor=1)
    assert ids(talk)[0] == "anew-1-2"


def test_an_older_image_meets_what_was_known_two_streams_ago() -> None:
    kept = first_life(OPENED, OPENED, OPENED)
    second = second_life(kept, OPENED, START, OPENED, since=2, cursor=1)
    assert set(second.net.on("stream")[-1].content["streams"]) == {"test/epoch-1", "test/anew-1"}
    third = second_life(word_of(second), START, OPENED, OPENED, since=1, cursor=1)  # and an older image
    assert ids(third)[0] == "anew-1-2"  # of this life's own making; in earnest it is random


KEPT: dict[str, Callable[[bytes], bytes | None]] = {
    "the same": lambda kept: kept,
    "nothing": lambda _kept: None,
    "an empty one": lambda _kept: b"",
    "no JSON": lambda _kept: b"\xff{",
    "a list": lambda _kept: b"[1]",
    "an old one": lambda kept: json.dumps(
        {key: value for key, value in json.loads(kept).items() if key not in {"streams", "starts"}}
    ).encode(),
    "nonsense": lambda _kept: json.dumps(
        {"streams": {"test/epoch-1": ["x", {}], "y": 7}, "starts": [[], {}, "z"]}
    ).encode(),
    "another's": lambda _kept: json.dumps({"streams": {"test/other": [99, "hash"]}, "starts": 7}).encode(),
    "far too much": lambda _kept: b"[" * 100_000,
}


@pytest.mark.parametrize("kept", KEPT)
def test_whatever_else_is_kept_changes_nothing(kept: str) -> None:
    talk = second_life(KEPT[kept](first_life(OPENED)), OPENED, START, OPENED)
    assert ids(talk) == [f"epoch-1-{n}" for n in range(1, 5)]


def test_nothing_is_sent_before_the_broker_was_heard_or_was_silent_for_a_while() -> None:
    async def script(talk: Talk) -> None:
        talk.net.kept = None
        talk.journal.write([OPENED])
        await talk.start()
        await asyncio.sleep(WITNESS_S - 0.1)
        assert talk.net.sent == []
        await asyncio.sleep(0.2)
        assert talk.net.sequences() == [1]
        talk.net.link.cut()
        await asyncio.sleep(5)
        asked_s = talk.net.attempts[-1]
        assert talk.net.on("status")[-1].at_s < asked_s + WITNESS_S / 2  # it is asked once after each start

    converse(script)


def test_nothing_is_sent_while_another_stream_cannot_be_begun() -> None:
    kept = first_life(OPENED, OPENED, OPENED)

    async def script(talk: Talk) -> None:
        talk.net.kept = kept
        talk.journal.write([START])
        renew, go = talk.journal.new_epoch, asyncio.Event()

        async def slowly(*told: Any) -> None:
            await go.wait()
            await renew(*told)

        talk.journal.new_epoch = slowly  # type: ignore[method-assign]
        await talk.start()
        await asyncio.sleep(3 * RENEWAL_S)
        assert talk.net.sent == []
        assert "back in time" in str(talk.upstream.facts()["last_error"])
        go.set()
        await asyncio.sleep(60)
        assert talk.cursor == 1

    converse(script)


# --- somebody else with our name -----------------------------------------------------------------------------


def seen_by(talk: Talk) -> Any:
    return talk.upstream.facts()["taken_over"]


def test_another_run_that_speaks_as_we_do_while_we_live_is_counted_once_for_each_link() -> None:
    """A broker may end our connection for another one with our id without a word."""
    twin = first_life()

    async def script(talk: Talk) -> None:
        talk.journal.write([START], tell=False)
        await talk.start()
        for count in range(1, 4):
            talk.net.kept = twin
            talk.net.link.cut()
            await asyncio.sleep(5)
            talk.upstream.incoming(Incoming(f"{TOPIC}/stream", twin, retained=False))
            assert seen_by(talk) == count
            assert talk.upstream.facts()["connections"] == count + 1

    converse(script)


@pytest.mark.parametrize("of", ["this run", "the run before"])
def test_what_we_have_said_ourselves_is_no_twin(of: str) -> None:
    """Nor is what a run before ours had said, which a broker remembers that lost our words."""
    before = first_life()

    async def script(talk: Talk) -> None:
        talk.net.kept = before
        talk.journal.write([START], tell=False)
        await talk.start()
        for _ in range(3):
            talk.net.kept = word_of(talk) if of == "this run" else before
            talk.net.link.cut()
            await asyncio.sleep(5)
        assert seen_by(talk) == 0

    converse(script)


def test_what_the_run_before_said_is_no_twin_though_the_broker_answers_late_and_takes_no_word_of_ours() -> None:
    before = first_life()

    async def script(talk: Talk) -> None:
        talk.net.kept = None
        talk.net.code = lambda sent: 0x87 if sent.name == "stream" else 0
        await talk.start()
        await asyncio.sleep(WITNESS_S)
        talk.upstream.incoming(Incoming(f"{TOPIC}/stream", before, retained=True))
        talk.net.kept = before
        for _ in range(3):
            talk.net.link.cut()
            await asyncio.sleep(5)
        assert talk.upstream.facts()["connections"] == 4
        assert seen_by(talk) == 0

    converse(script)


def test_a_run_before_ours_that_goes_on_is_a_twin() -> None:
    """A copied card: the copy has heard of the original, which still lives."""
    words: list[bytes] = []

    async def original(talk: Talk) -> None:
        await talk.start()
        words.append(word_of(talk))
        talk.journal.record(OPENED)
        await asyncio.sleep(TICK_S)
        words.append(word_of(talk))

    converse(original)

    async def copy(talk: Talk) -> None:
        talk.net.kept = words[0]
        await talk.start()
        assert seen_by(talk) == 0
        talk.net.kept = words[1]
        talk.net.link.cut()
        await asyncio.sleep(5)
        assert seen_by(talk) == 1

    converse(copy)


@pytest.mark.parametrize("run", [None, 7, [], [7], ["x", 7], [7, 7], [True, "x"]])
def test_a_run_that_says_nothing_of_itself_is_none(run: Any) -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        for _ in range(3):
            talk.upstream.incoming(Incoming(f"{TOPIC}/stream", json.dumps({"run": run}).encode(), retained=False))
        assert seen_by(talk) == 0

    converse(script)


def test_the_word_is_never_far_behind_the_records() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        for _ in range(20):
            talk.journal.record(OPENED)
            await asyncio.sleep(TICK_S)
            said = talk.net.on("stream")[-1].content
            assert said["streams"][talk.journal.stream] == [talk.journal.committed, str(talk.journal.committed)]

    converse(script)


def test_what_was_sent_of_a_log_that_is_set_aside_is_known_to_its_last_record() -> None:
    """Else an older copy of it, put back, uses the numbers again that were sent in the last seconds."""

    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.write([START, OPENED])
        await asyncio.sleep(2 * TICK_S)
        talk.journal.write([OPENED, OPENED])
        talk.journal.set_aside()
        talk.journal.write([START])
        await asyncio.sleep(60)
        assert talk.net.on("stream")[-1].content["streams"] == {"test/epoch-1": [4, "4"], "test/epoch-2": [1, "1"]}

    converse(script)
