"""The retained messages of a conversation: our status, the state of each door, and the extra messages.

One rule: only the present state is published, and only when the events that led to it are on the disk.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from edge.log.log import LogUnavailableError
from edge.model.cloudevents import to_bytes
from edge.system.tasks import say_why
from edge.upstream.messages import FAILURE, SINK, Message, MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Json
    from edge.upstream.conversation import ConversationState
    from edge.upstream.messages import ExtraMessages, RetainedFacts, UpstreamOptions
    from edge.upstream.witness import StreamWitness

STATUS_EVERY_S: Final = 60.0
SAID: Final = "controller.states"
"""The key among the log's modes for the doors whose states the broker may retain; no door's id has a dot."""
AGAIN_S: Final = 1.0
"""Pause before the log is asked again when too much waited for the disk."""


class RetainedStates:
    """The retained messages that are still to be sent. Times are the loop's."""

    def __init__(  # noqa: PLR0913, PLR0917 -- all that a status reports
        self,
        options: UpstreamOptions,
        log: Log,
        facts: RetainedFacts,
        conversation: ConversationState,
        doors: Sequence[str],
        extra: ExtraMessages | None,
        witness: StreamWitness,
        ready: Callable[[], None],
    ) -> None:
        """Nothing is sent before `begin`; `ready` is called when there is something to send."""
        self._options, self._log, self._facts, self._conversation = options, log, facts, conversation
        self._doors, self._extra = tuple(doors), extra
        self._leaving = self._status_due = False
        self._conversation_said = ""
        self._status_s = 0.0
        self._witness, self._ready = witness, ready
        self._told_of = 0
        """The newest record when `stream` was sent last."""
        self._stream_due = False
        self._changed: dict[str, None] = {}
        """Doors whose change may not be on the disk yet."""
        self._waiting: asyncio.Task[None] | None = None
        self._said: set[str] = set()
        """Doors whose state the broker may retain, also from before the last change of the configuration."""
        self._gone: dict[str, None] = {}
        """Doors among them that do not exist any more, whose retained state is to be removed over this link."""
        self._gone_due = extra is None
        """Whether to remove them now. With extra messages only after the next status, so that they go first."""
        self._dirty: dict[str, None] = {}
        self._stale: dict[str, None] = {}
        """Doors whose state was refused; it is sent again with the next status."""
        self._unsaid = False
        """An extra message was refused: with the next status all of them are sent again."""

    def remember(self, kept: str) -> None:
        """Take up the doors that the log keeps under `SAID`."""
        try:
            doors = json.loads(kept)
        except (ValueError, RecursionError):
            doors = []
        self._said = {door for door in doors if isinstance(door, str)} if isinstance(doors, list) else set()

    def doors_are(self, doors: Sequence[str]) -> None:
        """These are the doors now; new ones are published, and the status."""
        new = [door for door in doors if door not in self._doors]
        self._doors = tuple(doors)
        self._status_due |= bool(new)
        for door in new:
            self.door_changed(door)

    def _keep(self, said: set[str]) -> None:
        if said != self._said:
            self._said = said
            self._log.append([], {SAID: json.dumps(sorted(said))})

    def begin(self) -> None:
        """Send everything: the link is new."""
        self._gone = dict.fromkeys(sorted(self._said - set(self._doors)))
        self._gone_due = self._extra is None
        self._keep(self._said | set(self._doors))
        for door in self._doors:
            self.door_changed(door)
        self._status_due = self._stream_due = True
        self._unsaid = False
        self.extra_changed()

    @property
    def status_due(self) -> bool:
        """Whether our status differs from what was sent last."""
        return self._status_due or self._conversation_said != self._conversation.state

    def leave(self) -> None:
        """From now on our status is offline."""
        self._leaving = self._status_due = self._stream_due = True

    def door_changed(self, door: str) -> None:
        """Its retained state is out of date; the newest state wins."""
        self._changed[door] = None
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(self._settle(), name="door states")
            self._waiting.add_done_callback(say_why)

    async def _settle(self) -> None:
        while self._changed:
            changed, self._changed = self._changed, {}
            try:
                await self._log.durable()
            except LogUnavailableError:
                self._changed = changed | self._changed
                await asyncio.sleep(AGAIN_S)
                continue
            self._dirty |= changed
            self._ready()

    def extra_changed(self) -> None:
        """Send all the extra messages again."""
        if self._extra is not None:
            self._extra.begin()

    def answered(self, message: Message, code: int) -> None:
        """Handle a reason code: a refused message is sent again later; a removed door's state is removed now."""
        gone = message.door and message.door not in self._doors
        if code < FAILURE and gone:
            self._keep(self._said - {message.door})
        elif code >= FAILURE:
            self._unsaid |= message.kind is MessageKind.EXTRA
            if message.door and not gone:
                self._stale[message.door] = None

    def tick(self, now_s: float) -> None:
        """Every `STATUS_EVERY_S` send the status again, and with it what was refused."""
        self._stream_due |= self._told_of != self._log.committed  # so that the broker's witness stays recent
        if now_s - self._status_s <= STATUS_EVERY_S:
            return
        self._status_due = self._gone_due = True
        self._dirty |= self._stale
        self._stale.clear()
        if self._unsaid:
            self._unsaid = False
            self.extra_changed()

    def next(self, now_s: float) -> Message | None:
        """Take the next message; None when everything is sent."""
        if self._stream_due:  # on a topic of its own: in the status our will would replace it by older values
            self._stream_due, self._told_of = False, self._log.committed
            return Message(
                MessageKind.STREAM, self._options.below("stream"), to_bytes(self._witness.facts()), retain=True
            )
        if self.status_due:
            self._status_due, self._conversation_said, self._status_s = False, self._conversation.state, now_s
            status = self.status(online=not self._leaving)
            return Message(MessageKind.STATUS, self._options.below("status"), status, retain=True)
        if self._dirty:
            door = next(iter(self._dirty))
            del self._dirty[door]
            self._keep(self._said | {door})
            state = to_bytes(self._facts.door_state(door))
            return Message(
                MessageKind.STATES, self._options.below(f"doors/{door}/state"), state, retain=True, door=door
            )
        if self._gone and self._gone_due:
            door, _ = self._gone.popitem()
            return Message(MessageKind.STATES, self._options.below(f"doors/{door}/state"), b"", retain=True, door=door)
        return None

    def next_extra(self) -> Message | None:
        """Take the next extra message; None when there is none."""
        message = None if self._extra is None else self._extra.next()
        return None if message is None else Message(MessageKind.EXTRA, message[0], message[1], retain=True)

    def status(self, *, online: bool) -> bytes:
        """The content of `status`; with `online` false also that of our will."""
        status: dict[str, Json] = {
            "online": online,
            **self._facts.online_status(),
            "stream": self._log.stream,
            "sequence": self._log.committed,
            "cursor": self._log.cursor(SINK),
            "no_subscriber": self._conversation.state == "no_subscriber",
        }
        return to_bytes(status)
