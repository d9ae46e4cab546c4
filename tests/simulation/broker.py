"""The broker and a consumer behind it, over all lives: links are cut or silent, messages are refused or lost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from edge.model.ports import Incoming, LinkError
from tests.support.consumer import Consumer
from tests.support.upstream import TOPIC, FakeLink, Net

if TYPE_CHECKING:
    import random

    from edge.upstream.sync import Upstream
    from tests.support.upstream import Sent

REFUSALS: Final = (0x10, 0x87, 0x97)
"""Nobody subscribes, not authorised, quota exceeded."""


class Broker:
    """What `doord` finds where its broker should be."""

    def __init__(self, chance: random.Random, *, by_application: bool) -> None:
        self._chance, self._by_application = chance, by_application
        self.consumer, self.net = Consumer(), Net()
        self.net.kept, self.net.code = None, self._answer
        self.upstream: Upstream | None = None
        self.fault: str | None = None
        self.doubled: str | None = None
        """Why the consumer cannot believe what it got."""
        self.stored: dict[str, dict[int, str]] = {}
        """By stream: the hash of each record that the consumer has."""

    def link(self, _chosen: object, _client_id: str, upstream: Upstream) -> FakeLink:
        self.upstream = upstream
        return FakeLink(self.net, upstream)

    def cut(self) -> None:
        if self.net.links and self.net.link.alive:
            self.net.link.cut()

    def gone(self) -> None:
        """`doord` is gone; its links are."""
        for link in self.net.links:
            link.alive = False
        self.net.links.clear()
        self.net.sent.clear()
        self.upstream = None

    def begin(self, kind: str) -> None:
        self.fault = kind
        if kind in {"cut", "away"}:
            self.cut()
        if kind == "away":
            self.net.unreachable = LinkError("no route to host")

    def end(self) -> None:
        self.fault, self.net.unreachable = None, None

    def _answer(self, sent: Sent) -> int | None:
        if sent.name == "stream":
            self.net.kept = json.dumps(sent.content).encode()
            self.consumer.begins |= sent.content["begins"]
        if self.fault == "silent":
            return None
        if sent.name != "events":
            return 0
        if self.fault == "refuses" or (self.fault is not None and self._chance.random() < 0.2):
            return self._chance.choice(REFUSALS)
        if self._by_application and self.fault == "forgets":
            return 0  # the broker took it and died before the application had it
        self._store(sent.content)
        if self._by_application:
            asyncio.get_running_loop().call_soon(self.acknowledge)
        return 0

    def _store(self, record: dict[str, Any]) -> None:
        try:
            self.consumer.store(record)
        except AssertionError as error:  # seen by the simulation, not by whoever sends
            self.doubled = str(error)
        self.stored.setdefault(record["stream"], {})[int(record["sequence"])] = record["data"]["hash"]

    def acknowledge(self) -> None:
        for stream, (_, through) in self.consumer.rows.items():
            body = json.dumps({"stream": stream, "sequence": through}).encode()
            if self.upstream is not None and through:
                self.upstream.incoming(Incoming(f"{TOPIC}/ack", body, retained=False))
