"""What a conversation with the upstream is made of: its options, its messages, and who takes part.

One rule: a message may be forgotten at any moment; what must not be is in the log. See docs/mqtt.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from edge.model.ports import LinkError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from edge.model.cloudevents import Identity
    from edge.model.messages import Json, Record
    from edge.model.ports import Incoming

SINK: Final = "mqtt"
"""The name of our cursor in the log."""
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

    def below(self, name: str) -> str:
        """A topic of ours."""
        return f"{self.topic}/{name}"

    def may_answer_at(self, topic: str) -> bool:
        """MQTT 5, 3.3.2.3.5: no wildcards. And nobody may make us write where our own words stand."""
        if not topic or topic.startswith("$") or any(c in topic for c in "+#\0"):
            return False
        ours = topic.startswith(self.below("")) and not topic.startswith(self.below("replies/"))
        return not ours and len(topic.encode()) <= MAX_TOPIC_BYTES


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

    def dropped(self, what: str) -> None:
        """Something came on this topic that is of no use."""

    def upstream_leaves_out(self, topic: str, why: str) -> None:
        """What belongs on this topic is not sent as it should be; said once for each."""

    def upstream_refuses(self, reason: str | None) -> None:
        """The broker is there and refuses (a reason), or takes our messages again (None)."""


class Guest(Protocol):
    """Somebody else's retained messages, on topics that are not below ours, said when nothing else waits but events."""

    @property
    def topics(self) -> Iterable[str]:
        """What else to listen to."""

    def begin(self) -> None:
        """Everything is to be said: the link is new."""

    def heard(self, incoming: Incoming, now_s: float) -> bool | None:
        """A message on one of the topics; None when it is of no use.

        True when somebody has begun to listen to events. Seldom, whatever comes.
        """

    def next(self) -> tuple[str, bytes] | None:
        """Take the next message: its topic and content; None when everything is said."""


class Kind(StrEnum):
    """What can be refused, each by itself."""

    CONNECTION = "connection"
    COMMANDS = "commands and ack"
    EVENTS = "events"
    ALARMS = "alarms"
    STATES = "doors"
    STATUS = "status"
    STREAM = "stream"
    REPLIES = "replies"
    ALERTS = "alerts"
    GUEST = "guest"


@dataclass(slots=True)  # frozen would cost 1.5 us for each of a backlog
class Message:
    """One message on its way."""

    kind: Kind
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
    record: Record | None = None
    """What it was made of."""
    taken: asyncio.Future[None] | None = None
    """Whoever waits for its acknowledgement."""

    def settle(self, why: str | None) -> None:
        """Tell whoever still waits: taken (None), or why perhaps not."""
        if self.taken is None or self.taken.done():
            return
        if why is None:
            self.taken.set_result(None)
        else:
            self.taken.set_exception(LinkError(why))
