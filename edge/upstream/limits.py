"""The broker's limits: a message that is too large is sent smaller or left out, which is recorded once.

One rule: a message that does not fit never holds up one that does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge.model.cloudevents import to_bytes
from edge.model.ports import Connected, Will
from edge.upstream.in_flight import RECORDS
from edge.upstream.messages import MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.upstream.in_flight import InFlight
    from edge.upstream.messages import Message, UpstreamOptions

HEADERS: Final = 32
"""Upper bound, in bytes, of a packet's overhead besides topic, content and properties (MQTT 5, 3.3)."""
NO_RETAIN, NO_QOS = 0x9A, 0x9B
"""Reason codes with which a broker refuses our will (MQTT 5, 3.2.2.2)."""
HANGS_UP: Final = "the broker hangs up on it"
MOST_TOLD: Final = 100
"""Topics that are recorded; more are not."""


class BrokerLimits:
    """The limits of one broker."""

    def __init__(
        self,
        options: UpstreamOptions,
        leaves_out: Callable[[str, str], None],
        smaller: Callable[[Message, int], bytes | None],
    ) -> None:
        """`leaves_out` hears of a topic and why (`UpstreamFaults`).

        `smaller` makes a record's content anew without details, in at most so many bytes if that is possible.
        """
        self._options, self._leaves_out, self._smaller = options, leaves_out, smaller
        self.terms = Connected()
        self.left_out: dict[str, str] = {}
        """Topic -> why messages there are cut or left out."""
        self._will_qos, self._will_retain = 1, True

    def begin(self, terms: Connected) -> None:
        """A new link, to a broker with these terms."""
        self.terms = terms
        if not terms.retains:
            self.tell(self._options.below("status"), "the broker retains nothing: who subscribes later sees no states")
        if not self.confirms:
            why = 'the broker acknowledges nothing (QoS 0 only): set ack = "application" in [mqtt]'
            self.tell(self._options.below("events"), why)

    @property
    def confirms(self) -> bool:
        """Whether records are acknowledged at all, by the broker or by the application."""
        return self.terms.maximum_qos > 0 or self._options.by_application

    def tell(self, topic: str, why: str) -> None:
        """Record that messages on a topic are cut or left out; only the first time."""
        if topic not in self.left_out and len(self.left_out) < MOST_TOLD:
            self.left_out[topic] = why
            self._leaves_out(topic, why)

    def will(self, payload: bytes) -> Will:
        """Our will, without what the broker has refused in a will so far."""
        return Will(self._options.below("status"), payload, self._will_qos, self._will_retain)

    def refused(self, code: int) -> None:
        """A connection was refused with this reason code, perhaps because of our will."""
        self._will_retain &= code != NO_RETAIN
        self._will_qos = 0 if code == NO_QOS else self._will_qos

    def fit(self, message: Message, flight: InFlight) -> Message | None:
        """The message in a form that the broker takes; None when there is none."""
        size, most, cut = size_of(message), self.terms.maximum_packet, flight.hung_up_on(message)
        if flight.leave_out(message):
            self.tell(message.topic, "the broker hangs up on it: it is left out, and tried again in an hour")
            return None
        if size <= most and not cut:
            return message
        why = HANGS_UP if size <= most else f"a message of {size} bytes, where the broker takes {most}"
        short: Message | None = None
        if message.kind in RECORDS:
            content = self._smaller(message, 0 if cut else most - size + len(message.payload))
            short = None if content is None else replace(message, payload=content)
            self.tell(message.topic, f"{why}: it is sent without its details")
        elif message.kind is MessageKind.REPLIES:
            short = self._short_answer(message, why)
        if short is None or size_of(short) > most:
            self.tell(message.topic, f"{why}: it is left out")
            return None
        return short

    def _short_answer(self, message: Message, why: str) -> Message:
        """The answer without its outcomes; if that is too large, on `replies` without correlation data."""
        body = json.loads(message.payload)
        cut = {**body, "outcomes": {}, "message": f"left out: {why}"}
        short = replace(message, payload=to_bytes(cut))
        if size_of(short) <= self.terms.maximum_packet:
            return short
        return replace(short, topic=self._options.below("replies"), correlation=None)


def size_of(message: Message) -> int:
    """The most bytes that a message's packet has."""
    properties = len(message.content_type or "") + len(message.correlation or b"")
    return HEADERS + len(message.topic.encode()) + len(message.payload) + properties
