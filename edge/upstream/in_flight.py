"""What is under way over one link after another, and what a broker may be hanging up on.

One rule: whatever was under way when a link went is suspected, and goes alone from then on until it is taken; what is
alone again and again when the link goes is what the broker hangs up on, and is left out by its name.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.upstream.messages import Kind

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.model.ports import Link
    from edge.upstream.messages import Message

HANG_UPS: Final = 3
"""So often it was the only thing under way when the link went: then it was no accident."""
SOON_S: Final = 5.0
"""A broker hangs up at once; a link that goes later went for another reason."""
LEFT_OUT_S: Final = 3_600.0
"""Then it is tried again."""
MOST_SUSPECTS: Final = 1_000
RECORDS: Final = frozenset({Kind.EVENTS, Kind.ALARMS})


class Flight:
    """Messages that the broker has not answered yet. Times are the loop's."""

    def __init__(self, window: int) -> None:
        """Nothing is under way."""
        self.window = window
        self.progress_s = 0.0
        """When the broker last answered, or something was sent after a silence."""
        self._flying: dict[int, Message] = {}
        self._alone = False
        """What is under way is under suspicion."""
        self._sent_s = 0.0
        self._held: Message | None = None
        """Waits until it can go alone."""
        self._refused: set[str] = set()
        """What was refused over this link and is no record: some brokers answer and then hang up."""
        self._suspects: dict[str, int] = {}
        """Hang-ups while it was alone, by what it is."""
        self._left_out: dict[str, float] = {}
        """Until when."""

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._flying)

    @property
    def room(self) -> bool:
        """Another one may be sent."""
        return len(self._flying) < self.window and not self._alone

    def kinds(self) -> Collection[Kind]:
        """Of what is under way."""
        return {message.kind for message in self._flying.values()}

    def held(self) -> Message | None:
        """Take what waited to go alone."""
        held, self._held = self._held, None
        return held

    def may_go(self, message: Message) -> bool:
        """Whether it may be sent now; else it is kept until everything else was answered."""
        if self._flying and _name(message) in self._suspects:
            self._held = message
            return False
        return True

    def hung_up_on(self, message: Message) -> bool:
        """The broker ends the connection when it gets this, as far as can be told."""
        return self._suspects.get(_name(message), 0) >= HANG_UPS

    def leave_out(self, message: Message) -> bool:
        """Whether this is not sent at all: the broker hangs up on it, and it is no record."""
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
        """Hand it over. LinkError when the link is gone: it counts as under way, and is sent over the next one."""
        mid = 0  # which no message has
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
        """The broker said something about it. If it took it, it does not hang up on it."""
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
        """The link went: what was under way, and what waited, in order."""
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
