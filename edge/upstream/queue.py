"""What of a conversation goes next: alarms, alerts, answers, states, the events in order, and only then a guest's.

One rule: an alarm waits for nothing but a place in the window.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from edge.model.cloudevents import CONTENT_TYPE, encode, encode_cut
from edge.upstream.alarm_lane import AlarmLane
from edge.upstream.messages import FAILURE, SUCCESS, Kind, Message
from edge.upstream.records import NOBODY_S, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Record
    from edge.upstream.messages import Host, Options
    from edge.upstream.retained import States

MAX_REPLIES: Final = 200
MAX_REPLY_BYTES: Final = 1_048_576
"""Of all answers that wait, with what they carry; of more the oldest are forgotten."""
GUEST_EVERY: Final = 20
"""A guest waits for no more than so many records."""


class Queue:
    """Everything that may be sent, most urgent first."""

    def __init__(self, options: Options, log: Log, host: Host, states: States, ready: Callable[[], None]) -> None:
        """`ready` is called when there may be something to send."""
        self._options, self._host = options, host
        self.alarms = AlarmLane(log, ready, NOBODY_S)
        self._alerts: deque[Message] = deque()  # bounded: by those who wait for them
        self._replies: deque[Message] = deque(maxlen=MAX_REPLIES)
        self._states = states
        self._in_a_row = 0
        self.confirmed = True
        """Somebody says what arrives; else no record may leave, for none would be known to have arrived."""
        self.records = Records(log, ready, by_application=options.by_application)

    def begin(self) -> None:
        """A fresh link: everything after the cursor is sent again, and every state."""
        self.records.begin()
        self._states.begin()
        self.alarms.start()

    def end(self, flying: Sequence[Message]) -> None:
        """No link: of what was under way, what is not in the log is kept for the next one."""
        self.alarms.stop()
        for message in (*flying, *self._alerts):
            message.settle("the link to the broker went")
        self._alerts.clear()
        self._replies.extendleft(m for m in reversed(flying) if m.kind is Kind.REPLIES)
        self.records.end(m.sequence for m in flying if m.again)

    def committed(self, records: Sequence[Record]) -> None:
        """These are new in the log."""
        self.alarms.add(records)
        self.records.committed(records)

    def reply(self, topic: str | None, payload: bytes, correlation: bytes | None) -> None:
        """Answer a command; of too many answers the oldest are forgotten."""
        allowed = topic is not None and self._options.may_answer_at(topic)
        where = topic if topic is not None and allowed else self._options.below("replies")
        self._replies.append(Message(Kind.REPLIES, where, payload, correlation=correlation))
        while sum(len(m.payload) + len(m.correlation or b"") for m in self._replies) > MAX_REPLY_BYTES:
            self._replies.popleft()

    def alert(self, payload: bytes) -> asyncio.Future[None]:
        """The future ends when somebody has it, with LinkError when it was perhaps not taken."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._alerts.append(Message(Kind.ALERTS, self._options.below("alerts"), payload, taken=taken))
        return taken

    def answered(self, message: Message, code: int) -> bool:
        """The broker's word on one of them; True when it moved the cursor.

        A success code that says `no matching subscribers` is no success for a record.
        """
        if message.kind is Kind.EVENTS:
            if code == SUCCESS:
                return self._has(message)
            self.records.came_back(message.sequence, again=message.again)
        elif message.kind is Kind.ALARMS and code == SUCCESS:
            self.alarms.taken(message.sequence)
        elif message.kind is Kind.ALARMS:
            self.alarms.came_back(message.sequence, self.records.cursor, refused=code >= FAILURE)
        else:
            message.settle(None if code == SUCCESS else f"nobody took it: reason 0x{code:02x}")
        return False

    def _has(self, message: Message) -> bool:
        """Somebody has a record; True when that moved the cursor."""
        came = self.records.tries
        moved = self.records.taken(message.sequence, again=message.again)
        if came and not self.records.tries:
            self.alarms.somebody_came()
        else:
            self.alarms.not_wanted(self.records.cursor)
        return moved

    def next(self) -> Message | None:
        """Take the next message; None when there is none or it must wait."""
        if self.confirmed and (alarm := self.alarms.next()) is not None:
            return self._carry(Kind.ALARMS, alarm)
        if self._alerts:
            return self._alerts.popleft()
        if self._replies:
            return self._replies.popleft()
        now_s = asyncio.get_running_loop().time()
        if (state := self._states.next(now_s)) is not None:
            return state
        self._in_a_row += 1
        if self._in_a_row > GUEST_EVERY and (said := self._states.next_of_guest()) is not None:
            self._in_a_row = 0
            return said
        record, again = (self.records.next(now_s) if self.confirmed else None) or (None, False)
        return self._states.next_of_guest() if record is None else self._carry(Kind.EVENTS, record, again=again)

    def _carry(self, kind: Kind, record: Record, *, again: bool = False) -> Message:
        payload = encode(record, self._host.identity(), replayed=again or self._host.is_late(record))
        self.records.was_told(record.sequence)
        topic = self._options.below(kind.value)
        return Message(
            kind, topic, payload, content_type=CONTENT_TYPE, sequence=record.sequence, again=again, record=record
        )

    def smaller(self, message: Message, most: int) -> bytes | None:
        """A record's content without its details, and where that has more than so many bytes, as small as it gets."""
        if message.record is None:
            return None
        replayed = message.again or self._host.is_late(message.record)
        return encode_cut(message.record, self._host.identity(), replayed=replayed, most=most)

    def cannot(self, message: Message) -> None:
        """The broker takes it in no form: a record waits for another broker, everything else is forgotten."""
        if message.kind is Kind.EVENTS:
            self.records.came_back(message.sequence, again=message.again)
        elif message.kind is Kind.ALARMS:
            self.alarms.came_back(message.sequence, self.records.cursor, refused=True)
        else:
            message.settle("the broker does not take it")
