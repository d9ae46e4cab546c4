"""The state of a conversation, for people: online or why not, and what the broker refuses.

One rule: a fault is reported once when it begins and once when it ends, not each time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from edge.upstream.messages import FAILURE, SUCCESS, MessageKind
from edge.upstream.refusals import BrokerRefusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.model.messages import Json
    from edge.model.ports import LinkError
    from edge.upstream.messages import Message

LOG: Final = logging.getLogger(__name__)
HOUR_S: Final = 3_600.0
MOST_LATEST: Final = 100
"""Connections and twins whose time is kept."""
TAKEN_OVER: Final = "Session taken over"
"""Paho's text for 0x8E (MQTT 5, 3.14.2.1): another client connected with our id."""


class ConversationState:
    """The state of one conversation."""

    def __init__(self, refuses: Callable[[str | None], None]) -> None:
        """Not connected yet; `refuses` is called as `UpstreamFaults.refuses` is."""
        self._refuses = refuses
        self.state, self.since_s = "connecting", 0.0
        self.last_error: str | None = None
        self.connections = self.taken_over = self.ignored_acks = 0
        self._connected_s: deque[float] = deque(maxlen=MOST_LATEST)
        """When the latest connections began, in the loop's seconds."""
        self._taken_over_s: deque[float] = deque(maxlen=MOST_LATEST)
        """When the latest twins were noticed; a twin of long ago is none any more."""
        self._refusals = BrokerRefusals()
        self._has_twin = False
        """A twin was noticed since this link was made; it is counted once a link."""
        self._told: str | None = None
        """The refusal that `refuses` was called with."""

    def facts(self) -> dict[str, Json]:
        """The fields of the status that describe it."""
        refused = self._refusals.reason
        return {
            "state": "refused" if refused is not None and self.state == "online" else self.state,
            "last_error": refused or self.last_error,
            "connections": self.connections,
            "connections_last_hour": _last_hour(self._connected_s),
            "reconnects": max(0, self.connections - 1),
            "taken_over": self.taken_over,
            "taken_over_last_hour": _last_hour(self._taken_over_s),
            "ignored_acks": self.ignored_acks,
        }

    def online(self) -> None:
        """A link is connected."""
        self.judge(MessageKind.CONNECTION, SUCCESS, "")
        self._become("online")
        self.last_error = None
        self.connections += 1
        self._has_twin = False
        self._connected_s.append(asyncio.get_running_loop().time())

    def offline(self, error: LinkError) -> None:
        """The connection failed or was lost."""
        if self.state not in {"offline", "refused"} or str(error) != self.last_error:
            LOG.warning("offline: %s", error)
        self._become("refused" if error.refused else "offline")
        if TAKEN_OVER in str(error):
            self.has_twin()
        self.last_error = str(error)
        if error.refused:
            self.judge(MessageKind.CONNECTION, FAILURE, str(error))

    def has_twin(self) -> None:
        """Another process connects or publishes as this controller."""
        if not self._has_twin:
            self._has_twin = True
            self.taken_over += 1
            self._taken_over_s.append(asyncio.get_running_loop().time())

    def heard(self, code: int) -> None:
        """The broker's reason code for an event, which may be that nobody subscribes."""
        if code == SUCCESS:
            if self.state == "no_subscriber":
                self._become("online")
                self.last_error = None
        elif code < FAILURE:
            if self.state != "no_subscriber":
                LOG.warning("nobody subscribes to the events; they wait")
            self._become("no_subscriber")
            self.last_error = "nobody subscribes to the events"

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state, self.since_s = state, asyncio.get_running_loop().time()

    # --- refusals --------------------------------------------------------------------------------------

    @property
    def refuses(self) -> bool:
        """Whether a refusal has not ended yet."""
        return self._refusals.reason is not None

    def note(self, message: Message, code: int, ours: str) -> None:
        """A message was refused or taken. A reply outside of our topics (`ours`) may be refused without a fault."""
        if message.kind is MessageKind.EXTRA or message.topic.startswith(ours):
            self.judge(message.kind, code, f"the broker refuses {message.topic}: reason 0x{code:02x}")

    def judge(self, kind: MessageKind, code: int, why: str) -> None:
        """A message of this kind was refused or taken."""
        now_s = asyncio.get_running_loop().time()
        if code >= FAILURE:
            self._refusals.refused(kind, why, now_s)
        else:
            self._refusals.taken(kind, now_s, at_once=kind in {MessageKind.CONNECTION, MessageKind.COMMANDS})
        self._tell()

    def tick(self, now_s: float) -> None:
        """Let refusals end that are old enough."""
        self._refusals.settle(now_s)
        self._tell()

    def _tell(self) -> None:
        """Call `refuses` for the first refusal, and when none is left."""
        reason = self._refusals.reason
        if (reason is None) != (self._told is None):
            LOG.warning("%s", reason or "the broker takes everything again")
            self._told = reason
            self._refuses(reason)


def _last_hour(times_s: Iterable[float]) -> int:
    since_s = asyncio.get_running_loop().time() - HOUR_S
    return sum(at_s > since_s for at_s in times_s)
