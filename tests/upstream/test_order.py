"""First deliveries stay in order, nothing of a replay is lost, and no acknowledgement makes us stand still."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge.upstream.records import NOBODY_S
from tests.support.journal import FORCED, OPENED
from tests.support.upstream import Sent, Talk, converse

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY, FULL = 0x10, 0x97


class Application:
    """A consumer by the book: it acknowledges the highest number up to which it has everything in a row."""

    def __init__(self, talk: Talk, have: set[int] | None = None) -> None:
        self.talk, self.have = talk, have or set()

    def row(self) -> int:
        found = 0
        while found + 1 in self.have:
            found += 1
        return found

    def hear(self, sent: Sent) -> int:
        if sent.name == "events":
            self.have.add(sent.sequence)
        return 0

    def acknowledge(self) -> None:
        self.talk.ack(self.row())


def test_an_application_that_has_more_than_we_remember_is_believed() -> None:
    """After a power cut the cursor on the disk is up to a second older than the last acknowledgement."""

    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 3_000)
        talk.journal.cursors["mqtt"] = 1_000
        application = Application(talk, set(range(1, 2_501)))
        talk.net.code = application.hear
        await talk.start()
        for _ in range(30):
            await asyncio.sleep(10)
            application.acknowledge()
        talk.journal.record(FORCED)
        await talk.settle()
        application.acknowledge()
        assert talk.cursor == 3_001

    converse(script, by_application=True)


def test_an_application_that_had_everything_by_a_replay_is_believed() -> None:
    async def script(talk: Talk) -> None:
        await talk.start()
        talk.journal.write([OPENED] * 3_000)
        application = Application(talk)
        talk.net.code = application.hear
        talk.upstream.replay(1, 3_000)
        for _ in range(60):
            await asyncio.sleep(10)
            application.acknowledge()
        assert talk.cursor == 3_000
        assert talk.upstream.facts()["ignored_acks"] <= 1

    converse(script, by_application=True)


def absent(code: int) -> tuple[list[bool], Callable[[Sent], int]]:
    """A consumer that is away while the first is true."""
    away = [False]
    return away, lambda sent: code if away[0] and sent.name in {"events", "alarms"} else 0


@pytest.mark.parametrize("code", [NOBODY, FULL])
@pytest.mark.parametrize("window", [20, 250])
def test_a_replay_that_nobody_hears_for_a_while_comes_whole_and_in_order(code: int, window: int) -> None:
    async def script(talk: Talk) -> None:
        away, talk.net.code = absent(code)
        await talk.start()
        talk.journal.write([OPENED] * 1_000)
        await talk.settle()
        away[0] = True
        talk.upstream.replay(1, 1_000)
        await asyncio.sleep(8 * NOBODY_S)
        away[0] = False
        before = len(talk.net.sent)
        await asyncio.sleep(2 * NOBODY_S)
        again = [sent.sequence for sent in talk.net.sent[before:] if sent.name == "events"]
        assert again == list(range(1, 1_001))

    converse(script, window=window)


@pytest.mark.parametrize("by_application", [False, True])
def test_a_replay_overtakes_nothing_that_was_never_sent(by_application: bool) -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED] * 3_000, tell=False)
        await talk.start()
        talk.upstream.replay(2_500, 3_000)
        for _ in range(20):
            await asyncio.sleep(1)
            if by_application and talk.net.sequences():
                talk.ack(min(max(talk.net.sequences()), 400))
        first = list(dict.fromkeys(talk.net.sequences()))
        assert first == list(range(1, len(first) + 1))
        if by_application:  # and it comes once they were
            for _ in range(100):
                await asyncio.sleep(1)
                talk.ack(max(talk.net.sequences()))
        again = [sent.sequence for sent in talk.net.on("events") if sent.content["data"]["replayed"]]
        assert set(range(2_500, 3_001)) <= set(again)

    converse(script, by_application=by_application)


def test_a_consumer_that_comes_back_gets_the_first_one_first() -> None:
    """Whoever was told that nobody listens tries with one record, not with a window of them."""
    got: list[int] = []

    async def script(talk: Talk) -> None:
        seen = [0]

        def answer(sent: Sent) -> int:
            if sent.name != "events":
                return 0
            seen[0] += 1
            if seen[0] <= 23:
                return NOBODY
            got.append(sent.sequence)
            return 0

        talk.net.code = answer
        talk.journal.write([OPENED] * 20)
        await talk.start()
        await asyncio.sleep(10 * NOBODY_S)
        tries = [sent.at_s for sent in talk.net.on("events")[20:23]]
        assert all(after - before >= NOBODY_S for before, after in pairwise(tries))

    converse(script)
    assert got == list(range(1, 21))


def test_an_alarm_from_when_the_consumer_was_away_is_copied_at_its_return() -> None:
    taken: list[int] = []

    async def script(talk: Talk) -> None:
        away = [True]

        def answer(sent: Sent) -> int:
            if away[0] and sent.name in {"events", "alarms"}:
                return NOBODY
            if sent.name == "alarms":
                taken.append(sent.sequence)
            return 0

        talk.net.code = answer
        await talk.start()
        talk.journal.record(OPENED)
        await asyncio.sleep(10)
        talk.journal.record(FORCED)
        await asyncio.sleep(5)
        away[0] = False
        await asyncio.sleep(3 * NOBODY_S)
        assert talk.cursor == 2

    converse(script)
    assert taken == [2]


def test_a_type_that_this_release_does_not_know_is_told_as_it_is() -> None:
    """A newer release wrote it, and was rolled back."""

    async def script(talk: Talk) -> None:
        known = talk.journal.record(OPENED)
        talk.journal.committed += 1
        unknown = replace(known, sequence=2, event=replace(known.event, type="lock.teleported"))
        talk.journal.records[2] = unknown
        talk.journal.record(FORCED)
        await talk.start()
        assert talk.cursor == 3

    events = converse(script).net.on("events")
    assert [sent.content["type"] for sent in events] == [OPENED, "lock.teleported", FORCED]
    assert events[1].content["data"]["severity"] == "info"
    assert "lock.teleported" in events[1].content["data"]["message"]
