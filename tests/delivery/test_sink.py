"""Sinks of their own: nothing is lost and nothing out of order, whatever the receiver does."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.health import ErrorLimits, Health, Verdict
from edge.delivery.memory import disabled_by
from edge.delivery.sink import CHUNK, LAZY, OURS_S, Delivery, SinkOptions, pause_s
from edge.model.messages import Actor, Event, Subject
from tests.support import virtual
from tests.support.clock import FakeClock
from tests.support.journal import FakeJournal
from tests.support.logs import journal, opened
from tests.support.receivers import Doubled, down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.virtual import VirtualLoop

SINK = "integration.pager"
PAGER = Subject("integration", "pager", "Pager")
ANN = Actor("operator", "uid:0", "root")


class Journal(FakeJournal):
    """Remembers what is appended, and commits it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(loop.now_ns)
        self.events: list[Event] = []
        self.modes: dict[str, str] = {}

    def append(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None:
        self.events += events
        self.modes |= modes or {}

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


def begun(log: Any, receiver: Doubled, loop: Any, **more: Any) -> Delivery:
    """A sink that has been here before, so that it does not begin with the newest record."""
    more = {"modes": {SINK: '{"mark": "m", "disabled": null}'}, "mark": "m", **more}
    delivery = Delivery(SINK, PAGER, receiver, log=log, chance=random.Random(1), now_ns=loop.now_ns, **more)
    log.on_commit(delivery.committed)
    delivery.start()
    return delivery


# --- in order, nothing lost ---------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    bursts=st.lists(st.integers(1, 150), min_size=1, max_size=6),
    seed=st.integers(0, 99),
    batch=st.sampled_from([1, 7, 100]),
)
def test_everything_arrives_in_order_whatever_fails(bursts: list[int], seed: int, batch: int) -> None:
    chance = random.Random(seed)

    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled(batch)
        receiver.fails = lambda _try: DeliveryError("no", ours=chance.random() < 0.5) if chance.random() < 0.5 else None
        delivery = begun(log, receiver, loop)
        for burst in bursts:
            log.write(["lock.opened"] * burst, tell=chance.random() < 0.8)
            await asyncio.sleep(chance.choice([0, 0, 5.0]))
        log.record()
        await receiver.until(lambda: bool(receiver.got) and receiver.got[-1] == log.committed)
        assert receiver.got == list(range(1, log.committed + 1))
        await asyncio.sleep(0)
        assert log.cursor(SINK) == log.committed
        await delivery.close()

    virtual.run(main)


@pytest.mark.parametrize("killed", [False, True])
def test_a_restart_goes_on_from_the_cursor(tmp_path: Path, killed: bool) -> None:
    """Killed: the files as a crash leaves them; what was taken and not yet noted comes again, nothing else."""
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    noted: list[int] = []

    async def life(path: Path, taken: int | None) -> list[int]:
        clock = FakeClock()
        async with journal(path, clock) as held:
            receiver, log = Doubled(), held.log
            delivery = Delivery(
                SINK,
                PAGER,
                receiver,
                log=log,
                chance=random.Random(1),
                now_ns=clock.now_ns,
                modes=log.modes(),
                options=SinkOptions(retry_s=(0.0, 0.0)),
            )
            noted.append(log.cursor(SINK))
            log.on_commit(delivery.committed)
            delivery.start()
            if taken is not None:
                receiver.fails = lambda _try: DeliveryError("cut") if len(receiver.got) >= taken else None
                await asyncio.sleep(0)
                await held.write(*(opened(number=n) for n in range(20)))
                await receiver.until(lambda: len(receiver.tries) > taken + 2, 60)
                for part in {*path.parent.glob("log.db*")} - {*path.parent.glob("*.new")}:  # halves that come and go
                    shutil.copy(part, crashed / part.name)
            else:
                await receiver.until(lambda: receiver.got[-1:] == [20], 60)
            await delivery.close()
        return receiver.got

    assert asyncio.run(life(tmp_path / "log.db", 7)) == list(range(1, 8))
    folder = crashed if killed else tmp_path
    assert asyncio.run(life(folder / "log.db", None)) == list(range(noted[1] + 1, 21))
    assert noted[1] == 7 or (killed and noted[1] < 7)


def test_a_new_sink_begins_with_what_comes(tmp_path: Path) -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        log.write(["lock.opened"] * 50)
        delivery = begun(log, receiver, loop, modes={})
        await asyncio.sleep(0)
        assert disabled_by(log.modes, SINK, "m") is None
        log.record()
        await receiver.until(lambda: bool(receiver.got))
        assert receiver.got == [51]
        await delivery.close()

    virtual.run(main)
    assert tmp_path


def test_a_slow_receiver_delays_no_other() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, slow, quick = Journal(loop), Doubled(), Doubled()
        slow.takes_s = 9.0
        deliveries = [begun(log, receiver, loop) for receiver in (slow, quick)]
        deliveries[1].sink = "integration.quick"
        for number in range(1, 21):
            log.record()
            await quick.until(lambda number=number: quick.got[-1:] == [number])  # type: ignore[misc]  # bound now
        assert loop.time() == 1000.0
        assert slow.got == []
        for delivery in deliveries:
            await delivery.close()

    virtual.run(main)


def test_records_nobody_wants_are_passed_over_and_seldom_noted() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        receiver.wanted = lambda record: record.event.type == "lock.forced_open"
        delivery = begun(log, receiver, loop)
        await asyncio.sleep(0)
        for number in range(LAZY - 1):
            log.record()
            await asyncio.sleep(0)
            assert log.cursor(SINK) == 0, number
        log.record()
        await asyncio.sleep(0)
        assert log.cursor(SINK) == LAZY
        log.record("lock.forced_open")
        await receiver.until(lambda: receiver.got == [LAZY + 1])
        await asyncio.sleep(0)
        assert log.cursor(SINK) == LAZY + 1
        await delivery.close()

    virtual.run(main)


def test_memory_is_bounded_while_the_receiver_is_away() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        receiver.fails = lambda _try: DeliveryError("the network is away", ours=True)
        delivery = begun(log, receiver, loop)
        for _ in range(100):
            log.write(["lock.opened"] * 40)
            await asyncio.sleep(1.0)
        assert len(delivery._waiting) <= CHUNK
        receiver.fails = lambda _try: None
        await receiver.until(lambda: len(receiver.got) == 4000)
        assert receiver.got == list(range(1, 4001))
        await delivery.close()

    virtual.run(main)


def test_a_log_that_cannot_be_read_is_read_later() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        log.write(["lock.opened"] * 3)
        log.readable = False
        delivery = begun(log, receiver, loop)
        await asyncio.sleep(60.0)
        assert receiver.got == []
        log.readable = True
        await receiver.until(lambda: receiver.got == [1, 2, 3])
        await delivery.close()

    virtual.run(main)


def test_removed_records_are_stepped_over() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        log.write(["lock.opened"] * 10)
        log.remove(range(1, 11))
        delivery = begun(log, receiver, loop)
        await asyncio.sleep(1.0)
        assert log.cursor(SINK) == 10
        log.record()
        await receiver.until(lambda: receiver.got == [11])
        await delivery.close()

    virtual.run(main)


def test_a_log_that_was_set_aside_makes_its_successor_begin_at_the_start() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        delivery = begun(log, receiver, loop)
        log.write(["lock.opened"] * 5)
        await receiver.until(lambda: len(receiver.got) == 5)
        log.set_aside()
        log.write(["lock.opened"] * 2)
        await receiver.until(lambda: len(receiver.got) == 7)
        assert receiver.got[5:] == [1, 2]
        await delivery.close()

    virtual.run(main)


# --- how patiently ------------------------------------------------------------------------------------------


@given(tries=st.integers(1, 10_000), seed=st.integers(0, 1000))
def test_a_pause_is_random_up_to_a_bound_that_doubles(tries: int, seed: int) -> None:
    longest = min(300.0, 2.0 ** min(tries - 1, 20))
    assert 0 <= pause_s(tries, (1.0, 300.0), random.Random(seed)) <= longest


def test_the_whole_pause_is_used() -> None:
    pauses = [pause_s(20, (1.0, 300.0), random.Random(seed)) for seed in range(300)]
    assert min(pauses) < 20
    assert max(pauses) > 280


def test_a_site_without_network_tries_again_soon() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        receiver.fails = lambda _try: DeliveryError("no network", ours=True)
        delivery = begun(log, receiver, loop)
        log.record()
        await receiver.until(lambda: len(receiver.tries) == 3000)
        pauses = [b - a for a, b in zip(receiver.tries, receiver.tries[1:], strict=False)]
        assert max(pauses) <= OURS_S
        assert "integration.disable_due_to_error" not in log.types
        assert log.types.count("integration.warn_due_to_error") == 1
        await delivery.close()

    virtual.run(main)


# --- error rates --------------------------------------------------------------------------------------------


def test_an_error_rate_is_said_once_and_a_lasting_one_disables() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        receiver.fails = down
        delivery = begun(log, receiver, loop)
        log.record()
        while delivery.disabled is None:  # noqa: ASYNC110 -- virtual days
            await asyncio.sleep(600.0)
        assert log.types == ["integration.warn_due_to_error", "integration.disable_due_to_error"]
        warned, disabled = log.events
        assert warned.details == {"reason": "it is down", "failed": 10, "of": 10}
        assert disabled.object == PAGER
        assert isinstance(disabled.details["failing_s"], int)
        assert 24 * 3600 <= disabled.details["failing_s"] <= 24 * 3600 + 300
        assert "doorctl integration enable pager" in str(disabled.details["reason"])
        assert delivery.state == "disabled"
        tries = len(receiver.tries)
        log.write(["lock.opened"] * 300)
        await asyncio.sleep(7 * 86_400.0)
        assert len(receiver.tries) == tries, "nothing more is sent"

        receiver.fails = lambda _try: None
        again = begun(log, Doubled(), loop, modes=log.modes)
        assert again.disabled == "it is down", "also after a restart"
        changed = begun(log, Doubled(), loop, modes=log.modes, mark="another entry")
        assert changed.disabled is None
        await asyncio.sleep(0)
        await changed.close()
        assert disabled_by(log.modes, SINK, "m") is None, "and back again is a change as well"
        await again.close()

        assert delivery.enable(ANN)
        assert not delivery.enable(ANN)
        await receiver.until(lambda: len(receiver.got) == 301)
        assert receiver.got == list(range(1, 302)), "from where it stopped"
        assert disabled_by(log.modes, SINK, "m") is None
        assert (log.events[-1].type, log.events[-1].actor) == ("integration.update", ANN)
        await delivery.close()

    virtual.run(main)


def test_a_mistake_in_a_receiver_ends_no_sink(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        mistakes = [
            AttributeError("'NoneType' object has no attribute 'fileno'"),
            UnicodeEncodeError("a", "ü", 0, 1, "x"),
        ]
        receiver.fails = lambda _try: mistakes.pop() if mistakes else None
        delivery = begun(log, receiver, loop)
        log.record()
        await asyncio.sleep(0)
        assert delivery.state == "retrying"
        assert "UnicodeEncodeError" in str(delivery.last_error)
        await receiver.until(lambda: receiver.got == [1])
        await delivery.close()

    virtual.run(main)
    assert "internal error in delivering to integration.pager" in caplog.text


def test_a_receiver_that_is_gone_for_good_is_disabled_at_once() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        receiver.fails = lambda _try: DeliveryError("410 Gone", final=True)
        delivery = begun(log, receiver, loop)
        log.record()
        await asyncio.sleep(1.0)
        assert log.types == ["integration.disable_due_to_error"]
        assert delivery.disabled == "410 Gone"
        await delivery.close()

    virtual.run(main)


HOUR = 3600 * 10**9


def test_so_many_tries_without_success_disable_too() -> None:
    health = Health(ErrorLimits(disable_after_s=1e9))
    verdicts = [health.failed(n) for n in range(1000)]
    assert verdicts.index(Verdict.DISABLE) == 999
    assert verdicts.count(Verdict.WARN) == 1


def test_a_weekend_without_network_does_not_count() -> None:
    health = Health(ErrorLimits())
    for minute in range(19):
        assert health.failed(minute * HOUR // 60) is not Verdict.DISABLE
    for hour in range(1, 49):
        assert health.failed(hour * HOUR, ours=True) is not Verdict.DISABLE
    verdicts = [health.failed(hour * HOUR) for hour in range(49, 74)]
    assert verdicts.index(Verdict.DISABLE) == 24, "a day of its own, with the minutes before"


def test_two_failures_a_day_apart_are_not_hopeless() -> None:
    health = Health(ErrorLimits())
    assert health.failed(0) is Verdict.GO_ON
    assert health.failed(30 * HOUR) is Verdict.GO_ON


def test_one_success_starts_the_count_anew() -> None:
    health = Health(ErrorLimits())
    for hour in range(23):
        health.failed(hour * HOUR)
    health.succeeded()
    for hour in range(23, 46):
        assert health.failed(hour * HOUR) is not Verdict.DISABLE


@settings(max_examples=300, deadline=None)
@given(tries=st.lists(st.sampled_from(["ok", "failed", "ours"]), max_size=200))
def test_a_warning_comes_at_the_rate_and_again_only_after_it_has_halved(tries: list[str]) -> None:
    health, warned = Health(ErrorLimits(disable_tries=10**9)), False
    for number, one in enumerate(tries):
        if one == "ok":
            health.succeeded()
            verdict = Verdict.GO_ON
        else:
            verdict = health.failed(number, ours=one == "ours")
        failed = sum(each != "ok" for each in tries[max(0, number - 19) : number + 1])
        assert health.errors[0] == failed
        if one == "ok" and failed <= 5:
            warned = False
        due = one != "ok" and failed >= 10 and not warned
        assert (verdict is Verdict.WARN) == due
        warned |= due


@pytest.mark.parametrize("text", ["", "[]", "{", '{"disabled": 3, "mark": "m"}', "null"])
def test_a_mode_row_that_makes_no_sense_disables_nobody(text: str) -> None:
    assert disabled_by({SINK: text}, SINK, "m") is None


def test_who_asks_to_be_left_alone_is_tried_no_sooner_and_is_not_disabled() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        busy = DeliveryError("busy", ours=True, again_s=20.0)
        receiver.fails = lambda number: busy if number <= 50 else None
        delivery = begun(log, receiver, loop)
        log.write(["lock.opened"])
        await receiver.until(lambda: receiver.got == [1])
        assert all(later - sooner >= 20.0 for sooner, later in itertools.pairwise(receiver.tries))
        assert delivery.disabled is None
        await delivery.close()

    virtual.run(main)


def test_a_record_that_is_refused_for_its_own_sake_disables_no_receiver_at_once() -> None:
    async def main(loop: VirtualLoop) -> None:
        log, receiver = Journal(loop), Doubled()
        receiver.fails = lambda number: DeliveryRefusedError("too long", final=True) if number <= 3 else None
        delivery = begun(log, receiver, loop)
        log.write(["lock.opened"])
        await receiver.until(lambda: receiver.got == [1])
        assert delivery.disabled is None
        await delivery.close()

    virtual.run(main)
