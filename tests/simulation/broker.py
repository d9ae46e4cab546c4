"""The broker and a consumer behind it, over all lives: links are cut or silent, messages are refused or lost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from edge.model.ports import Incoming, LinkError
from tests.support.consumer import Consumer
from tests.support.upstream import TOPIC, FakeLink, Net

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from edge.upstream.sync import Upstream
    from tests.simulation.sender import Sender
    from tests.support.upstream import Sent

REFUSALS: Final = (0x10, 0x87, 0x97)
"""Nobody subscribes, not authorised, quota exceeded."""


class Link(FakeLink):
    """Commands come over it, those first that an earlier one has not acknowledged."""

    def __init__(self, broker: Broker, hearer: Upstream) -> None:
        super().__init__(broker.net, hearer)
        self._broker = broker
        self.sent: set[int] = set()
        """The numbers of the commands that went over it."""

    def subscribe(self, topics: Sequence[str]) -> None:
        super().subscribe(topics)
        asyncio.get_running_loop().call_soon(self._broker.deliver)


class Broker:
    """What `doord` finds where its broker should be."""

    def __init__(self, chance: random.Random, sender: Sender, *, by_application: bool) -> None:
        self._chance, self._sender, self._by_application = chance, sender, by_application
        self.consumer, self.net = Consumer(), Net()
        self.net.kept, self.net.code = None, self._answer
        self.upstream: Upstream | None = None
        self.fault: str | None = None
        self.doubled: str | None = None
        """Why the consumer cannot believe what it got."""
        self.first_s: dict[str, dict[int, float]] = {}
        """By stream: when the record with this number came first."""
        self.stored: dict[str, dict[int, str]] = {}
        """By stream: the hash of each record that the consumer has."""

    def link(self, _chosen: object, _client_id: str, upstream: Upstream) -> Link:
        self.upstream = upstream
        return Link(self, upstream)

    def deliver(self) -> None:
        """Hand over what waits on `commands`."""
        link = self.net.links[-1] if self.net.links else None
        if not isinstance(link, Link) or not link.alive or self.fault == "silent":
            return
        for number, message in enumerate(self._sender.messages):
            if not message.taken and number not in link.sent:
                link.sent.add(number)
                incoming = replace(self._sender.incoming(number), taken=partial(self._taken, link, number))
                asyncio.get_running_loop().call_soon(self._hand, link, incoming)

    def _hand(self, link: Link, incoming: Incoming) -> None:
        if link.alive:
            link.hearer.incoming(incoming)

    def _taken(self, link: Link, number: int) -> None:
        if link.alive and self.fault != "silent":
            self._sender.messages[number].taken = True

    def cut(self) -> None:
        if self.net.links and self.net.link.alive:
            self.net.link.cut()

    def gone(self) -> None:
        """`doord` is gone; its links are."""
        for link in self.net.links:
            link.alive = False
        self.net.links.clear()
        self.net.sent.clear()
        self.net.held.clear()
        self.upstream = None

    def begin(self, kind: str) -> None:
        self.fault = kind
        if kind in {"cut", "away"}:
            self.cut()
        if kind == "away":
            self.net.unreachable = LinkError("no route to host")

    def end(self) -> None:
        """All is well; what a silent broker did not answer is on its way still, as TCP sends it again."""
        self.fault, self.net.unreachable = None, None
        held, self.net.held = self.net.held, []
        for link, number, sent in held:
            if link.alive:
                self.net.answer(link, number, sent)
        self.deliver()

    def _answer(self, sent: Sent) -> int | None:
        if sent.name == "stream":
            self.net.kept = json.dumps(sent.content).encode()
            self.consumer.begins |= sent.content["begins"]
        if self.fault == "silent":
            return None
        if sent.name == "replies" and self.fault != "forgets":
            self._sender.heard(sent.correlation, json.dumps(sent.content).encode())
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
        self.first_s.setdefault(record["stream"], {}).setdefault(
            int(record["sequence"]), asyncio.get_running_loop().time()
        )
        self.stored.setdefault(record["stream"], {})[int(record["sequence"])] = record["data"]["hash"]

    def acknowledge(self) -> None:
        for stream, (_, through) in self.consumer.rows.items():
            body = json.dumps({"stream": stream, "sequence": through}).encode()
            if self.upstream is not None and through:
                self.upstream.incoming(Incoming(f"{TOPIC}/ack", body, retained=False))
