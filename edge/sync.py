"""One conversation with the upstream: send what the log has, hear what is acknowledged, try again.

One rule: the log is the only queue. Whatever is in here may be forgotten at any moment; what was
not acknowledged is read from the log and sent again. Alarms go first, always. See docs/mqtt.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from edge.alarm_lane import AlarmLane
from edge.log import LogUnavailableError
from edge.orders import parse_ack
from edge.outbox import Outbox
from edge.ports import Incoming, LinkError
from edge.refusals import Refusals
from edge.wire import CONTENT_TYPE, Identity, encode, to_bytes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

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
LONGEST_STALL_S: Final = 320.0
"""An application that stays silent is sent to again after twice the time, each time, up to this."""
TICK_S: Final = 5.0
STATUS_EVERY_S: Final = 60.0
CHUNK: Final = 100
"""Records read at once: larger ones keep the loop, and so an alarm, waiting longer, and drain no faster."""
MAX_REPLIES: Final = 200
MAX_REPLAYS: Final = 100
MAX_TOPIC_BYTES: Final = 1_024
"""Of a response topic; MQTT allows 65,535."""
SUCCESS: Final = 0x00
"""The only good answer to a record. MQTT 5, 3.4.2.1: 0x10 is a success too, but nobody will ever get the message."""
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


class Guest(Protocol):
    """Somebody else's retained messages, on topics that are not below ours, said when nothing else waits but events."""

    @property
    def topics(self) -> Iterable[str]:
        """What else to listen to."""

    def begin(self) -> None:
        """Everything is to be said: the link is new."""

    def heard(self, incoming: Incoming, now_s: float) -> bool:
        """A message on one of the topics; True when somebody has begun to listen to events. Seldom, whatever comes."""

    def next(self) -> tuple[str, bytes] | None:
        """Take the next message: its topic and content; None when everything is said."""


class _Kind(StrEnum):
    """What can be refused, each by itself."""

    CONNECTION = "connection"
    COMMANDS = "commands and ack"
    EVENTS = "events"
    ALARMS = "alarms"
    STATES = "doors"
    STATUS = "status"
    REPLIES = "replies"
    ALERTS = "alerts"
    GUEST = "guest"


@dataclass(slots=True)  # frozen would cost 1.5 us for each of a backlog
class _Message:
    kind: _Kind
    topic: str
    payload: bytes
    retain: bool = False
    content_type: str | None = None
    correlation: bytes | None = None
    sequence: int = 0
    """Of the record it carries."""
    door: str = ""
    """Whose state it carries."""
    again: bool = False
    """Part of a replay: its acknowledgement moves no cursor."""
    taken: asyncio.Future[None] | None = None
    """Whoever waits for its acknowledgement."""


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
        guest: Guest | None = None,
    ) -> None:
        """`make_link` makes a new link that reports to this object; `chance` jitters the pauses."""
        self.options = options
        self.state, self.since_s = "connecting", 0.0
        self.last_error: str | None = None
        self.reconnects = self.ignored_acks = 0
        self.window = options.window
        self._log, self._host, self._doors = log, host, tuple(doors)
        self._make_link, self._chance, self._guest = make_link, chance, guest
        self._link: Link | None = None
        self._lost: asyncio.Future[str] | None = None
        self._stream = ""
        self._outbox = Outbox(0, by_application=options.by_application)
        self._reached = 0
        """The highest record of this stream that was ever sent."""
        self._alarms = AlarmLane(log, self._pump, NOBODY_S)
        self._replies: deque[_Message] = deque(maxlen=MAX_REPLIES)
        self._alerts: deque[_Message] = deque()  # bounded: by those who wait for them
        self._dirty: dict[str, None] = {}
        self._stale: dict[str, None] = {}
        """Doors whose state was refused; it is sent again with the next status."""
        self._status_due = self._leaving = False
        self._unsaid = False
        """A message of the guest was refused: all are said again then, too."""
        self._replays: deque[tuple[int, int]] = deque(maxlen=MAX_REPLAYS)
        """After and through: ranges to send again; of too many the oldest are forgotten."""
        self._again: deque[Record] = deque()
        self._flying: dict[int, _Message] = {}
        self._reading: asyncio.Task[None] | None = None
        self._refusals = Refusals()
        self._told: str | None = None
        """The refusal that the host knows of."""
        self._quiet_until_s = self._progress_s = self._stored_s = self._status_s = 0.0
        self._patience_s = STALL_S
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
        self._leaving = self._status_due = True
        self._pump()
        await self._until(self._said_goodbye, end_s)
        if self._link is not None and self._said_goodbye():
            self._link.close()  # else the will says it for us
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _said_goodbye(self) -> bool:
        return not self._status_due and all(message.kind is not _Kind.STATUS for message in self._flying.values())

    async def _until(self, done: Callable[[], bool], end_s: float) -> None:
        """Look often, for the length of a stop only."""
        while self._link is not None and not done() and asyncio.get_running_loop().time() < end_s:  # noqa: ASYNC110 -- ^
            await asyncio.sleep(0.01)

    def door_changed(self, door: str) -> None:
        """Its retained state is out of date; the newest state wins."""
        self._dirty[door] = None
        self._pump()

    def settings_changed(self) -> None:
        """Whatever they say elsewhere is said again."""
        if self._guest is not None:
            self._guest.begin()
            self._pump()

    def reply(self, topic: str | None, payload: bytes, correlation: bytes | None) -> None:
        """Answer a command; of too many answers the oldest are forgotten."""
        where = topic if topic is not None and self._may_answer_at(topic) else self._topic("replies")
        self._replies.append(_Message(_Kind.REPLIES, where, payload, correlation=correlation))
        self._pump()

    async def alert(self, payload: bytes) -> None:
        """Publish on `alerts`; returns when somebody has it. Raises LinkError when it was perhaps not taken."""
        if not self._talking():
            raise LinkError("there is no link to the broker")
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._alerts.append(_Message(_Kind.ALERTS, self._topic("alerts"), payload, taken=taken))
        self._pump()
        await taken

    def _may_answer_at(self, topic: str) -> bool:
        """MQTT 5, 3.3.2.3.5: no wildcards. And nobody may make us write where our own words stand."""
        if not topic or topic.startswith("$") or any(c in topic for c in "+#\0"):
            return False
        ours = topic.startswith(self._topic("")) and not topic.startswith(self._topic("replies/"))
        return not ours and len(topic.encode()) <= MAX_TOPIC_BYTES

    def replay(self, first: int, last: int) -> None:
        """Send these records again on `events`, when nothing new waits."""
        last = min(last, self._log.committed)
        if first <= last:
            self._replays.append((first - 1, last))
            self._pump()

    def facts(self) -> dict[str, Json]:
        """The `upstream` part of the status."""
        refused = self._refusals.reason
        return {
            "state": "refused" if refused is not None and self.state == "online" else self.state,
            "url": self.options.url,
            "ack": "application" if self.options.by_application else "broker",
            "cursor": self._log.cursor(SINK),
            "backlog": self._backlog(),
            "in_flight": len(self._flying),
            "window": self.window,
            "last_error": refused or self.last_error,
            "reconnects": self.reconnects,
            "ignored_acks": self.ignored_acks,
        }

    # --- from the link ---------------------------------------------------------------------------------

    def acknowledged(self, answers: Sequence[tuple[int, int]]) -> None:
        """Some PUBACKs: the numbers of messages and reason codes."""
        self._progress_s = asyncio.get_running_loop().time()
        moved = False
        for mid, code in answers:
            message = self._flying.pop(mid, None)
            if message is not None and self._talking():
                moved |= self._answered(message, code)
        if moved:
            self._log.advance(SINK, self._outbox.cursor)
        self._pump()

    def _answered(self, message: _Message, code: int) -> bool:
        """Judge one answer; True when it moved the cursor."""
        self._useful = True
        if code >= FAILURE or self._refusals.reason is not None:
            self._note(message, code)
        if message.kind is _Kind.EVENTS:
            return self._event_answered(message, code)
        if message.taken is not None:
            _settle(message.taken, None if code == SUCCESS else f"nobody took it: reason 0x{code:02x}")
        if message.kind is _Kind.ALARMS and code == SUCCESS:
            self._alarms.taken(message.sequence)
        elif message.kind is _Kind.ALARMS:
            self._alarms.came_back(message.sequence, refused=code >= FAILURE)
        return False

    def _note(self, message: _Message, code: int) -> None:
        guest = message.kind is _Kind.GUEST
        if guest or message.topic.startswith(self._topic("")):  # who asks for an answer elsewhere may have it refused
            self._judge(message.kind, code, f"the broker refuses {message.topic}: reason 0x{code:02x}")
        if message.door and code >= FAILURE:
            self._stale[message.door] = None
        self._unsaid |= guest and code >= FAILURE

    def _event_answered(self, message: _Message, code: int) -> bool:
        """A success code that says `no matching subscribers` is no success for a record."""
        if code == SUCCESS:
            if self.state == "no_subscriber":
                self._become("online")
                self.last_error = None
            self._alarms.not_wanted()
            return not message.again and self._outbox.taken(message.sequence)
        if message.again:
            self._replays.appendleft((message.sequence - 1, message.sequence))
        if code < FAILURE:
            if self.state != "no_subscriber":
                LOG.warning("nobody subscribes to the events; they wait")
            self._become("no_subscriber")
            self.last_error = "nobody subscribes to the events"
        self._hush()
        return False

    def subscribed(self, code: int) -> None:
        """The broker's answer to our subscriptions: the worst of its reason codes."""
        others = "".join(f", {topic}" for topic in self._listens_to()[2:])
        why = f"the broker does not let us read {self._topic('commands')}, ack{others}: reason 0x{code:02x}"
        self._judge(_Kind.COMMANDS, code, why)

    def _listens_to(self) -> list[str]:
        also = () if self._guest is None else self._guest.topics
        return [self._topic("commands"), self._topic("ack"), *also]

    def incoming(self, incoming: Incoming) -> None:
        """A command, or an acknowledgement of the application."""
        if incoming.topic == self._topic("ack"):
            self._application_ack(incoming)
        elif incoming.topic == self._topic("commands"):
            self._host.ordered(incoming)
        elif self._guest is not None:
            if self._guest.heard(incoming, asyncio.get_running_loop().time()):
                self._quiet_until_s = 0.0
            self._pump()

    def lost(self, reason: str) -> None:
        """The link is gone."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)

    def _application_ack(self, incoming: Incoming) -> None:
        sequence = None if incoming.retained else parse_ack(incoming.payload, self._stream)
        known = self.options.by_application and self._talking()
        if sequence is None or not known or sequence > self._reached:
            self.ignored_acks += 1
        elif self._outbox.acknowledged_through(sequence):
            self._stored_s, self._patience_s = asyncio.get_running_loop().time(), STALL_S
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
            except Exception as error:  # our own mistake: said in full, and the log waits for the next link
                LOG.exception("the conversation failed")
                self._offline(LinkError(f"internal error: {error!r}"))
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
            link.subscribe(self._listens_to())
            self._link = link
            self._begin()
            while not self._lost.done():
                await asyncio.wait({self._lost}, timeout=TICK_S)
                if not self._lost.done():
                    self._tick()
            raise LinkError(self._lost.result())
        finally:
            self._end(link)

    def _begin(self) -> None:
        """A fresh link: everything after the cursor is sent again, and every state."""
        LOG.info("online at %s", self.options.url)
        if self._stream != self._log.stream:
            self._stream, self._reached = self._log.stream, 0
            self._replays.clear()
        self._judge(_Kind.CONNECTION, SUCCESS, "")
        self._become("online")
        self.last_error = None
        self._outbox = Outbox(self._log.cursor(SINK), by_application=self.options.by_application)
        self._quiet_until_s, self._patience_s = 0.0, STALL_S
        self._progress_s = self._stored_s = asyncio.get_running_loop().time()
        self._dirty = dict.fromkeys(self._doors)
        self._status_due = True
        self._unsaid = False
        if self._guest is not None:
            self._guest.begin()
        self._alarms.start()
        self._pump()

    def _end(self, link: Link) -> None:
        """No link: keep what is not in the log, answers and what is left of a replay, for the next one."""
        self._link = None
        link.abandon()
        self._alarms.stop()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        flying = [self._flying[mid] for mid in sorted(self._flying)]
        self._flying.clear()
        for message in (*flying, *self._alerts):
            if message.taken is not None:
                _settle(message.taken, "the link to the broker went")
        self._alerts.clear()
        self._replies.extendleft(m for m in reversed(flying) if m.kind is _Kind.REPLIES)
        again = [m.sequence for m in flying if m.again] + [record.sequence for record in self._again]
        self._again.clear()
        if again:
            self._replays.appendleft((min(again) - 1, max(again)))

    def _offline(self, error: LinkError) -> None:
        if self.state not in {"offline", "refused"} or str(error) != self.last_error:
            LOG.warning("offline: %s", error)
        self._become("refused" if error.refused else "offline")
        self.last_error = str(error)
        if error.refused:
            self._judge(_Kind.CONNECTION, FAILURE, str(error))

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state, self.since_s = state, asyncio.get_running_loop().time()
            self._status_due = True

    def _judge(self, kind: _Kind, code: int, why: str) -> None:
        """Something was refused or taken."""
        now_s = asyncio.get_running_loop().time()
        if code >= FAILURE:
            self._refusals.refused(kind, why, now_s)
        else:
            self._refusals.taken(kind, now_s, at_once=kind in {_Kind.CONNECTION, _Kind.COMMANDS})
        self._tell()

    def _tell(self) -> None:
        """The host hears of the first refusal, and when there is none any more."""
        reason = self._refusals.reason
        if (reason is None) != (self._told is None):
            LOG.warning("%s", reason or "the broker takes everything again")
            self._told = reason
            self._host.upstream_refuses(reason)

    def _hush(self) -> None:
        """Send no records for a while; then again from the cursor."""
        self._outbox.rewind()
        loop = asyncio.get_running_loop()
        if self._quiet_until_s <= loop.time():
            self._quiet_until_s = loop.time() + NOBODY_S
            loop.call_at(self._quiet_until_s, self._pump)

    def _tick(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._flying and now_s - self._progress_s > STALL_S:
            self.lost(f"nothing was acknowledged for {STALL_S:.0f} s")
        elif not self._talking():  # a damaged log was set aside: its successor is sent from the start
            self.lost("the log was set aside")
        if self.options.by_application:
            self._press(now_s)
        self._refusals.settle(now_s)
        self._tell()
        if now_s - self._status_s > STATUS_EVERY_S:
            self._status_due = True
            self._dirty |= self._stale
            self._stale.clear()
            if self._unsaid:
                self._unsaid = False
                self.settings_changed()
        self._pump()

    def _press(self, now_s: float) -> None:
        """Send again what the application should have acknowledged by now, more and more patiently."""
        if not self._outbox.unacknowledged:
            self._stored_s = now_s
        elif now_s - self._stored_s > self._patience_s:
            self.last_error = f"the application acknowledged nothing for {self._patience_s:.0f} s"
            self._stored_s, self._patience_s = now_s, min(2 * self._patience_s, LONGEST_STALL_S)
            self._outbox.rewind()

    def _talking(self) -> bool:
        """There is a link, and what it has told is about the log that is there now."""
        return self._link is not None and self._stream == self._log.stream

    # --- sending ------------------------------------------------------------------------------------------

    def _committed(self, records: Sequence[Record]) -> None:
        if not self._talking():
            return
        self._alarms.add(records)
        for record in records:
            if self._outbox.follows(record.sequence):  # else it is read from the log when its turn comes
                self._outbox.feed([record])
        self._pump()

    def _pump(self) -> None:
        """Send as much as the window allows, the most urgent first."""
        while self._talking() and len(self._flying) < self.window:
            message = self._next()
            if message is None:
                break
            self._send(message)
        if self._link is not None and self._talking() and self._reading is None and self._wants_reading():
            self._reading = asyncio.create_task(self._read(self._link))

    def _next(self) -> _Message | None:
        if (alarm := self._alarms.next()) is not None:
            return self._record(_Kind.ALARMS, alarm)
        if self._alerts:
            return self._alerts.popleft()
        if self._replies:
            return self._replies.popleft()
        return self._next_state() or self._next_event()

    def _next_state(self) -> _Message | None:
        """How things are: retained, and the newest only."""
        if self._status_due:
            self._status_due, self._status_s = False, asyncio.get_running_loop().time()
            status = self._status(online=not self._leaving)
            return _Message(_Kind.STATUS, self._topic("status"), status, retain=True)
        if self._dirty:
            door = next(iter(self._dirty))
            del self._dirty[door]
            state = to_bytes(self._host.door_state(door))
            return _Message(_Kind.STATES, self._topic(f"doors/{door}/state"), state, retain=True, door=door)
        if self._guest is not None and (said := self._guest.next()) is not None:
            return _Message(_Kind.GUEST, said[0], said[1], retain=True)
        return None

    def _next_event(self) -> _Message | None:
        if asyncio.get_running_loop().time() < self._quiet_until_s:
            return None
        if (record := self._outbox.next()) is not None:
            self._reached = max(self._reached, record.sequence)
            return self._record(_Kind.EVENTS, record)
        return self._record(_Kind.EVENTS, self._again.popleft(), again=True) if self._again else None

    def _record(self, kind: _Kind, record: Record, *, again: bool = False) -> _Message:
        payload = encode(record, self._host.identity(), replayed=again or self._host.is_late(record))
        topic = self._topic(kind.value)
        return _Message(kind, topic, payload, content_type=CONTENT_TYPE, sequence=record.sequence, again=again)

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
            mid, self._link = 0, None  # no message has this number: what cannot be sent is treated as under way
            self.lost(str(error))
        self._flying[mid] = message

    def _wants_reading(self) -> bool:
        return self._is_behind() or bool(self._replays and not self._again)

    def _is_behind(self) -> bool:
        return self._outbox.read_through < self._log.committed and self._outbox.room >= CHUNK

    async def _read(self, link: Link) -> None:
        """Read ahead what comes next, in another thread."""
        records: list[Record] = []
        try:
            if self._is_behind():
                after, outbox = self._outbox.read_through, self._outbox
                records = await self._log.read(after, CHUNK)
                if outbox is self._outbox and outbox.read_through >= after:
                    outbox.feed(records)
            elif self._replays:
                after, through = self._replays[0]
                records = await self._log.read(after, CHUNK)
                self._replays.popleft()
                self._again.extend(r for r in records if r.sequence <= through)
                if records and records[-1].sequence < through:
                    self._replays.appendleft((records[-1].sequence, through))
        except LogUnavailableError:
            records = []
        finally:
            if self._link is link:
                self._reading = None
        if records:  # else the next tick tries again
            self._pump()

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


def _settle(taken: asyncio.Future[None], why: str | None) -> None:
    """Tell whoever still waits."""
    if not taken.done():
        if why is None:
            taken.set_result(None)
        else:
            taken.set_exception(LinkError(why))
