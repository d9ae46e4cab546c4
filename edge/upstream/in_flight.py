"""Messages that the broker has not acknowledged yet, and which of them makes the broker end the connection.

One rule: a message that was under way when a link was lost is a suspect. It is sent alone until it is acknowledged.
When the link is lost `HANG_UPS` times while it is alone, it is the cause, and its topic is left out for a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.upstream.messages import MessageKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.model.ports import Link
    from edge.upstream.messages import Message

HANG_UPS: Final = 3
"""The link was lost so often while the message was the only one under way: then it is the cause."""
SOON_S: Final = 5.0
"""A broker hangs up at once; a link that is lost later is lost for another reason."""
LEFT_OUT_S: Final = 3_600.0
"""After this time a message that was left out is tried again."""
MOST_SUSPECTS: Final = 1_000
RECORDS: Final = frozenset({MessageKind.EVENTS, MessageKind.ALARMS})


class InFlight:
    """Messages that the broker has not acknowledged yet. Times are the loop's, in seconds."""

    def __init__(self, window: int) -> None:
        """Nothing is under way."""
        self.window = window
        self.progress_s = 0.0
        """When the broker last acknowledged something, or the first message was sent while none was under way."""
        self._flying: dict[int, Message] = {}
        self._alone = False
        """The message under way is a suspect: nothing else may be sent."""
        self._sent_s = 0.0
        self._held: Message | None = None
        """A suspect that waits until nothing else is under way."""
        self._refused: set[str] = set()
        """Messages other than records that were refused over this link: some brokers refuse and then hang up."""
        self._suspects: dict[str, int] = {}
        """Name of a suspect -> how often the link was lost while it was alone."""
        self._left_out: dict[str, float] = {}
        """Name of a message -> the time until which it is left out."""

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._flying)

    @property
    def room(self) -> bool:
        """Whether another message may be sent."""
        return len(self._flying) < self.window and not self._alone

    def kinds(self) -> Collection[MessageKind]:
        """The kinds of the messages under way."""
        return {message.kind for message in self._flying.values()}

    def held(self) -> Message | None:
        """Take the suspect that waited to be sent alone."""
        held, self._held = self._held, None
        return held

    def may_go(self, message: Message) -> bool:
        """Whether a message may be sent now; a suspect is held back until everything else is acknowledged."""
        if self._flying and _name(message) in self._suspects:
            self._held = message
            return False
        return True

    def hung_up_on(self, message: Message) -> bool:
        """Whether the broker seems to end the connection when it gets this message."""
        return self._suspects.get(_name(message), 0) >= HANG_UPS

    def leave_out(self, message: Message) -> bool:
        """Whether this message is not sent at all, because the broker hangs up on it; never a record."""
        name = _name(message)
        if message.kind in RECORDS or not self.hung_up_on(message):
            return False
        now_s = asyncio.get_running_loop().time()
        if self._left_out.setdefault(name, now_s + LEFT_OUT_S) > now_s:
            return True
        del self._left_out[name]
        self._suspects[name] = HANG_UPS - 1
        return False

    def send(self, link: Link, message: Message) -> None:
        """Hand a message to the link. LinkError when that is lost: the message still counts as under way."""
        mid = 0  # no packet identifier is 0
        try:
            mid = link.publish(
                message.topic,
                message.payload,
                retain=message.retain,
                content_type=message.content_type,
                correlation=message.correlation,
            )
        finally:
            self._sent(mid, message)

    def _sent(self, mid: int, message: Message) -> None:
        self._sent_s = asyncio.get_running_loop().time()
        if not self._flying:
            self.progress_s = self._sent_s
        self._flying[mid] = message
        self._alone = _name(message) in self._suspects

    def answered(self, mid: int, *, refused: bool) -> Message | None:
        """The broker acknowledged a message: return it, and clear it of suspicion unless it was refused."""
        self.progress_s = asyncio.get_running_loop().time()
        message = self._flying.pop(mid, None)
        if message is not None:
            self._alone = False
            if refused and message.kind not in RECORDS and len(self._refused) < MOST_SUSPECTS:
                self._refused.add(_name(message))
            else:
                self._suspects.pop(_name(message), None)
        return message

    def end(self) -> list[Message]:
        """The link was lost: return what was under way and what was held back, in order."""
        flying = [self._flying[mid] for mid in sorted(self._flying)]
        soon = asyncio.get_running_loop().time() - self._sent_s <= SOON_S
        for message in flying[: MOST_SUSPECTS - len(self._suspects)]:
            name = _name(message)
            self._suspects[name] = self._suspects.get(name, 0) + (len(flying) == 1 and soon)
        for name in self._refused if soon else ():
            self._suspects[name] = self._suspects.get(name, 0) + 1
        self._refused.clear()
        self._flying.clear()
        self._alone = False
        held = self.held()
        return flying if held is None else [*flying, held]


def _name(message: Message) -> str:
    return f"{message.topic} {message.sequence}" if message.sequence else message.topic
