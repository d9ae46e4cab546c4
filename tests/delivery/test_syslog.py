"""Syslog messages as another program reads them, and a receiver over TLS on the loopback."""

from __future__ import annotations

import asyncio
import re
import ssl
import warnings
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.delivery.address import AllowedAddresses
from edge.delivery.errors import DeliveryError
from edge.delivery.network import Network
from edge.delivery.receivers import syslog_sink
from edge.delivery.receivers.syslog import SD_ID, frame, line, priority
from edge.delivery.receivers.syslog_sink import Syslog
from edge.model.catalogue import CATALOGUE, message
from edge.model.cloudevents import Identity, rfc3339
from edge.model.messages import Actor, ClockQuality, Event, Record, Subject
from tests.support.certificates import Authority
from tests.support.journal import FakeJournal
from tests.support.receivers import Here

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # what it is built on looks into the re module
    from syslog_rfc5424_parser import SyslogMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HERE = Identity("lab", "test", "epoch-1")
SPAN_US = (0, 4_102_444_800_000_000)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=600)
UNESCAPED = st.text(st.characters(codec="utf-8", exclude_characters="\\"), max_size=600)
"""The other program takes a backslash before a quotation mark for one that hides it, even if it is hidden itself."""
GRAMMAR = re.compile(
    r"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) - (\S{1,32}) "
    r'((?:\[[!-~]{1,32}(?: [!-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])+) \ufeff(.*)'
)
"""RFC 5424, 6, as strictly as it is written there."""


def recorded(event: Event, time_us: int = 1_795_384_623_000_042, clock: ClockQuality = ClockQuality.SYNCED) -> Record:
    return Record(7, event, "b0", 1, "aa", "bb", time_us, time_us, clock)


def parsed(record: Record) -> Any:
    return SyslogMessage.parse(line(record, HERE))


def events(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        st.sampled_from(sorted(CATALOGUE)),
        st.just(1),
        st.builds(Subject, st.just("lock"), texts, texts),
        st.none() | st.builds(Actor, st.just("user"), texts, st.none() | texts, st.none() | texts),
        cause=st.none() | texts,
        success=st.booleans(),
        code=st.none() | texts,
        correlation=texts,
        door=st.none() | st.just("front"),
    )


def without_escapes(value: str) -> str:
    return re.sub(r'\\(["\\\]])', r"\1", value)


@given(event=events(UNESCAPED), time_us=st.integers(*SPAN_US), clock=st.sampled_from(ClockQuality))
def test_another_program_reads_what_we_write(event: Event, time_us: int, clock: ClockQuality) -> None:
    record = recorded(event, time_us, clock)
    found = parsed(record)
    assert found.timestamp == rfc3339(time_us)
    assert (found.hostname, found.appname, found.procid, found.msgid) == ("test", "doorward", None, event.type)
    told = found.sd[SD_ID]
    assert (told["type"], told["sequence"], told["id"]) == (event.type, "7", "epoch-1-7")
    assert told.get("door") == event.door
    if event.actor is not None and event.actor.id.isprintable():
        assert without_escapes(told["actor"]) == event.actor.id[:512]
    assert ("actor" in told) == (event.actor is not None)
    assert found.sd["timeQuality"]["isSynced"] == str(int(clock is ClockQuality.SYNCED))
    assert found.facility.value * 8 + found.severity.value == priority(event)
    if message(event).isprintable():
        assert found.msg.lstrip("\ufeff") == message(event)


@given(event=events(TEXTS))
def test_one_record_is_one_line_whatever_stands_in_names(event: Event) -> None:
    framed = frame(recorded(event), HERE)
    count, _, content = framed.partition(b" ")
    assert int(count) == len(content)
    text = content.decode()
    found = GRAMMAR.fullmatch(text)
    assert found
    if event.object.id.isprintable():
        [told] = re.findall(r' object="((?:[^"\\\]]|\\.)*)" ', found[6])[:1]
        assert without_escapes(told) == event.object.id[:512]
    assert len(text.splitlines()) == 1
    assert len(content) < 16_384


def test_what_is_special_in_values_is_escaped() -> None:
    subject, actor = Subject("lock", r'a"b]c\d', "Front"), Actor("user", '"] [x y="1', "Ann")
    record = recorded(Event("lock.opened", 1, subject, actor, door="front"))
    assert r'object="a\"b\]c\\d" actor="\"\] [x y=\"1"' in line(record, HERE)
    assert without_escapes(parsed(record).sd[SD_ID]["object"]) == r'a"b]c\d'
    assert parsed(record).sd.keys() == {"timeQuality", SD_ID}


def test_a_message_as_it_stands() -> None:
    ann = Actor("user", "u-1", "Ann", "ann@example.org")
    front = Subject("lock", "front", "Front door")
    record = recorded(Event("lock.unlock", 1, front, ann, "user", door="front", correlation="c-1"))
    assert line(record, HERE) == (
        "<86>1 2026-11-22T21:57:03.000042Z test doorward - lock.unlock "
        '[timeQuality tzKnown="1" isSynced="1"][doorward@32473 id="epoch-1-7" sequence="7" type="lock.unlock" '
        'site="lab" door="front" object="front" actor="u-1" actorKind="user" actorName="Ann" success="true" '
        'cause="user" correlation="c-1"] \ufeffFront door unlocked by Ann'
    )


@pytest.mark.parametrize(
    ("kind", "success", "expected"),
    [
        ("lock.forced_open", True, (10, 1)),
        ("lock.opened", True, (10, 6)),
        ("reader.access", False, (10, 5)),
        ("lock.lock_down", True, (10, 4)),
        ("lock.lock_down", False, (10, 4)),
        ("controller.gap", True, (13, 1)),
        ("user.update", True, (13, 6)),
    ],
)
def test_priorities_come_from_the_catalogue(kind: str, success: bool, expected: tuple[int, int]) -> None:
    event = Event(kind, 1, Subject("lock", "front", "Front"), success=success)
    assert divmod(priority(event), 8) == expected


def test_every_type_fits_into_a_msgid() -> None:
    assert all(len(kind) <= 32 for kind in CATALOGUE)


# --- over TLS -----------------------------------------------------------------------------------------------


class Collector:
    """A receiver: reads frames by their counts."""

    def __init__(self) -> None:
        self.port = 0
        self.got: list[str] = []
        self.connections = 0
        self.hang_up_after = 10**9
        self.deaf = False
        self._news = asyncio.Event()
        self._over = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.deaf:
                writer.transport.pause_reading()  # type: ignore[attr-defined]  # a TLS transport has it
                await self._over.wait()
                return
            while len(self.got) < self.hang_up_after:
                count = await reader.readuntil(b" ")
                self.got.append((await reader.readexactly(int(count))).decode())
                self._news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def until(self, number: int) -> None:
        async with asyncio.timeout(120):
            while number not in self.numbers:
                self._news.clear()
                await self._news.wait()

    @property
    def numbers(self) -> list[int]:
        return [int(SyslogMessage.parse(text).sd[SD_ID]["sequence"]) for text in self.got]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@asynccontextmanager
async def collector(authority: Authority) -> AsyncIterator[tuple[Collector, Syslog]]:
    held = Collector()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", address="127.0.0.1"))
    server = await asyncio.start_server(held.serve, "127.0.0.1", 0, ssl=context)
    held.port = server.sockets[0].getsockname()[1]
    network = Network(AllowedAddresses(allow_private=True), ca_file=authority.ca)
    sink = Syslog(f"tls://127.0.0.1:{held.port}", CATALOGUE.keys(), network=network, origin=Here())
    async with server:
        yield held, sink
        held._over.set()
        await sink.close()


def test_records_follow_each_other_on_one_connection(authority: Authority) -> None:
    async def main() -> None:
        async with collector(authority) as (server, sink):
            records = FakeJournal().write(["lock.opened"] * 120)
            for start in range(0, 120, sink.batch):
                await sink.send(records[start : start + sink.batch])
            await server.until(120)
            assert server.numbers == list(range(1, 121))
            assert server.connections == 1

    asyncio.run(main())


def test_a_connection_that_was_cut_is_made_anew(authority: Authority) -> None:
    async def main() -> None:
        async with collector(authority) as (server, sink):
            records = FakeJournal().write(["lock.opened"] * 3)
            server.hang_up_after = 1
            for record in records:
                while True:  # it may hear of the cut only while it sends
                    try:
                        await sink.send([record])
                    except DeliveryError as error:
                        server.hang_up_after = 10**9
                        assert "hung up" in str(error)  # noqa: PT017 -- it need not be raised
                        continue
                    break
                await server.until(record.sequence)  # what its kernel has acknowledged is lost with it
            assert sorted(set(server.numbers)) == [1, 2, 3]
            assert server.connections == 2

    asyncio.run(main())


def test_a_connection_that_is_reset_while_something_is_under_way_is_one_that_hung_up(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that lost its power answers so."""

    async def main() -> None:
        async with collector(authority) as (server, sink):
            first, second = FakeJournal().write(["lock.opened"] * 2)
            await sink.send([first])
            assert sink._streams is not None
            writer = sink._streams[1]

            async def reset() -> None:
                writer.transport.abort()
                while writer.transport.get_extra_info("socket") is not None:  # noqa: ASYNC110 -- nobody tells
                    await asyncio.sleep(0)

            monkeypatch.setattr(writer, "drain", reset)
            with pytest.raises(DeliveryError, match="hung up"):
                await sink.send([second])
            await sink.send([second])
            await server.until(2)

    asyncio.run(main())


def test_what_nobody_acknowledges_is_not_taken(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog_sink, "TIMEOUT_S", 1.0)

    async def main() -> None:
        async with collector(authority) as (server, sink):
            server.deaf = True
            [record] = FakeJournal().write(["lock.opened"])
            large = replace(record, event=replace(record.event, correlation="x" * 500))

            async def flood() -> None:
                for _ in range(100_000):
                    await sink.send([large] * 50)

            with pytest.raises(DeliveryError, match="took nothing"):
                await flood()
            assert sink._streams is None

    asyncio.run(main())


def test_a_receiver_with_another_name_gets_nothing(authority: Authority) -> None:
    async def main() -> None:
        async with collector(authority) as (server, _):

            async def here(_host: str, _port: int) -> list[str]:
                await asyncio.sleep(0)
                return ["127.0.0.1"]

            network = Network(AllowedAddresses(allow_private=True), ca_file=authority.ca, resolve=here)
            sink = Syslog(f"tls://logs.example.org:{server.port}", CATALOGUE.keys(), network=network, origin=Here())
            with pytest.raises(DeliveryError, match="mismatch"):
                await sink.send(FakeJournal().write(["lock.opened"]))
            assert server.got == []

    asyncio.run(main())
