"""What comes in: as much as the budget allows, a little in each turn, nothing that was not allowed, whatever it is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.model.budget import Budget
from edge.model.ports import Will
from edge.settings.tables import MqttTable
from edge.upstream.mqtt.client import MAX_PACKET_BYTES
from edge.upstream.mqtt.intake import (
    BYTES_A_SECOND,
    BYTES_AT_ONCE,
    MOST_BEHIND,
    PACKETS_A_SECOND,
    PACKETS_AT_ONCE,
    TURN_BYTES,
    TURN_PACKETS,
    Intake,
)
from edge.upstream.mqtt.link import MqttLink
from edge.upstream.mqtt.publish import MOST_PROPERTIES, Publish, decode
from edge.upstream.mqtt.terms import MOST_UNANSWERED
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from edge.model.ports import Incoming
    from tests.support.virtual import VirtualLoop

CONNACK = b"\x20\x03\x00\x00\x00"


# --- the budget --------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 50))))
def test_a_budget_gives_no_more_than_so_much_at_once_and_so_much_a_second(asked: list[tuple[float, float]]) -> None:
    budget, now_s, spent = Budget(10, 20), 0.0, 0.0
    for wait_s, amount in asked:
        now_s += wait_s
        spent += amount if budget.take(now_s, amount) else 0.0
        assert spent <= 20 + 10 * now_s + 1e-6
        if amount <= 20:
            later_s = now_s + budget.wait_s(now_s, amount)
            assert budget.left(later_s) >= amount - 1e-6
            now_s = later_s


# --- a turn, a second --------------------------------------------------------------------------------------


class Endless:
    """A client to which always more has come than it may read: packets of one size."""

    def __init__(self, size: int) -> None:
        self.size, self.reads, self.packets, self.bytes = size, 0, 0, 0
        self.packets_left = self.bytes_left = 0
        self.answers: list[Any] = []
        self.messages: list[Any] = []
        self.behind = bytearray()
        self.more = True

    def read(self, packets: int, size: int) -> MQTTErrorCode:
        assert packets <= TURN_PACKETS
        assert size <= TURN_BYTES
        read = min(size, packets * self.size)
        before = self.bytes // self.size
        self.bytes += read
        taken = self.bytes // self.size - before
        self.packets_left, self.bytes_left = packets - taken, size - read
        self.reads += 1
        self.packets += taken
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def socket(self) -> object:
        return self


@pytest.mark.parametrize("size", [4, 100, 20_000])
def test_a_flood_is_read_in_small_turns_and_no_faster_than_allowed(size: int) -> None:
    seconds = 20

    async def main(loop: VirtualLoop) -> None:
        near, far = socket.socketpair()
        client, turns = Endless(size), [0]
        intake = Intake(client, loop, None, lambda _result: None, print)  # type: ignore[arg-type]
        far.send(b"x")  # and nobody takes it out: there is always something

        def turn() -> None:
            """Somebody else's: it has its turn each time the loop comes round."""
            turns[0] += 1
            loop.call_later(0.001, turn)

        with near, far:
            turn()
            intake.start(near)
            await asyncio.sleep(seconds)
            intake.stop()
            before = client.reads
            await asyncio.sleep(1)
            assert client.reads == before
        assert client.packets <= PACKETS_AT_ONCE + seconds * PACKETS_A_SECOND + TURN_PACKETS
        assert client.bytes <= BYTES_AT_ONCE + seconds * BYTES_A_SECOND + TURN_BYTES
        allowed = min(seconds * PACKETS_A_SECOND, seconds * BYTES_A_SECOND / size)
        assert client.packets >= 0.9 * allowed  # and no slower
        assert turns[0] >= 900 * seconds
        assert client.reads <= 1_100 * seconds  # it does not turn in vain either

    virtual.run(main)


def test_nothing_is_read_from_a_broker_that_reads_nothing() -> None:
    async def main(loop: VirtualLoop) -> None:
        near, far = socket.socketpair()
        client = Endless(100)
        client.behind = bytearray(MOST_BEHIND + 1)
        intake = Intake(client, loop, None, lambda _result: None, print)  # type: ignore[arg-type]
        far.send(b"x")
        with near, far:
            intake.start(near)
            await asyncio.sleep(10)
            intake.stop()
        assert client.reads <= 12

    virtual.run(main)


# --- a broker that breaks its word ---------------------------------------------------------------------------


class Hearer:
    def __init__(self) -> None:
        self.lost_because: list[str] = []
        self.heard: list[Incoming] = []

    def acknowledged(self, answers: list[tuple[int, int]]) -> None:
        raise AssertionError(answers)

    def subscribed(self, code: int) -> None:
        raise AssertionError(code)

    def incoming(self, incoming: Incoming) -> None:
        self.heard.append(incoming)

    def lost(self, reason: str) -> None:
        self.lost_because.append(reason)


@contextlib.asynccontextmanager
async def hostile(sends: bytes) -> AsyncIterator[tuple[MqttLink, Hearer, bytearray]]:
    """A broker that says `sends` after it has let us in, and what it hears from then on."""
    heard, ended = bytearray(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)
        writer.write(CONNACK + sends)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4_096):
                heard.extend(data)
        writer.transport.abort()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    hearer = Hearer()
    async with server:
        link = MqttLink(MqttTable(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"), "link", hearer)
        try:
            await link.connect(Will("t", b""))
            yield link, hearer, heard
        finally:
            link.abandon()
            await ended.wait()
            await asyncio.sleep(0)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110 -- another end of a wire changes it, and tells nobody
            await asyncio.sleep(0.005)


def publish(topic: bytes, payload: bytes = b"", *, first: int = 0x30, mid: int = 0, properties: bytes = b"") -> bytes:
    number = mid.to_bytes(2) if first & 6 else b""
    body = len(topic).to_bytes(2) + topic + number + varint(len(properties)) + properties + payload
    return bytes([first]) + varint(len(body)) + body


def varint(number: int) -> bytes:
    found = b""
    while True:
        number, digit = divmod(number, 128)
        found += bytes([digit | (128 if number else 0)])
        if not number:
            return found


BROKEN = {
    f"a packet of {MAX_PACKET_BYTES + 1} bytes": b"\x30" + varint(MAX_PACKET_BYTES + 1) + b"\0\1x\0" + b"y" * 70_000,
    "a packet of 268435455 bytes": b"\x30\xff\xff\xff\x7f" + b"x" * 70_000,
    "QoS 2": publish(b"x", first=0x34, mid=1),
    "the property 0x23": publish(b"x", properties=b"\x23\x00\x01"),
    "a malformed message": b"\x30\x05\x00\x01x\x7fy",
    "more than the 20 messages": b"".join(publish(b"x", first=0x32, mid=mid) for mid in range(1, 30)),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_broker_that_sends_what_it_must_not_loses_us_and_is_named(why: str) -> None:
    async def main() -> None:
        async with hostile(BROKEN[why]) as (_, hearer, _heard):
            await until(lambda: hearer.lost_because)
            [reason] = hearer.lost_because
            assert why in reason
            assert reason.startswith("the broker sent")
            assert len(hearer.heard) <= MOST_UNANSWERED

    asyncio.run(main())


def test_the_broker_is_told_only_what_its_receiver_has_taken() -> None:
    async def main() -> None:
        sends = b"".join(publish(b"x", b"%d" % mid, first=0x32, mid=mid) for mid in (7, 8, 9)) + publish(b"x", b"none")
        async with hostile(sends) as (_, hearer, heard):
            await until(lambda: len(hearer.heard) == 4)
            hearer.heard[3].taken()  # of QoS 0: nothing to say
            hearer.heard[1].taken()
            hearer.heard[1].taken()
            await until(lambda: heard)
            assert bytes(heard) == b"\x40\x02\x00\x08"
            hearer.heard[0].taken()
            await until(lambda: len(heard) > 4)
            assert bytes(heard) == b"\x40\x02\x00\x08\x40\x02\x00\x07"

    asyncio.run(main())


# --- one message ---------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


pairs = st.lists(st.tuples(words, words), max_size=5)


@given(words, st.binary(max_size=50), st.none() | words, st.none() | st.binary(max_size=20), pairs)
def test_what_a_sender_may_put_in_is_read_as_paho_reads_it(
    topic: str, payload: bytes, response: str | None, correlation: bytes | None, more: list[tuple[str, str]]
) -> None:
    topic = f"t{topic.replace('+', '').replace('#', '')}"
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = 7
    properties.PayloadFormatIndicator = 1
    properties.ContentType = "x"
    if more:
        properties.UserProperty = more
    if response is not None:
        properties.ResponseTopic = response
    if correlation is not None:
        properties.CorrelationData = correlation
    properties.SubscriptionIdentifier = 300
    packed = properties.pack()  # type: ignore[no-untyped-call]
    name = topic.encode()
    body = len(name).to_bytes(2) + name + b"\0\5" + packed + payload
    assert decode(0x33, body) == Publish(topic, payload, 1, 5, True, response, correlation)


@given(st.integers(0x30, 0x3F), st.binary(max_size=60))
def test_whatever_comes_is_a_message_or_an_error_of_one_kind(first: int, body: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode(first, body)


def test_fifty_thousand_properties_cost_no_more_than_a_few() -> None:
    many = b"\x26\0\0\0\0" * 50_000
    body = b"\0\1t" + varint(len(many)) + many + b"payload"
    seen: list[int] = []

    class Counting(bytes):
        def __getitem__(self, at: Any) -> Any:
            seen.append(1)
            return super().__getitem__(at)

    assert decode(0x30, Counting(body)).payload == b"payload"
    assert len(seen) < 10 * MOST_PROPERTIES
