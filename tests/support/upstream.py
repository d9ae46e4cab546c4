"""A conversation without a network: links in memory, a broker that answers as told, and the daemon's part."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.model.cloudevents import Identity
from edge.model.ports import MAX_PACKET, Connected, Incoming, LinkError, Will
from edge.upstream.messages import UpstreamOptions
from edge.upstream.sync import Upstream
from tests.support import virtual
from tests.support.journal import BOOT, FakeJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from edge.model.messages import Json, Record
    from edge.upstream.messages import ExtraMessages

TOPIC = "doorward/v1/lab/test"
LATE_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    at_s: float
    name: str
    """The topic below ours, or the whole topic where it is not."""
    content: Any
    retained: bool
    correlation: bytes | None

    @property
    def sequence(self) -> int:
        return int(self.content["sequence"])


class FakeLink:
    def __init__(self, net: Net, hearer: Upstream) -> None:
        self.net, self.hearer = net, hearer
        self.alive = self.dying = False
        self.will: Any = None
        self.clean = False
        self.flying = 0
        self._mid = 0

    async def connect(self, will: Will) -> Connected:
        self.net.attempts.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if self.net.unreachable is not None:
            raise self.net.unreachable
        if self.net.judges_will(will):
            raise LinkError("the broker refused us: the will", refused=True, code=self.net.judges_will(will))
        self.alive, self.will = True, json.loads(will.payload)
        self.net.links.append(self)
        return Connected(self.net.receive_maximum, self.net.maximum_packet, self.net.maximum_qos, self.net.retains)

    def subscribe(self, topics: Sequence[str]) -> None:
        assert set(topics) - {"ha/status"} == {f"{TOPIC}/commands", f"{TOPIC}/ack"}
        asyncio.get_running_loop().call_soon(self.hearer.subscribed, self.net.suback)

    def look(self, topic: str) -> None:
        assert topic == f"{TOPIC}/stream"
        if self.net.kept is not None:
            shown = Incoming(topic, self.net.kept, retained=True)
            asyncio.get_running_loop().call_soon(self.hearer.incoming, shown)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str | None = None,
        correlation: bytes | None = None,
    ) -> int:
        if not self.alive:
            raise LinkError("gone")
        name = topic.removeprefix(f"{TOPIC}/")
        assert (content_type == "application/cloudevents+json") == (name in {"events", "alarms"})
        self._mid += 1
        if self.net.hangs_up(name, payload) or self.dying:
            self.dying = True
            asyncio.get_running_loop().call_later(0.01, self.cut, "the broker ended the connection")
            return self._mid
        self.flying += 1
        self.net.most_in_flight = max(self.net.most_in_flight, self.flying)
        content = json.loads(payload) if payload else None
        sent = Sent(asyncio.get_running_loop().time(), name, content, retain, correlation)
        self.net.sent.append(sent)
        self.net.answer(self, self._mid, sent)
        return self._mid

    def acknowledge(self, mid: int, code: int = 0) -> None:
        if self.alive:
            self.flying -= 1
            self.hearer.acknowledged([(mid, code)])

    def cut(self, reason: str = "cut") -> None:
        self.alive = False
        self.hearer.lost(reason)

    def close(self) -> None:
        self.clean, self.alive = True, False

    def abandon(self) -> None:
        self.alive = False


class Net:
    """All links of one conversation and the broker at their other end."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        self.sent: list[Sent] = []
        self.attempts: list[float] = []
        self.unreachable: Exception | None = None
        self.receive_maximum = 65_535
        self.maximum_packet, self.maximum_qos, self.retains = MAX_PACKET, 1, True
        self.judges_will: Callable[[Will], int] = lambda _will: 0
        self.hangs_up: Callable[[str, bytes], bool] = lambda _name, _payload: False
        """Whether the broker ends the connection when it gets this."""
        self.suback = 1
        self.kept: bytes | None = b"{}"
        """What it retains of the run before on `stream`."""
        self.most_in_flight = 0
        self.code: Callable[[Sent], int | None] = lambda _sent: 0
        """What the broker answers; None for nothing at all."""
        self.held: list[tuple[FakeLink, int, Sent]] = []

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    def answer(self, link: FakeLink, mid: int, sent: Sent) -> None:
        code = self.code(sent)
        if code is None:
            self.held.append((link, mid, sent))
        else:
            asyncio.get_running_loop().call_soon(link.acknowledge, mid, code)

    def on(self, name: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.name == name]

    def sequences(self, name: str = "events") -> list[int]:
        return [sent.sequence for sent in self.on(name)]


class Desk:
    """The daemon's part: everything that a conversation is given."""

    def __init__(self, journal: FakeJournal) -> None:
        self.journal = journal
        self.refusals: list[str | None] = []
        self.orders: list[Incoming] = []
        self.dropped_on: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self.states: dict[str, Json] = {"front": "closed", "back": "closed"}

    def given(self) -> dict[str, Any]:
        """What `Upstream` takes by name: this desk is all of it."""
        return dict.fromkeys(("origin", "retained", "inbound", "faults"), self)

    def identity(self) -> Identity:
        return Identity("lab", "test", self.journal.stream.rpartition("/")[2])

    def online_status(self) -> dict[str, Json]:
        return {"version": "1", "boot": BOOT, "doors": [*self.states]}

    def door_state(self, door: str) -> Json:
        return {"id": door, "contact": self.states[door]}

    def is_late(self, record: Record) -> bool:
        return self.journal.now_ns() - record.event.at_ns > LATE_NS

    def ordered(self, incoming: Incoming) -> None:
        self.orders.append(incoming)

    def dropped(self, what: str) -> None:
        self.dropped_on.append(what)

    def leaves_out(self, topic: str, why: str) -> None:
        self.left_out.append((topic.removeprefix(f"{TOPIC}/"), why))

    def refuses(self, reason: str | None) -> None:
        self.refusals.append(reason)


class Talk:
    """One conversation in virtual time."""

    def __init__(
        self,
        loop: virtual.VirtualLoop,
        *,
        by_application: bool,
        window: int,
        seed: int,
        extra: ExtraMessages | None = None,
    ) -> None:
        self.loop = loop
        self.journal = FakeJournal(loop.now_ns)
        self.net, self.desk = Net(), Desk(self.journal)
        self.upstream = Upstream(
            UpstreamOptions("mqtt://broker", TOPIC, by_application, window),
            self.journal,  # type: ignore[arg-type]
            tuple(self.desk.states),
            lambda upstream: FakeLink(self.net, upstream),
            random.Random(seed),
            extra,
            **self.desk.given(),
        )

    @property
    def cursor(self) -> int:
        return self.journal.cursor("mqtt")

    async def start(self) -> None:
        self.upstream.start()
        await self.settle()

    async def settle(self) -> None:
        """Everything that needs no time happens."""
        await asyncio.sleep(0.001)

    def ack(self, sequence: int, *, stream: str | None = None, retained: bool = False) -> None:
        """What the application says."""
        body = {"stream": stream or self.journal.stream, "sequence": sequence}
        self.upstream.incoming(Incoming(f"{TOPIC}/ack", json.dumps(body).encode(), retained))


def converse(
    script: Callable[[Talk], Coroutine[Any, Any, None]],
    *,
    by_application: bool = False,
    window: int = 20,
    seed: int = 1,
    extra: ExtraMessages | None = None,
) -> Talk:
    """Let `script` act on a conversation; end it; return it to be looked at."""
    kept: list[Talk] = []

    async def main(loop: virtual.VirtualLoop) -> None:
        talk = Talk(loop, by_application=by_application, window=window, seed=seed, extra=extra)
        kept.append(talk)
        await script(talk)
        await talk.upstream.close(0.0)

    virtual.run(main)
    return kept[0]
