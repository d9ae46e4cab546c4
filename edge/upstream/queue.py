"""Which message goes next: alarms, alerts, replies, retained states, events in order, and last the extra messages.

One rule: an alarm waits for nothing but room in the window.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from edge.model.cloudevents import CONTENT_TYPE, encode, encode_cut
from edge.upstream.alarm_lane import AlarmLane
from edge.upstream.messages import FAILURE, SUCCESS, Message, MessageKind
from edge.upstream.records import NOBODY_S, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Record
    from edge.model.ports import Origin
    from edge.upstream.messages import UpstreamOptions
    from edge.upstream.retained import RetainedStates

MAX_REPLIES: Final = 200
MAX_REPLY_BYTES: Final = 1_048_576
"""Of all replies that wait, correlation data included; above it the oldest are dropped."""
EXTRA_EVERY: Final = 20
"""An extra message waits for at most so many records."""


class Queue:
    """Everything that may be sent, most urgent first."""

    def __init__(
        self, options: UpstreamOptions, log: Log, origin: Origin, states: RetainedStates, ready: Callable[[], None]
    ) -> None:
        """`ready` is called when there may be something to send."""
        self._options, self._origin = options, origin
        self.alarms = AlarmLane(log, ready, NOBODY_S)
        self._alerts: deque[Message] = deque()  # bounded by the callers, who await each
        self._replies: deque[Message] = deque(maxlen=MAX_REPLIES)
        self._states = states
        self._in_a_row = 0
        self.confirmed = True
        """Whether records are acknowledged at all. If not, none is sent: nobody would know that it arrived."""
        self.records = Records(log, ready, by_application=options.by_application)

    def begin(self) -> None:
        """A new link: every record after the cursor and every state is sent."""
        self.records.begin()
        self._states.begin()
        self.alarms.start()

    def end(self, flying: Sequence[Message]) -> None:
        """The link is lost: of the messages under way, those that are not in the log are kept for the next link."""
        self.alarms.stop()
        for message in (*flying, *self._alerts):
            message.settle("the link to the broker was lost")
        self._alerts.clear()
        self._replies.extendleft(m for m in reversed(flying) if m.kind is MessageKind.REPLIES)
        self.records.end(m.sequence for m in flying if m.again)

    def committed(self, records: Sequence[Record]) -> None:
        """These records are new in the log."""
        self.alarms.add(records)
        self.records.committed(records)

    def reply(self, topic: str | None, payload: bytes, correlation: bytes | None) -> None:
        """Reply to a command, on `replies` unless `topic` is allowed; of too many replies the oldest are dropped."""
        allowed = topic is not None and self._options.may_answer_at(topic)
        where = topic if topic is not None and allowed else self._options.below("replies")
        self._replies.append(Message(MessageKind.REPLIES, where, payload, correlation=correlation))
        while sum(len(m.payload) + len(m.correlation or b"") for m in self._replies) > MAX_REPLY_BYTES:
            self._replies.popleft()

    def alert(self, payload: bytes) -> asyncio.Future[None]:
        """Send an alert. The future ends when it is delivered, with LinkError when that is not certain."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._alerts.append(Message(MessageKind.ALERTS, self._options.below("alerts"), payload, taken=taken))
        return taken

    def answered(self, message: Message, code: int) -> bool:
        """Handle the broker's reason code for a message; True when that moved the cursor.

        For a record the code `no matching subscribers` (0x10) is no success.
        """
        if message.kind is MessageKind.EVENTS:
            if code == SUCCESS:
                return self._delivered(message)
            self.records.came_back(message.sequence, again=message.again)
        elif message.kind is MessageKind.ALARMS and code == SUCCESS:
            self.alarms.taken(message.sequence)
        elif message.kind is MessageKind.ALARMS:
            self.alarms.came_back(message.sequence, self.records.cursor, refused=code >= FAILURE)
        else:
            message.settle(None if code == SUCCESS else f"nobody took it: reason 0x{code:02x}")
        return False

    def _delivered(self, message: Message) -> bool:
        """A record was delivered; True when that moved the cursor."""
        tried = self.records.tries
        moved = self.records.taken(message.sequence, again=message.again)
        if tried and not self.records.tries:
            self.alarms.somebody_came()
        else:
            self.alarms.not_wanted(self.records.cursor)
        return moved

    def next(self) -> Message | None:
        """Take the next message; None when there is none or it must wait."""
        if self.confirmed and (alarm := self.alarms.next()) is not None:
            return self._carry(MessageKind.ALARMS, alarm)
        if self._alerts:
            return self._alerts.popleft()
        if self._replies:
            return self._replies.popleft()
        now_s = asyncio.get_running_loop().time()
        if (state := self._states.next(now_s)) is not None:
            return state
        self._in_a_row += 1
        if self._in_a_row > EXTRA_EVERY and (message := self._states.next_extra()) is not None:
            self._in_a_row = 0
            return message
        record, again = (self.records.next(now_s) if self.confirmed else None) or (None, False)
        return self._states.next_extra() if record is None else self._carry(MessageKind.EVENTS, record, again=again)

    def _carry(self, kind: MessageKind, record: Record, *, again: bool = False) -> Message:
        payload = encode(record, self._origin.identity(), replayed=again or self._origin.is_late(record))
        self.records.was_told(record.sequence)
        topic = self._options.below(kind.value)
        return Message(
            kind, topic, payload, content_type=CONTENT_TYPE, sequence=record.sequence, again=again, record=record
        )

    def smaller(self, message: Message, most: int) -> bytes | None:
        """A record's content without its details; cut further when that has more than `most` bytes. None: no record."""
        if message.record is None:
            return None
        replayed = message.again or self._origin.is_late(message.record)
        return encode_cut(message.record, self._origin.identity(), replayed=replayed, most=most)

    def cannot(self, message: Message) -> None:
        """The broker takes this message in no form: a record is tried again later, any other message is dropped."""
        if message.kind is MessageKind.EVENTS:
            self.records.came_back(message.sequence, again=message.again)
        elif message.kind is MessageKind.ALARMS:
            self.alarms.came_back(message.sequence, self.records.cursor, refused=True)
        else:
            message.settle("the broker does not take it")
