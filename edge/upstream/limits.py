"""The broker's limits: what is too large for it leaves smaller, or not at all, and is said once.

One rule: nothing that does not fit stands in the way of what does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge.model.cloudevents import to_bytes
from edge.model.ports import Connected, Will
from edge.upstream.in_flight import RECORDS
from edge.upstream.messages import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.upstream.in_flight import Flight
    from edge.upstream.messages import Host, Message, Options

HEADERS: Final = 32
"""More than a packet has beside its topic, its content and its properties (MQTT 5, 3.3)."""
NO_RETAIN, NO_QOS = 0x9A, 0x9B
"""MQTT 5, 3.2.2.2: why a broker may refuse our will."""
HANGS_UP: Final = "the broker hangs up on it"
MOST_TOLD: Final = 100
"""Topics that are told of; more only count."""


class Limits:
    """What one broker takes."""

    def __init__(self, options: Options, host: Host, smaller: Callable[[Message, int], bytes | None]) -> None:
        """`smaller` makes a record's content anew, as small as it gets above so many bytes."""
        self._options, self._host, self._smaller = options, host, smaller
        self.terms = Connected()
        self.left_out: dict[str, str] = {}
        """What is not sent as it should be, by its topic, and why."""
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
        """Somebody says that a record arrived: the broker, or the application."""
        return self.terms.maximum_qos > 0 or self._options.by_application

    def tell(self, topic: str, why: str) -> None:
        """Something is not sent as it should be; the first time it is recorded."""
        if topic not in self.left_out and len(self.left_out) < MOST_TOLD:
            self.left_out[topic] = why
            self._host.upstream_leaves_out(topic, why)

    def will(self, payload: bytes) -> Will:
        """What the broker says for us; of a kind that it has not refused yet."""
        return Will(self._options.below("status"), payload, self._will_qos, self._will_retain)

    def refused(self, code: int) -> None:
        """A connection was refused for this reason, which may be our will."""
        self._will_retain &= code != NO_RETAIN
        self._will_qos = 0 if code == NO_QOS else self._will_qos

    def fit(self, message: Message, flight: Flight) -> Message | None:
        """The message as the broker takes it; None when it takes it in no form."""
        size, most, cut = size_of(message), self.terms.maximum_packet, flight.hung_up_on(message)
        if flight.leave_out(message):
            self.tell(message.topic, "the broker hangs up on it: it is left out, and tried again in an hour")
            return None
        if size <= most and not cut:
            return message
        why = HANGS_UP if size <= most else f"a message of {size} bytes, where the broker takes {most}"
        found: Message | None = None
        if message.kind in RECORDS:
            content = self._smaller(message, 0 if cut else most - size + len(message.payload))
            found = None if content is None else replace(message, payload=content)
            self.tell(message.topic, f"{why}: it is sent without its details")
        elif message.kind is Kind.REPLIES:
            found = self._short_answer(message, why)
        if found is None or size_of(found) > most:
            self.tell(message.topic, f"{why}: it is left out")
            return None
        return found

    def _short_answer(self, message: Message, why: str) -> Message:
        """The answer without its outcomes, where it was asked for; or on `replies`, without what it was to carry."""
        body = json.loads(message.payload)
        told = {**body, "outcomes": {}, "message": f"left out: {why}"}
        short = replace(message, payload=to_bytes(told))
        if size_of(short) <= self.terms.maximum_packet:
            return short
        return replace(short, topic=self._options.below("replies"), correlation=None)


def size_of(message: Message) -> int:
    """Bytes of its packet, at most."""
    properties = len(message.content_type or "") + len(message.correlation or b"")
    return HEADERS + len(message.topic.encode()) + len(message.payload) + properties
