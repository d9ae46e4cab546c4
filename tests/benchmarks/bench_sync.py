"""The way upstream: draining a stored log, and an alarm among it, as ratios to a reference in the same run.

Run it by hand: `python -m tests.benchmarks.bench_sync [records]`. The reference for draining is a bare
paho loop that publishes the same bytes from memory with the same window; for alarms it is the same
conversation with nothing to drain. Rounds alternate, and the median counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.log.log import Log, LogOptions
from edge.model.cloudevents import CONTENT_TYPE, Identity, encode
from edge.model.messages import Event, Subject
from edge.settings.tables import MqttTable
from edge.system.clock import Clock
from edge.upstream.messages import SINK, UpstreamOptions
from edge.upstream.mqtt.link import MqttLink
from edge.upstream.sync import Upstream
from tests.benchmarks.rows import Row, spread, told
from tests.support.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.model.messages import Json, Record
    from edge.model.ports import Incoming

RECORDS = 100_000
WINDOWS = (20, 100)
ROUNDS = 5
ALARMS = 200
TOPIC = "doorward/v1/lab/bench"
QUIET = "allow_anonymous true\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_type error\n"
ENOUGH_S = 600.0
LEFT = 2_000
"""So many records must still wait for an alarm to count as one among a backlog."""


def event(number: int, event_type: str = "lock.opened") -> Event:
    return Event(
        event_type,
        time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        Subject("lock", "front", "Front door"),
        correlation=f"{number:016x}",
        door="front",
        details={"observed": "edge"},
    )


class Desk:
    """As little as the conversation needs."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def identity(self) -> Identity:
        return Identity("lab", "bench", self.log.stream.rpartition("/")[2])

    def online_status(self) -> dict[str, Json]:
        return {}

    def door_state(self, door: str) -> Json:
        return {"id": door}

    def is_late(self, record: Record) -> bool:
        return record.sequence < 0

    def ordered(self, incoming: Incoming) -> None:
        raise AssertionError(incoming)

    def dropped(self, what: str) -> None:
        raise AssertionError(what)

    def leaves_out(self, topic: str, why: str) -> None:
        raise AssertionError(topic, why)

    def refuses(self, reason: str | None) -> None:
        raise AssertionError(reason)


class Ear:
    """Hears alarms in a program of its own, and writes down when."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def listening(cls, port: int) -> Ear:
        options = ["-V", "5", "-p", str(port), "-t", f"{TOPIC}/alarms", "-F", "%U %p"]
        process = await asyncio.create_subprocess_exec(mosquitto_sub(), *options, stdout=subprocess.PIPE, limit=2**20)
        await asyncio.sleep(1.0)
        return cls(process)

    async def heard(self, sequence: int) -> float:
        """When the copy of this record came, in seconds since 1970."""
        assert self._process.stdout is not None
        while True:
            line = (await self._process.stdout.readline()).decode()
            if f'"sequence":"{sequence:016d}"' in line:
                return float(line.partition(" ")[0])

    async def close(self) -> None:
        self._process.terminate()
        await self._process.wait()


def bare(port: int, payloads: list[bytes], window: int) -> float:
    """Seconds for a paho loop in this thread, with nothing around it."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.max_inflight_messages_set(0)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = CONTENT_TYPE
    todo = iter(payloads)
    left = len(payloads)
    connected = False

    def on_connect(*_: Any) -> None:
        nonlocal connected
        connected = True

    def on_publish(*_: Any) -> None:
        nonlocal left
        left -= 1
        payload = next(todo, None)
        if payload is not None:
            client.publish(f"{TOPIC}/events", payload, 1, properties=properties)

    client.on_connect, client.on_publish = on_connect, on_publish
    client.connect("127.0.0.1", port)
    while not connected:
        client.loop(0.01)
    began_s = time.perf_counter()
    for _ in range(window):
        client.publish(f"{TOPIC}/events", next(todo), 1, properties=properties)
    while left > 0:
        client.loop(1.0)
    took_s = time.perf_counter() - began_s
    client.disconnect()
    return took_s


class Conversation:
    """A real log, a real link, a real broker."""

    def __init__(self, folder: Path, port: int, window: int) -> None:
        self.log = Log(folder / "log.db", "bench", Clock(), LogOptions(sinks=(SINK,)))
        settings = MqttTable(url=f"mqtt://127.0.0.1:{port}", window=window)
        desk = Desk(self.log)
        self.upstream = Upstream(
            UpstreamOptions(settings.url, TOPIC, window=window),
            self.log,
            (),
            lambda upstream: MqttLink(settings, "bench", upstream),
            random.Random(1),
            origin=desk,
            retained=desk,
            inbound=desk,
            faults=desk,
        )

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(ENOUGH_S):
            while not true():  # noqa: ASYNC110 -- it must cost the measured program nothing
                await asyncio.sleep(0.01)

    async def open(self) -> None:
        self.log.start()
        await self.log.opened()

    async def close(self) -> None:
        await self.upstream.close(0.2)
        await self.log.close()


async def fill(folder: Path, records: int) -> list[bytes]:
    """A stored log, and the bytes that it becomes."""
    log = Log(folder / "log.db", "bench", Clock(), LogOptions(sinks=(SINK,)))
    log.start()
    await log.opened()
    for start in range(0, records, 500):
        log.append([event(n) for n in range(start, min(start + 500, records))])
        while log.health().waiting > 2_000:  # noqa: ASYNC110 -- only fills
            await asyncio.sleep(0.001)
    while log.committed < records:  # noqa: ASYNC110 -- only fills
        await asyncio.sleep(0.01)
    who = Desk(log).identity()
    payloads: list[bytes] = []
    while len(payloads) < records:
        payloads += [encode(one, who, replayed=False) for one in await log.read(len(payloads), 5_000)]
    await log.close()
    return payloads


async def drain(folder: Path, port: int, window: int, records: int) -> float:
    """Seconds from the connection to the last acknowledgement. The cursor is put back before."""
    talk = Conversation(folder, port, window)
    await talk.open()
    talk.log._cursors[SINK] = 0  # again from the start
    talk.upstream.start()
    await talk.until(lambda: talk.upstream.facts()["state"] == "online")
    began_s = time.perf_counter()
    await talk.until(lambda: talk.log.cursor(SINK) >= records)
    took_s = time.perf_counter() - began_s
    await talk.close()
    return took_s


async def alarms(folder: Path, port: int, window: int, *, backlog: bool) -> list[float]:
    """Seconds from handing an alarm to the log until another program has its copy."""
    ear = await Ear.listening(port)
    talk = Conversation(folder, port, window)
    await talk.open()
    talk.log._cursors[SINK] = 0 if backlog else talk.log.committed
    talk.log._cursors["mqtt-alarms"] = talk.log.committed
    talk.upstream.start()
    await talk.until(lambda: talk.upstream.facts()["state"] == "online")
    took: list[float] = []
    for number in range(ALARMS):
        if backlog and talk.log.committed - talk.log.cursor(SINK) < LEFT:
            break
        began_s = time.time()
        talk.log.append([event(number, "lock.forced_open")])
        took.append(await ear.heard(talk.log.committed + 1) - began_s)
        await asyncio.sleep(0.005)
    await talk.close()
    await ear.close()
    return took


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def mosquitto_sub() -> str:
    found = shutil.which("mosquitto_sub")
    assert found is not None, "mosquitto_sub is missing: make test installs it"
    return found


@contextlib.contextmanager
def somebody(port: int) -> Iterator[None]:
    """Without a subscriber nothing is acknowledged; this one costs us nothing."""
    command = [mosquitto_sub(), "-V", "5", "-p", str(port), "-t", f"{TOPIC}/+", "-q", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        time.sleep(1.0)
        yield
        process.terminate()


def main(records: int) -> None:
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "broker", QUIET) as broker:
        folder = Path(name) / "log"
        folder.mkdir()
        payloads = asyncio.run(fill(folder, records))
        say(f"{records} records of {statistics.mean(map(len, payloads)):.0f} bytes")
        with somebody(broker.port):
            for window in WINDOWS:
                ours, theirs = [], []
                for _ in range(ROUNDS):
                    theirs.append(bare(broker.port, payloads, window))
                    ours.append(asyncio.run(drain(folder, broker.port, window, records)))
                us, bare_s = statistics.median(ours), statistics.median(theirs)
                say(f"window {window:3}: {records / us:8.0f}/s, bare paho loop {records / bare_s:8.0f}/s")
                what, against = f"drain {records:,} records, window {window}", "the rate of a bare paho loop"
                told(Row(1, what, bare_s / us, "x", 0.95, against, at_least=True, noise=spread(ours, theirs)))
            idle, busy, heard = [], [], 0
            for _ in range(ROUNDS):
                idle.append(p99(asyncio.run(alarms(folder, broker.port, 20, backlog=False))))
                among = asyncio.run(alarms(folder, broker.port, 20, backlog=True))
                busy.append(p99(among))
                heard += len(among)
            draining, resting = statistics.median(busy), statistics.median(idle)
            say(f"alarm p99: {draining * 1e3:.1f} ms while draining ({heard} alarms), else {resting * 1e3:.1f} ms")
            noise = spread(busy, idle)
            told(Row(5, "alarm while records drain, p99", draining / resting, "x", 2, "nothing to drain", noise=noise))
            say(f"load: {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
