"""The parts of a conversation with the upstream: its options, its messages, and who takes part.

One rule: a message may be lost at any moment; what must not be lost is in the log. See docs/mqtt.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from edge.model.ports import LinkError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from edge.model.messages import Json, Record
    from edge.model.ports import Incoming

SINK: Final = "mqtt"
"""The name of our cursor in the log."""
MAX_TOPIC_BYTES: Final = 1_024
"""The longest response topic; MQTT allows 65,535 bytes."""
SUCCESS: Final = 0x00
"""The only reason code that counts as delivered. 0x10 is a success too, but without a subscriber (MQTT 5, 3.4.2.1)."""
FAILURE: Final = 0x80


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """The part of `[mqtt]` that concerns the conversation."""

    url: str
    topic: str
    """All our topics are below this one: `<prefix>/<site>/<controller>`."""
    by_application: bool = False
    window: int = 20

    def below(self, name: str) -> str:
        """One of our topics."""
        return f"{self.topic}/{name}"

    def may_answer_at(self, topic: str) -> bool:
        """Whether a response topic is allowed: no wildcards (MQTT 5, 3.3.2.3.5), and none of our own topics."""
        if not topic or topic.startswith("$") or any(c in topic for c in "+#\0"):
            return False
        ours = topic.startswith(self.below("")) and not topic.startswith(self.below("replies/"))
        return not ours and len(topic.encode()) <= MAX_TOPIC_BYTES


class RetainedFacts(Protocol):
    """What the retained messages say of this controller."""

    def online_status(self) -> dict[str, Json]:
        """The retained `status`, without the fields that this room adds."""

    def door_state(self, door: str) -> Json:
        """The retained state of a door."""


class Inbound(Protocol):
    """Whoever takes what the broker sends."""

    def ordered(self, incoming: Incoming) -> None:
        """A command arrived."""

    def dropped(self, topic: str) -> None:
        """A message on this topic was of no use; it is counted."""


class UpstreamFaults(Protocol):
    """Whoever records what is wrong with the broker."""

    def leaves_out(self, topic: str, why: str) -> None:
        """Messages on this topic are cut or left out; called once for each topic."""

    def refuses(self, reason: str | None) -> None:
        """The broker refuses messages (the reason), or takes all of them again (None)."""


class ExtraMessages(Protocol):
    """Retained messages on topics outside ours, such as Home Assistant's; sent after all but events."""

    @property
    def topics(self) -> Iterable[str]:
        """Further topics to subscribe to."""

    def begin(self) -> None:
        """Send everything: the link is new."""

    def heard(self, incoming: Incoming, now_s: float) -> bool | None:
        """Take a message on one of the topics; None when it is of no use.

        True when a subscriber to events has arrived; seldom, however many messages come.
        """

    def next(self) -> tuple[str, bytes] | None:
        """Take the next message: its topic and content; None when everything is sent."""


class MessageKind(StrEnum):
    """Kinds of messages; a broker may refuse each one by itself."""

    CONNECTION = "connection"
    COMMANDS = "commands and ack"
    EVENTS = "events"
    ALARMS = "alarms"
    STATES = "doors"
    STATUS = "status"
    STREAM = "stream"
    REPLIES = "replies"
    ALERTS = "alerts"
    EXTRA = "extra"


@dataclass(slots=True)  # frozen would cost 1.5 us for each of a backlog
class Message:
    """One message on its way."""

    kind: MessageKind
    topic: str
    payload: bytes
    retain: bool = False
    content_type: str | None = None
    correlation: bytes | None = None
    sequence: int = 0
    """The number of the record it carries; 0: none."""
    door: str = ""
    """The door whose state it carries."""
    again: bool = False
    """Part of a replay: its acknowledgement moves no cursor."""
    record: Record | None = None
    """The record it was made from."""
    taken: asyncio.Future[None] | None = None
    """Ends with the acknowledgement; awaited by the sender."""

    def settle(self, why: str | None) -> None:
        """End `taken`: acknowledged (None), or the reason why it may not have been delivered."""
        if self.taken is None or self.taken.done():
            return
        if why is None:
            self.taken.set_result(None)
        else:
            self.taken.set_exception(LinkError(why))
