"""One link to a real mosquitto: torn and slow wires, last words, and what may hang without holding anybody up."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt import client as paho

from edge.diagnosis.diagnose import diagnose
from edge.model.ports import LinkError, Will
from edge.settings.tables import MqttTable
from edge.upstream.messages import UpstreamOptions
from edge.upstream.mqtt.link import MqttLink
from edge.upstream.sync import Upstream
from tests.support import facts as make
from tests.support import waiting
from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.journal import FORCED, OPENED, FakeJournal
from tests.support.proxy import Proxy
from tests.support.subscriber import Subscriber
from tests.support.upstream import TOPIC, Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

ROOT = Path(__file__).parents[2]
OPEN = "allow_anonymous true\npersistence false\nmax_queued_messages 0\n"
WITHIN_S = 120.0


class Hearer:
    def __init__(self) -> None:
        self.lost_because: list[str] = []
        self.answers: list[tuple[int, int]] = []
        self.heard: list[Any] = []
        self.suback: int | None = None

    def acknowledged(self, answers: list[tuple[int, int]]) -> None:
        self.answers += answers

    def subscribed(self, code: int) -> None:
        self.suback = code

    def incoming(self, incoming: Any) -> None:
        self.heard.append(incoming)
        incoming.taken()

    def lost(self, reason: str) -> None:
        self.lost_because.append(reason)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not true():  # noqa: ASYNC110 -- another thread or program changes it, and tells nobody
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def linked(port: int, name: str = "link", **settings: Any) -> AsyncIterator[tuple[MqttLink, Hearer]]:
    hearer = Hearer()
    link = MqttLink(MqttTable(url=f"mqtt://127.0.0.1:{port}", **settings), name, hearer)
    try:
        await link.connect(Will(f"{TOPIC}/status", b'{"online": false}'))
        yield link, hearer
    finally:
        link.abandon()


@contextlib.asynccontextmanager
async def conversing(port: int, journal: FakeJournal, *, by_application: bool = False) -> AsyncIterator[Upstream]:
    settings = MqttTable(url=f"mqtt://127.0.0.1:{port}")
    desk = Desk(journal)
    upstream = Upstream(
        UpstreamOptions(settings.url, TOPIC, by_application=by_application),
        journal,  # type: ignore[arg-type]
        tuple(desk.states),
        lambda hearer: MqttLink(settings, "conversation", hearer),
        random.Random(1),
        **desk.given(),
    )
    upstream.start()
    try:
        yield upstream
    finally:
        await upstream.close(1.0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", OPEN) as found:
        yield found


@pytest.mark.parametrize(("piece", "delay_s"), [(1, 0.0), (65_536, 0.02)])
@pytest.mark.parametrize("by_application", [False, True])
def test_torn_and_slow_wires_carry_everything(broker: Broker, piece: int, delay_s: float, by_application: bool) -> None:
    async def main(journal: FakeJournal, port: int, subscriber: Subscriber) -> None:
        journal.write([OPENED, FORCED, OPENED] * 50)
        async with conversing(port, journal, by_application=by_application):
            await until(lambda: journal.cursor("mqtt") == 150)
            await until(lambda: len(subscriber.on("alarms")) == 50)

    with (
        Proxy(broker.port) as proxy,
        Subscriber(broker.port, TOPIC, acknowledges=by_application) as subscriber,
    ):
        proxy.piece, proxy.delay_s = piece, delay_s
        asyncio.run(main(FakeJournal(), proxy.port, subscriber))
        subscriber.wait(lambda: len(subscriber.records) == 150, "everything")
        assert subscriber.sequences == list(range(1, 151))
        subscriber.check_chain()
        assert subscriber.duplicates == 0


def test_an_alarm_overtakes_ten_thousand_records(broker: Broker) -> None:
    async def main(journal: FakeJournal) -> None:
        journal.write([OPENED] * 10_000)
        async with conversing(broker.port, journal):
            await until(lambda: journal.cursor("mqtt") > 100)
            journal.record(FORCED)
            await until(lambda: journal.cursor("mqtt") == 10_001)

    with Subscriber(broker.port, TOPIC) as subscriber:
        asyncio.run(main(FakeJournal()))
        subscriber.wait(lambda: len(subscriber.records) == 10_001, "everything")
        names = [name for name, _, _ in subscriber.messages if name in {"alarms", "events"}]
        assert names.index("alarms") < 9_000
        assert subscriber.sequences == list(range(1, 10_002))
        subscriber.check_chain()


def test_the_broker_tells_how_it_answered(broker: Broker) -> None:
    async def main() -> None:
        async with linked(broker.port) as (link, hearer):
            link.subscribe([f"{TOPIC}/commands", f"{TOPIC}/ack"])
            nobody = link.publish(f"{TOPIC}/events", b"{}")
            us = link.publish(f"{TOPIC}/ack", b"{}")
            await until(lambda: len(hearer.answers) == 2)
            assert dict(hearer.answers) == {nobody: 0x10, us: 0}
            assert hearer.suback == 1

    asyncio.run(main())


def test_what_is_larger_than_any_command_stays_at_the_broker(broker: Broker) -> None:
    async def main() -> None:
        async with linked(broker.port) as (link, hearer):
            link.subscribe([f"{TOPIC}/commands"])
            await until(lambda: hearer.suback is not None)
            for size in (300 * 1024, 100 * 1024):
                subscriber.send("commands", b"x" * size)
            await until(lambda: hearer.heard)
            assert [len(incoming.payload) for incoming in hearer.heard] == [100 * 1024]
            assert not hearer.lost_because

    with Subscriber(broker.port, "elsewhere") as subscriber:
        subscriber.topic = TOPIC
        asyncio.run(main())


def test_last_words_are_passed_on() -> None:
    """Two controllers with one name, such as a copied card: the first one is told why it has to go.

    MQTT 5, 3.14.2.1: 0x8E. Mosquitto 2.0.11 only closes the connection, so a few bytes stand for a better broker.
    """

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"\x20\x03\x00\x00\x00" + b"\xe0\x02\x8e\x00")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, linked(server.sockets[0].getsockname()[1]) as (link, hearer):
            await until(lambda: hearer.lost_because)
            assert hearer.lost_because == ["the broker ended the connection: Session taken over"]
            with pytest.raises(LinkError):
                link.publish(f"{TOPIC}/events", b"{}")

    asyncio.run(main())


def test_a_goodbye_reaches_the_broker_before_the_connection_ends(broker: Broker) -> None:
    async def main() -> None:
        async with linked(broker.port, "polite") as (link, _):
            link.close()
        async with linked(broker.port, "rude"):
            pass

    asyncio.run(main())
    waiting.until(lambda: "Client rude" in broker.log.read_text(), broker.log.read_text)
    log = broker.log.read_text()
    assert "Received DISCONNECT from polite" in log
    assert "Received DISCONNECT from rude" not in log


@contextlib.asynccontextmanager
async def deaf() -> AsyncIterator[tuple[int, asyncio.Event, asyncio.Future[bytes]]]:
    """A broker that lets us in, and reads what we send only when it is told to: its port, the word, what it read."""
    told, heard = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        await told.wait()
        heard.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], told, heard


LARGE = [bytes([number]) * 200_000 for number in range(60)]


def test_a_wire_that_takes_no_more_is_waited_for_and_gets_every_byte() -> None:
    async def main() -> None:
        async with deaf() as (port, told, heard), linked(port) as (link, hearer):
            fd, loop = link._fd, asyncio.get_running_loop()
            assert fd is not None
            for payload in LARGE:
                link.publish(f"{TOPIC}/events", payload)
            await until(lambda: link._waiting)
            assert link._client.behind
            told.set()
            await until(lambda: not link._waiting)
            assert not link._client.behind
            assert not loop.remove_writer(fd)  # else the loop would turn for ever
            link.close()
            got = await heard
            assert not hearer.lost_because
        at = 0
        for payload in LARGE:
            at = got.index(payload, at) + len(payload)
        assert got[at:].startswith(b"\xe0")

    asyncio.run(main())


def test_a_goodbye_leaves_after_what_was_said_before_it() -> None:
    said = [b'{"number": %d}' % number for number in range(50)]

    async def main() -> None:
        async with deaf() as (port, told, heard), linked(port) as (link, _):
            for payload in said:
                link.publish(f"{TOPIC}/replies", payload)
            link.close()
            told.set()
            got = await heard
        at = 0
        for payload in said:
            at = got.index(payload, at) + len(payload)
        assert got[at:].startswith(b"\xe0")

    asyncio.run(main())


def test_who_leaves_while_the_wire_takes_no_more_does_not_wait_and_leaves_the_will_to_speak() -> None:
    async def main() -> None:
        async with deaf() as (port, told, heard), linked(port) as (link, _):
            for payload in LARGE:
                link.publish(f"{TOPIC}/events", payload)
            await until(lambda: link._waiting)
            link.close()
            told.set()
            got = await heard
        assert 0 < len(got) < sum(map(len, LARGE))
        assert LARGE[0] in got
        at = got.rindex(bytes([got[-1]]) * 100)
        assert got[at:] == bytes([got[-1]]) * 100  # torn in the middle of a message: no goodbye

    asyncio.run(main())


def test_a_guarded_wire_carries_a_drain_and_large_messages(tmp_path: Path) -> None:
    """TLS takes and gives in records of its own, and part of what it is given."""
    authority = Authority(tmp_path / "certificates")
    certificate, key = authority.issue("broker", address="127.0.0.1")
    settings = f"{OPEN}cafile {authority.ca}\ncertfile {certificate}\nkeyfile {key}\n"
    large = LARGE[:10]

    async def main(port: int) -> None:
        hearer = Hearer()
        table = {"url": f"mqtts://127.0.0.1:{port}", "ca_file": str(authority.ca)}
        link = MqttLink(MqttTable.model_validate(table, context={"folder": tmp_path}), "guarded", hearer)
        await link.connect(Will(f"{TOPIC}/status", b"{}"))
        link.subscribe([f"{TOPIC}/commands", f"{TOPIC}/ack"])
        mids = [link.publish(f"{TOPIC}/ack", b"{}") for _ in range(3_000)]
        mids += [link.publish(f"{TOPIC}/ack", payload) for payload in large]
        await until(lambda: len(hearer.answers) == len(mids) and len(hearer.heard) == len(mids))
        assert {code for _, code in hearer.answers} == {0}
        assert [incoming.payload for incoming in hearer.heard[3_000:]] == large
        assert not hearer.lost_because
        link.close()

    with Broker(tmp_path / "broker", settings) as broker:
        asyncio.run(main(broker.port))
        waiting.until(lambda: "Received DISCONNECT from guarded" in broker.log.read_text(), broker.log.read_text)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"url": "mqtt://127.0.0.1", "username": "hq", "password_file": "none"}, "none"),
        ({"url": "mqtts://127.0.0.1", "ca_file": "ca.pem"}, "ca.pem"),
        ({"url": "mqtts://127.0.0.1", "cert_file": "hq.pem", "key_file": "hq.key"}, "hq.pem and {folder}/hq.key"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, table: dict[str, str], named: str) -> None:
    """Else it looks like a fault of the network."""
    settings = MqttTable.model_validate(table, context={"folder": tmp_path})
    said = f"{settings.url}: {tmp_path}/{named.format(folder=tmp_path)} cannot be read: No such file or directory"

    async def main() -> None:
        with pytest.raises(LinkError) as refused:
            await MqttLink(settings, "guarded", Hearer()).connect((f"{TOPIC}/status", b"{}"))
        assert str(refused.value) == said

    asyncio.run(main())
    assert [one.code for one in diagnose(make.with_upstream(state="offline", last_error=said))] == [
        "DW-FILE-UNREADABLE"
    ]


def test_nothing_is_left_over_when_a_broker_does_not_speak(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.upstream.mqtt.link.CONNECT_S", 0.3)

    async def main(port: int) -> None:
        with pytest.raises(LinkError, match="in time"):
            async with linked(port):
                pass

    with Proxy(broker.port) as proxy:
        proxy.swallows = True
        asyncio.run(main(proxy.port))


HANGS = """
import asyncio, socket, sys, time
from edge.upstream.mqtt.link import MqttLink
from edge.model.ports import Will
from edge.settings.tables import MqttTable
socket.getaddrinfo = lambda *_a, **_k: time.sleep(600)
async def main():
    link = MqttLink(MqttTable(url="mqtt://broker.example.org"), "link", None)
    task = asyncio.ensure_future(link.connect(Will("t", b"")))
    ticks = 0
    while ticks < 20:
        await asyncio.sleep(0.01)
        ticks += 1
    task.cancel()
asyncio.run(main())
print("ended")
"""


def test_a_name_that_is_never_found_holds_neither_the_loop_nor_the_end() -> None:
    found = subprocess.run(
        [sys.executable, "-c", HANGS], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "ended"


def test_who_comes_too_late_leaves_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt was given up while its thread still waited for the other side to answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        real = paho.Client.connect
        seen: list[paho.Client] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            go = asyncio.Event()

            def late(client: paho.Client, *arguments: Any, **more: Any) -> Any:
                asyncio.run_coroutine_threadsafe(go.wait(), loop).result(WITHIN_S)
                try:
                    return real(client, *arguments, **more)
                finally:
                    seen.append(client)

            monkeypatch.setattr(paho.Client, "connect", late)
            link = MqttLink(MqttTable(url=f"mqtt://127.0.0.1:{port}"), "late", Hearer())
            attempt = asyncio.ensure_future(link.connect(Will("t", b"")))
            await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
            link.abandon()
            go.set()
            await until(lambda: seen)
            await until(lambda: getattr(seen[0].socket(), "fileno", lambda: -1)() == -1)

        asyncio.run(main())
