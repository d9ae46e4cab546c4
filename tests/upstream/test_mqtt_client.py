"""Paho in larger steps: torn packets, full wires, goodbyes, and a paho in which not everything is where it was."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode

from edge.upstream.mqtt.client import PahoClient

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNACK = b"\x20\x03\x00\x00\x00"
WITHIN_S = 120.0
SUCCESS = MQTTErrorCode.MQTT_ERR_SUCCESS


@contextlib.contextmanager
def connected() -> Iterator[tuple[PahoClient, socket.socket]]:
    """A client, and the broker's end of its wire; CONNECT was read there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = PahoClient("test")
        client.on_publish = lambda _client, _data, mid, reason, _more: client.answers.append((mid, reason.value))
        client.on_socket_register_write = lambda *_: None
        client.connect("127.0.0.1", server.getsockname()[1])
        near: Any = client.socket()
        far, _ = server.accept()
    far.settimeout(WITHIN_S)
    with far, near:
        write(client)
        assert far.recv(4_096)[0] == 0x10
        far.sendall(CONNACK)
        read(client)
        yield client, far


def read(client: PahoClient) -> MQTTErrorCode:
    near = client.socket()
    assert near is not None
    assert select.select([near], [], [], WITHIN_S)[0]
    return client.read(1_000, 1 << 20)


def write(client: PahoClient) -> None:
    assert client.loop_write() == SUCCESS
    assert client.flush() == SUCCESS


def publish(client: PahoClient, count: int, payload: bytes = b"{}") -> None:
    for _ in range(count):
        assert client.publish("events", payload, 1).rc == SUCCESS


ANSWERS = [(1, 0), (2, 0), (3, 0x10), (4, 0x87), (5, 0), (6, 0), (7, 0)]
WIRE = b"".join(
    [
        b"\x40\x02\x00\x01\x40\x02\x00\x02",
        b"\x40\x03\x00\x03\x10",  # with a reason
        b"\x40\x04\x00\x04\x87\x00",  # and with properties
        b"\x40\x02\x00\x05",
        b"\x40\x02\x01\x05",  # for nothing of ours
        b"\xd0\x00",  # something else
        b"\x40\x02\x00\x06\x40\x04\x00\x07\x00\x00",
    ]
)


@pytest.mark.parametrize("cut", range(len(WIRE)))
@pytest.mark.parametrize("missing", [None, "_no_such_thing"])
def test_every_answer_arrives_once_wherever_it_is_torn(
    monkeypatch: pytest.MonkeyPatch, cut: int, missing: str | None
) -> None:
    """Also with a paho that keeps things elsewhere: then its own way is taken, and says the same."""
    if missing is not None:
        monkeypatch.setattr("edge.upstream.mqtt.client.NEEDED", ("_packet_read", missing))
    by_paho: list[int] = []
    real = paho.Client._handle_pubackcomp

    def counted(client: paho.Client, cmd: Any) -> Any:
        by_paho.append(1)
        return real(client, cmd)

    monkeypatch.setattr(paho.Client, "_handle_pubackcomp", counted)
    with connected() as (client, far):
        publish(client, 8)
        for piece in filter(None, (WIRE[:cut], WIRE[cut:])):
            far.sendall(piece)
            assert read(client) == SUCCESS
        while len(client.answers) < len(ANSWERS):
            assert read(client) == SUCCESS
        assert client.answers == ANSWERS
        assert list(client._out_messages) == [8]
        assert client._inflight_messages == 1
        if missing is not None:
            assert len(by_paho) == 8
        else:
            assert 4 <= len(by_paho) <= 5  # those with a reason, the one for nothing, and perhaps a torn one


def test_answers_count_as_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a drain of some minutes would look like a broker that does not answer pings."""
    with connected() as (client, far):
        publish(client, 1)
        monkeypatch.setattr(paho, "time_func", lambda: 4_711.0)
        far.sendall(WIRE[:4])
        read(client)
        assert client.answers == [(1, 0)]
        assert client._last_bytes_received == 4_711.0


def test_the_end_of_the_wire_is_noticed() -> None:
    with connected() as (client, far):
        far.close()
        assert read(client) == MQTTErrorCode.MQTT_ERR_CONN_LOST
        assert client.socket() is None


def test_a_reset_of_the_wire_is_noticed_by_who_reads_and_by_who_writes() -> None:
    for act in (read, lambda client: client.flush()):
        with connected() as (client, far):
            publish(client, 1)
            client.loop_write()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            far.close()
            near = client.socket()
            assert near is not None
            assert select.select([near], [], [], WITHIN_S)[0]
            assert act(client) == MQTTErrorCode.MQTT_ERR_CONN_LOST


def test_what_is_said_together_leaves_together(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    with connected() as (client, far):
        publish(client, 20)
        assert client.loop_write() == SUCCESS
        assert not select.select([far], [], [], 0)[0]
        whole, near = bytes(client.behind), client.socket()

        class Counting:
            def send(self, data: bytearray) -> int:
                assert near is not None
                sent.append(near.send(data))
                return sent[-1]

        monkeypatch.setattr(client, "socket", Counting)
        assert client.flush() == SUCCESS
        monkeypatch.undo()
        assert sent == [len(whole)]
        assert whole.count(b"events") == 20
        got = b""
        while len(got) < len(whole):
            got += far.recv(65_536)
        assert got == whole


def test_a_full_wire_keeps_every_byte_and_the_goodbye_to_itself() -> None:
    """Paho would close the socket with the goodbye, and what waits before it would be lost."""
    payloads = [bytes([n]) * 100_000 for n in range(40)]
    with connected() as (client, far):
        for payload in payloads:
            publish(client, 1, payload)
        write(client)
        assert client.behind
        client.disconnect()
        assert client.loop_write() == SUCCESS
        assert client.socket() is not None
        got = bytearray()
        while client.socket() is not None:
            write(client)
            got += far.recv(1 << 20)
        assert not client.behind
        while data := far.recv(1 << 20):
            got += data
    at = 0
    for payload in payloads:
        at = got.index(payload, at) + len(payload)
    assert bytes(got[at:]).startswith(b"\xe0")
    assert len(got) - at <= 4


def test_short_sends_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow:
        """Takes a byte more each time, and every other time none."""

        def __init__(self) -> None:
            self.got, self.calls = bytearray(), 0

        def send(self, data: bytearray) -> int:
            self.calls += 1
            if self.calls % 2:
                raise (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)[self.calls % 3]
            taken = min(len(data), self.calls)
            self.got += data[:taken]
            return taken

    narrow = Narrow()
    with connected() as (client, _):
        publish(client, 20, b"x" * 100)
        assert client.loop_write() == SUCCESS
        whole = bytes(client.behind)
        assert len(whole) > 2_000
        monkeypatch.setattr(client, "socket", lambda: narrow)
        while client.behind:
            assert client.flush() == SUCCESS
        assert narrow.got == whole
        monkeypatch.undo()


def test_a_socket_that_paho_closed_takes_nothing_more() -> None:
    with connected() as (client, far):
        publish(client, 1)
        client.loop_write()
        far.close()
        assert read(client) == MQTTErrorCode.MQTT_ERR_CONN_LOST
        assert client.flush() == SUCCESS
