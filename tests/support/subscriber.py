"""An upstream that stores records: removes duplicates by source and id, and checks that none is missing."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WAITS_S = 90.0


class Subscriber:
    """Remembers everything below `topic`; with `acknowledges` it says what it has stored in a row."""

    def __init__(self, port: int, topic: str, *, acknowledges: bool = False, name: str = "upstream") -> None:
        self.topic, self.acknowledges, self.port = topic, acknowledges, port
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        self.messages: list[tuple[str, Any, bool]] = []
        """Topic below ours, content, retained."""
        self.duplicates = 0
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._known: set[int] = set()
        self._row = 0
        """Everything up to here is stored."""
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def start(self) -> Self:
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3_600
        self._client.connect("127.0.0.1", self.port, keepalive=10, clean_start=False, properties=session)
        self._client.loop_start()
        assert self._subscribed.wait(WAITS_S)
        return self

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def send(self, name: str, content: Any, *, retain: bool = False, properties: Properties | None = None) -> None:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._client.publish(f"{self.topic}/{name}", payload, 1, retain, properties).wait_for_publish(WAITS_S)

    def wait(self, true: Any, what: str = "it", within_s: float = WAITS_S) -> None:
        with self._changed:
            assert self._changed.wait_for(true, within_s), f"{what} did not come; {len(self.messages)} messages did"

    def on(self, name: str) -> list[Any]:
        """Everything that came on a topic below ours."""
        return [content for topic, content, _ in self.messages if topic == name]

    def types(self, name: str = "events") -> list[str]:
        return [record["type"] for record in self.on(name)]

    @property
    def sequences(self) -> list[int]:
        return sorted(int(record["sequence"]) for record in self.records.values())

    def check_chain(self) -> None:
        """Dense from 1, each naming the hash of the one before."""
        ordered = sorted(self.records.values(), key=lambda record: record["sequence"])
        assert [int(record["sequence"]) for record in ordered] == list(range(1, len(ordered) + 1))
        for before, after in itertools.pairwise(ordered):
            assert after["data"]["prev"] == before["data"]["hash"]

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(f"{self.topic}/#", qos=1)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        name = message.topic.removeprefix(f"{self.topic}/")
        content = _content(message.payload)
        with self._changed:
            self.messages.append((name, content, message.retain))
            if name == "events":
                self._store(content)
            self._changed.notify_all()

    def _store(self, record: dict[str, Any]) -> None:
        key = (record["source"], record["id"])
        if key in self.records:
            self.duplicates += 1
            assert self.records[key]["data"]["hash"] == record["data"]["hash"], "one id, two records"
        self.records[key] = record
        self._known.add(int(record["sequence"]))
        while self._row + 1 in self._known:
            self._row += 1
        if self.acknowledges:
            ack = json.dumps({"stream": record["stream"], "sequence": self._row})
            self._client.publish(f"{self.topic}/ack", ack, 1)


def _content(payload: bytes) -> Any:
    """What was published; a signed command, which comes back to its sender, is no JSON."""
    if not payload:
        return None
    try:
        return json.loads(payload)
    except ValueError:
        return payload
