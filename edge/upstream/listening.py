"""Messages that arrive on our subscriptions: commands, the application's acknowledgements, `stream`, extra ones.

One rule: a message of no use is counted, and acknowledged like every other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.commands.shape import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.model.ports import Incoming
    from edge.upstream.conversation import ConversationState
    from edge.upstream.messages import ExtraMessages, Inbound, UpstreamOptions
    from edge.upstream.records import Records
    from edge.upstream.witness import StreamWitness

MAX_ACK_BYTES: Final = 1_024


class Listening:
    """Hands each message to whoever needs it."""

    def __init__(  # noqa: PLR0913 -- whoever may need a message
        self,
        options: UpstreamOptions,
        *,
        inbound: Inbound,
        records: Records,
        conversation: ConversationState,
        witness: StreamWitness,
        extra: ExtraMessages | None,
        talking: Callable[[], bool],
    ) -> None:
        """`talking` says whether there is a link that carries the log's present stream."""
        self._options, self._inbound, self._records, self._conversation = options, inbound, records, conversation
        self._witness, self._extra, self._talking = witness, extra, talking

    @property
    def topics(self) -> list[str]:
        """Our subscriptions."""
        also = () if self._extra is None else self._extra.topics
        return [self._options.below("commands"), self._options.below("ack"), *also]

    def heard(self, incoming: Incoming) -> bool:
        """A message arrived; returns whether there may be something to send now."""
        if incoming.topic == self._options.below("commands"):
            self._inbound.ordered(incoming)  # it acknowledges the message when its id is on the disk
            return False
        incoming.taken()
        if incoming.topic == self._options.below("ack"):
            return self._acknowledged(incoming)
        if incoming.topic == self._options.below("stream"):
            self._witness.take(incoming.payload)
            return False
        heard = None if self._extra is None else self._extra.heard(incoming, asyncio.get_running_loop().time())
        if heard is None:
            self._inbound.dropped("other topics")
        elif heard:
            self._records.somebody_listens()
        return True

    def _acknowledged(self, incoming: Incoming) -> bool:
        ack = None if incoming.retained else parse_ack(incoming.payload)
        expected = self._options.by_application and self._talking()
        through = self._records.stored(*ack) if ack is not None and expected else None
        if through is None:
            self._conversation.ignored_acks += 1
            self._inbound.dropped("ack")
        elif self._records.stored_through(through):
            self._records.advance()
            return True
        return False


def parse_ack(payload: bytes) -> tuple[str, int] | None:
    """The stream, and the sequence of it up to which the upstream says it has stored all; None for anything else."""
    if len(payload) > MAX_ACK_BYTES:
        return None
    try:
        body = strict_json(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    stream, sequence = body.get("stream"), body.get("sequence")
    return (stream, sequence) if isinstance(stream, str) and type(sequence) is int and sequence > 0 else None
