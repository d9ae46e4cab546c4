"""The limit on what is read over a link, so that doors have their turn whatever a broker sends.

One rule: what is over the budget is not read. The kernel's buffer fills, TCP slows the broker down, and the
broker keeps or drops the rest; nothing is dropped here.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, Protocol

from edge.model.budget import Budget
from edge.model.ports import Incoming
from edge.upstream.mqtt.client import READ_BYTES
from edge.upstream.mqtt.terms import MOST_UNANSWERED

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from paho.mqtt.enums import MQTTErrorCode

    from edge.upstream.mqtt.client import PahoClient
    from edge.upstream.mqtt.publish import Publish

PACKETS_A_SECOND: Final = 500
PACKETS_AT_ONCE: Final = 200
"""Packets other than acknowledgements of our messages."""
BYTES_A_SECOND: Final = 1_048_576
BYTES_AT_ONCE: Final = 524_288
TURN_PACKETS: Final = 8
TURN_BYTES: Final = 32_768
"""Read in one turn of the loop; doors have their turns in between."""
KERNEL_BYTES: Final = 65_536
"""The kernel's receive buffer: in a flood an acknowledgement waits behind no more than this."""
MOST_BEHIND: Final = 1_048_576
"""While more of our bytes than this wait to be sent, nothing is read from the broker either."""
BEHIND_S: Final = 1.0


class LinkListener(Protocol):
    """The owner of a link; always called on the loop, never from inside paho."""

    def acknowledged(self, answers: Sequence[tuple[int, int]]) -> None:
        """Messages of ours were acknowledged: (packet identifier, reason code) of each."""

    def subscribed(self, code: int) -> None:
        """Our subscriptions were acknowledged, with this as the worst reason code."""

    def incoming(self, incoming: Incoming) -> None:
        """A message arrived."""

    def lost(self, reason: str) -> None:
        """The link is lost."""


class Intake:
    """The reading half of one link."""

    def __init__(
        self,
        client: PahoClient,
        loop: asyncio.AbstractEventLoop,
        hearer: LinkListener,
        check: Callable[[MQTTErrorCode], None],
        lose: Callable[[str], None],
    ) -> None:
        """`check` gets the result of each read; `lose` is called when the broker violates the protocol."""
        self._client, self._loop, self._hearer, self._check, self._lose = client, loop, hearer, check, lose
        self._packets = Budget(PACKETS_A_SECOND, PACKETS_AT_ONCE)
        self._bytes = Budget(BYTES_A_SECOND, BYTES_AT_ONCE)
        self._fd: int | None = None
        self._pause: asyncio.Handle | None = None
        """Ends the pause in which the socket is not read."""
        self._unanswered: set[int] = set()
        """Packet identifiers of messages that we have not acknowledged yet; at most `MOST_UNANSWERED`."""

    def start(self, sock: socket.socket) -> None:
        """Read from now on."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        self._fd = sock.fileno()
        self._loop.add_reader(self._fd, self.read)

    def stop(self) -> None:
        """Read no more, and acknowledge nothing more."""
        if self._pause is not None:
            self._pause.cancel()
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._fd = None

    def read(self) -> None:
        """Read what the budget allows; the rest stays in the kernel."""
        client, now_s = self._client, self._loop.time()
        packets = min(TURN_PACKETS, int(self._packets.left(now_s)))
        size = min(TURN_BYTES, int(self._bytes.left(now_s)))
        result = client.read(packets, size)
        self._packets.spend(packets - client.packets_left, now_s)
        self._bytes.spend(size - client.bytes_left, now_s)
        self.tell()
        self._check(result)
        if self._fd is not None:
            self._rest(now_s)

    def _rest(self, now_s: float) -> None:
        """Pause reading until the budget allows more, or for a turn of the loop."""
        assert self._fd is not None  # noqa: S101 -- asked by `read`
        wait_s = 0.0
        if self._packets.left(now_s) < 1 or self._bytes.left(now_s) < READ_BYTES:  # rest until a whole turn is worth it
            wait_s = max(self._packets.wait_s(now_s, TURN_PACKETS), self._bytes.wait_s(now_s, TURN_BYTES))
        if len(self._client.behind) > MOST_BEHIND:
            wait_s = BEHIND_S
        if wait_s or self._client.more:
            self._loop.remove_reader(self._fd)
            self._pause = self._loop.call_later(wait_s, self._resume) if wait_s else self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._fd is not None and self._client.socket() is not None:
            self._loop.add_reader(self._fd, self.read)
            self.read()

    def tell(self) -> None:
        """Hand over what has arrived; called outside of paho."""
        if self._client.answers:
            answers, self._client.answers = self._client.answers, []
            self._hearer.acknowledged(answers)
        if self._client.messages:
            messages, self._client.messages = self._client.messages, []
            for message in messages:
                self._hear(message)

    def _hear(self, message: Publish) -> None:
        if self._fd is None:  # an earlier message ended the link; this one is sent again over the next
            return
        if message.qos:
            self._unanswered.add(message.mid)
            if len(self._unanswered) > MOST_UNANSWERED:
                self._lose(f"the broker sent more than the {MOST_UNANSWERED} messages that it may at once")
                return
        self._hearer.incoming(
            Incoming(
                message.topic,
                message.payload,
                message.retained,
                message.response_topic,
                message.correlation,
                lambda: self._taken(message.mid),
            )
        )

    def _taken(self, mid: int) -> None:
        if mid in self._unanswered and self._fd is not None:
            self._unanswered.discard(mid)
            self._client.ack(mid, 1)
