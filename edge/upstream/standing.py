"""How a conversation stands, for people: its state, why it is not better, and what the broker refuses.

One rule: whatever goes wrong is said once when it begins and once when it ends, not each time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from edge.upstream.messages import FAILURE, SUCCESS, Kind
from edge.upstream.refusals import Refusals

if TYPE_CHECKING:
    from edge.model.messages import Json
    from edge.model.ports import LinkError
    from edge.upstream.messages import Host, Message

LOG: Final = logging.getLogger(__name__)
HOUR_S: Final = 3_600.0
MOST_LATEST: Final = 100
"""Connections whose time is remembered."""
TAKEN_OVER: Final = "Session taken over"
"""MQTT 5, 3.14.2.1, 0x8E, in paho's words: somebody else connected with our id."""


class Standing:
    """The state of one conversation."""

    def __init__(self, host: Host) -> None:
        """Not decided yet; `host` hears of refusals."""
        self._host = host
        self.state, self.since_s = "connecting", 0.0
        self.last_error: str | None = None
        self.connections = self.taken_over = self.ignored_acks = 0
        self._latest_s: deque[float] = deque(maxlen=MOST_LATEST)
        """When the latest connections were made."""
        self._refusals = Refusals()
        self._told: str | None = None
        """The refusal that the host knows of."""

    def facts(self) -> dict[str, Json]:
        """What the status says of it."""
        refused = self._refusals.reason
        return {
            "state": "refused" if refused is not None and self.state == "online" else self.state,
            "last_error": refused or self.last_error,
            "connections": self.connections,
            "connections_last_hour": self._last_hour(),
            "reconnects": max(0, self.connections - 1),
            "taken_over": self.taken_over,
            "ignored_acks": self.ignored_acks,
        }

    def online(self) -> None:
        """There is a link, and the broker lets us in."""
        self.judge(Kind.CONNECTION, SUCCESS, "")
        self._become("online")
        self.last_error = None
        self.connections += 1
        self._latest_s.append(asyncio.get_running_loop().time())

    def _last_hour(self) -> int:
        since_s = asyncio.get_running_loop().time() - HOUR_S
        return sum(at_s > since_s for at_s in self._latest_s)

    def offline(self, error: LinkError) -> None:
        """There is none, or it is gone."""
        if self.state not in {"offline", "refused"} or str(error) != self.last_error:
            LOG.warning("offline: %s", error)
        self._become("refused" if error.refused else "offline")
        self.taken_over += TAKEN_OVER in str(error)
        self.last_error = str(error)
        if error.refused:
            self.judge(Kind.CONNECTION, FAILURE, str(error))

    def heard(self, code: int) -> None:
        """The broker's word on an event: it may have nobody to give it to."""
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
        """Something was refused, and that has not ended yet."""
        return self._refusals.reason is not None

    def note(self, message: Message, code: int, ours: str) -> None:
        """One of our messages was refused or taken; an answer elsewhere than below `ours` may well be refused."""
        if message.kind is Kind.GUEST or message.topic.startswith(ours):
            self.judge(message.kind, code, f"the broker refuses {message.topic}: reason 0x{code:02x}")

    def judge(self, kind: Kind, code: int, why: str) -> None:
        """Something was refused or taken."""
        now_s = asyncio.get_running_loop().time()
        if code >= FAILURE:
            self._refusals.refused(kind, why, now_s)
        else:
            self._refusals.taken(kind, now_s, at_once=kind in {Kind.CONNECTION, Kind.COMMANDS})
        self._tell()

    def tick(self, now_s: float) -> None:
        """A refusal ends with time, too."""
        self._refusals.settle(now_s)
        self._tell()

    def _tell(self) -> None:
        """The host hears of the first refusal, and when there is none any more."""
        reason = self._refusals.reason
        if (reason is None) != (self._told is None):
            LOG.warning("%s", reason or "the broker takes everything again")
            self._told = reason
            self._host.upstream_refuses(reason)
