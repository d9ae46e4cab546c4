"""One conversation with the upstream: send what the log has, hear what is acknowledged, try again.

One rule: the log is the only queue. Whatever is in here may be forgotten at any moment; what was
not acknowledged is read from the log and sent again. Alarms go first, always.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.alarm_lane import AlarmLane
from edge.log import LogUnavailableError
from edge.orders import parse_ack
from edge.outbox import Outbox
from edge.ports import Incoming, LinkError
from edge.wire import CONTENT_TYPE, Identity, encode, to_bytes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from edge.log import Log
    from edge.messages import Json, Record
    from edge.ports import Link

LOG: Final = logging.getLogger(__name__)
SINK: Final = "mqtt"
RETRY_S: Final = (1.0, 60.0)
"""The bounds of the pause before the next attempt to connect; it is random in between (full jitter)."""
NOBODY_S: Final = 30.0
"""How long to wait when nobody subscribes, or when the broker refuses a message."""
STALL_S: Final = 20.0
"""A link on which nothing is acknowledged for this long is given up; an application is sent to again."""
TICK_S: Final = 5.0
STATUS_EVERY_S: Final = 60.0
CHUNK: Final = 500
MAX_REPLIES: Final = 200
NO_SUBSCRIBER: Final = 0x10
FAILURE: Final = 0x80


@dataclass(frozen=True, slots=True)
class Options:
    """What `[mqtt]` says about the conversation."""

    url: str
    topic: str
    """Everything is below it: `<prefix>/<site>/<controller>`."""
    by_application: bool = False
    window: int = 20


class Host(Protocol):
    """What the daemon lends."""

    def identity(self) -> Identity:
        """Who we are; the epoch changes when a damaged log was set aside."""

    def online_status(self) -> dict[str, Json]:
        """The retained `status`, but for what is known here."""

    def door_state(self, door: str) -> Json:
        """The retained state of a door."""

    def is_late(self, record: Record) -> bool:
        """Whether the record happened more than 10 s ago, or before this boot."""

    def ordered(self, incoming: Incoming) -> None:
        """Somebody sent a command."""

    def upstream_refuses(self, reason: str | None) -> None:
        """The broker is there and refuses (a reason), or takes our messages again (None)."""


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    retain: bool = False
    content_type: str | None = None
    correlation: bytes | None = None
    event: int = 0
    """The sequence of a first delivery on `events`."""
    alarm: int = 0


class Upstream:
    """The conversation, over one link after another."""

    def __init__(  # noqa: PLR0913, PLR0917 -- each part has one owner
        self,
        options: Options,
        log: Log,
        host: Host,
        doors: Sequence[str],
        make_link: Callable[[Upstream], Link],
        chance: random.Random,
    ) -> None:
        """`make_link` makes a new link that reports to this object; `chance` jitters the pauses."""
        self.options = options
        self.state, self.since_s = "connecting", 0.0
        self.last_error: str | None = None
        self.reconnects = self.ignored_acks = 0
        self.window = options.window
        self._log, self._host, self._doors = log, host, tuple(doors)
        self._make_link, self._chance = make_link, chance
        self._link: Link | None = None
        self._lost: asyncio.Future[str] | None = None
        self._stream = ""
        self._outbox = Outbox(0, by_application=options.by_application)
        self._alarms = AlarmLane(log, self._pump)
        self._replies: deque[_Message] = deque(maxlen=MAX_REPLIES)
        self._dirty: dict[str, None] = {}
        self._replays: deque[tuple[int, int]] = deque(maxlen=100)
        """After and through: ranges to send again."""
        self._again: deque[Record] = deque()
        self._flying: dict[int, _Message] = {}
        self._reading: asyncio.Task[None] | None = None
        self._quiet_until_s = self._progress_s = self._status_s = 0.0
        self._useful = False
        """Something was acknowledged on this link: the next one is tried soon."""
        self._task: asyncio.Task[None] | None = None
        log.on_commit(self._committed)

    # --- for the daemon ------------------------------------------------------------------------------

    def start(self) -> asyncio.Task[None]:
        """Talk from now on, whenever there is a link."""
        self._task = asyncio.create_task(self._run(), name="upstream")
        return self._task

    async def close(self, within_s: float) -> None:
        """Give the last records a moment to leave, say that we go, and let go."""
        end_s = asyncio.get_running_loop().time() + within_s
        await self._until(lambda: not self._backlog(), end_s)
        if self._link is not None:
            self._send(_Message(self._topic("status"), self._status(online=False), retain=True))
        await self._until(lambda: not self._flying, end_s)
        if self._link is not None:
            self._link.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _until(self, done: Callable[[], bool], end_s: float) -> None:
        """Look often, for the length of a stop only."""
        while self._link is not None and not done() and asyncio.get_running_loop().time() < end_s:  # noqa: ASYNC110 -- ^
            await asyncio.sleep(0.01)

    def door_changed(self, door: str) -> None:
        """Its retained state is out of date; the newest state wins."""
        self._dirty[door] = None
        self._pump()

    def reply(self, topic: str | None, payload: bytes, correlation: bytes | None) -> None:
        """Answer a command; of too many answers the oldest are forgotten."""
        self._replies.append(_Message(topic or self._topic("replies"), payload, correlation=correlation))
        self._pump()

    def replay(self, first: int, last: int) -> None:
        """Send these records again on `events`, when nothing new waits."""
        self._replays.append((first - 1, min(last, self._log.committed)))
        self._pump()

    def facts(self) -> dict[str, Json]:
        """The `upstream` part of the status."""
        return {
            "state": self.state,
            "url": self.options.url,
            "ack": "application" if self.options.by_application else "broker",
            "cursor": self._log.cursor(SINK),
            "backlog": self._backlog(),
            "in_flight": len(self._flying),
            "window": self.window,
            "last_error": self.last_error,
            "reconnects": self.reconnects,
            "ignored_acks": self.ignored_acks,
        }

    # --- from the link ---------------------------------------------------------------------------------

    def acknowledged(self, mid: int, code: int) -> None:
        """A PUBACK; a success code that says `no matching subscribers` is no success for a record."""
        message = self._flying.pop(mid, None)
        if message is None:
            return
        self._progress_s = asyncio.get_running_loop().time()
        self._useful = True
        if code >= FAILURE:
            self._hush("refused", f"the broker refuses {message.topic}: reason 0x{code:02x}")
            self._host.upstream_refuses(self.last_error)
        elif message.event and code == NO_SUBSCRIBER:
            self._hush("no_subscriber", "nobody subscribes to the events")
        elif message.event:
            if self.state in {"refused", "no_subscriber"}:
                self._become("online")
                self._host.upstream_refuses(None)
            if self._outbox.taken(message.event):
                self._log.advance(SINK, self._outbox.cursor)
        if message.alarm:
            self._alarms.taken(message.alarm)
        self._pump()

    def incoming(self, incoming: Incoming) -> None:
        """A command, or an acknowledgement of the application."""
        if incoming.topic == self._topic("ack"):
            self._application_ack(incoming)
        elif incoming.topic == self._topic("commands"):
            self._host.ordered(incoming)

    def lost(self, reason: str) -> None:
        """The link is gone."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)

    def _application_ack(self, incoming: Incoming) -> None:
        sequence = None if incoming.retained else parse_ack(incoming.payload, self._log.stream)
        if sequence is None or not self.options.by_application or sequence > self._log.committed:
            self.ignored_acks += 1
        elif self._outbox.acknowledged_through(sequence):
            self._progress_s = asyncio.get_running_loop().time()
            self._log.advance(SINK, self._outbox.cursor)
            self._pump()

    # --- one link after another --------------------------------------------------------------------------

    async def _run(self) -> None:
        await self._log.opened()
        attempt = 0
        while True:
            self._useful = False
            try:
                await self._session()
            except LinkError as error:
                self._offline(error)
            attempt = 1 if self._useful else attempt + 1
            shortest_s, longest_s = RETRY_S
            await asyncio.sleep(self._chance.uniform(shortest_s, min(longest_s, shortest_s * 2 ** min(attempt, 10))))
            self.reconnects += 1

    async def _session(self) -> None:
        link = self._make_link(self)
        self._lost = asyncio.get_running_loop().create_future()
        try:
            terms = await link.connect((self._topic("status"), self._status(online=False)))
            self.window = max(1, min(self.options.window, terms.receive_maximum))
            link.subscribe([self._topic("commands"), self._topic("ack")])
            self._link = link
            self._begin()
            while not self._lost.done():
                await asyncio.wait({self._lost}, timeout=TICK_S)
                if not self._lost.done():
                    self._tick()
            raise LinkError(self._lost.result())
        finally:
            self._link = None
            link.abandon()
            self._alarms.stop()
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None

    def _begin(self) -> None:
        """A fresh link: everything after the cursor is sent again, and every state."""
        LOG.info("online at %s", self.options.url)
        self._become("online")
        self.last_error = None
        self._flying.clear()
        self._again.clear()
        self._stream = self._log.stream
        self._outbox = Outbox(self._log.cursor(SINK), by_application=self.options.by_application)
        self._quiet_until_s = 0.0
        self._progress_s = asyncio.get_running_loop().time()
        self._dirty = dict.fromkeys(self._doors)
        self._say_status()
        self._alarms.start()
        self._pump()

    def _offline(self, error: LinkError) -> None:
        if self.state != "offline" or str(error) != self.last_error:
            LOG.warning("offline: %s", error)
        self._become("offline")
        self.last_error = str(error)
        if error.refused:
            self._host.upstream_refuses(str(error))

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state, self.since_s = state, asyncio.get_running_loop().time()

    def _hush(self, state: str, reason: str) -> None:
        """Send no records for a while; then again from the cursor."""
        if self.state != state:
            LOG.warning("%s", reason)
        self._become(state)
        self.last_error = reason
        self._outbox.rewind()
        loop = asyncio.get_running_loop()
        if self._quiet_until_s <= loop.time():
            self._quiet_until_s = loop.time() + NOBODY_S
            loop.call_later(NOBODY_S, self._pump)

    def _tick(self) -> None:
        now_s = asyncio.get_running_loop().time()
        stalled = now_s - self._progress_s > STALL_S
        if self._flying and stalled:
            self.lost(f"nothing was acknowledged for {STALL_S:.0f} s")
        elif self.options.by_application and self._outbox.unacknowledged and stalled:
            self._progress_s = now_s
            self.last_error = f"the application acknowledged nothing for {STALL_S:.0f} s"
            self._outbox.rewind()
        if self._stream != self._log.stream:  # a damaged log was set aside: its successor is sent from the start
            self.lost("the log was set aside")
        if now_s - self._status_s > STATUS_EVERY_S:
            self._say_status()
        self._pump()

    # --- sending ------------------------------------------------------------------------------------------

    def _committed(self, records: Sequence[Record]) -> None:
        if self._link is None:
            return
        self._alarms.add(records)
        for record in records:
            if self._outbox.follows(record.sequence):  # else it is read from the log when its turn comes
                self._outbox.feed([record])
        self._pump()

    def _pump(self) -> None:
        """Send as much as the window allows, the most urgent first."""
        while self._link is not None and len(self._flying) < self.window:
            message = self._next()
            if message is None:
                break
            self._send(message)
        if self._link is not None and self._reading is None and self._wants_reading():
            self._reading = asyncio.create_task(self._read(self._link))

    def _next(self) -> _Message | None:
        if self._replies:
            return self._replies.popleft()
        if (alarm := self._alarms.next()) is not None:
            return self._record(alarm, "alarms", alarm=alarm.sequence)
        if self._dirty:
            door = next(iter(self._dirty))
            del self._dirty[door]
            return _Message(self._topic(f"doors/{door}/state"), to_bytes(self._host.door_state(door)), retain=True)
        if asyncio.get_running_loop().time() < self._quiet_until_s:
            return None
        if (record := self._outbox.next()) is not None:
            return self._record(record, "events", event=record.sequence)
        return self._record(self._again.popleft(), "events", replayed=True) if self._again else None

    def _record(
        self, record: Record, topic: str, *, event: int = 0, alarm: int = 0, replayed: bool = False
    ) -> _Message:
        payload = encode(record, self._host.identity(), replayed=replayed or self._host.is_late(record))
        return _Message(self._topic(topic), payload, content_type=CONTENT_TYPE, event=event, alarm=alarm)

    def _send(self, message: _Message) -> None:
        if self._link is None:
            return
        if not self._flying:
            self._progress_s = asyncio.get_running_loop().time()
        try:
            mid = self._link.publish(
                message.topic,
                message.payload,
                retain=message.retain,
                content_type=message.content_type,
                correlation=message.correlation,
            )
        except LinkError as error:
            self._link = None
            self.lost(str(error))
        else:
            self._flying[mid] = message

    def _wants_reading(self) -> bool:
        backlog = self._outbox.read_through < self._log.committed and self._outbox.room >= CHUNK
        return backlog or bool(self._replays and not self._again)

    async def _read(self, link: Link) -> None:
        """Read ahead what comes next, in another thread."""
        try:
            if self._outbox.read_through < self._log.committed and self._outbox.room >= CHUNK:
                after, outbox = self._outbox.read_through, self._outbox
                records = await self._log.read(after, CHUNK)
                if outbox is self._outbox and outbox.read_through >= after:
                    outbox.feed(records)
            elif self._replays:
                after, through = self._replays.popleft()
                records = [r for r in await self._log.read(after, CHUNK) if r.sequence <= through]
                self._again.extend(records)
                if records and records[-1].sequence < through:
                    self._replays.appendleft((records[-1].sequence, through))
        except LogUnavailableError:
            return  # the next tick tries again
        finally:
            if self._link is link:
                self._reading = None
        self._pump()

    def _say_status(self) -> None:
        self._status_s = asyncio.get_running_loop().time()
        self._send(_Message(self._topic("status"), self._status(online=True), retain=True))

    def _status(self, *, online: bool) -> bytes:
        status: dict[str, Json] = {
            "online": online,
            **self._host.online_status(),
            "stream": self._log.stream,
            "sequence": self._log.committed,
            "cursor": self._log.cursor(SINK),
            "no_subscriber": self.state == "no_subscriber",
        }
        return to_bytes(status)

    def _backlog(self) -> int:
        return self._log.committed - self._log.cursor(SINK)

    def _topic(self, name: str) -> str:
        return f"{self.options.topic}/{name}"
