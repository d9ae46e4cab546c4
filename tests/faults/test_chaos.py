"""Cut, kill and stop everything 50 times while doors move: the upstream has every committed record, dense."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge.log.reading.query import LogReader, Query
from edge.log.verify import verify
from tests.support.broker import Broker
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.proxy import Proxy
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 50
TOPIC = "doorward/v1/lab/test"
KEEPS = "allow_anonymous true\npersistence true\npersistence_location {}/\nmax_queued_messages 0\n"
FORGETS = "allow_anonymous true\npersistence false\nmax_queued_messages 0\n"
DOORS = ("front", "back", "side")


def _upstream(port: int, ack: str) -> str:
    return f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\nack = "{ack}"\nkeepalive_s = 5\n'


@contextlib.contextmanager
def _moving(doord: Doord, chance: random.Random) -> Iterator[None]:
    """Somebody moves doors all the time, whether or not the daemon lives."""
    ended = threading.Event()

    def move() -> None:
        while not ended.wait(chance.uniform(0.0, 0.06)):
            door = chance.choice(DOORS)
            if chance.random() < 0.3:
                doord.try_to("command", command="unlock", door=door, for_s=0.5)
            else:
                doord.try_to("sim", door=door, action=chance.choice(["open", "close", "rex"]))

    thread = threading.Thread(target=move, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _check(doord: Doord, subscriber: Subscriber) -> None:
    """Everything that is in the log is upstream, once per id, and the same."""
    doord.stop()
    reader = LogReader(doord.log)
    stored = {record.sequence: record.hash for record in reader.records(Query(limit=10**6))}
    reader.close()
    doord.start()  # the last words of the stopped one may still have to leave
    subscriber.wait(lambda: len(subscriber.records) >= len(stored), "the whole log")
    received = {int(record["sequence"]): record["data"]["hash"] for record in subscriber.records.values()}
    assert {sequence: received[sequence] for sequence in stored} == stored
    assert list(stored) == list(range(1, len(stored) + 1))
    subscriber.check_chain()
    assert verify(doord.log).ok


@pytest.mark.parametrize("ack", ["broker", "application"])
def test_nothing_is_lost_whatever_is_cut_killed_or_stopped(tmp_path: Path, ack: str) -> None:
    chance = random.Random(f"chaos {ack}")
    keeps = KEEPS.format(tmp_path / "broker")
    broker = Broker(tmp_path / "broker", keeps if ack == "broker" else FORGETS)
    config = write_config(tmp_path, doors=DOORS, unlock_s=0.5)
    with contextlib.ExitStack() as stack:
        stack.enter_context(broker)
        proxy = stack.enter_context(Proxy(broker.port))
        config.write_text(config.read_text() + _upstream(proxy.port, ack))
        subscriber = Subscriber(broker.port, TOPIC, acknowledges=ack == "application")
        stack.enter_context(subscriber)
        doord = stack.enter_context(Doord(config))
        kills = 0
        with _moving(doord, chance):
            for number in range(ROUNDS):
                time.sleep(chance.uniform(0.02, 0.4))  # the world goes on for a while; nothing is awaited here
                what = chance.choice(["cut", "broker", "doord"]) if number % 2 else "doord"
                if what == "cut":
                    proxy.cut()
                elif what == "broker":
                    broker.stop() if ack == "broker" else broker.kill()
                    broker.start()
                else:
                    doord.kill()
                    kills += 1
                    doord.start()
        assert kills >= ROUNDS // 2
        _check(doord, subscriber)
        assert len(subscriber.records) > ROUNDS


@pytest.mark.parametrize("ack", ["broker", "application"])
def test_a_link_that_goes_silent_and_then_a_kill_lose_nothing_and_no_identity(tmp_path: Path, ack: str) -> None:
    config = write_config(tmp_path, doors=DOORS)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "broker", FORGETS))
        proxy = stack.enter_context(Proxy(broker.port))
        config.write_text(config.read_text() + _upstream(proxy.port, ack))
        subscriber = stack.enter_context(Subscriber(broker.port, TOPIC, acknowledges=ack == "application"))
        doord = stack.enter_context(Doord(config))
        subscriber.wait(lambda: "controller.start" in subscriber.types(), "the start")
        proxy.swallows = True
        end_s = time.monotonic() + 12.0  # the fault itself lasts that long
        with _moving(doord, random.Random("silent")):
            while time.monotonic() < end_s:
                time.sleep(0.1)
        doord.kill()
        proxy.cut()
        proxy.swallows = False
        doord.start()
        _check(doord, subscriber)
        assert len(subscriber.records) > 100


def test_two_events_in_one_millisecond_stay_two(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Broker(tmp_path / "broker", FORGETS) as broker:
        config.write_text(config.read_text() + _upstream(broker.port, "broker"))
        with Subscriber(broker.port, TOPIC) as subscriber, Doord(config) as doord:
            doord.sim("front", "open")
            subscriber.wait(lambda: "lock.forced_open" in subscriber.types(), "the alarm")
            pair = [r for r in subscriber.records.values() if r["type"] in {"lock.opened", "lock.forced_open"}]
            assert len(pair) == 2
            assert pair[0]["time"] == pair[1]["time"]
            assert pair[0]["id"] != pair[1]["id"]
